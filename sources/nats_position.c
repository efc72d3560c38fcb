#include "nats_position.h"

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

void evs_nats_history_fini(struct evs_nats_history *history)
{
    evs_free(history->marks);
    *history = (struct evs_nats_history){0};
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
