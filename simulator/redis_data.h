/* The simulated Redis' data: streams, what is known to be on its disk, and the commands on them.
 *
 * Entries never change once they are there, so a snapshot is a copy of the lists of pointers. What a power cut leaves is the
 * last snapshot that was "synced": at once with appendfsync always, each second with everysec. Nothing is ever freed before
 * the server is: a simulation is short. */
#ifndef EVS_SIM_REDIS_DATA_H
#define EVS_SIM_REDIS_DATA_H

#include "evstream/memory.h"
#include "evstream/text.h"
#include "redis_address.h" /* ids, and their order */

#define EVS_SIM_WORDS_MAX 64

struct evs_sim_entry {
    struct evs_redis_id id;
    uint32_t field_count; /* names and values */
    struct evs_slice *fields;
};

struct evs_sim_stream {
    char *key;
    struct evs_sim_entry **entries;
    uint32_t first, count, capacity; /* those before `first` are trimmed */
    struct evs_redis_id last, max_deleted;
};

struct evs_sim_redis_data {
    struct evs_arena arena; /* of entries; shared by snapshots */
    struct evs_sim_stream *streams;
    uint32_t stream_count, stream_capacity;
    bool has_library; /* FUNCTION LOAD */
    uint64_t writes;
};

void evs_sim_redis_data_fini(struct evs_sim_redis_data *data);
/* The lists of `from` into `to`, which must be empty or an older copy. Entries stay `from`'s. */
void evs_sim_redis_data_copy(struct evs_sim_redis_data *to, const struct evs_sim_redis_data *from);
struct evs_sim_stream *evs_sim_redis_find(const struct evs_sim_redis_data *data, struct evs_slice key); /* or NULL */

/* What commands answer, in RESP. */
void evs_sim_put_error(struct evs_buffer *out, const char *text);
void evs_sim_put_status(struct evs_buffer *out, const char *text);
void evs_sim_put_bulk(struct evs_buffer *out, struct evs_slice text);
void evs_sim_put_id(struct evs_buffer *out, struct evs_redis_id id);
void evs_sim_put_integer(struct evs_buffer *out, int64_t number);
void evs_sim_put_array(struct evs_buffer *out, uint32_t count);
void evs_sim_put_entry(struct evs_buffer *out, const struct evs_sim_entry *entry);

/* --- commands: words are as the client sent them ---------------------------------------------------------------------- */

struct evs_sim_command {
    struct evs_slice words[EVS_SIM_WORDS_MAX];
    uint32_t count;
};
static inline bool evs_sim_word_is(const struct evs_sim_command *command, uint32_t index, const char *word)
{
    return index < command->count && evs_slice_equal_nocase(command->words[index], word);
}

/* XADD, XRANGE, XREVRANGE, XTRIM, XSETID, XLEN, DEL. False: it is none of these. `keep` is how many entries a trim by `~` leaves
 * that it could have removed. */
bool evs_sim_redis_stream_command(struct evs_sim_redis_data *data, const struct evs_sim_command *command, uint32_t keep,
                                  struct evs_buffer *out);
/* The engine's function library, natively (stores/redis_function.c is its text). */
void evs_sim_redis_call(struct evs_sim_redis_data *data, const struct evs_sim_command *command, int64_t wall_us,
                        uint32_t keep, struct evs_buffer *out);

/* For both of the above. */
void evs_sim_put_small_id(struct evs_buffer *out); /* what XADD answers to an id that is not above the last one */
struct evs_sim_stream *evs_sim_redis_stream(struct evs_sim_redis_data *data,
                                            struct evs_slice key); /* made when missing */
void evs_sim_redis_append(struct evs_sim_redis_data *data, struct evs_sim_stream *stream, struct evs_redis_id id,
                          const struct evs_slice *fields, uint32_t field_count);
void evs_sim_redis_trim_count(struct evs_sim_stream *stream, uint64_t max, uint32_t keep);
/* Index of the first entry at or above `id`. */
uint32_t evs_sim_redis_seek(const struct evs_sim_stream *stream, struct evs_redis_id id);

#endif
