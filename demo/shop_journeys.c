/* Weeks of a shop. A visitor's slot keeps what the visit has led to so far; each event is one step of one slot, or of the shop itself. */
#include "shop_journeys.h"

#include "evstream/memory.h"

#define SLOTS 2u
#define USERS 120u
#define PRODUCTS 24u /* few, so that people meet the same product again */
#define SEEN_MAX 4u
#define ORDERS_MAX 32u
#define SECOND_US INT64_C(1000000)
#define MS_US INT64_C(1000)
#define DAY_US (86400 * SECOND_US)

struct slot {
    uint32_t user, visitor, session, campaign, device;
    struct evs_shop_line cart[EVS_SHOP_LINES_MAX];
    uint32_t cart_count;
    uint32_t seen[SEEN_MAX], seen_count;
    uint32_t x, y; /* where the pointer rests */
    bool landed, pays, is_robot;
};

struct order {
    uint64_t number;
    uint32_t user, visitor, session;
    int64_t cents;
};

struct evs_shop_journeys {
    struct evs_shop_traffic *traffic;
    int64_t now_us, gap_us;
    uint32_t session_count, visitor_count, user_count;
    uint64_t number, order_count;
    struct slot slots[SLOTS];
    struct slot *busy; /* does the next `busy_count` steps alone, quickly */
    uint32_t busy_count;
    int64_t prices[PRODUCTS];
    uint32_t stocks[PRODUCTS];
    struct order orders[ORDERS_MAX];
};

static uint32_t draw(struct evs_shop_journeys *journeys, uint32_t limit)
{
    return evs_shop_draw(journeys->traffic, limit);
}

static void enter(struct evs_shop_journeys *journeys, struct slot *slot)
{
    bool known = draw(journeys, 10) < 6;
    uint32_t user = 1 + draw(journeys, USERS);
    *slot = (struct slot){
        .user = known ? user : EVS_SHOP_NOBODY,
        .visitor = known ? user : ++journeys->visitor_count,
        .session = ++journeys->session_count,
        .campaign = draw(journeys, 2) == 0 ? 1 + draw(journeys, EVS_SHOP_REMINDED) : 0,
        .device = draw(journeys, 3),
        .is_robot = !known && draw(journeys, 12) == 0,
    };
}

struct evs_shop_journeys *evs_shop_journeys_new(struct evs_shop_traffic *traffic,
                                                const struct evs_shop_settings *settings)
{
    EVS_ASSERT(settings->days > 0 && settings->events > 0);
    struct evs_shop_journeys *journeys = evs_alloc_zero(sizeof *journeys);
    journeys->traffic = traffic;
    journeys->now_us = settings->start_us;
    journeys->gap_us = (int64_t)settings->days * DAY_US / (int64_t)settings->events;
    journeys->visitor_count = journeys->user_count = USERS;
    for (uint32_t i = 0; i < PRODUCTS; i++) {
        journeys->prices[i] = 500 + 25 * draw(journeys, 240); /* 5.00 to 64.75 */
        journeys->stocks[i] = 20;
    }
    for (uint32_t i = 0; i < SLOTS; i++) {
        enter(journeys, &journeys->slots[i]);
    }
    return journeys;
}

void evs_shop_journeys_free(struct evs_shop_journeys *journeys)
{
    evs_free(journeys);
}

int64_t evs_shop_journeys_next_us(const struct evs_shop_journeys *journeys)
{
    return journeys->now_us;
}

/* --- the shop's own events ---------------------------------------------------------------------------------------------- */

static void change_price(struct evs_shop_journeys *journeys, struct evs_shop_event *event)
{
    uint32_t product = draw(journeys, PRODUCTS);
    event->kind = EVS_SHOP_PRICE_CHANGE;
    event->product = product;
    event->was_cents = journeys->prices[product];
    event->cents = event->was_cents * (60 + draw(journeys, 71)) / 100; /* 40 % less to 30 % more */
    event->cents = event->cents < 200 ? 200 : event->cents;
    journeys->prices[product] = event->cents;
}

static void change_stock(struct evs_shop_journeys *journeys, struct evs_shop_event *event)
{
    static const uint32_t deliveries[] = {1, 6, 20};
    uint32_t product = draw(journeys, PRODUCTS);
    event->kind = EVS_SHOP_STOCK_CHANGE;
    event->product = product;
    event->quantity = journeys->stocks[product] > 0 ? 0 : deliveries[draw(journeys, 3)];
    journeys->stocks[product] = event->quantity;
}

static bool take_back(struct evs_shop_journeys *journeys, struct evs_shop_event *event)
{
    struct order *order = &journeys->orders[draw(journeys, ORDERS_MAX)];
    if (order->cents == 0) {
        return false;
    }
    event->kind = EVS_SHOP_REFUND;
    event->user = order->user;
    event->visitor = order->visitor;
    event->session = order->session;
    event->order = order->number;
    event->cents = order->cents;
    order->cents = 0;
    return true;
}

static bool shop_acts(struct evs_shop_journeys *journeys, struct evs_shop_event *event)
{
    uint32_t dice = draw(journeys, 1000);
    if (dice < 12) {
        change_price(journeys, event);
    } else if (dice < 30) {
        change_stock(journeys, event);
    } else {
        return dice < 36 && take_back(journeys, event);
    }
    return true;
}

/* --- a visitor's step ----------------------------------------------------------------------------------------------------- */

static void look(struct evs_shop_journeys *journeys, struct slot *slot, struct evs_shop_event *event)
{
    bool again = slot->seen_count > 0 && draw(journeys, 3) == 0;
    bool is_favourite = slot->user != EVS_SHOP_NOBODY && draw(journeys, 3) == 0; /* what the person always buys */
    uint32_t product = again          ? slot->seen[draw(journeys, slot->seen_count)]
                       : is_favourite ? slot->user % PRODUCTS
                                      : draw(journeys, PRODUCTS);
    if (!again) {
        slot->seen[slot->seen_count < SEEN_MAX ? slot->seen_count++ : draw(journeys, SEEN_MAX)] = product;
    }
    event->kind = EVS_SHOP_PRODUCT_VIEW;
    event->product = product;
    event->cents = journeys->prices[product];
}

static void put_into_cart(struct evs_shop_journeys *journeys, struct slot *slot, struct evs_shop_event *event)
{
    uint32_t product = slot->seen[draw(journeys, slot->seen_count)];
    event->kind = EVS_SHOP_ADD_TO_CART;
    event->product = product;
    event->cents = journeys->prices[product];
    event->quantity = 1 + (draw(journeys, 5) == 0);
    slot->cart[slot->cart_count++] = (struct evs_shop_line){product, event->quantity, event->cents};
}

static void take_out(struct slot *slot, struct evs_shop_event *event)
{
    struct evs_shop_line *line = &slot->cart[--slot->cart_count];
    event->kind = EVS_SHOP_REMOVE_FROM_CART;
    event->product = line->product;
    event->quantity = line->quantity;
    event->cents = line->cents;
    slot->pays = slot->pays && slot->cart_count > 0;
}

static void count_cart(const struct slot *slot, struct evs_shop_event *event)
{
    event->line_count = slot->cart_count;
    for (uint32_t i = 0; i < slot->cart_count; i++) {
        event->lines[i] = slot->cart[i];
        event->quantity += slot->cart[i].quantity;
        event->cents += slot->cart[i].quantity * slot->cart[i].cents;
    }
}

static void pay(struct evs_shop_journeys *journeys, struct slot *slot, struct evs_shop_event *event)
{
    event->kind = EVS_SHOP_PURCHASE;
    count_cart(slot, event);
    event->order = ++journeys->order_count;
    journeys->orders[event->order % ORDERS_MAX] =
        (struct order){event->order, slot->user, slot->visitor, slot->session, event->cents};
    slot->cart_count = 0;
    slot->pays = false;
}

static void begin_to_pay(struct slot *slot, struct evs_shop_event *event)
{
    event->kind = EVS_SHOP_CHECKOUT;
    count_cart(slot, event);
    slot->pays = true;
}

static void sign_up(struct evs_shop_journeys *journeys, struct slot *slot, struct evs_shop_event *event)
{
    slot->user = ++journeys->user_count;
    event->kind = EVS_SHOP_SIGNED_UP;
    event->user = slot->user;
    event->consents = draw(journeys, 5) > 0;
}

static void click(struct evs_shop_journeys *journeys, struct slot *slot, struct evs_shop_event *event)
{
    if (journeys->busy == NULL) {
        slot->x = draw(journeys, 1200);
        slot->y = draw(journeys, 800);
        if (draw(journeys, 3) == 0) { /* nothing happens: again, and again */
            journeys->busy = slot;
            journeys->busy_count = 1 + draw(journeys, 5);
        }
    }
    event->kind = EVS_SHOP_CLICK;
    event->x = slot->x + draw(journeys, 20);
    event->y = slot->y + draw(journeys, 20);
}

static void step(struct evs_shop_journeys *journeys, struct slot *slot, struct evs_shop_event *event)
{
    uint32_t dice = draw(journeys, 100);
    if (!slot->landed) {
        slot->landed = true;
        event->kind = EVS_SHOP_PAGE;
    } else if (slot->user == EVS_SHOP_NOBODY && dice < 4) {
        sign_up(journeys, slot, event);
    } else if (dice < 10) {
        event->kind = EVS_SHOP_SEARCH;
        event->product = draw(journeys, PRODUCTS);
    } else if (dice < 18) {
        click(journeys, slot, event);
    } else if (slot->pays && dice < 50) {
        pay(journeys, slot, event);
    } else if (slot->cart_count > 0 && dice < 24) {
        take_out(slot, event);
    } else if (slot->cart_count > 0 && dice < 38) {
        begin_to_pay(slot, event);
    } else if (slot->seen_count > 0 && slot->cart_count < EVS_SHOP_LINES_MAX && dice < 55) {
        put_into_cart(journeys, slot, event);
    } else if (dice < 60) {
        event->kind = EVS_SHOP_PAGE;
    } else {
        look(journeys, slot, event);
    }
}

/* A robot reads one product after the other, and nothing else. */
static void crawl(struct evs_shop_journeys *journeys, struct slot *slot, struct evs_shop_event *event)
{
    if (journeys->busy == NULL) {
        journeys->busy = slot;
        journeys->busy_count = 20 + draw(journeys, 60);
    }
    event->kind = EVS_SHOP_PRODUCT_VIEW;
    event->product = draw(journeys, PRODUCTS);
    event->cents = journeys->prices[event->product];
    event->is_robot = slot->visitor % 2 == 0; /* the others pretend to be a browser */
}

/* --- one event ------------------------------------------------------------------------------------------------------------- */

static struct slot *next_slot(struct evs_shop_journeys *journeys)
{
    if (journeys->busy != NULL) {
        return journeys->busy;
    }
    struct slot *slot = &journeys->slots[draw(journeys, SLOTS)];
    if (slot->landed && draw(journeys, 100) < 7) {
        enter(journeys, slot);
    }
    return slot;
}

static void visit(struct evs_shop_journeys *journeys, struct evs_shop_event *event)
{
    struct slot *slot = next_slot(journeys);
    bool was_busy = journeys->busy != NULL;
    event->user = slot->user;
    event->visitor = slot->visitor;
    event->session = slot->session;
    event->campaign = slot->campaign;
    event->device = slot->device;
    if (slot->is_robot) {
        crawl(journeys, slot, event);
    } else if (was_busy) {
        click(journeys, slot, event);
    } else {
        step(journeys, slot, event);
    }
    if (was_busy && --journeys->busy_count == 0) {
        journeys->busy = NULL;
        if (slot->is_robot) {
            enter(journeys, slot);
        }
    }
}

void evs_shop_journeys_next(struct evs_shop_journeys *journeys, struct evs_shop_event *event)
{
    bool is_quick = journeys->busy != NULL;
    if (is_quick || !shop_acts(journeys, event)) {
        visit(journeys, event);
    }
    event->sent_us = event->occurred_us = journeys->now_us - journeys->now_us % MS_US;
    int64_t pause_ms = journeys->busy != NULL ? 100 + draw(journeys, 700)
                                              : 1 + (int64_t)draw(journeys, (uint32_t)(2 * journeys->gap_us / MS_US));
    journeys->now_us += pause_ms * MS_US;
}
