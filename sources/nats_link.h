/* The one file that calls cnats: options, event loop, errors in words. It is the `library` implementation of nats_wire.h.
 *
 * Traps of cnats 3.4.1 that this file is built around, each seen in a test program:
 *   - natsSubscription_Fetch overflows its caller's array: never used. Subscriptions are synchronous ones of core NATS.
 *   - Without SendAsap every small publish waits a millisecond for the flusher thread.
 *   - In event-loop mode its own reconnect keeps the parser in the middle of the message that was cut, and then breaks every new
 *     connection (still so in 3.9); it also holds the connection's lock for seconds. So its reconnect is off: a broken connection is destroyed,
 *     and a short-lived thread of ours makes another one.
 *   - The ping timer closes the socket from a thread of its own while the event loop may be reading it (mended in 3.9.2): pings are off,
 *     the kernel's keep-alive and TCP_USER_TIMEOUT watch the connection instead.
 *   - NextMsg turns a "no responders" answer into an error without its message: it is passed on as status 503 without a subject.
 *   - Callbacks may run after natsConnection_Destroy: nothing that they use is freed before the last "closed" has come. */
#ifndef EVS_NATS_LINK_H
#define EVS_NATS_LINK_H

#include "nats_wire.h"

extern const struct evs_nats_wire_type evs_nats_library_wire;

#endif
