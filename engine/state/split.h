/* The state of old groups, divided anew: which record goes to which new group, and the commits that the new groups begin with.
 *
 *   for each old group:   begin(its commit) ── its blocks: learn ── its blocks once more: route
 *   for each new group:   blocks, record
 *
 * A record belongs to the group that owns the partition of its key's events: partition p to group p modulo the number of groups. Nothing in a record says the partition as such, so it
 * is learned from the records that show it, and all records of the same operator and hash follow these:
 *
 *   records that name their key       the key column that is the partition's, hashed as publishers hash it
 *   records that are kept rows        the row's cause, which holds its partition; of a row of a window the key column
 *   a source's fingerprints           the partition stands in them
 *
 * So nothing is added to every record of every pipeline for what happens once in a year. What nothing shows is refused, never guessed. Records keep their order within
 * a key, and those that a later copy of their range has replaced are left out, as a restore leaves them out. */
#ifndef EVS_STATE_SPLIT_H
#define EVS_STATE_SPLIT_H

#include "evstream/plan.h"
#include "record.h"
#include "snapshot.h"

struct evs_split;

struct evs_split *evs_split_new(const struct evs_plan *plan, uint32_t group_count);
void evs_split_free(struct evs_split *split);
/* The next old group: the record of its last commit. EVS_E_STATE: it cannot be divided as it is, and why. */
EVS_MUST_CHECK evs_status evs_split_begin(struct evs_split *split, struct evs_slice record, struct evs_error *error);
/* Blocks of its state, all of them twice: each in the order of the log. */
EVS_MUST_CHECK evs_status evs_split_learn(struct evs_split *split, uint64_t checkpoint, struct evs_slice block,
                                          struct evs_error *error);
EVS_MUST_CHECK evs_status evs_split_learned(struct evs_split *split, struct evs_error *error); /* between the two */
EVS_MUST_CHECK evs_status evs_split_route(struct evs_split *split, uint64_t checkpoint, struct evs_slice block,
                                          struct evs_error *error);
EVS_MUST_CHECK evs_status evs_split_routed(struct evs_split *split, struct evs_error *error);

/* Behind all old groups: the state of a new one, as the changes of one checkpoint. The lists are the split's. */
const struct evs_block_list *evs_split_blocks(struct evs_split *split, uint32_t group);
void evs_split_record(struct evs_split *split, uint32_t group, uint64_t checkpoint, struct evs_buffer *out);
struct evs_hash128 evs_split_incarnation(const struct evs_split *split); /* of the old groups */

#endif
