#include "nats_reader.h"

#include "nats_json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "nats_lane.h"
#include "nats_senders.h"
#include "nats_settle.h"

#define READER_ASK_US 5000000
#define READER_START_US 10000000 /* for the first consumers to run */

struct evs_nats_reader {
    struct evs_nats_shared shared;
    const struct evs_nats_reader_config *config;
    struct evs_park *park;
    uint64_t connection; /* of which the lanes know */
    int64_t retry_us;
    struct evs_nats_lane *lanes;
    uint32_t lane_count, lane_last;
    struct evs_nats_senders *senders; /* NULL: no idleness to judge */
    uint64_t reconnects;
    struct evs_nats_settled settled;               /* of the start */
    bool committed_start[EVS_NATS_PARTITIONS_MAX]; /* the partition had a position of a commit */
};

bool evs_nats_partition_filter(const char *subject, uint32_t token, uint32_t partition, char *out, size_t bytes)
{
    subject = subject[0] == '\0' ? ">" : subject;
    size_t used = 0;
    for (uint32_t at = 1;; at++) {
        size_t count = strcspn(subject, ".");
        bool rest = count == 1 && subject[0] == '>';
        char number[16];
        snprintf(number, sizeof number, "%u", partition);
        bool any = rest || (count == 1 && subject[0] == '*');
        if (at == token && !any && (count != strlen(number) || memcmp(subject, number, count) != 0)) {
            return false;
        }
        const char *piece = at == token ? number : rest && at < token ? "*" : subject;
        int piece_count = at == token || (rest && at < token) ? (int)strlen(piece) : (int)count;
        used += (size_t)snprintf(out + used, used < bytes ? bytes - used : 0, "%s%.*s", at > 1 ? "." : "", piece_count,
                                 piece);
        if (used >= bytes) {
            return false;
        }
        if (rest) {
            if (at > token) {
                return true;
            }
            continue; /* '>' stands for all tokens up to the partition's, and for what follows */
        }
        subject += count;
        if (*subject == '\0') {
            return at >= token;
        }
        subject++;
    }
}

bool evs_nats_subject_ends_at(const char *subject, uint32_t token, char *exact, size_t bytes)
{
    size_t used = 0;
    uint32_t at = 1;
    subject = subject[0] == '\0' ? ">" : subject;
    for (;; at++) {
        size_t count = strcspn(subject, ".");
        bool rest = count == 1 && subject[0] == '>';
        used += (size_t)snprintf(exact + used, used < bytes ? bytes - used : 0, "%s%.*s", at > 1 ? "." : "",
                                 rest ? 1 : (int)count, rest ? "*" : subject);
        if (rest) {
            break;
        }
        subject += count;
        if (*subject == '\0') {
            return false;
        }
        subject++;
    }
    for (; at < token; at++) {
        used += (size_t)snprintf(exact + used, used < bytes ? bytes - used : 0, ".*");
    }
    return at == token && used < bytes;
}

/* --- open ------------------------------------------------------------------------------------------------------------ */

static evs_status reader_connect(struct evs_nats_reader *reader, const struct evs_source_open *open,
                                 struct evs_error *error)
{
    const struct evs_nats_reader_config *config = reader->config;
    char name[160];
    snprintf(name, sizeof name, "evstream source %s worker %u", open->name, open->worker);
    struct evs_nats_options options = {
        .os = open->os,
        .log = open->log,
        .park = open->park,
        .urls = open->nats_url,
        .credentials = open->nats_credentials,
        .tls_ca = config->tls_ca[0] != '\0' ? config->tls_ca : NULL,
        .tls_cert = config->tls_cert[0] != '\0' ? config->tls_cert : NULL,
        .tls_key = config->tls_key[0] != '\0' ? config->tls_key : NULL,
        .name = name,
        .transport = config->transport,
        .retry_us = open->retry_us,
    };
    evs_status status = evs_nats_wire_open(&options, &reader->shared.wire, error);
    if (status == EVS_OK) {
        struct evs_nats_wire_state state;
        reader->shared.wire->type->state(reader->shared.wire, &state);
        reader->shared.max_payload = state.max_payload;
    }
    return status;
}

/* The subject of a stream that --create makes: what the filter says, or everything below its first word. */
static evs_status reader_create_stream(struct evs_nats_reader *reader, struct evs_nats_asker *asker,
                                       struct evs_error *error)
{
    const struct evs_nats_reader_config *config = reader->config;
    if (config->subject[0] == '\0') {
        return evs_fail(error, EVS_E_REFUSED,
                        "Stream %s does not exist, and cannot be created without knowing its subjects: give the "
                        "source a subject, such as subject = 'clicks.>'.",
                        config->stream);
    }
    struct evs_nats_stream_config stream = {
        .name = config->stream,
        .subjects = {config->subject},
        .max_age_us = config->max_age_us,
        .max_bytes = config->max_bytes,
        .duplicate_window_us = config->duplicate_window_us,
    };
    evs_status status = evs_nats_create_stream(asker, reader->shared.prefix, &stream, error);
    if (status == EVS_OK) {
        evs_log(reader->shared.log, EVS_LOG_INFO, "nats_stream_created",
                "Source %s: created stream %s for subjects %s.", reader->shared.source, config->stream,
                config->subject);
    }
    return status;
}

static evs_status reader_find_stream(struct evs_nats_reader *reader, const struct evs_source_open *open,
                                     struct evs_nats_stream_info *info, struct evs_error *error)
{
    struct evs_nats_shared *shared = &reader->shared;
    struct evs_nats_asker asker = {shared->wire, shared->os, open->park, shared->inbox, 0, READER_ASK_US, 0};
    evs_status status = evs_nats_find_stream(&asker, shared->prefix, shared->stream, info, error);
    if (status == EVS_AGAIN && open->create) {
        status = reader_create_stream(reader, &asker, error);
        if (status == EVS_OK) {
            status = evs_nats_find_stream(&asker, shared->prefix, shared->stream, info, error);
        }
    }
    if (status == EVS_AGAIN) {
        const char *subject = reader->config->subject[0] != '\0' ? reader->config->subject : "SUBJECTS";
        return evs_fail(error, EVS_E_REFUSED,
                        "Source %s: stream %s does not exist. Create it with `evstream run --create …`, or with "
                        "`nats stream add %s --subjects '%s' --storage file --retention limits --defaults`.",
                        open->name, shared->stream, shared->stream, subject);
    }
    return status;
}

/* The positions of the last commit. */
static void reader_take_positions(struct evs_nats_reader *reader, const struct evs_source_open *open)
{
    struct evs_nats_shared *shared = &reader->shared;
    for (uint32_t i = 0; i < open->position_count; i++) {
        const struct evs_position *position = &open->positions[i];
        if (position->partition < shared->partitions) {
            shared->positions[position->partition] = position->sequence; /* ascending: the last entry stands */
            reader->committed_start[position->partition] = true;
            shared->created_us = position->log_created_us != 0 ? position->log_created_us : shared->created_us;
        }
    }
}

/* What the log has lost of them is not read any more. A partition that has been quiet for long begins where all of them were read together, not at
 * its own last message. */
static evs_status reader_settle(struct evs_nats_reader *reader, const struct evs_source_open *open,
                                struct evs_nats_stream_info *info, struct evs_error *error)
{
    struct evs_nats_shared *shared = &reader->shared;
    struct evs_nats_settled *settled = &reader->settled;
    struct evs_nats_asker asker = {shared->wire, shared->os, open->park, shared->inbox, 0, READER_ASK_US, 0};
    bool is_replaced = shared->created_us != 0 && info->created_us != 0 && shared->created_us != info->created_us;
    if (open->is_probe || is_replaced) {
        return EVS_OK; /* the lanes tell of another stream */
    }
    evs_status status = evs_nats_settle(shared, &asker, open, info, settled, error);
    for (uint32_t p = 0; p < shared->partitions && status == EVS_OK; p++) {
        uint64_t common = settled->common[p], *position = &shared->positions[p];
        *position = *position < common ? *position : common;
        if (*position < settled->together) {
            *position = settled->together;
            reader->committed_start[p] = true;
        }
    }
    return status;
}

/* Where the partitions begin: those without a committed position as `start` says. */
static void reader_resolve_start(struct evs_nats_reader *reader, const struct evs_source_open *open,
                                 const struct evs_nats_stream_info *info)
{
    struct evs_nats_shared *shared = &reader->shared;
    uint64_t before = 0;
    if (open->start == EVS_START_LATEST) {
        before = info->last_sequence;
    } else if (open->start == EVS_START_SEQUENCE && open->start_value > 1) {
        before = (uint64_t)open->start_value - 1;
        before = before < info->last_sequence ? before : info->last_sequence;
    }
    for (uint32_t p = 0; p < shared->partitions; p++) {
        shared->positions[p] = before;
    }
    shared->until_end = open->until_end;
    shared->end_sequence = info->last_sequence;
    shared->end_before_us = open->end_before_us;
    if (open->end_sequence > 0 && open->end_sequence < shared->end_sequence) {
        shared->end_sequence = open->end_sequence;
    }
    reader_take_positions(reader, open);
}

static bool lane_owns(const struct evs_nats_lane *lane, uint32_t partition)
{
    return lane->partition == EVS_NATS_ALL_PARTITIONS || (uint32_t)lane->partition == partition;
}

/* The lane's own oldest mark; a partition that never had a message begins behind its position. */
static uint64_t lane_own_from(const struct evs_nats_lane *lane, const struct evs_source_open *open)
{
    uint64_t oldest = UINT64_MAX;
    if (lane->partition == EVS_NATS_ALL_PARTITIONS) {
        return 0; /* all marks are its own */
    }
    for (uint32_t i = 0; i < open->position_count; i++) {
        const struct evs_position *position = &open->positions[i];
        if (position->sequence > 0 && position->sequence < oldest && lane_owns(lane, position->partition)) {
            oldest = position->sequence;
        }
    }
    return oldest < UINT64_MAX ? oldest : lane->shared->positions[lane->partition] + 1;
}

/* What is remembered of the log, as far as it is still there: for each of the lane's partitions its marks and older ones of others, which tell where the log
 * forks when it has lost everything that this lane remembers. */
static void lane_load_marks(struct evs_nats_lane *lane, const struct evs_source_open *open,
                            const struct evs_nats_settled *settled)
{
    uint32_t i = 0;
    while (i < open->position_count) {
        uint32_t partition = open->positions[i].partition, from = i;
        while (i < open->position_count && open->positions[i].partition == partition) {
            i++;
        }
        if (partition >= lane->shared->partitions || !lane_owns(lane, partition)) {
            continue;
        }
        bool is_alone = lane->partition != EVS_NATS_ALL_PARTITIONS;
        struct evs_nats_history marks = {0};
        (void)evs_nats_history_of(&marks, is_alone ? open->positions : open->positions + from,
                                  is_alone ? open->position_count : i - from, partition);
        evs_nats_history_rewind(&marks, settled->common[partition]);
        evs_nats_history_merge(&lane->history, &marks);
    }
}

/* A partition that was quiet begins where all were read together, far behind its own last message: that one being the same does not tell whether the log
 * forks in between, and what lies behind the fork would be skipped. The newest message before that place tells. */
static void lane_load_history(struct evs_nats_lane *lane, const struct evs_source_open *open,
                              const struct evs_nats_settled *settled)
{
    const struct evs_nats_mark *witness = &settled->witness;
    lane_load_marks(lane, open, settled);
    uint32_t count = lane->history.count;
    uint64_t newest = count > 0 ? evs_nats_history_at(&lane->history, count - 1)->sequence : 0;
    if (lane->partition != EVS_NATS_ALL_PARTITIONS && lane->shared->positions[lane->partition] == settled->together &&
        witness->sequence > newest) {
        lane->witness = witness->sequence;
        evs_nats_history_push(&lane->history, *witness);
    }
}

/* A lane begins at the slowest of its partitions. */
static void lane_set_start(struct evs_nats_lane *lane, const struct evs_nats_reader *reader,
                           const struct evs_source_open *open)
{
    uint64_t slowest = UINT64_MAX;
    bool all_new = true;
    for (uint32_t p = 0; p < lane->shared->partitions; p++) {
        if (lane_owns(lane, p)) {
            slowest = lane->shared->positions[p] < slowest ? lane->shared->positions[p] : slowest;
            all_new = all_new && !reader->committed_start[p];
        }
    }
    lane->next = slowest + 1;
    lane->from_earliest = slowest == 0;
    lane->history.is_whole = slowest == 0 && lane->history.count == 0;
    if (all_new && open->start == EVS_START_TIME) {
        lane->next = 0;
        lane->start_us = open->start_value;
        lane->history.is_whole = false;
    } else if (all_new && slowest > 0) {
        evs_nats_history_push(&lane->history, (struct evs_nats_mark){.sequence = slowest});
    }
}

/* until_end: the sequence of the last message that a lane with a filter will see, asked for by subject. */
static evs_status lane_find_end(struct evs_nats_lane *lane, const struct evs_source_open *open, struct evs_error *error)
{
    struct evs_nats_shared *shared = lane->shared;
    lane->end_sequence = shared->end_sequence;
    if (!shared->until_end || lane->filter[0] == '\0') {
        return EVS_OK;
    }
    char api[300], body[300];
    struct evs_nats_asker asker = {shared->wire, shared->os, open->park, shared->inbox, 0, READER_ASK_US, 0};
    struct evs_nats_message answer = {0};
    struct evs_nats_api_error failure;
    snprintf(api, sizeof api, "%s.STREAM.MSG.GET.%s", shared->prefix, shared->stream);
    int count = snprintf(body, sizeof body, "{\"last_by_subj\":\"%s\"}", lane->filter);
    evs_status status = evs_nats_request(&asker, api, (struct evs_slice){body, (size_t)count}, &answer, error);
    if (status != EVS_OK) {
        return status;
    }
    if (evs_nats_api_failed(&answer, &failure) && failure.number != EVS_NATS_E_NO_MESSAGE) {
        return evs_fail(error, EVS_E_REFUSED, "Source %s: the end of stream %s cannot be found: %s.", shared->source,
                        shared->stream, failure.text);
    }
    uint64_t last = evs_nats_json_uint(answer.payload, "message.seq", 0);
    lane->end_sequence = last < shared->end_sequence ? last : shared->end_sequence;
    return EVS_OK;
}

static evs_status reader_add_lane(struct evs_nats_reader *reader, int32_t partition, const struct evs_source_open *open,
                                  const struct evs_nats_stream_info *info, struct evs_error *error)
{
    const struct evs_nats_reader_config *config = reader->config;
    struct evs_nats_lane *lane = &reader->lanes[reader->lane_count];
    *lane = (struct evs_nats_lane){.shared = &reader->shared, .index = reader->lane_count, .partition = partition};
    if (partition == EVS_NATS_ALL_PARTITIONS) {
        /* A filter that takes everything only costs the server. */
        bool whole = info->subject_count == 1 && evs_nats_subject_covers(config->subject, info->subject);
        snprintf(lane->filter, sizeof lane->filter, "%s", whole ? "" : config->subject);
    } else if (!evs_nats_partition_filter(config->subject, config->partition_token, (uint32_t)partition, lane->filter,
                                          sizeof lane->filter)) {
        return evs_fail(
            error, EVS_E_PIPELINE,
            "Source %s: token %u of the subject '%s' cannot be the partition; write '*' there, or '>' at or before it.",
            open->name, config->partition_token, config->subject);
    }
    lane->own_from = lane_own_from(lane, open);
    if (reader->settled.common != NULL) {
        lane_load_history(lane, open, &reader->settled);
    }
    lane_set_start(lane, reader, open);
    reader->lane_count++;
    return lane_find_end(lane, open, error);
}

static evs_status reader_add_lanes(struct evs_nats_reader *reader, const struct evs_source_open *open,
                                   const struct evs_nats_stream_info *info, struct evs_error *error)
{
    uint32_t partitions = reader->shared.partitions;
    reader->lanes = evs_alloc_zero(partitions * sizeof *reader->lanes);
    evs_status status = EVS_OK;
    if (open->worker_count == 1) {
        status = reader_add_lane(reader, EVS_NATS_ALL_PARTITIONS, open, info, error);
    }
    for (uint32_t p = open->worker; open->worker_count > 1 && p < partitions && status == EVS_OK;
         p += open->worker_count) {
        bool alone = partitions == 1;
        status = reader_add_lane(reader, alone ? EVS_NATS_ALL_PARTITIONS : (int32_t)p, open, info, error);
    }
    reader->shared.lane_count = reader->lane_count;
    return status;
}

/* `clicks.>` with the partition in token 2 means `clicks.<p>.<more>`: a worker that owns some partitions asks for `clicks.3.>`, which does not
 * match `clicks.3` itself. One worker alone would read both, so the difference is told before anything is read. */
static evs_status reader_check_subjects(struct evs_nats_reader *reader, const struct evs_source_open *open,
                                        struct evs_error *error)
{
    const struct evs_nats_reader_config *config = reader->config;
    struct evs_nats_shared *shared = &reader->shared;
    char exact[256], api[300], body[300];
    if (open->worker_count == 1 || config->partitions == 1 ||
        !evs_nats_subject_ends_at(config->subject, config->partition_token, exact, sizeof exact)) {
        return EVS_OK;
    }
    struct evs_nats_asker asker = {shared->wire, shared->os, open->park, shared->inbox, 0, READER_ASK_US, 0};
    struct evs_nats_message answer = {0};
    struct evs_slice subjects;
    snprintf(api, sizeof api, "%s.STREAM.INFO.%s", shared->prefix, shared->stream);
    int count = snprintf(body, sizeof body, "{\"subjects_filter\":\"%s\"}", exact);
    evs_status status = evs_nats_request(&asker, api, (struct evs_slice){body, (size_t)count}, &answer, error);
    if (status == EVS_OK && evs_nats_json_find(answer.payload, "state.subjects", &subjects) && subjects.count > 2) {
        return evs_fail(error, EVS_E_REFUSED,
                        "Source %s: stream %s has messages on subjects %s, with nothing behind the partition; several "
                        "workers would not read "
                        "them with subject = '%s'. Write subject = '%s', or publish with a further token.",
                        shared->source, shared->stream, exact, config->subject, exact);
    }
    return status;
}

static bool reader_is_running(const struct evs_nats_reader *reader)
{
    for (uint32_t i = 0; i < reader->lane_count; i++) {
        if (reader->lanes[i].phase != EVS_NATS_RUNNING) {
            return false;
        }
    }
    return true;
}

static void reader_drive(struct evs_nats_reader *reader, struct evs_message *messages, uint32_t max, uint32_t *count);

static evs_status reader_start(struct evs_nats_reader *reader, struct evs_error *error)
{
    struct evs_nats_shared *shared = &reader->shared;
    /* The retry policy; a server that answers gets the least time, too, before it counts as unable to. */
    int64_t patience_us = reader->retry_us > READER_START_US ? reader->retry_us : READER_START_US;
    int64_t deadline_us = evs_monotonic_us(shared->os) + patience_us;
    struct evs_nats_wire_state state;
    shared->wire->type->state(shared->wire, &state);
    uint64_t refusals = state.refusals;
    for (;;) {
        uint32_t count = 0;
        reader_drive(reader, NULL, 0, &count);
        if (shared->failed != EVS_OK) {
            return evs_fail(error, shared->failed, "%s", shared->failure.text);
        }
        if (reader_is_running(reader)) {
            return EVS_OK;
        }
        shared->wire->type->state(shared->wire, &state);
        if (state.refusals != refusals) {
            return evs_fail(error, EVS_E_REFUSED,
                            "Source %s: the NATS server refuses what a reader of stream %s needs (%s). Give this user "
                            "the permissions "
                            "that docs/internals/jetstream.md lists.",
                            shared->source, shared->stream, state.last_error);
        }
        if (shared->now_us >= deadline_us) {
            return evs_fail(error, EVS_E_UNREACHABLE,
                            "Source %s: no consumer of stream %s could be made within %lld s: %s.", shared->source,
                            shared->stream, (long long)(patience_us / 1000000),
                            shared->doubt[0] != '\0' ? shared->doubt : "the server does not answer");
        }
        struct evs_wait_fd fd;
        uint32_t fds = shared->wire->type->wait_fds(shared->wire, &fd, 1);
        (void)shared->os->sockets.wait(shared->os->sockets.self, reader->park, &fd, fds, 10000);
    }
}

evs_status evs_nats_reader_open(const struct evs_nats_reader_config *config, const struct evs_source_open *open,
                                struct evs_nats_reader **result, struct evs_error *error)
{
    EVS_ASSERT(config->partitions > 0 && config->partitions <= EVS_NATS_PARTITIONS_MAX);
    EVS_ASSERT(open->worker_count > 0 && open->worker < open->worker_count);
    struct evs_nats_reader *reader = evs_alloc_zero(sizeof *reader);
    struct evs_nats_shared *shared = &reader->shared;
    *shared = (struct evs_nats_shared){
        .os = open->os,
        .log = open->log,
        .source = open->name,
        .stream = config->stream,
        .partitions = config->partitions,
        .partition_token = config->partition_token,
        .in_flight_bytes = (uint64_t)config->in_flight_bytes,
        .heartbeat_us = config->heartbeat_us,
        .nonce = open->os->random.next(open->os->random.self),
        .sid_last = EVS_NATS_ANSWER_SID,
        .positions = evs_alloc_zero(config->partitions * sizeof *shared->positions),
    };
    reader->config = config;
    reader->park = open->park;
    reader->retry_us = open->retry_us;
    evs_nats_api_prefix(config->domain, shared->prefix, sizeof shared->prefix);
    snprintf(shared->inbox, sizeof shared->inbox, "%s.evs%016" PRIx64, config->inbox_prefix, shared->nonce);
    struct evs_nats_stream_info info;
    evs_status status = reader_connect(reader, open, error);
    if (status == EVS_OK) {
        status = reader_find_stream(reader, open, &info, error);
    }
    if (status == EVS_OK) {
        status = reader_check_subjects(reader, open, error);
    }
    if (status == EVS_OK) {
        reader_resolve_start(reader, open, &info);
        status = reader_settle(reader, open, &info, error);
    }
    if (status == EVS_OK) {
        status = reader_add_lanes(reader, open, &info, error);
    }
    if (status == EVS_OK) {
        status = reader_start(reader, error);
    }
    if (status != EVS_OK) {
        evs_nats_reader_close(reader);
        return status;
    }
    if (open->bucket != NULL && !open->until_end && !open->is_probe) {
        reader->senders = evs_nats_senders_new(shared, open->bucket, open->worker == 0);
    }
    *result = reader;
    return EVS_OK;
}

void evs_nats_reader_close(struct evs_nats_reader *reader)
{
    struct evs_nats_shared *shared = &reader->shared;
    for (uint32_t i = 0; i < reader->lane_count; i++) {
        evs_nats_lane_leave(&reader->lanes[i]);
        evs_nats_lane_fini(&reader->lanes[i]);
    }
    evs_nats_senders_free(reader->senders);
    if (shared->wire != NULL) {
        shared->wire->type->close(shared->wire);
    }
    evs_nats_settled_fini(&reader->settled);
    evs_buffer_fini(&shared->scratch);
    evs_buffer_fini(&shared->request);
    evs_free(shared->positions);
    evs_free(reader->lanes);
    evs_free(reader);
}

/* --- polling --------------------------------------------------------------------------------------------------------- */

/* A connection was made: nothing of the old one counts. */
static void reader_take_connection(struct evs_nats_reader *reader, const struct evs_nats_wire_state *state)
{
    struct evs_nats_shared *shared = &reader->shared;
    char inbox[160];
    snprintf(inbox, sizeof inbox, "%s.a.>", shared->inbox);
    if (shared->wire->type->subscribe(shared->wire, inbox, EVS_NATS_ANSWER_SID) != EVS_OK) {
        return; /* the next poll tries again */
    }
    reader->reconnects += reader->connection > 0;
    shared->max_payload = state->max_payload;
    for (uint32_t i = 0; i < reader->lane_count; i++) {
        struct evs_nats_lane *lane = &reader->lanes[i];
        lane->sid = 0; /* it went with the connection */
        if (!lane->ended && lane->phase != EVS_NATS_DOWN) {
            evs_nats_lane_drop(lane, 0, "the connection was made again");
        }
        lane->deadline_us = shared->now_us;
    }
    if (reader->senders != NULL) {
        evs_nats_senders_reset(reader->senders);
    }
    reader->connection = state->connection;
}

/* "<inbox>.a.<lane>.<serial>". Without a subject (the library swallows it) nobody answers, whichever lane asked. */
static void reader_take_answer(struct evs_nats_reader *reader, const struct evs_nats_message *answer)
{
    size_t prefix = strlen(reader->shared.inbox) + 3;
    uint64_t index, serial;
    for (uint32_t i = 0; answer->subject.count == 0 && i < reader->lane_count; i++) {
        evs_nats_lane_answer(&reader->lanes[i], answer);
    }
    if (!evs_nats_answer_parse(answer->subject, prefix, &index, &serial)) {
        return;
    }
    if (index < reader->lane_count && serial == reader->lanes[index].serial) {
        evs_nats_lane_answer(&reader->lanes[index], answer);
    } else if (index == EVS_NATS_SENDERS_INDEX && reader->senders != NULL) {
        evs_nats_senders_answer(reader->senders, serial, answer);
    }
}

static struct evs_nats_lane *reader_find_lane(struct evs_nats_reader *reader, uint64_t sid)
{
    for (uint32_t i = 0; i < reader->lane_count; i++) {
        uint32_t at = (reader->lane_last + i) % reader->lane_count;
        if (reader->lanes[at].sid == sid) {
            reader->lane_last = at;
            return &reader->lanes[at];
        }
    }
    return NULL;
}

/* Takes what is there. True when it ended because nothing was left. */
static bool reader_receive(struct evs_nats_reader *reader, struct evs_message *messages, uint32_t max, uint32_t *count)
{
    struct evs_nats_shared *shared = &reader->shared;
    const struct evs_nats_wire_type *type = shared->wire->type;
    while (*count < max || max == 0) {
        struct evs_nats_message message;
        evs_status status = type->next(shared->wire, &message);
        if (status == EVS_AGAIN) {
            return true;
        }
        if (status == EVS_MORE) {
            if (*count > 0) {
                return false;
            }
            type->release(shared->wire); /* nothing of it was handed on */
            continue;
        }
        if (message.sid == EVS_NATS_ANSWER_SID) {
            reader_take_answer(reader, &message);
            continue;
        }
        if (reader->senders != NULL && evs_nats_senders_take(reader->senders, &message)) {
            continue;
        }
        struct evs_nats_lane *lane = reader_find_lane(reader, message.sid);
        struct evs_message unused;
        if (lane != NULL && evs_nats_lane_take(lane, &message, max > 0 ? &messages[*count] : &unused)) {
            EVS_ASSERT(max > 0);
            (*count)++;
        }
    }
    return false;
}

/* One round. With max 0 (opening) no consumer may have been asked for messages yet, so none can come. */
static void reader_drive(struct evs_nats_reader *reader, struct evs_message *messages, uint32_t max, uint32_t *count)
{
    struct evs_nats_shared *shared = &reader->shared;
    const struct evs_nats_wire_type *type = shared->wire->type;
    struct evs_nats_wire_state state;
    type->release(shared->wire);
    type->drive(shared->wire);
    shared->now_us = evs_monotonic_us(shared->os);
    type->state(shared->wire, &state);
    if (state.connected && state.connection != reader->connection) {
        reader_take_connection(reader, &state);
    }
    bool drained = reader_receive(reader, messages, max, count);
    if (state.connected && state.connection == reader->connection) {
        for (uint32_t i = 0; i < reader->lane_count; i++) {
            if (max > 0 || reader->lanes[i].phase != EVS_NATS_RUNNING) {
                evs_nats_lane_tick(&reader->lanes[i], drained);
            }
        }
        if (reader->senders != NULL) {
            evs_nats_senders_tick(reader->senders, drained);
        }
    }
    type->drive(shared->wire);
}

static bool reader_has_ended(const struct evs_nats_reader *reader)
{
    for (uint32_t i = 0; i < reader->lane_count; i++) {
        if (!reader->lanes[i].ended) {
            return false;
        }
    }
    return reader->shared.until_end;
}

static evs_status reader_check_connection(struct evs_nats_reader *reader, struct evs_error *error)
{
    struct evs_nats_shared *shared = &reader->shared;
    struct evs_nats_wire_state state;
    shared->wire->type->state(shared->wire, &state);
    if (state.gives_up) {
        return evs_fail(error, EVS_E_REFUSED, "Source %s: the NATS server refuses the login now (%s).", shared->source,
                        state.last_error);
    }
    int64_t away_us = shared->now_us - state.disconnected_us;
    if (!state.connected && reader->retry_us > 0 && away_us > reader->retry_us) {
        return evs_fail(error, EVS_E_UNREACHABLE, "Source %s: the NATS server has been away for %d s (%s).",
                        shared->source, (int)(away_us / 1000000), state.last_error);
    }
    return EVS_AGAIN;
}

evs_status evs_nats_reader_poll(struct evs_nats_reader *reader, struct evs_message *messages, uint32_t max,
                                uint32_t *count, struct evs_error *error)
{
    EVS_ASSERT(max > 0);
    struct evs_nats_shared *shared = &reader->shared;
    *count = 0;
    if (reader_has_ended(reader)) {
        return EVS_END;
    }
    reader_drive(reader, messages, max, count);
    if (*count > 0) {
        return EVS_OK;
    }
    if (shared->failed != EVS_OK) {
        return evs_fail(error, shared->failed, "%s", shared->failure.text);
    }
    return reader_has_ended(reader) ? EVS_END : reader_check_connection(reader, error);
}

/* --- the rest -------------------------------------------------------------------------------------------------------- */

/* The evidence that rule 3 asks for: each consumer runs, has been heard lately and idle since it was made, and nothing waits. */
static bool lane_is_caught_up(const struct evs_nats_lane *lane)
{
    const struct evs_nats_shared *shared = lane->shared;
    bool heard = lane->heartbeat_seen && shared->now_us - lane->heard_us <= shared->heartbeat_us * 5 / 2;
    return lane->ended || (lane->phase == EVS_NATS_RUNNING && heard && lane->pending == 0);
}

void evs_nats_reader_state(struct evs_nats_reader *reader, struct evs_source_state *state)
{
    struct evs_nats_shared *shared = &reader->shared;
    struct evs_nats_wire_state wire;
    shared->wire->type->state(shared->wire, &wire);
    *state = (struct evs_source_state){
        .ended = reader_has_ended(reader),
        .reconnects = reader->reconnects,
        .gap_messages = shared->gap_messages,
        .lost_messages = shared->lost_messages,
        .log_created_us = shared->created_us,
        .partition_count = shared->partitions,
        .caught_up = wire.connected && wire.connection == reader->connection,
    };
    for (uint32_t i = 0; i < reader->lane_count; i++) {
        state->lag_messages += reader->lanes[i].pending;
        state->caught_up = state->caught_up && lane_is_caught_up(&reader->lanes[i]);
    }
    if (reader->senders != NULL) {
        struct evs_nats_senders_state senders;
        evs_nats_senders_state(reader->senders, &senders);
        state->caught_up = state->caught_up && senders.is_known;
        state->complete_us = senders.complete_us;
        state->senders = senders.count;
        state->senders_behind = senders.behind;
    }
}

uint32_t evs_nats_reader_wait_fds(struct evs_nats_reader *reader, struct evs_wait_fd *fds, uint32_t max)
{
    return reader->shared.wire->type->wait_fds(reader->shared.wire, fds, max);
}

void evs_nats_reader_committed(struct evs_nats_reader *reader)
{
    for (uint32_t i = 0; i < reader->lane_count; i++) {
        evs_nats_history_trim(&reader->lanes[i].history);
    }
}

uint32_t evs_nats_reader_resolved(struct evs_nats_reader *reader, struct evs_position *positions, uint32_t max)
{
    struct evs_nats_shared *shared = &reader->shared;
    uint32_t count = 0;
    for (uint32_t i = 0; i < reader->lane_count; i++) {
        const struct evs_nats_lane *lane = &reader->lanes[i];
        EVS_ASSERT(lane->next > 0); /* open has made its consumer */
        for (uint32_t p = 0; p < shared->partitions && count < max; p++) {
            if (lane_owns(lane, p) && !reader->committed_start[p]) {
                positions[count++] = (struct evs_position){
                    .partition = p, .sequence = lane->next - 1, .log_created_us = shared->created_us};
            }
        }
    }
    return count;
}

const char *evs_nats_reader_transport(const struct evs_nats_reader *reader)
{
    return reader->shared.wire->type->name;
}

void evs_nats_reader_reconnect(struct evs_nats_reader *reader)
{
    reader->shared.wire->type->reconnect(reader->shared.wire);
}
