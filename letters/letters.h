/* Dead letters, read back from the sinks that they were sent to, and sent back to where they came from: `evstream dlq`, and the live page.
 *
 *   source ── a record that cannot be decoded ──► dead letter sink ── evs_letters_list ──► people
 *     ▲                                            (NATS, file, Redis)                       │
 *     └────────────── the record alone, as a message of its own ◄── evs_letters_resend ──────┘
 *
 * No engine is needed for it: where the letters are follows from the plan.
 *
 * What may be sent back. A letter whose original bytes are there and that died in its source: nothing has counted it. A row that died at an operator behind the
 * source is not sent back, because other branches of the pipeline have taken it already, and would take it twice; nor is a trigger that a receiver has refused. Each
 * letter says so (`kept`).
 *
 * Never twice by accident. A letter has an id that follows from what it is. Whoever sends it back first writes that he begins, under the letter's own subject of
 * the stream EVSTREAM_RESENT and only if nobody has since he looked; then publishes, with a Nats-Msg-Id made of the letter's id and the attempt; then writes that it is
 * done. Who dies in between leaves "begun": within the stream's duplicate window the same attempt is made again, and NATS drops the second copy; later it is refused,
 * and a person decides (`again`). Marks are kept for 90 days.
 *
 * Calls block, for seconds when a server is away. One thread uses an instance. */
#ifndef EVS_LETTERS_H
#define EVS_LETTERS_H

#include "evstream/plan.h"

#define EVS_LETTERS_STREAM "EVSTREAM_RESENT"

struct evs_letters_open {
    const struct evs_os *os;
    struct evs_log *log;
    const struct evs_plan *plan;
    const char *nats_url, *nats_credentials, *redis_url; /* as of the run */
};

struct evs_letter {
    const char *id;
    const char *sink;   /* where it was found */
    int64_t time_us;    /* when it was stored, or else when its message was; EVS_TIME_MIN: unknown */
    const char *reason; /* "" where the row is no dead letter of ours */
    const char *code, *file, *expression, *source, *subject; /* NULL: none */
    int64_t line, sequence;                                  /* 0: none */
    struct evs_slice row;                                    /* JSON of the row as it was where it died; empty: none */
    bool has_raw;
    struct evs_slice raw; /* the original bytes */
    const char *kept;     /* why it is not sent back: a sentence; NULL: it may be */
    uint32_t resent;      /* how often; as far as marks were asked for */
    int64_t resent_us;    /* the last time */
    bool is_unsure;       /* a resend has begun and its end is not known */
};

struct evs_letters_query {
    const char *source, *reason, *id; /* NULL: any */
    uint32_t newest;                  /* how many of each sink are looked at */
    bool marks;                       /* tell what was sent back; one question a letter */
};

/* Newest first, in the arena that was given. */
struct evs_letter_list {
    const struct evs_letter *letters;
    uint32_t count;
    bool is_complete; /* all letters were looked at */
};

struct evs_letters;

/* Connects to nothing yet. EVS_E_USAGE: no source of the plan sends its dead letters anywhere, or to a kind of sink that cannot be read back. */
EVS_MUST_CHECK evs_status evs_letters_open(const struct evs_letters_open *open, struct evs_letters **letters,
                                           struct evs_error *error);
void evs_letters_close(struct evs_letters *letters); /* NULL is allowed */
EVS_MUST_CHECK evs_status evs_letters_list(struct evs_letters *letters, const struct evs_letters_query *query,
                                           struct evs_arena *arena, struct evs_letter_list *list,
                                           struct evs_error *error);

struct evs_letters_resend {
    bool again;            /* though it was sent back before, or that is not known */
    struct evs_slice text; /* instead of the original bytes; no data: those */
};
struct evs_letters_resent {
    uint64_t sequence; /* in the source's stream */
    uint32_t attempt;
    bool was_there; /* the stream had it: an attempt before this one had not been told of its success */
};
/* EVS_E_USAGE: it is not sent, and the text says why: it may not be, or it was. */
EVS_MUST_CHECK evs_status evs_letters_resend(struct evs_letters *letters, const struct evs_letter *letter,
                                             const struct evs_letters_resend *how, struct evs_letters_resent *resent,
                                             struct evs_error *error);

/* Appends a letter as a JSON object: id, reason, code, detail, file, line, source, sink, subject, sequence, time_us, row, raw (and raw_base64 when it is no text),
 * kept, resent, unsure, resent_us. */
void evs_letter_put_json(struct evs_buffer *out, const struct evs_letter *letter);

#endif
