#include "feed.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <netinet/in.h>
#include <string.h>

#include "nats_protocol.h"

#define AGAIN_US 20000

struct evs_dev_feed {
    const struct evs_dev_feed_options *options;
    struct event_base *loop;
    struct bufferevent *link; /* NULL: none, `again` makes one */
    struct event *again;
};

static void send_text(struct evs_dev_feed *feed, const char *text)
{
    bufferevent_write(feed->link, text, strlen(text));
}

static void subscribe(struct evs_dev_feed *feed)
{
    struct evbuffer *out = bufferevent_get_output(feed->link);
    send_text(feed, "CONNECT {\"verbose\":false,\"pedantic\":false,\"name\":\"evstream dev\"}\r\n");
    for (uint32_t i = 0; i < feed->options->subject_count; i++) {
        evbuffer_add_printf(out, "SUB %s %u\r\n", feed->options->subjects[i], i + 1);
    }
    send_text(feed, "PING\r\n");
}

static void drop_link(struct evs_dev_feed *feed)
{
    const struct timeval wait = {.tv_usec = AGAIN_US};
    bufferevent_free(feed->link);
    feed->link = NULL;
    event_add(feed->again, &wait);
}

/* False: the connection is of no use any more. */
static bool take_frame(struct evs_dev_feed *feed, enum evs_nats_verb verb, const struct evs_nats_frame *frame)
{
    switch (verb) {
    case EVS_NATS_MSG:
        feed->options->message(feed->options->context, frame->message.subject, frame->message.payload);
        return true;
    case EVS_NATS_PING:
        send_text(feed, "PONG\r\n");
        return true;
    case EVS_NATS_PONG:
        feed->options->ready(feed->options->context);
        return true;
    default:
        return verb != EVS_NATS_BROKEN && verb != EVS_NATS_REFUSED;
    }
}

static void on_bytes(struct bufferevent *link, void *argument)
{
    struct evs_dev_feed *feed = argument;
    struct evbuffer *input = bufferevent_get_input(link);
    struct evs_nats_frame frame;
    for (size_t count; (count = evbuffer_get_length(input)) > 0;) {
        enum evs_nats_verb verb = evs_nats_frame_parse((const char *)evbuffer_pullup(input, -1), count, &frame);
        if (verb == EVS_NATS_INCOMPLETE) {
            return;
        }
        if (!take_frame(feed, verb, &frame)) {
            drop_link(feed);
            return;
        }
        evbuffer_drain(input, frame.bytes);
    }
}

static void on_event(struct bufferevent *link, short what, void *argument)
{
    struct evs_dev_feed *feed = argument;
    (void)link;
    if ((what & BEV_EVENT_CONNECTED) != 0) {
        subscribe(feed);
    } else if ((what & (BEV_EVENT_EOF | BEV_EVENT_ERROR)) != 0) {
        drop_link(feed);
    }
}

static void on_again(evutil_socket_t fd, short what, void *argument)
{
    struct evs_dev_feed *feed = argument;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(feed->options->port)};
    (void)fd;
    (void)what;
    EVS_ASSERT(feed->link == NULL);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    feed->link = bufferevent_socket_new(feed->loop, -1, BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
    EVS_ASSERT(feed->link != NULL);
    bufferevent_setcb(feed->link, on_bytes, NULL, on_event, feed);
    bufferevent_enable(feed->link, EV_READ | EV_WRITE);
    if (bufferevent_socket_connect(feed->link, (struct sockaddr *)&address, sizeof address) != 0) {
        drop_link(feed);
    }
}

struct evs_dev_feed *evs_dev_feed_new(struct event_base *loop, const struct evs_dev_feed_options *options)
{
    struct evs_dev_feed *feed = evs_alloc_zero(sizeof *feed);
    const struct timeval now = {0};
    feed->options = options;
    feed->loop = loop;
    feed->again = evtimer_new(loop, on_again, feed);
    EVS_ASSERT(feed->again != NULL);
    event_add(feed->again, &now);
    return feed;
}

void evs_dev_feed_free(struct evs_dev_feed *feed)
{
    if (feed == NULL) {
        return;
    }
    if (feed->link != NULL) {
        bufferevent_free(feed->link);
    }
    event_free(feed->again);
    evs_free(feed);
}
