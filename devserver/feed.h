/* Triggers as they come: a plain subscription on the NATS server that dev has started.
 *
 * The protocol is spoken in the loop itself, with the parser of sources/nats_protocol.h: no thread, no library. It connects until
 * it succeeds, which also tells when the server is ready. */
#ifndef EVS_DEV_FEED_H
#define EVS_DEV_FEED_H

#include <event2/event.h>

#include "evstream/memory.h"
#include "evstream/text.h"

struct evs_dev_feed;
struct evs_dev_feed_options {
    uint16_t port; /* on 127.0.0.1 */
    const char *const *subjects;
    uint32_t subject_count;
    void (*ready)(void *context); /* subscribed; again after each reconnect */
    void (*message)(void *context, struct evs_slice subject, struct evs_slice payload);
    void *context;
};

/* `options` and its subjects are borrowed until evs_dev_feed_free. */
struct evs_dev_feed *evs_dev_feed_new(struct event_base *loop, const struct evs_dev_feed_options *options);
void evs_dev_feed_free(struct evs_dev_feed *feed); /* NULL is allowed */

#endif
