/* Private to letters/: what its files share. */
#ifndef EVS_LETTERS_PARTS_H
#define EVS_LETTERS_PARTS_H

#include "letters.h"
#include "nats_api.h"
#include "nats_reader.h"

/* A connection to the broker of a source or a sink. */
struct evs_letters_link {
    struct evs_nats_wire *wire; /* NULL: not connected */
    struct evs_nats_asker asker;
    char prefix[80], inbox[120];
};

struct evs_letters {
    struct evs_letters_open with;
    struct evs_park *park;
    struct evs_letters_link link; /* to the broker that letters go back to */
    bool has_marks;               /* their stream was found by this connection */
};

/* A row as a sink holds it. Texts live in the arena of the list. */
struct evs_letters_row {
    struct evs_slice payload;
    const char *id;  /* as it was stored with; NULL: none */
    int64_t time_us; /* EVS_TIME_MIN: unknown */
};
struct evs_letters_rows {
    struct evs_arena *arena;
    struct evs_letters_row *rows; /* newest first */
    uint32_t count, capacity, max;
    size_t bytes;
    bool is_complete;
};
/* False: there is no room for more. */
bool evs_letters_keep(struct evs_letters_rows *rows, struct evs_slice payload, struct evs_slice id, int64_t time_us);

/* The newest rows of a sink: read_file.c, read_nats.c, read_redis.c. */
evs_status evs_letters_read_file(struct evs_letters *letters, const struct evs_plan_node *sink,
                                 struct evs_letters_rows *rows, struct evs_error *error);
evs_status evs_letters_read_nats(struct evs_letters *letters, const struct evs_plan_node *sink,
                                 struct evs_letters_rows *rows, struct evs_error *error);
evs_status evs_letters_read_redis(struct evs_letters *letters, const struct evs_plan_node *sink,
                                  struct evs_letters_rows *rows, struct evs_error *error);

/* nats_ask.c */
evs_status evs_letters_connect(struct evs_letters *letters, const struct evs_nats_reader_config *config,
                               struct evs_letters_link *link, struct evs_error *error);
void evs_letters_disconnect(struct evs_letters_link *link);

/* resend.c: what the marks say of a letter */
evs_status evs_letters_look_up(struct evs_letters *letters, struct evs_letter *letter, struct evs_error *error);
/* The source of this name, where messages can be sent back to it; NULL: there is none. */
const struct evs_nats_reader_config *evs_letters_broker(const struct evs_letters *letters, const char *source);

#endif
