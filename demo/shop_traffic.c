/* Visitors and what they do. The shares are round figures that look like a shop; nothing depends on them but the picture. */
#include "shop_traffic.h"

#include "evstream/memory.h"
#include "shop_journeys.h"

#define SLOTS_PER_RATE 2u /* visitors at a time for each event a second: each does something every two seconds */
#define SLOTS_MIN 64u
#define SLOTS_MAX 200000u
#define MS_US INT64_C(1000)
#define SECOND_US INT64_C(1000000)

struct slot {
    uint32_t user, visitor, session, campaign, device;
    uint32_t product, quantity; /* the last one looked at; things in the cart */
    int64_t cents;              /* their sum */
    bool landed, looked;
};

struct evs_shop_traffic {
    struct evs_shop_settings settings;
    uint64_t random;
    uint64_t number;
    uint32_t session_count;
    uint32_t slot_count, user_count;
    int64_t prices[EVS_SHOP_PRODUCTS];
    struct slot *slots;
    struct evs_shop_journeys *journeys; /* over weeks; else NULL */
};

static const char *const campaigns[] = {NULL, "newsletter", "spring_sale", "search", "social", "cart_abandonment"};
static const char *const kinds[] = {
    "page",     "product_view", "add_to_cart", "purchase", "search",       "remove_from_cart",
    "checkout", "signed_up",    "click",       "refund",   "price_change", "stock_change",
};
static const char *const flaws[] = {"whole", "cut", "no_type", "no_time", "bad_time", "bad_price", "future"};

const char *evs_shop_campaign(uint32_t campaign)
{
    EVS_ASSERT(campaign < EVS_COUNT(campaigns));
    return campaigns[campaign];
}

const char *evs_shop_kind_name(enum evs_shop_kind kind)
{
    EVS_ASSERT((size_t)kind < EVS_COUNT(kinds));
    return kinds[kind];
}

const char *evs_shop_flaw_name(enum evs_shop_flaw flaw)
{
    EVS_ASSERT((size_t)flaw < EVS_COUNT(flaws));
    return flaws[flaw];
}

/* SplitMix64 (Steele, Lea, Flood 2014): one multiplication chain, any seed is a good one. */
static uint64_t random_next(struct evs_shop_traffic *traffic)
{
    uint64_t z = traffic->random += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

uint32_t evs_shop_draw(struct evs_shop_traffic *traffic, uint32_t limit)
{
    EVS_ASSERT(limit > 0);
    return (uint32_t)(((random_next(traffic) >> 32) * limit) >> 32);
}

static bool chance(struct evs_shop_traffic *traffic, uint32_t per_10000)
{
    return evs_shop_draw(traffic, 10000) < per_10000;
}

/* Few products are looked at by many: the square of an even draw. */
static uint32_t draw_product(struct evs_shop_traffic *traffic)
{
    double even = (double)(random_next(traffic) >> 11) * 0x1p-53;
    return (uint32_t)(even * even * EVS_SHOP_PRODUCTS);
}

static void enter(struct evs_shop_traffic *traffic, struct slot *slot)
{
    bool known = chance(traffic, 6000);
    uint32_t user = 1 + evs_shop_draw(traffic, traffic->user_count);
    *slot = (struct slot){
        .user = known ? user : EVS_SHOP_NOBODY,
        /* A known user has a browser of their own; others get a number above all users. */
        .visitor = known ? user : traffic->user_count + 1 + evs_shop_draw(traffic, 1u << 24),
        .session = ++traffic->session_count,
        .campaign = chance(traffic, 5000) ? 1 + evs_shop_draw(traffic, EVS_SHOP_CAMPAIGNS - 1) : 0,
        .device = evs_shop_draw(traffic, 3),
    };
}

struct evs_shop_traffic *evs_shop_traffic_new(const struct evs_shop_settings *settings)
{
    EVS_ASSERT(settings->rate > 0);
    struct evs_shop_traffic *traffic = evs_alloc_zero(sizeof *traffic);
    uint64_t slots = (uint64_t)settings->rate * SLOTS_PER_RATE;
    traffic->settings = *settings;
    traffic->random = settings->seed;
    traffic->slot_count = (uint32_t)(slots < SLOTS_MIN ? SLOTS_MIN : slots > SLOTS_MAX ? SLOTS_MAX : slots);
    traffic->user_count = 3 * traffic->slot_count;
    for (uint32_t i = 0; i < EVS_SHOP_PRODUCTS; i++) {
        traffic->prices[i] = 290 + 5 * evs_shop_draw(traffic, 1500); /* 2.90 to 77.85 */
    }
    traffic->slots = evs_alloc(traffic->slot_count * sizeof *traffic->slots);
    for (uint32_t i = 0; i < traffic->slot_count; i++) {
        enter(traffic, &traffic->slots[i]);
        traffic->slots[i].landed = chance(traffic, 8000); /* the shop has been open for a while */
    }
    if (settings->days > 0) {
        traffic->journeys = evs_shop_journeys_new(traffic, settings);
    }
    return traffic;
}

void evs_shop_traffic_free(struct evs_shop_traffic *traffic)
{
    if (traffic != NULL) {
        evs_shop_journeys_free(traffic->journeys);
        evs_free(traffic->slots);
        evs_free(traffic);
    }
}

int64_t evs_shop_next_us(const struct evs_shop_traffic *traffic)
{
    if (traffic->journeys != NULL) {
        return evs_shop_journeys_next_us(traffic->journeys);
    }
    return traffic->settings.start_us + (int64_t)(traffic->number * (uint64_t)SECOND_US / traffic->settings.rate);
}

/* --- a step of a visit ------------------------------------------------------------------------------------------------ */

static void look(struct evs_shop_traffic *traffic, struct slot *slot, struct evs_shop_event *event)
{
    slot->product = draw_product(traffic);
    slot->looked = true;
    event->kind = EVS_SHOP_PRODUCT_VIEW;
}

static void put_into_cart(struct evs_shop_traffic *traffic, struct slot *slot, struct evs_shop_event *event)
{
    event->kind = EVS_SHOP_ADD_TO_CART;
    event->quantity = chance(traffic, 8500) ? 1 : 2 + evs_shop_draw(traffic, 2);
    slot->quantity += event->quantity;
    slot->cents += event->quantity * traffic->prices[slot->product];
}

static void buy(struct slot *slot, struct evs_shop_event *event)
{
    event->kind = EVS_SHOP_PURCHASE;
    event->quantity = slot->quantity;
    event->cents = slot->cents;
    slot->quantity = 0;
    slot->cents = 0;
    slot->looked = false;
}

static void step(struct evs_shop_traffic *traffic, struct slot *slot, struct evs_shop_event *event)
{
    uint32_t dice = evs_shop_draw(traffic, 100);
    if (!slot->landed || dice < 25) {
        slot->landed = true;
        event->kind = EVS_SHOP_PAGE;
    } else if (slot->looked && dice < 45) {
        put_into_cart(traffic, slot, event);
    } else if (slot->quantity > 0 && dice < 53) {
        buy(slot, event);
    } else {
        look(traffic, slot, event);
    }
}

/* --- what goes wrong on the way ------------------------------------------------------------------------------------------ */

/* How long after it happened an event is sent. */
static int64_t draw_delay_us(struct evs_shop_traffic *traffic)
{
    uint32_t dice = evs_shop_draw(traffic, 1000);
    if (traffic->settings.clean) {
        return 0;
    }
    if (dice < 970) {
        return evs_shop_draw(traffic, 1500) * MS_US;
    }
    if (dice < 995) {
        return 2 * SECOND_US + evs_shop_draw(traffic, 8000) * MS_US; /* a tunnel */
    }
    return 10 * SECOND_US + evs_shop_draw(traffic, 110000) * MS_US; /* an aeroplane that has landed */
}

static enum evs_shop_flaw draw_flaw(struct evs_shop_traffic *traffic, enum evs_shop_kind kind)
{
    uint32_t dice = evs_shop_draw(traffic, 10000);
    if (traffic->settings.clean || dice >= 60) {
        return EVS_SHOP_WHOLE;
    }
    enum evs_shop_flaw flaw = (enum evs_shop_flaw)(1 + dice % 6);
    bool impossible = (flaw == EVS_SHOP_BAD_PRICE && kind == EVS_SHOP_PAGE) ||
                      (flaw == EVS_SHOP_FUTURE && !traffic->settings.futures);
    return impossible ? EVS_SHOP_CUT : flaw;
}

static void set_time(struct evs_shop_traffic *traffic, struct evs_shop_event *event)
{
    int64_t occurred = event->sent_us - draw_delay_us(traffic);
    if (event->flaw == EVS_SHOP_FUTURE) {
        occurred = event->sent_us + (3600 + (int64_t)evs_shop_draw(traffic, 7200)) * SECOND_US;
    }
    event->occurred_us = occurred - occurred % MS_US; /* browsers count milliseconds */
}

void evs_shop_next(struct evs_shop_traffic *traffic, struct evs_shop_event *event)
{
    if (traffic->journeys != NULL) {
        *event = (struct evs_shop_event){.number = traffic->number++};
        evs_shop_journeys_next(traffic->journeys, event);
        return;
    }
    struct slot *slot = &traffic->slots[evs_shop_draw(traffic, traffic->slot_count)];
    if (slot->landed && chance(traffic, 800)) {
        enter(traffic, slot);
    }
    *event = (struct evs_shop_event){
        .number = traffic->number,
        .sent_us = evs_shop_next_us(traffic),
        .user = slot->user,
        .visitor = slot->visitor,
        .session = slot->session,
        .campaign = slot->campaign,
        .device = slot->device,
        .quoted = chance(traffic, 300),
    };
    step(traffic, slot, event);
    if (event->kind == EVS_SHOP_PRODUCT_VIEW || event->kind == EVS_SHOP_ADD_TO_CART) {
        event->product = slot->product;
        event->cents = traffic->prices[slot->product];
    }
    event->flaw = draw_flaw(traffic, event->kind);
    set_time(traffic, event);
    traffic->number++;
}
