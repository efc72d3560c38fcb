/* How a pipeline is divided into groups, and where that is written: the map.
 *
 * The map is a log like a group's, `evs:{PIPELINE:map}:log`, whose commits hold no blocks and a text in the place of the record:
 *
 *   version 1
 *   generation 2               how often the pipeline was divided; 0: not yet, the only group is "0"
 *   groups 3                   their names are "2-0", "2-1", "2-2"; group g reads the partitions p with p % 3 == g
 *   incarnation 5be0…32 digits of the trigger ids of all groups
 *   source 4 clicks            partitions of each source
 *
 * Why a log of the store and not one entry of a stream of its own: what a division needs is what a group's commit has already. A take-over of the map
 * (acquire) fences whoever was about to change it; the newest commit decides, as a whole or not at all, and carries a checksum. An engine that takes
 * a group over reads the map before and after: docs/internals/groups.md has the protocol.
 *
 * The bucket keeps a copy of the text (`division.PIPELINE`), so that a Redis that is empty or old is found out before anything is counted anew. */
#ifndef EVS_RUN_DIVISION_H
#define EVS_RUN_DIVISION_H

#include "evstream/groups.h"

struct evs_division_source {
    const char *name;
    uint32_t partitions;
};

struct evs_division {
    uint64_t generation; /* 0: never divided, the only group is "0" */
    uint32_t group_count;
    struct evs_hash128 incarnation;
    struct evs_division_source *sources;
    uint32_t source_count;
};

/* The division of a pipeline that was never divided. */
struct evs_division evs_division_of_one(void);
/* The one behind it, for this plan. Lists live in the arena; names are borrowed from the plan. */
struct evs_division evs_division_next(const struct evs_plan *plan, const struct evs_division *before,
                                      uint32_t group_count, struct evs_hash128 incarnation, struct evs_arena *arena);
void evs_division_name(const struct evs_division *division, uint32_t index, char name[EVS_GROUP_NAME_MAX]);
void evs_division_encode(const struct evs_division *division, struct evs_buffer *out);
/* Everything lives in the arena. EVS_E_STATE: it is of a later version, or no division. */
EVS_MUST_CHECK evs_status evs_division_decode(struct evs_slice text, struct evs_arena *arena,
                                              struct evs_division *division, struct evs_error *error);
/* EVS_E_STATE: the plan cannot run divided so, and why. */
EVS_MUST_CHECK evs_status evs_division_fits(const struct evs_division *division, const struct evs_plan *plan,
                                            struct evs_error *error);

/* --- the map ----------------------------------------------------------------------------------------------------- */

struct evs_map;

EVS_MUST_CHECK evs_status evs_map_open(const struct evs_run_options *options, const char *pipeline,
                                       struct evs_map **map, struct evs_error *error);
void evs_map_close(struct evs_map *map); /* NULL is allowed */
/* The newest division. *is_there false: the pipeline was never divided, and `division` is of one. */
EVS_MUST_CHECK evs_status evs_map_read(struct evs_map *map, struct evs_arena *arena, struct evs_division *division,
                                       bool *is_there, struct evs_error *error);
/* Fences whoever was about to change the map, and reads it. */
EVS_MUST_CHECK evs_status evs_map_begin(struct evs_map *map, struct evs_arena *arena, struct evs_division *division,
                                        bool *is_there, struct evs_error *error);
/* Behind begin. EVS_E_FENCED: somebody else has begun since; nothing was changed. */
EVS_MUST_CHECK evs_status evs_map_decide(struct evs_map *map, const struct evs_division *division,
                                         struct evs_error *error);
/* Decides `first` where nothing is divided yet; *division is what holds then, be it decided by this instance or by another one in the same moment. */
EVS_MUST_CHECK evs_status evs_map_first(struct evs_map *map, const struct evs_division *first, struct evs_arena *arena,
                                        struct evs_division *division, struct evs_error *error);

#endif
