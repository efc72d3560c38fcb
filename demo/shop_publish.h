/* Publishing messages of many events to JetStream so that each is stored once, whatever happens to the server.
 *
 * A message keeps its Nats-Msg-Id and stays in a bounded window until JetStream has said under which sequence it is stored. An answer that
 * is overdue, lost with its connection or an error makes it go out again under the same id; within the stream's duplicate window the server
 * drops the second copy and answers with the first one's sequence. What was acknowledged goes to the record, in the order of the answers. */
#ifndef EVS_SHOP_PUBLISH_H
#define EVS_SHOP_PUBLISH_H

#include <stdio.h>

#include "evstream/memory.h"
#include "shop_traffic.h"

#define EVS_SHOP_MESSAGE_EVENTS 100u
#define EVS_SHOP_PARTITIONS_MAX 256u

struct evs_shop_message {
    uint32_t partition;
    uint32_t event_count;
    struct evs_buffer payload;
    struct evs_shop_event events[EVS_SHOP_MESSAGE_EVENTS];
    bool repeat; /* the sender means not to have heard the answer, and sends it twice at once */
};

struct evs_shop_published {
    uint64_t events, messages;
    uint64_t repeated; /* messages that were sent twice on purpose */
    uint64_t resent;   /* messages that were sent again because no answer came */
    uint64_t dropped;  /* copies that the server recognised */
};

struct evs_shop_publisher;
/* Connects and makes the stream if there is none. The record may be NULL. Ends the program with a text when the server is not there. */
struct evs_shop_publisher *evs_shop_publisher_new(const char *url, const char *stream, FILE *record);
void evs_shop_publisher_free(struct evs_shop_publisher *publisher);

bool evs_shop_has_room(const struct evs_shop_publisher *publisher);
bool evs_shop_all_stored(const struct evs_shop_publisher *publisher);
/* Sends; needs room. Takes the payload and leaves the message empty. */
void evs_shop_publish(struct evs_shop_publisher *publisher, struct evs_shop_message *message);
/* Takes answers, waiting up to `wait_ms` for the first one, and sends again what is overdue. */
void evs_shop_pump(struct evs_shop_publisher *publisher, int wait_ms);
const struct evs_shop_published *evs_shop_published(const struct evs_shop_publisher *publisher);

#endif
