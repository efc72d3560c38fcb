#include "marker.h"

#include <inttypes.h>
#include <stdio.h>

#include "evstream/type.h"
#include "lines.h"
#include "runtime.h"

#define EVERY_US INT64_C(2000000)
#define FLOOR_US INT64_C(10000000) /* the most that a crash of the store takes: see marker.h */

/* --- the text ------------------------------------------------------------------------------------------------------------------------ */

static bool take_number(struct evs_slice value, uint64_t *number)
{
    int64_t parsed;
    if (!evs_lines_int64(value, &parsed) || parsed < 0) {
        return false;
    }
    *number = (uint64_t)parsed;
    return true;
}

static bool take_incarnation(struct evs_slice value, struct evs_hash128 *incarnation)
{
    return value.count == 32 && evs_lines_hex64((struct evs_slice){value.data, 16}, &incarnation->high) &&
           evs_lines_hex64((struct evs_slice){value.data + 16, 16}, &incarnation->low);
}

bool evs_marker_decode(struct evs_slice text, struct evs_marker *marker)
{
    struct evs_slice name, value;
    bool has_incarnation = false, has_checkpoint = false;
    *marker = (struct evs_marker){0};
    while (evs_lines_next(&text, &name, &value)) {
        if (evs_slice_equal(name, EVS_SLICE("incarnation"))) {
            has_incarnation = take_incarnation(value, &marker->incarnation);
        } else if (evs_slice_equal(name, EVS_SLICE("checkpoint"))) {
            has_checkpoint = take_number(value, &marker->checkpoint);
        } else if (evs_slice_equal(name, EVS_SLICE("floor")) && !take_number(value, &marker->floor)) {
            return false;
        } else if (evs_slice_equal(name, EVS_SLICE("written"))) {
            snprintf(marker->written, sizeof marker->written, "%.*s", (int)value.count, value.data);
        }
    }
    marker->is_there = has_incarnation && has_checkpoint && marker->floor <= marker->checkpoint;
    return marker->is_there;
}

static void put_key(const struct evs_run *run, struct evs_buffer *key)
{
    evs_buffer_puts(key, "marker.");
    evs_lines_put_key(key, run->plan->pipeline);
    evs_buffer_puts(key, ".");
    evs_lines_put_key(key, evs_run_group(run));
    evs_buffer_put(key, "", 1);
}

/* --- reading --------------------------------------------------------------------------------------------------------------------------- */

evs_status evs_marker_read(struct evs_run *run, struct evs_error *error)
{
    struct evs_buffer key = {0}, text = {0};
    put_key(run, &key);
    evs_status status = run->bucket_kind->read(run->bucket, key.data, &text, &run->marker_revision, error);
    if (status == EVS_OK && text.count > 0 &&
        !evs_marker_decode((struct evs_slice){text.data, text.count}, &run->marker)) {
        evs_log(run->options.log, EVS_LOG_WARN, "marker",
                "The marker of pipeline %s is not understood, and is written anew.", run->plan->pipeline);
    }
    evs_buffer_fini(&key);
    evs_buffer_fini(&text);
    return status;
}

static evs_status refuse(const struct evs_run *run, struct evs_error *error)
{
    const struct evs_marker *marker = &run->marker;
    char has[96];
    snprintf(has, sizeof has, "only its checkpoint %llu", (unsigned long long)run->terms.checkpoint);
    return evs_fail(
        error, EVS_E_STATE,
        "Redis has %s of pipeline %s, but NATS (bucket %s) remembers that it had made checkpoint %llu when it was last "
        "heard of, at %s. Is "
        "this the right Redis (--redis), and can a newer copy of it be restored? If not: with --state-lost accept it "
        "goes on from what "
        "Redis has, reads the events since again, and publishes only what the sinks' streams do not hold yet; with "
        "--state-lost restart, once the "
        "state is removed (evstream state reset %s), it begins as if it had never run, and publishes everything as new",
        run->terms.has_commit ? has : "no state", run->plan->pipeline, run->options.bucket,
        (unsigned long long)marker->checkpoint, marker->written, run->plan->pipeline);
}

static void tell_rollback(const struct evs_run *run)
{
    evs_log(run->options.log, EVS_LOG_WARN, "redis_lost",
            "Redis has lost the newest checkpoints of pipeline %s: it has %llu, and had confirmed %llu. The events "
            "since are read again.",
            run->plan->pipeline, (unsigned long long)(run->terms.has_commit ? run->terms.checkpoint : 0),
            (unsigned long long)run->marker.checkpoint);
}

/* The state is behind by more than a crash may take, or gone. */
static evs_status judge_lost(struct evs_run *run, struct evs_error *error)
{
    bool restarts = run->options.state_lost == EVS_LOST_RESTART && !run->terms.has_commit;
    if (run->options.state_lost != EVS_LOST_ACCEPT && !restarts) {
        return refuse(run, error);
    }
    if (restarts) {
        evs_log(run->options.log, EVS_LOG_WARN, "state_lost", "Pipeline %s begins anew, as if it had never run.",
                run->plan->pipeline);
        return EVS_OK;
    }
    tell_rollback(run);
    run->incarnation = run->marker.incarnation;
    run->keeps_incarnation = true;
    return EVS_OK;
}

evs_status evs_marker_judge(struct evs_run *run, struct evs_error *error)
{
    const struct evs_marker *marker = &run->marker;
    if (!marker->is_there) {
        return EVS_OK;
    }
    if (!run->terms.has_commit) {
        return judge_lost(run, error);
    }
    bool is_same = memcmp(&run->restored.incarnation, &marker->incarnation, sizeof marker->incarnation) == 0;
    if (!is_same || run->terms.checkpoint >= marker->checkpoint) {
        return EVS_OK;
    }
    if (run->terms.checkpoint < marker->floor) {
        return judge_lost(run, error);
    }
    tell_rollback(run);
    return EVS_OK;
}

/* --- writing ---------------------------------------------------------------------------------------------------------------------------- */

static void put_lines(struct evs_buffer *out, const struct evs_record *record)
{
    for (uint32_t i = 0; i < record->source_count; i++) {
        const struct evs_record_source *source = &record->sources[i];
        for (uint32_t j = 0; j < source->partition_count; j++) {
            const struct evs_position *position = &source->partitions[j].position;
            evs_buffer_printf(out, "position %u %" PRIu64 " %s\n", position->partition, position->sequence,
                              source->name);
        }
    }
    for (uint32_t i = 0; i < record->node_count; i++) {
        evs_buffer_printf(out, "watermark %" PRId64 " %s\n", record->nodes[i].watermark_us, record->nodes[i].name);
    }
}

void evs_marker_note(struct evs_marker_maker *maker, const struct evs_run *run, const struct evs_record *record)
{
    int64_t now_us = evs_monotonic_us(run->options.os);
    bool is_due = maker->noted_us == 0 || now_us - maker->noted_us >= EVERY_US;
    if (run->lease == NULL || maker->checkpoint != 0 || !is_due) {
        return;
    }
    maker->noted_us = now_us;
    maker->checkpoint = record->checkpoint;
    maker->lines.count = 0;
    put_lines(&maker->lines, record);
}

/* The newest checkpoint that was confirmed FLOOR_US ago; a young term has the one that it began with. */
static uint64_t floor_of(struct evs_marker_maker *maker, const struct evs_run *run, int64_t now_us)
{
    uint64_t floor = run->terms.has_commit ? run->terms.checkpoint : 0;
    for (uint32_t i = 0; i < EVS_MARKER_FLOORS; i++) {
        bool is_old = maker->floors[i].checkpoint > 0 && now_us - maker->floors[i].at_us >= FLOOR_US;
        floor = is_old && maker->floors[i].checkpoint > floor ? maker->floors[i].checkpoint : floor;
    }
    return floor;
}

static void put_time(struct evs_buffer *out, const struct evs_run *run)
{
    char text[EVS_FORMAT_MAX];
    const struct evs_clock *clock = &run->options.os->clock;
    uint32_t count = evs_format_timestamp(text, clock->wall_us(clock->self) / 1000000 * 1000000);
    evs_buffer_printf(out, "written %.*s\n", (int)count, text);
}

void evs_marker_confirmed(struct evs_marker_maker *maker, struct evs_run *run, uint64_t checkpoint)
{
    if (maker->checkpoint == 0 || checkpoint < maker->checkpoint) {
        return;
    }
    int64_t now_us = evs_monotonic_us(run->options.os);
    struct evs_buffer *text = evs_alloc_zero(sizeof *text);
    evs_buffer_printf(
        text, "version 1\nincarnation %016" PRIx64 "%016" PRIx64 "\ncheckpoint %" PRIu64 "\nfloor %" PRIu64 "\n",
        run->incarnation.high, run->incarnation.low, maker->checkpoint, floor_of(maker, run, now_us));
    put_time(text, run);
    evs_buffer_put(text, maker->lines.data, maker->lines.count);
    uint32_t at = maker->floor_next++ % EVS_MARKER_FLOORS;
    maker->floors[at].checkpoint = maker->checkpoint;
    maker->floors[at].at_us = now_us;
    maker->checkpoint = 0;
    struct evs_buffer *before = atomic_exchange(&run->marker_text, text);
    if (before != NULL) { /* the keeper could not write it in time: this one is newer */
        evs_buffer_fini(before);
        evs_free(before);
    }
    run->options.os->threads.wake(run->keeper_park);
}

void evs_marker_maker_fini(struct evs_marker_maker *maker)
{
    evs_buffer_fini(&maker->lines);
}

void evs_marker_fini(struct evs_run *run)
{
    struct evs_buffer *text = atomic_exchange(&run->marker_text, NULL);
    if (text != NULL) {
        evs_buffer_fini(text);
        evs_free(text);
    }
}

/* A refusal by revision means that somebody else has written: an owner of the lease that we no longer are, or a person. We look, and write over it next time. */
void evs_marker_write(struct evs_run *run)
{
    struct evs_error error = {0};
    struct evs_buffer *text = atomic_exchange(&run->marker_text, NULL);
    if (text == NULL) {
        return;
    }
    struct evs_buffer key = {0};
    put_key(run, &key);
    evs_status status = run->bucket_kind->write(run->bucket, key.data, (struct evs_slice){text->data, text->count},
                                                run->marker_revision, &run->marker_revision, &error);
    if (status == EVS_AGAIN) {
        struct evs_buffer ignored = {0};
        status = run->bucket_kind->read(run->bucket, key.data, &ignored, &run->marker_revision, &error);
        evs_buffer_fini(&ignored);
    }
    if (status != EVS_OK) {
        evs_log(run->options.log, EVS_LOG_WARN, "marker", "The marker of pipeline %s cannot be written: %s",
                run->plan->pipeline, error.text);
    }
    evs_buffer_fini(&key);
    evs_buffer_fini(text);
    evs_free(text);
}
