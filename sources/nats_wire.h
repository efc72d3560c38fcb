/* One connection to a NATS server, as the reader and the sink see it: subscribe, publish, take messages. Nothing here blocks
 * but `open`.
 *
 * Two implementations stand behind it, and every test of the reader runs on both:
 *
 *   socket   (nats_socket.c) the protocol spoken directly on a TCP socket. Messages are parsed in place in one large buffer:
 *            no copy, no allocation a message. Twice as fast as the library; no TLS, no credentials files.
 *   library  (nats_link.c) cnats in event-loop mode, for TLS and credentials files. Payloads are copied once, because cnats
 *            puts one NUL behind them and a decoder reads EVS_PADDING bytes.
 *
 * A connection that breaks is made again for ever, with back-off, to the next server of the list. Subscriptions do not survive it:
 * whoever sees `state.connection` rise subscribes again. That is deliberate: a subscription that silently goes on hides the
 * messages that were on the way when the connection broke.
 *
 * One thread uses a wire. */
#ifndef EVS_NATS_WIRE_H
#define EVS_NATS_WIRE_H

#include "evstream/memory.h"
#include "evstream/os.h"
#include "evstream/source.h" /* EVS_PADDING */

enum evs_nats_transport { EVS_NATS_AUTO, EVS_NATS_SOCKET, EVS_NATS_LIBRARY };

struct evs_nats_options {
    const struct evs_os *os;
    struct evs_log *log;
    struct evs_park *park; /* waited on during `open`; woken when the library has made a connection again */
    const char *urls; /* nats://[user:password@|token@]host[:port], tls://…; a list with commas. NULL: localhost */
    const char *credentials;                 /* a .creds file, or NULL */
    const char *tls_ca, *tls_cert, *tls_key; /* files, or NULL */
    const char *name;                        /* shown by the server's monitoring */
    enum evs_nats_transport transport;
    int64_t retry_us; /* how long `open` tries an unreachable server; 0: every server once */
};

/* Slices are valid until the next evs_nats_wire_release. */
struct evs_nats_message {
    uint64_t sid;
    struct evs_slice subject, reply;
    struct evs_slice headers; /* "NATS/1.0…\r\n…\r\n\r\n", or empty */
    struct evs_slice payload; /* EVS_PADDING readable bytes behind it */
    uint32_t status;          /* of a message without payload: 100, 404, 408, 409, 503; 0: none */
};

struct evs_nats_wire_state {
    bool connected;
    uint64_t connection;     /* number of this connection, from 1: has risen after every reconnect */
    int64_t disconnected_us; /* monotonic time since which there is no connection; valid when !connected */
    uint64_t max_payload;    /* bytes, as the server says */
    uint64_t refusals;       /* errors that the server sent without closing: permissions, limits */
    const char *last_error;  /* of the last refusal or failed connection; "" if none; no secret in it */
    bool gives_up;           /* the server refuses our credentials: no further attempts; last_error says why */
};

struct evs_nats_wire {
    const struct evs_nats_wire_type *type;
};

/* Connects, and blocks until that has succeeded or failed. EVS_E_UNREACHABLE, EVS_E_REFUSED (credentials, TLS), EVS_E_USAGE (URL). */
EVS_MUST_CHECK evs_status evs_nats_wire_open(const struct evs_nats_options *options, struct evs_nats_wire **wire,
                                             struct evs_error *error);

struct evs_nats_wire_type {
    const char *name;
    /* EVS_MORE, without an error: the server asks for TLS, which this type does not speak. */
    evs_status (*open)(const struct evs_nats_options *options, struct evs_nats_wire **wire, struct evs_error *error);
    void (*close)(struct evs_nats_wire *wire); /* flushes what fits into the socket */
    /* Sends what waits, keeps the connection alive, makes it again when it broke. Call it before and after each round of work. */
    void (*drive)(struct evs_nats_wire *wire);
    void (*state)(struct evs_nats_wire *wire, struct evs_nats_wire_state *state);
    /* EVS_AGAIN: not connected, or too much waits to be sent. Text is copied. */
    evs_status (*subscribe)(struct evs_nats_wire *wire, const char *subject, uint64_t sid);
    void (*unsubscribe)(struct evs_nats_wire *wire, uint64_t sid);
    /* `headers` are lines "Name: value\r\n"; empty slices mean none. */
    evs_status (*publish)(struct evs_nats_wire *wire, struct evs_slice subject, struct evs_slice reply,
                          struct evs_slice headers, struct evs_slice payload);
    /* EVS_OK, EVS_MORE: the buffer is full of messages that were taken: release, then call again; EVS_AGAIN: nothing waits, not even
     * in the socket, so a silence is the server's. */
    evs_status (*next)(struct evs_nats_wire *wire, struct evs_nats_message *message);
    void (*release)(struct evs_nats_wire *wire);
    /* What to wait for now. Ask each time: whoever asks is about to wait, so the socket is looked into again afterwards. */
    uint32_t (*wait_fds)(struct evs_nats_wire *wire, struct evs_wait_fd *fds, uint32_t max);
    void (*reconnect)(
        struct evs_nats_wire *wire); /* drops the connection: something above does not trust it any more */
};
extern const struct evs_nats_wire_type evs_nats_socket_wire; /* nats_socket.c */

/* --- addresses ------------------------------------------------------------------------------------------------------- */

#define EVS_NATS_SERVERS_MAX 16

struct evs_nats_server {
    char *host, *port;
    char *user, *password; /* decoded; a lone user is a token; NULL: none */
    bool tls;
};
/* Splits `urls`; strings live in `arena`. EVS_E_USAGE with a text that holds no password. */
EVS_MUST_CHECK evs_status evs_nats_urls_parse(const char *urls, struct evs_arena *arena,
                                              struct evs_nats_server *servers, uint32_t *count,
                                              struct evs_error *error);
/* "host:port, host:port" for texts. */
void evs_nats_servers_show(const struct evs_nats_server *servers, uint32_t count, struct evs_buffer *out);

/* The value of `name` in a header block, without surrounding spaces; case-insensitive. */
bool evs_nats_header(struct evs_slice headers, const char *name, struct evs_slice *value);
/* The status code in the first line of a header block ("NATS/1.0 409 …"); 0: none. *text is what follows the code. */
uint32_t evs_nats_header_status(struct evs_slice headers, struct evs_slice *text);

#endif
