/* sample P percent by EXPR [salt STRING] [rest into SINK]. The essay is in op_sample.c. */
#ifndef EVS_OP_SAMPLE_H
#define EVS_OP_SAMPLE_H

#include "evstream/operator.h"

struct evs_sample_config {
    uint32_t key;          /* input column of type string or bytes: the key's text */
    struct evs_slice salt; /* may be empty */
    /* Rows whose hash is below it pass; `all`: every row does (100 percent). */
    uint64_t threshold;
    bool all;
    bool rest_output; /* rows that do not pass leave by output 1, as they came */
};
extern const struct evs_operator evs_op_sample;

/* The hash of a key, 0 … 2^64 - 1: part of the language, never to be changed. */
uint64_t evs_sample_hash(struct evs_slice salt, struct evs_slice key, struct evs_buffer *scratch);
/* P percent as a threshold: floor(P / 100 * 2^64), exactly. False: P is not within 0 … 100. */
bool evs_sample_threshold(evs_numeric percent, uint64_t *threshold, bool *all);

#endif
