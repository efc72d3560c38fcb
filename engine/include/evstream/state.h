/* What a stored commit says, for people. */
#ifndef EVS_STATE_H
#define EVS_STATE_H

#include "evstream/memory.h"
#include "evstream/os.h"
#include "evstream/text.h"

/* Appends some lines to `text`: counts, where each source stands, operators with state, sinks. EVS_E_STATE when the record does not decode. */
EVS_MUST_CHECK evs_status evs_state_describe(struct evs_slice record, struct evs_buffer *text, struct evs_error *error);
/* The same with what the operators hold; NULL: unknown. */
struct evs_state_tally;
EVS_MUST_CHECK evs_status evs_state_describe_with(struct evs_slice record, const struct evs_state_tally *tally,
                                                  struct evs_buffer *text, struct evs_error *error);

/* A few facts of a commit. Texts live in the arena. */
struct evs_state_facts {
    uint64_t checkpoint, events;
    bool finished;
};
EVS_MUST_CHECK evs_status evs_state_facts(struct evs_slice record, struct evs_state_facts *facts,
                                          struct evs_error *error);

/* The record of a commit that stands for another life of the same state: the next checkpoint, with a new incarnation, so that no trigger is taken for one of
 * the life before (exactness, 18). *state_from is for the commit. */
EVS_MUST_CHECK evs_status evs_state_reborn(struct evs_slice record, const struct evs_os *os, struct evs_buffer *out,
                                           uint64_t *checkpoint, uint64_t *state_from, struct evs_error *error);

/* What the blocks of a commit hold, operator by operator: for `state show`. Zero-initialised is empty. */
struct evs_state_tally {
    struct evs_state_count {
        char *name;
        uint64_t records, bytes, keys;
    } * counts;
    uint32_t count, capacity;
    struct evs_state_keys *keys;
    void *reader, *sweep;
};
EVS_MUST_CHECK evs_status evs_state_tally_begin(struct evs_state_tally *tally, struct evs_slice record,
                                                struct evs_error *error);
EVS_MUST_CHECK evs_status evs_state_tally_block(struct evs_state_tally *tally, uint64_t checkpoint,
                                                struct evs_slice block, struct evs_error *error);
void evs_state_tally_fini(struct evs_state_tally *tally);

/* Records as lines of JSON: `begin`, all blocks of the commit, `again`, all blocks once more; lines come in the second pass. After a `begin` that comes again the
 * blocks begin again, too, in the first pass. */
struct evs_state_shape;
struct evs_snapshot_record;
struct evs_state_writing {
    evs_status (*write)(void *argument, struct evs_slice line, struct evs_error *error);
    /* Appends members of an object, each with a comma before it, that show what is behind the key; false: it cannot, and the bytes are shown. May be NULL. */
    bool (*view)(const struct evs_state_shape *shape, const struct evs_snapshot_record *record, uint32_t key_bytes,
                 struct evs_slice rest, struct evs_buffer *line);
    void *argument;
};
struct evs_state_lines;
struct evs_state_lines *evs_state_lines_new(const struct evs_state_writing *writing);
EVS_MUST_CHECK evs_status evs_state_lines_begin(struct evs_state_lines *lines, struct evs_slice record,
                                                struct evs_error *error);
EVS_MUST_CHECK evs_status evs_state_lines_block(struct evs_state_lines *lines, bool outbox, uint64_t checkpoint,
                                                struct evs_slice block, struct evs_error *error);
void evs_state_lines_again(struct evs_state_lines *lines);
void evs_state_lines_free(struct evs_state_lines *lines);

/* Where a text stands in the records of a commit, operator by operator. Zero-initialised with `text` is ready; begin may be called again. */
struct evs_state_trace {
    struct evs_slice text;
    struct evs_state_place {
        char *name;
        uint64_t records;
    } * places;
    uint32_t count, capacity;
    void *reader, *sweep;
};
EVS_MUST_CHECK evs_status evs_state_trace_begin(struct evs_state_trace *trace, struct evs_slice record,
                                                struct evs_error *error);
EVS_MUST_CHECK evs_status evs_state_trace_block(struct evs_state_trace *trace, bool outbox, uint64_t checkpoint,
                                                struct evs_slice block, struct evs_error *error);
void evs_state_trace_fini(struct evs_state_trace *trace);
/* Has this erasure been carried out, and how many records were left out (with others that were asked for together with it)? */
bool evs_state_erased(struct evs_slice record, uint64_t id, uint64_t *records);

/* What a start of this plan on a stored commit would do with each operator, source and sink, in some lines; *loses: a start refuses without --allow-drop.
 * EVS_E_STATE: it would refuse in any case, and why. */
struct evs_plan;
EVS_MUST_CHECK evs_status evs_state_compare(const struct evs_plan *plan, struct evs_slice record,
                                            struct evs_buffer *text, bool *loses, struct evs_error *error);

#endif
