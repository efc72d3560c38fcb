/* The least that can stand between a click and a trigger: a pull consumer on a raw socket that publishes each line that has a mark to a subject of its
 * own, at once. No decoding, no state, no acknowledgement, no safety: the floor that the engine's latency is compared with.
 *
 *   republish HOST PORT
 *
 * Says so when it reads, and runs until it is ended. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

#define ASKED 512

static void request(struct wire *wire)
{
    static const char body[] = "{\"batch\":512,\"expires\":30000000000}";
    wire_printf(wire, "PUB $JS.API.CONSUMER.MSG.NEXT.CLICKS.bare _INBOX.bare.d %zu\r\n%s\r\n", sizeof body - 1, body);
}

/* All lines of a message go out in one write. */
static void republish(struct wire *wire, const struct wire_message *message)
{
    static char out[1 << 20];
    size_t bytes = 0;
    const char *end = message->payload + message->payload_bytes;
    for (const char *line = message->payload; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t count = (size_t)((newline == NULL ? end : newline) - line);
        if (memmem(line, count, "\"purchase\"", 10) != NULL && bytes + count + 128 < sizeof out) {
            bytes += (size_t)snprintf(out + bytes, 128, "PUB triggers.bench %zu\r\n", count);
            memcpy(out + bytes, line, count);
            memcpy(out + bytes + count, "\r\n", 2);
            bytes += count + 2;
        }
        line += count + 1;
    }
    wire_send(wire, out, bytes);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: republish HOST PORT\n");
        return 2;
    }
    struct wire wire;
    struct wire_message message;
    wire_open(&wire, argv[1], argv[2]);
    wire_printf(&wire, "PUB $JS.API.CONSUMER.DELETE.CLICKS.bare 0\r\n\r\n"); /* of an earlier run */
    wire_api(&wire, "$JS.API.CONSUMER.CREATE.CLICKS.bare",
             "{\"stream_name\":\"CLICKS\",\"config\":{\"name\":\"bare\",\"deliver_policy\":\"new\",\"ack_policy\":"
             "\"none\",\"mem_storage\":true,\"inactive_threshold\":5000000000}}");
    wire_printf(&wire, "SUB _INBOX.bare.d 1\r\n");
    request(&wire);
    request(&wire);
    puts("reading");
    fflush(stdout);
    for (uint32_t left = 2 * ASKED; wire_next(&wire, &message, -1);) {
        republish(&wire, &message);
        if (--left == ASKED) {
            request(&wire);
            left += ASKED;
        }
    }
    return 0;
}
