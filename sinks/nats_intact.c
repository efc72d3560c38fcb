#include "nats_intact.h"

#include <inttypes.h>
#include <stdio.h>

#include "nats_json.h"

#define CHECK_US 500000 /* a question without an answer is asked again: JetStream may recover */

void evs_nats_intact_init(struct evs_nats_intact *check, const char *prefix, const char *stream)
{
    *check = (struct evs_nats_intact){0};
    snprintf(check->info_subject, sizeof check->info_subject, "%s.STREAM.INFO.%s", prefix, stream);
    snprintf(check->get_subject, sizeof check->get_subject, "%s.STREAM.MSG.GET.%s", prefix, stream);
}

void evs_nats_intact_begin(struct evs_nats_intact *check)
{
    if (check->state != EVS_NATS_INTACT_LOST) {
        check->state = EVS_NATS_INTACT_END;
        check->due_us = 0;
    }
}

bool evs_nats_intact_holds(const struct evs_nats_intact *check)
{
    return check->state != EVS_NATS_INTACT_NONE;
}

/* --- questions ---------------------------------------------------------------------------------------------------------- */

static void ask(struct evs_nats_intact *check, const struct evs_nats_intact_world *world, const char *subject,
                const char *what, struct evs_slice body)
{
    char reply[160];
    check->asked++;
    int count = snprintf(reply, sizeof reply, "%s.%s.%" PRIu64, world->inbox, what, check->asked);
    evs_status status = world->wire->type->publish(world->wire, evs_slice_of(subject),
                                                   (struct evs_slice){reply, (size_t)count}, EVS_SLICE(""), body);
    (void)status; /* a question that does not go out is asked again, like one whose answer is lost */
}

void evs_nats_intact_ask_end(struct evs_nats_intact *check, const struct evs_nats_intact_world *world)
{
    check->asked_top = world->replay->top;
    check->asked_own = world->replay->own;
    check->asked_fingerprint = world->replay->own_fingerprint;
    ask(check, world, check->info_subject, "info", EVS_SLICE(""));
}

static void ask_message(struct evs_nats_intact *check, const struct evs_nats_intact_world *world)
{
    char body[64];
    int count = snprintf(body, sizeof body, "{\"seq\":%" PRIu64 "}", check->asked_own);
    ask(check, world, check->get_subject, "stored", (struct evs_slice){body, (size_t)count});
}

void evs_nats_intact_tend(struct evs_nats_intact *check, const struct evs_nats_intact_world *world)
{
    bool is_asking = check->state == EVS_NATS_INTACT_END || check->state == EVS_NATS_INTACT_OWN;
    if (!is_asking || world->now_us < check->due_us) {
        return;
    }
    check->due_us = world->now_us + CHECK_US;
    if (check->state == EVS_NATS_INTACT_END) {
        evs_nats_intact_ask_end(check, world);
    } else {
        ask_message(check, world);
    }
}

/* --- answers ------------------------------------------------------------------------------------------------------------- */

static void take_end(struct evs_nats_intact *check, const struct evs_nats_intact_world *world,
                     const struct evs_nats_stream_info *info)
{
    if (info->created_us != world->replay->created_us || info->last_sequence < check->asked_top) {
        check->state = EVS_NATS_INTACT_LOST;
        return;
    }
    evs_nats_replay_ends(world->replay, info);
    if (check->state == EVS_NATS_INTACT_END) {
        check->state = check->asked_own == 0 ? EVS_NATS_INTACT_NONE : EVS_NATS_INTACT_OWN;
        check->due_us = 0;
        evs_nats_intact_tend(check, world);
    }
}

/* A stream that is not there, a message that was removed, a question that is not allowed: sending shows what there is. */
static void take_answer(struct evs_nats_intact *check, const struct evs_nats_intact_world *world,
                        const struct evs_nats_message *answer, bool is_info)
{
    struct evs_nats_stream_info info;
    struct evs_nats_api_error failure;
    if (evs_nats_api_failed(answer, &failure)) {
        check->state = EVS_NATS_INTACT_NONE;
    } else if (is_info && evs_nats_api_stream_info(answer->payload, &info)) {
        take_end(check, world, &info);
    } else if (!is_info && check->state == EVS_NATS_INTACT_OWN) {
        bool fits = evs_nats_stored_is(answer->payload, check->asked_fingerprint);
        check->state = fits ? EVS_NATS_INTACT_NONE : EVS_NATS_INTACT_LOST;
    }
}

static bool has_words(struct evs_slice text, const char *words, struct evs_slice *rest)
{
    size_t count = strlen(words);
    if (text.count <= count || memcmp(text.data, words, count) != 0) {
        return false;
    }
    *rest = (struct evs_slice){text.data + count, text.count - count};
    return true;
}

/* "<inbox>.info.<number>", "<inbox>.stored.<number>". */
bool evs_nats_intact_take(struct evs_nats_intact *check, const struct evs_nats_intact_world *world,
                          const struct evs_nats_message *answer)
{
    size_t skip = strlen(world->inbox) + 1;
    if (answer->subject.count <= skip) {
        return false;
    }
    struct evs_slice text = {answer->subject.data + skip, answer->subject.count - skip}, rest;
    bool is_info = has_words(text, "info.", &rest);
    if (!is_info && !has_words(text, "stored.", &rest)) {
        return false;
    }
    char last[24];
    snprintf(last, sizeof last, "%" PRIu64, check->asked);
    bool is_last = evs_slice_equal(rest, evs_slice_of(last));
    if (is_last && answer->status == 0 && check->state != EVS_NATS_INTACT_LOST) {
        take_answer(check, world, answer, is_info);
    }
    return true;
}
