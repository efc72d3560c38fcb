/* The traffic of an invented shop: what its visitors do, one event after the other, from one seed.
 *
 * Time is virtual: event number i happens at start + i / rate seconds. So the same seed, start and rate give the same events byte for
 * byte, whether they are played live or written into a file at full speed, and however long a broker was away in between.
 *
 *      slots of visitors            a slot is drawn for each event; its visitor takes the next step
 *     ┌──────┬──────┬───┐
 *     │ ann  │  ?   │ … │         landing page ─► product views ─► add to cart ─► purchase ─► gone: somebody else takes the slot
 *     └──────┴──────┴───┘                            └────────────────┴──────────────► gone
 *
 * Some events are late: a phone in a tunnel sends them later, with the time at which they happened. Some are broken (enum evs_shop_flaw):
 * a program in a browser can send anything. */
#ifndef EVS_SHOP_TRAFFIC_H
#define EVS_SHOP_TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>

enum evs_shop_kind {
    EVS_SHOP_PAGE,
    EVS_SHOP_PRODUCT_VIEW,
    EVS_SHOP_ADD_TO_CART,
    EVS_SHOP_PURCHASE,
    /* over weeks only (shop_journeys.h) */
    EVS_SHOP_SEARCH,
    EVS_SHOP_REMOVE_FROM_CART,
    EVS_SHOP_CHECKOUT,
    EVS_SHOP_SIGNED_UP,
    EVS_SHOP_CLICK,
    EVS_SHOP_REFUND,
    EVS_SHOP_PRICE_CHANGE,
    EVS_SHOP_STOCK_CHANGE,
};

enum evs_shop_flaw {
    EVS_SHOP_WHOLE,     /* nothing is wrong with it */
    EVS_SHOP_CUT,       /* the JSON ends in the middle */
    EVS_SHOP_NO_TYPE,   /* nobody knows what happened */
    EVS_SHOP_NO_TIME,   /* nor when */
    EVS_SHOP_BAD_TIME,  /* "yesterday" */
    EVS_SHOP_BAD_PRICE, /* "twelve": wrong only for those who read the price */
    EVS_SHOP_FUTURE,    /* the browser's clock is hours ahead */
};

#define EVS_SHOP_PRODUCTS 120u
#define EVS_SHOP_NOBODY 0u    /* the user of an anonymous visitor; the visitor of what the shop does itself */
#define EVS_SHOP_CAMPAIGNS 5u /* 0: came by themselves */
#define EVS_SHOP_REMINDED EVS_SHOP_CAMPAIGNS /* over weeks: came by a link in a message of ours */
#define EVS_SHOP_LINES_MAX 6u

struct evs_shop_line {
    uint32_t product, quantity;
    int64_t cents; /* of one */
};

struct evs_shop_event {
    uint64_t number;     /* from 0 */
    int64_t sent_us;     /* virtual time at which the browser sends it */
    int64_t occurred_us; /* what the event says; whole milliseconds */
    enum evs_shop_kind kind;
    enum evs_shop_flaw flaw;
    uint32_t user;    /* EVS_SHOP_NOBODY: not logged in */
    uint32_t visitor; /* the browser, known or not */
    uint32_t session;
    uint32_t product;  /* product views and carts */
    uint32_t quantity; /* carts: of this product; purchases: things in the cart */
    int64_t cents;     /* product views and carts: the price of one; purchases: the sum of the order */
    uint32_t campaign; /* 0: came by themselves */
    uint32_t device;
    int64_t was_cents;                              /* price changes */
    uint64_t order;                                 /* purchases and refunds, over weeks */
    struct evs_shop_line lines[EVS_SHOP_LINES_MAX]; /* checkouts and purchases, over weeks */
    uint32_t line_count;
    uint32_t x, y; /* clicks */
    bool consents; /* who signs up */
    bool is_robot; /* says so in the user agent */
    bool quoted;   /* the price is sent as a string, as some shops do: as good as a number */
};

struct evs_shop_settings {
    uint64_t seed;
    int64_t start_us;
    uint32_t rate; /* events a second */
    uint32_t days; /* not 0: shop_journeys.h, `events` spread over so many days */
    uint64_t events;
    bool clean;   /* nothing late, nothing broken */
    bool futures; /* clocks that are ahead: only a broker can tell that they are */
};

struct evs_shop_traffic;
struct evs_shop_traffic *evs_shop_traffic_new(const struct evs_shop_settings *settings);
void evs_shop_traffic_free(struct evs_shop_traffic *traffic);

/* When the next event is sent. */
int64_t evs_shop_next_us(const struct evs_shop_traffic *traffic);
void evs_shop_next(struct evs_shop_traffic *traffic, struct evs_shop_event *event);

/* A number below `limit` from the same seed, for decisions about the transport (sizes of messages, retries). */
uint32_t evs_shop_draw(struct evs_shop_traffic *traffic, uint32_t limit);

/* "newsletter", …; NULL for those who came by themselves. */
const char *evs_shop_campaign(uint32_t campaign);
const char *evs_shop_kind_name(enum evs_shop_kind kind);
const char *evs_shop_flaw_name(enum evs_shop_flaw flaw);

#endif
