/* Fingerprints of messages that were read, and the search for the fork of a log that lost its tail (exactness, 2).
 *
 * JetStream writes to disk every two minutes by default: after a power cut the last messages are gone although they were
 * acknowledged, and their sequence numbers are given to other messages. A reader that goes on at `last + 1` then skips new
 * messages. So the reader remembers for KEEP_US of the stream's own time what it read, and compares it with the stream
 * whenever a consumer is made:
 *
 *   read before      … 96a 97b 98c 99d 100e           S = 100: the newest mark
 *   the stream now   … 96a 97b 98x 99y                fork F = 97: the largest mark that is still the same message
 *                             └─ read on at F + 1; (F, S] was lost by the broker
 *
 * A mark is (sequence, stored time, hash of the payload). Stored times alone tell two messages of one sequence apart; the hash
 * stands in where a time is not known. The search asks for O(log n) stored messages; it does no I/O itself. */
#ifndef EVS_NATS_POSITION_H
#define EVS_NATS_POSITION_H

#include "evstream/memory.h"
#include "evstream/source.h"

#define EVS_NATS_KEEP_US (180 * INT64_C(1000000)) /* the server's sync interval and a margin */
#define EVS_NATS_MARKS_MAX (1u << 20)             /* 24 MiB: 3 min at 5,800 messages a second; beyond, the oldest go */

struct evs_nats_mark {
    uint64_t sequence;
    int64_t time_us;      /* 0: unknown */
    uint32_t fingerprint; /* 0: unknown */
};

/* A ring, ascending by sequence. Zero-initialised is valid and empty. */
struct evs_nats_history {
    struct evs_nats_mark *marks;
    uint32_t first, count, capacity; /* capacity: a power of two */
    bool
        is_whole; /* it has all that was read since the log's first message: when none of it is there, the log forks before that */
};

/* `mark.sequence` is above all marks that are there. */
void evs_nats_history_push(struct evs_nats_history *history, struct evs_nats_mark mark);
/* Drops marks older than EVS_NATS_KEEP_US before the newest one; the newest stays. */
void evs_nats_history_trim(struct evs_nats_history *history);
/* Drops marks above `sequence`. */
void evs_nats_history_rewind(struct evs_nats_history *history, uint64_t sequence);
/* `index` counts from the oldest. */
const struct evs_nats_mark *evs_nats_history_at(const struct evs_nats_history *history, uint32_t index);
/* Takes the marks of `other` in, which is empty then. Of two of one sequence the one that is there stays. */
void evs_nats_history_merge(struct evs_nats_history *history, struct evs_nats_history *other);
/* Into an empty history: what a commit's positions (evs_source_open) tell of the log that `partition` read: its own marks, and before its oldest one those
 * of other partitions. When a log forks, the readers of its partitions find that one after the other, and a commit in between holds marks of both logs.
 * Messages of one log are stored one after the other in sequence and in time; so a mark is of a log that was lost when one of a lower sequence is younger,
 * and other partitions' marks that are younger than the partition's own are of a later log than the one it read. Both are left out; its position stays. Returns how many are its own: the last ones. */
uint32_t evs_nats_history_of(struct evs_nats_history *history, const struct evs_position *positions, uint32_t count,
                             uint32_t partition);
void evs_nats_history_fini(struct evs_nats_history *history);

enum evs_nats_verdict {
    EVS_NATS_SAME,    /* the stream still has what we read, or lost it by its limits only */
    EVS_NATS_FORK,    /* check.fork is the last common message */
    EVS_NATS_UNKNOWN, /* nothing that we remember is there to compare with */
};

struct evs_nats_check {
    const struct evs_nats_history *history;
    uint64_t first_sequence, last_sequence; /* of the stream now */
    int64_t first_us;
    uint32_t probe; /* index that is asked for */
    int64_t matching,
        differing; /* indexes: the newest known to match (-1: none) and the oldest known to differ (count: none) */
    bool searching;
    enum evs_nats_verdict verdict;
    uint64_t fork;
};

/* EVS_MORE: get the stored message `*sequence` and call `answer`; EVS_OK: the verdict stands. */
EVS_MUST_CHECK evs_status evs_nats_check_begin(struct evs_nats_check *check, const struct evs_nats_history *history,
                                               uint64_t first_sequence, int64_t first_us, uint64_t last_sequence,
                                               uint64_t *sequence);
/* `stored` is NULL when the stream has no message of that sequence. */
EVS_MUST_CHECK evs_status evs_nats_check_answer(struct evs_nats_check *check, const struct evs_nats_mark *stored,
                                                uint64_t *sequence);

#endif
