/* The NATS client protocol, receiving side: one frame of bytes that stay where they are.
 *
 *   MSG <subject> <sid> [reply] <bytes>\r\n<payload>\r\n
 *   HMSG <subject> <sid> [reply] <header bytes> <all bytes>\r\n<headers><payload>\r\n
 *   INFO {…}\r\n   PING\r\n   PONG\r\n   +OK\r\n   -ERR '…'\r\n
 *
 * Source: the NATS client protocol page of the NATS documentation. A pure function, so that it can be fuzzed. */
#ifndef EVS_NATS_PROTOCOL_H
#define EVS_NATS_PROTOCOL_H

#include "nats_wire.h"

enum evs_nats_verb {
    EVS_NATS_INCOMPLETE, /* more bytes are needed: at least frame.bytes in all, when that is not 0 */
    EVS_NATS_MSG,
    EVS_NATS_INFO,
    EVS_NATS_PING,
    EVS_NATS_PONG,
    EVS_NATS_ACCEPTED, /* +OK */
    EVS_NATS_REFUSED,  /* -ERR */
    EVS_NATS_BROKEN,   /* this is not the protocol: drop the connection */
};

struct evs_nats_frame {
    size_t bytes;                    /* of the whole frame */
    struct evs_nats_message message; /* MSG */
    struct evs_slice text;           /* INFO: the JSON; REFUSED: the text without its quotes */
};

#define EVS_NATS_LINE_MAX (1u << 20)   /* INFO of a large cluster; a line of a message is below 5 KiB */
#define EVS_NATS_FRAME_MAX (72u << 20) /* nats-server's own limit of max_payload is 64 MB */

enum evs_nats_verb evs_nats_frame_parse(const char *data, size_t count, struct evs_nats_frame *frame);

/* What the reply subject of a JetStream delivery tells:
 *   $JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<time in ns>.<pending>
 *   $JS.ACK.<domain>.<account>.<stream>.<consumer>.<deliveries>.… , with further tokens behind (ADR-15) */
struct evs_nats_delivery {
    uint64_t stream_sequence, consumer_sequence, pending;
    int64_t time_us;
};
bool evs_nats_delivery_parse(struct evs_slice reply, struct evs_nats_delivery *delivery);

/* The end of an answer's subject, behind `prefix_bytes`: "<first>.<second>", by which it is known what it answers. */
bool evs_nats_answer_parse(struct evs_slice subject, size_t prefix_bytes, uint64_t *first, uint64_t *second);

#endif
