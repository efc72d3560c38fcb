/* How attempts go on (sequence_attempt.h). */
#include "sequence_attempt.h"

#include "row_judge.h"

/* --- where it can go ------------------------------------------------------------------------------------------------------------------- */

/* One place behind the attempt's last row: in front of step `next`, past the absences of `next - 1`. */
struct place {
    uint32_t next;
    int64_t hold_us; /* the absences on the way are over behind this moment; EVS_TIME_MIN: there is none with a time */
    bool is_open;    /* an absence on the way has no time: it is over with the next step's row */
};

static struct place first_place(const struct attempt *attempt)
{
    return (struct place){attempt->step, EVS_TIME_MIN, false};
}

/* Past the absences behind step place->next, in front of the step after it. False: there is no way on. */
static bool go_on(const struct evs_sequence_config *config, const struct attempt *attempt, struct place *place)
{
    const struct evs_sequence_step *step = &config->steps[place->next];
    uint32_t taken = attempt->counts[place->next];
    if (taken < step->min) {
        return false;
    }
    for (uint32_t i = 0; i < step->absence_count; i++) {
        const struct evs_sequence_absence *absence = &config->absences[step->first_absence + i];
        if (absence->within_us != EVS_SEQUENCE_NEVER) {
            int64_t until_us = evs_time_plus(attempt->last_us, absence->within_us);
            place->hold_us = until_us > place->hold_us ? until_us : place->hold_us;
        } else {
            place->is_open = true;
        }
    }
    place->next++;
    return true;
}

static int64_t total_limit(const struct evs_sequence_config *config, const struct attempt *attempt)
{
    return config->within_us == EVS_SEQUENCE_NEVER ? EVS_TIME_MAX
                                                   : evs_time_plus(attempt->opened_us, config->within_us);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The last moment at which the step at the place can begin, counted from the last row, or from the end of a timed absence. */
static int64_t begin_limit(const struct evs_sequence_config *config, const struct attempt *attempt, struct place place)
{
    const struct evs_sequence_step *step = &config->steps[place.next];
    int64_t from_us = later(attempt->last_us, place.hold_us), total_us = total_limit(config, attempt);
    return step->within_us == EVS_SEQUENCE_NEVER ? total_us
                                                 : earlier(total_us, evs_time_plus(from_us, step->within_us));
}

/* The last moment at which the current step can have one more row; EVS_TIME_MIN: it cannot. Not counted: what comes behind it. */
static int64_t own_limit(const struct evs_sequence_config *config, const struct attempt *attempt)
{
    const struct evs_sequence_step *step = &config->steps[attempt->step];
    bool is_full = attempt->counts[attempt->step] >= step->max || attempt->row_count >= config->rows_max;
    if (is_full || (step->is_next && attempt->has_gap)) {
        return EVS_TIME_MIN;
    }
    int64_t total_us = total_limit(config, attempt);
    return step->within_us == EVS_SEQUENCE_NEVER
               ? total_us
               : earlier(total_us, evs_time_plus(attempt->step_from_us, step->within_us));
}

/* --- time ---------------------------------------------------------------------------------------------------------------------------------- */

bool evs_attempt_time(const struct evs_sequence_config *config, struct attempt *attempt, int64_t now_us)
{
    struct place place = first_place(attempt);
    int64_t behind_us = EVS_TIME_MIN; /* the latest beginning of a step behind */
    bool has_behind = false, needs_more = !go_on(config, attempt, &place);
    while (!needs_more && place.next < config->step_count) {
        const struct evs_sequence_step *step = &config->steps[place.next];
        if (!step->is_next || !attempt->has_gap) {
            behind_us = later(behind_us, begin_limit(config, attempt, place));
        }
        has_behind = true;
        needs_more = !go_on(config, attempt, &place);
    }
    attempt->is_complete = !needs_more;
    /* What comes behind bounds the current step, too: a cart an hour after the last one is no part of `cart+ then buy within 30 minute`. */
    bool is_last = !has_behind && place.hold_us == EVS_TIME_MIN;
    int64_t own_us = own_limit(config, attempt);
    int64_t ways_us = is_last ? own_us : behind_us;
    if (has_behind && behind_us == EVS_TIME_MIN) {
        ways_us = own_us; /* what comes behind needs a new last row */
    }
    attempt->deadline_us = attempt->is_complete ? later(ways_us, place.hold_us) : ways_us;
    return attempt->deadline_us != EVS_TIME_MIN && attempt->deadline_us >= now_us;
}

/* Every place that an attempt can stand in, tried out: behind each step, with the least number of rows, one more, and with or without a gap. */
bool evs_sequence_is_bounded(const struct evs_sequence_config *config, uint32_t *step, bool *is_complete)
{
    union {
        struct attempt attempt;
        uint32_t words[sizeof(struct attempt) / sizeof(uint32_t) + EVS_SEQUENCE_STEPS_MAX];
    } tried = {0};
    struct evs_sequence_config probe = *config;
    probe.rows_max = UINT32_MAX;
    for (*step = 0; *step < config->step_count; ++*step) {
        uint32_t min = config->steps[*step].min, max = config->steps[*step].max;
        uint32_t counts[] = {1, min > 0 ? min : 1, min + 1 < max ? min + 1 : max};
        for (uint32_t i = 0; i < 2 * EVS_COUNT(counts); i++) {
            tried.attempt.step = (uint16_t)*step;
            tried.attempt.has_gap = i % 2 == 1;
            tried.attempt.row_count = tried.attempt.counts[*step] = counts[i / 2];
            bool is_open = evs_attempt_time(&probe, &tried.attempt, EVS_TIME_MIN);
            if (is_open && tried.attempt.deadline_us == EVS_TIME_MAX) {
                *is_complete = tried.attempt.is_complete;
                return false;
            }
        }
        tried.attempt.counts[*step] = min;
    }
    return true;
}

int64_t evs_attempt_horizon(const struct evs_sequence_config *config, const struct attempt *attempt)
{
    int64_t own_us = own_limit(config, attempt), total_us = total_limit(config, attempt);
    return own_us == EVS_TIME_MIN ? total_us : earlier(own_us, total_us);
}

/* --- rows ---------------------------------------------------------------------------------------------------------------------------------- */

struct offer {
    const struct evs_sequence_judge *judge;
    const struct attempt *attempt;
    const struct evs_keyed_row *row;
    uint64_t *questions; /* instead of answers: conditions that could be asked for */
};

static bool fits(const struct offer *offer, uint32_t condition)
{
    if (offer->questions != NULL) {
        *offer->questions |= UINT64_C(1) << condition;
        return false;
    }
    return offer->judge->fits(offer->judge->argument, offer->attempt, condition, offer->row);
}

/* An absence behind `step` that the row breaks. */
static bool breaks(const struct offer *offer, const struct evs_sequence_config *config, uint32_t step, int64_t time_us)
{
    for (uint32_t i = 0; i < config->steps[step].absence_count; i++) {
        const struct evs_sequence_absence *absence = &config->absences[config->steps[step].first_absence + i];
        bool is_timed = absence->within_us != EVS_SEQUENCE_NEVER;
        bool is_over = is_timed && time_us > evs_time_plus(offer->attempt->last_us, absence->within_us);
        if (!is_over && fits(offer, absence->condition)) {
            return true;
        }
    }
    return false;
}

static bool breaks_any(const struct offer *offer, const struct evs_sequence_config *config, int64_t time_us)
{
    const struct attempt *attempt = offer->attempt;
    uint32_t step = attempt->step;
    do {
        if (attempt->counts[step] < config->steps[step].min) {
            return false;
        }
        if (breaks(offer, config, step, time_us)) {
            return true;
        }
        step++;
    } while (step < config->step_count && config->steps[step].min == 0);
    return false;
}

bool evs_attempt_is_proven(const struct evs_sequence_config *config, const struct attempt *attempt, int64_t proven_us)
{
    struct place place = first_place(attempt);
    while (place.next < config->step_count && go_on(config, attempt, &place)) {
    }
    return place.next == config->step_count && place.hold_us < proven_us;
}

/* The row may stand behind the absences on the way to the place. */
static bool is_past_absences(const struct offer *offer, struct place place, int64_t time_us)
{
    int64_t proven_us = offer->judge != NULL ? offer->judge->proven_us : EVS_TIME_MAX;
    return time_us > place.hold_us && place.hold_us < proven_us && (!place.is_open || time_us < proven_us);
}

/* The step that takes the row; step_count: none. */
static uint32_t taker(const struct offer *offer, const struct evs_sequence_config *config, int64_t time_us)
{
    const struct attempt *attempt = offer->attempt;
    struct place place = first_place(attempt);
    bool can_leave = go_on(config, attempt, &place);
    bool is_held = can_leave && place.hold_us != EVS_TIME_MIN && time_us > place.hold_us;
    if (!is_held && time_us <= own_limit(config, attempt) && fits(offer, config->steps[attempt->step].condition)) {
        return attempt->step;
    }
    while (can_leave && place.next < config->step_count) {
        const struct evs_sequence_step *step = &config->steps[place.next];
        bool is_open = is_past_absences(offer, place, time_us) && time_us <= begin_limit(config, attempt, place) &&
                       !(step->is_next && attempt->has_gap) && attempt->row_count < config->rows_max;
        if (is_open && fits(offer, step->condition)) {
            return place.next;
        }
        can_leave = go_on(config, attempt, &place);
    }
    return config->step_count;
}

enum evs_sequence_outcome evs_attempt_offer(const struct evs_sequence_judge *judge, const struct attempt *attempt,
                                            const struct evs_keyed_row *row, uint32_t *step)
{
    struct offer offer = {judge, attempt, row, NULL};
    int64_t time_us = row->row.event_time_us;
    EVS_ASSERT(time_us <= attempt->deadline_us);
    if (breaks_any(&offer, judge->config, time_us)) {
        return EVS_SEQUENCE_BROKEN;
    }
    *step = taker(&offer, judge->config, time_us);
    return *step < judge->config->step_count ? EVS_SEQUENCE_TAKEN : EVS_SEQUENCE_LEFT;
}

uint64_t evs_attempt_questions(const struct evs_sequence_config *config, const struct attempt *attempt, int64_t time_us)
{
    uint64_t questions = 0;
    struct offer offer = {NULL, attempt, NULL, &questions};
    breaks_any(&offer, config, time_us);
    taker(&offer, config, time_us);
    return questions;
}

uint32_t evs_attempt_opening(const struct evs_sequence_judge *judge, const struct evs_keyed_row *row)
{
    for (uint32_t i = 0; i < judge->config->step_count; i++) {
        if (judge->fits(judge->argument, NULL, judge->config->steps[i].condition, row)) {
            return i;
        }
        if (judge->config->steps[i].min > 0) {
            break;
        }
    }
    return judge->config->step_count;
}

void evs_attempt_move(const struct evs_sequence_config *config, struct attempt *attempt, uint32_t step, int64_t time_us)
{
    EVS_ASSERT(step < config->step_count && step >= attempt->step);
    if (attempt->row_count == 0) {
        attempt->opened_us = attempt->step_from_us = time_us;
        attempt->step = (uint16_t)step;
    } else if (step != attempt->step) {
        struct place place = first_place(attempt);
        bool can_leave = true;
        while (place.next < step && can_leave) {
            can_leave = go_on(config, attempt, &place);
        }
        EVS_ASSERT(can_leave);
        attempt->step_from_us = later(attempt->last_us, place.hold_us);
        attempt->step = (uint16_t)step;
    }
    attempt->counts[step]++;
    attempt->last_us = time_us;
    attempt->has_gap = false;
}
