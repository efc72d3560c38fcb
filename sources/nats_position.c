#include "nats_position.h"

#include <stdlib.h>

const struct evs_nats_mark *evs_nats_history_at(const struct evs_nats_history *history, uint32_t index)
{
    EVS_ASSERT(index < history->count);
    return &history->marks[(history->first + index) & (history->capacity - 1)];
}

static void history_grow(struct evs_nats_history *history)
{
    uint32_t capacity = history->capacity == 0 ? 1024 : history->capacity * 2;
    struct evs_nats_mark *marks = evs_alloc(capacity * sizeof *marks);
    for (uint32_t i = 0; i < history->count; i++) {
        marks[i] = *evs_nats_history_at(history, i);
    }
    evs_free(history->marks);
    *history = (struct evs_nats_history){
        .marks = marks, .count = history->count, .capacity = capacity, .is_whole = history->is_whole};
}

static void history_drop_oldest(struct evs_nats_history *history)
{
    EVS_ASSERT(history->count > 0);
    history->first = (history->first + 1) & (history->capacity - 1);
    history->count--;
    history->is_whole = false;
}

void evs_nats_history_push(struct evs_nats_history *history, struct evs_nats_mark mark)
{
    EVS_ASSERT(history->count == 0 || evs_nats_history_at(history, history->count - 1)->sequence < mark.sequence);
    if (history->count == history->capacity) {
        evs_nats_history_trim(history);
    }
    if (history->count == history->capacity) {
        if (history->capacity < EVS_NATS_MARKS_MAX) {
            history_grow(history);
        } else {
            history_drop_oldest(history);
        }
    }
    history->marks[(history->first + history->count) & (history->capacity - 1)] = mark;
    history->count++;
}

void evs_nats_history_trim(struct evs_nats_history *history)
{
    if (history->count == 0) {
        return;
    }
    int64_t newest_us = evs_nats_history_at(history, history->count - 1)->time_us;
    while (history->count > 1 && evs_nats_history_at(history, 0)->time_us < newest_us - EVS_NATS_KEEP_US) {
        history_drop_oldest(history);
    }
}

void evs_nats_history_rewind(struct evs_nats_history *history, uint64_t sequence)
{
    while (history->count > 0 && evs_nats_history_at(history, history->count - 1)->sequence > sequence) {
        history->count--;
    }
}

void evs_nats_history_merge(struct evs_nats_history *history, struct evs_nats_history *other)
{
    struct evs_nats_history merged = {.is_whole = history->is_whole};
    uint32_t next = 0;
    for (uint32_t i = 0; i < history->count; i++) {
        const struct evs_nats_mark *mark = evs_nats_history_at(history, i);
        for (; next < other->count && evs_nats_history_at(other, next)->sequence <= mark->sequence; next++) {
            if (evs_nats_history_at(other, next)->sequence < mark->sequence) {
                evs_nats_history_push(&merged, *evs_nats_history_at(other, next));
            }
        }
        evs_nats_history_push(&merged, *mark);
    }
    for (; next < other->count; next++) {
        evs_nats_history_push(&merged, *evs_nats_history_at(other, next));
    }
    evs_nats_history_fini(history);
    evs_nats_history_fini(other);
    *history = merged;
}

void evs_nats_history_fini(struct evs_nats_history *history)
{
    evs_free(history->marks);
    *history = (struct evs_nats_history){0};
}

/* --- what a commit tells --------------------------------------------------------------------------------------------- */

static int compare_marks(const void *a, const void *b)
{
    const struct evs_nats_mark *left = a, *right = b;
    if (left->sequence != right->sequence) {
        return left->sequence < right->sequence ? -1 : 1;
    }
    return left->time_us > right->time_us ? -1 : left->time_us < right->time_us; /* the younger one stays */
}

/* Sorts, and leaves out what a younger one of a lower or the same sequence has replaced. Returns how many are left. A mark without a time says nothing of others. */
static uint32_t marks_settle(struct evs_nats_mark *marks, uint32_t count)
{
    uint32_t kept = 0;
    int64_t youngest_us = 0;
    qsort(marks, count, sizeof *marks, compare_marks);
    for (uint32_t i = 0; i < count; i++) {
        bool is_first = kept == 0 || marks[kept - 1].sequence < marks[i].sequence;
        if (is_first && (marks[i].time_us == 0 || marks[i].time_us >= youngest_us)) {
            youngest_us = marks[i].time_us > youngest_us ? marks[i].time_us : youngest_us;
            marks[kept++] = marks[i];
        }
    }
    return kept;
}

static struct evs_nats_mark mark_of(const struct evs_position *position)
{
    return (struct evs_nats_mark){position->sequence, position->time_us, position->fingerprint};
}

uint32_t evs_nats_history_of(struct evs_nats_history *history, const struct evs_position *positions, uint32_t count,
                             uint32_t partition)
{
    EVS_ASSERT(history->count == 0);
    struct evs_nats_mark *own = evs_alloc((count + 1) * sizeof *own), *others = evs_alloc((count + 1) * sizeof *others);
    struct evs_nats_mark newest = {0};
    uint32_t own_count = 0, other_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (positions[i].partition == partition && positions[i].sequence > 0) {
            newest = mark_of(&positions[i]); /* the last one is the position */
            own[own_count++] = newest;
        }
    }
    own_count = marks_settle(own, own_count);
    if (own_count > 0 && own[own_count - 1].sequence < newest.sequence) {
        own[own_count++] = newest; /* the clock went back */
    }
    for (uint32_t i = 0; i < count && own_count > 0; i++) {
        bool is_before = positions[i].sequence > 0 && positions[i].sequence < own[0].sequence;
        if (positions[i].partition != partition && is_before &&
            (own[0].time_us == 0 || positions[i].time_us <= own[0].time_us)) {
            others[other_count++] = mark_of(&positions[i]);
        }
    }
    other_count = marks_settle(others, other_count);
    for (uint32_t i = 0; i < other_count; i++) {
        evs_nats_history_push(history, others[i]);
    }
    for (uint32_t i = 0; i < own_count; i++) {
        evs_nats_history_push(history, own[i]);
    }
    evs_free(own);
    evs_free(others);
    return own_count;
}

/* --- the search ------------------------------------------------------------------------------------------------------ */

static bool mark_is_blank(const struct evs_nats_mark *mark)
{
    return mark->time_us == 0 && mark->fingerprint == 0;
}

static bool mark_is_same(const struct evs_nats_mark *ours, const struct evs_nats_mark *stored)
{
    EVS_ASSERT(ours->sequence == stored->sequence);
    if (ours->time_us != 0 && ours->time_us != stored->time_us) {
        return false;
    }
    return ours->fingerprint == 0 || ours->fingerprint == stored->fingerprint;
}

static evs_status check_end(struct evs_nats_check *check, enum evs_nats_verdict verdict)
{
    check->verdict = verdict;
    return EVS_OK;
}

/* Halves (matching, differing) until they are neighbours. Marks behind the stream's end differ without asking. */
static evs_status check_halve(struct evs_nats_check *check, uint64_t *sequence)
{
    while (check->matching + 1 < check->differing) {
        check->probe = (uint32_t)((check->matching + check->differing) / 2);
        const struct evs_nats_mark *mark = evs_nats_history_at(check->history, check->probe);
        if (mark->sequence <= check->last_sequence && !mark_is_blank(mark)) {
            *sequence = mark->sequence;
            return EVS_MORE;
        }
        check->differing = check->probe;
    }
    if (check->matching < 0) {
        bool from_first = check->history->is_whole || evs_nats_history_at(check->history, 0)->sequence == 1;
        return check_end(check, from_first ? EVS_NATS_FORK : EVS_NATS_UNKNOWN); /* check->fork is 0 */
    }
    check->fork = evs_nats_history_at(check->history, (uint32_t)check->matching)->sequence;
    return check_end(check, EVS_NATS_FORK);
}

/* The newest mark below the stream's first message, or -1. What limits removed cannot be compared; the log went on from there. */
static int64_t check_removed(const struct evs_nats_check *check)
{
    int64_t low = -1, high = check->history->count;
    while (low + 1 < high) {
        int64_t middle = (low + high) / 2;
        if (evs_nats_history_at(check->history, (uint32_t)middle)->sequence < check->first_sequence) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low;
}

static evs_status check_search(struct evs_nats_check *check, uint64_t *sequence)
{
    check->searching = true;
    check->differing = check->probe;
    check->matching = check_removed(check);
    EVS_ASSERT(check->matching < check->differing);
    return check_halve(check, sequence);
}

/* Looks at mark `probe`, the newest that could be there. */
static evs_status check_newest(struct evs_nats_check *check, uint64_t *sequence)
{
    const struct evs_nats_mark *mark = evs_nats_history_at(check->history, check->probe);
    if (mark->sequence > check->last_sequence) {
        return check_search(check, sequence);
    }
    if (mark_is_blank(mark)) {
        return check_end(check,
                         EVS_NATS_SAME); /* a start that was resolved but not read: its sequence is all we know */
    }
    *sequence = mark->sequence;
    return EVS_MORE;
}

evs_status evs_nats_check_begin(struct evs_nats_check *check, const struct evs_nats_history *history,
                                uint64_t first_sequence, int64_t first_us, uint64_t last_sequence, uint64_t *sequence)
{
    *check = (struct evs_nats_check){
        .history = history, .first_sequence = first_sequence, .last_sequence = last_sequence, .first_us = first_us};
    if (history->count == 0) {
        return check_end(check, EVS_NATS_SAME);
    }
    check->probe = history->count - 1;
    const struct evs_nats_mark *newest = evs_nats_history_at(history, check->probe);
    if (mark_is_blank(newest) && newest->sequence > last_sequence) {
        check->fork = last_sequence; /* nothing was read yet, so everything that is stored now is as it was */
        return check_end(check, EVS_NATS_FORK);
    }
    return check_newest(check, sequence);
}

/* The newest message that we read is not stored any more. By the stream's limits (everything up to it went) that is a gap, which the
 * reader counts; else an older one must vouch for the log: single messages may be deleted. */
static evs_status check_absent(struct evs_nats_check *check, uint64_t *sequence)
{
    const struct evs_nats_mark *mark = evs_nats_history_at(check->history, check->probe);
    bool was_emptied = check->first_sequence > check->last_sequence;
    if (check->first_sequence > mark->sequence && (was_emptied || check->first_us >= mark->time_us)) {
        return check_end(check, EVS_NATS_SAME);
    }
    if (check->probe == 0) {
        return check_end(check, EVS_NATS_UNKNOWN);
    }
    check->probe--;
    return check_newest(check, sequence);
}

evs_status evs_nats_check_answer(struct evs_nats_check *check, const struct evs_nats_mark *stored, uint64_t *sequence)
{
    bool same = stored != NULL && mark_is_same(evs_nats_history_at(check->history, check->probe), stored);
    if (check->searching) {
        if (same) {
            check->matching = check->probe;
        } else {
            check->differing = check->probe;
        }
        return check_halve(check, sequence);
    }
    if (stored == NULL) {
        return check_absent(check, sequence);
    }
    return same ? check_end(check, EVS_NATS_SAME) : check_search(check, sequence);
}
