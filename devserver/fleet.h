/* The pipelines of one dev: files that were named, and whatever lies or appears in folders that were named as a whole. */
#ifndef EVS_DEV_FLEET_H
#define EVS_DEV_FLEET_H

#include "pipeline.h"

struct evs_dev_fleet {
    struct evs_dev_pipeline **items; /* in the order in which they were named; of a folder by name */
    uint32_t count, capacity;
    const char **folders; /* borrowed from the options */
    uint32_t folder_count, folder_capacity;
};

/* A file that is not there yet runs when it is saved. */
void evs_dev_fleet_find(struct evs_dev_fleet *fleet, const char *const *paths, uint32_t count);
void evs_dev_fleet_add(struct evs_dev_fleet *fleet, const char *path);
void evs_dev_fleet_fini(struct evs_dev_fleet *fleet);

/* NULL: no pipeline is of this file. "cart.evs" and "./cart.evs" are one. */
struct evs_dev_pipeline *evs_dev_fleet_of(const struct evs_dev_fleet *fleet, const char *path);
/* A new file in a folder that was named as a whole; NULL: it is in none. */
struct evs_dev_pipeline *evs_dev_fleet_adopt(struct evs_dev_fleet *fleet, const char *path);

#endif
