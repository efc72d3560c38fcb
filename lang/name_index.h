/* From names to numbers: a hash table, so that files with many names are read in time that grows with them and not with their square. */
#ifndef EVS_NAME_INDEX_H
#define EVS_NAME_INDEX_H

#include "evstream/text.h"

#define EVS_NO_NAME UINT32_MAX

struct evs_name_slot {
    const char *name; /* NULL: free */
    uint64_t hash;
    uint32_t number;
};

/* Zeroed memory is an empty index. Names are borrowed. */
struct evs_name_index {
    struct evs_name_slot *slots; /* heap */
    uint32_t size, count;
    bool is_exact; /* set before the first name: upper and lower case differ */
};

/* The number of a name, or EVS_NO_NAME. */
uint32_t evs_name_index_find(const struct evs_name_index *index, struct evs_slice name);
/* Sets the number of a name, which may be there. */
void evs_name_index_set(struct evs_name_index *index, const char *name, uint32_t number);
void evs_name_index_fini(struct evs_name_index *index);

#endif
