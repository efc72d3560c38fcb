/* The NATS protocol as far as a benchmark needs it: one blocking socket, messages parsed in place. No reconnect, no safety. Every function ends the
 * process with a word about what failed. */
#ifndef EVS_BENCH_WIRE_H
#define EVS_BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wire {
    int fd;
    char *data;
    size_t begin, filled, capacity;
};

struct wire_message { /* borrowed until the next wire_next */
    const char *subject, *reply;
    size_t subject_bytes, reply_bytes;
    const char *payload;
    size_t payload_bytes;
};

void wire_open(struct wire *wire, const char *host, const char *port);
void wire_close(struct wire *wire);
void wire_send(struct wire *wire, const char *bytes, size_t count);
void wire_printf(struct wire *wire, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Asks the JetStream API and waits for its answer, which must be no error. */
void wire_api(struct wire *wire, const char *subject, const char *body);
/* The next message. False: none within `wait_ms` (-1: for ever). Answers PING. */
bool wire_next(struct wire *wire, struct wire_message *message, int wait_ms);
/* Whether a message lies in memory already, so that wire_next would not read. */
bool wire_has_more(const struct wire *wire);

int64_t wire_now_ns(void); /* monotonic, the same in all processes of the machine */

#endif
