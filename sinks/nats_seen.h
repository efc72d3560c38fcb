/* What a sink's stream holds already: ids that a run before this one has published behind its last commit (exactness, 13).
 *
 *   the sink's stream    … a  b  c  d │ e  f  g  h          ids
 *                                    floor               the end, when the sink is opened
 *
 * Every commit carries a floor for each sink: whatever was not acknowledged at that commit, or is derived behind it, was stored above the floor, if it was
 * stored at all. A restart derives those rows again, under the same ids. So it reads the ids above the floor (headers alone) and does not send what it
 * finds there: no trigger comes twice, however long the engine was away, and whatever the stream's duplicate window.
 *
 * The floor stays where it is until all ids of the set were derived again: a crash before that must find them again. Ids that nothing derives again
 * (rows of an order-sensitive query that came out otherwise) are orphans: when none of the set was met for ten minutes, they are counted, told and forgotten.
 *
 * One set is shared by the lanes of a sink, since nobody knows which lane will derive what; it does not change after it was read, but for the marks of those
 * that were met. */
#ifndef EVS_NATS_SEEN_H
#define EVS_NATS_SEEN_H

#include "evstream/sink.h"
#include "nats_api.h"

#define EVS_NATS_SEEN_MAX (4u << 20) /* 140 MB; what lies behind them is left to the duplicate window */
#define EVS_NATS_SEEN_FOR_US (INT64_C(600) * 1000 * 1000)

struct evs_nats_seen;

/* `holds`: what of the log was there when it was found cut; UINT64_MAX: it was not. */
struct evs_nats_seen *evs_nats_seen_new(uint64_t floor, uint64_t holds);
struct evs_nats_seen *evs_nats_seen_ref(struct evs_nats_seen *seen);
/* The last one frees it. True: it was the last, and *orphans ids were never met. */
bool evs_nats_seen_unref(struct evs_nats_seen *seen, uint32_t *orphans);
/* False: the set is full. */
bool evs_nats_seen_add(struct evs_nats_seen *seen, struct evs_hash128 id, uint64_t sequence);
/* True once for each id that was added; *sequence is where it was seen first. Any lane's thread. */
bool evs_nats_seen_take(struct evs_nats_seen *seen, struct evs_hash128 id, int64_t now_us, uint64_t *sequence);
/* How many ids were not met for so long that they are given up; 0 but once. Any lane's thread. */
uint32_t evs_nats_seen_give_up(struct evs_nats_seen *seen, int64_t now_us);
uint32_t evs_nats_seen_left(const struct evs_nats_seen *seen);
uint64_t evs_nats_seen_floor(const struct evs_nats_seen *seen);
/* The sequence of the newest message that was added; 0: none was. */
uint64_t evs_nats_seen_newest(const struct evs_nats_seen *seen, uint32_t *fingerprint);
uint64_t evs_nats_seen_holds(const struct evs_nats_seen *seen);

/* Which of several groups of a pipeline has sent a message. */
#define EVS_NATS_GROUP_HEADER "Evs-Group"

/* The header lines of a message of ours: its id, and the group (NULL: the only one). How many bytes. */
#define EVS_NATS_ID_LINES_MAX 160u
size_t evs_nats_put_id(char lines[EVS_NATS_ID_LINES_MAX], struct evs_hash128 id, const char *group);
/* Of the header Nats-Msg-Id; false for ids that are not ours (32 hexadecimal digits). */
bool evs_nats_seen_id(struct evs_slice headers, struct evs_hash128 *id);

/* Reads the ids of messages above `floor` up to `last` on subjects that match `pattern`, while nothing else is read from the wire; those of other groups of the
 * pipeline are left out. EVS_E_LIMIT: the set is full. */
struct evs_nats_seen_read {
    struct evs_nats_asker *asker;
    const char *prefix, *stream, *pattern;
    const char *group; /* NULL: the only one */
    uint64_t floor, last;
};
EVS_MUST_CHECK evs_status evs_nats_seen_read(const struct evs_nats_seen_read *read, struct evs_nats_seen *seen,
                                             struct evs_error *error);

/* How a receipt of the last commit fits the stream as it is now. */
enum evs_nats_receipt { EVS_NATS_RECEIPT_FITS, EVS_NATS_RECEIPT_OTHER_STREAM, EVS_NATS_RECEIPT_LOST_TAIL };
/* Is the message of this id at its place? *verdict as of a receipt: LOST_TAIL: the stream does not reach so far, or has another one there. One that is there no more
 * (limits, a queue) fits. */
EVS_MUST_CHECK evs_status evs_nats_kept_check(struct evs_nats_asker *asker, const char *prefix, const char *stream,
                                              const struct evs_nats_stream_info *info, const struct evs_sink_kept *kept,
                                              enum evs_nats_receipt *verdict, struct evs_error *error);
EVS_MUST_CHECK evs_status evs_nats_receipt_check(struct evs_nats_asker *asker, const char *prefix, const char *stream,
                                                 const struct evs_nats_stream_info *info,
                                                 const struct evs_sink_receipt *receipt, enum evs_nats_receipt *verdict,
                                                 struct evs_error *error);
/* Does the answer to STREAM.MSG.GET, which is no error, show a message with an id of this fingerprint? */
bool evs_nats_stored_is(struct evs_slice answer, uint32_t fingerprint);
/* Of an id, never 0. */
uint32_t evs_nats_id_fingerprint(struct evs_hash128 id);

#endif
