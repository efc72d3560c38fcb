/* The shop over weeks instead of seconds: what campaigns react to.
 *
 * The traffic of shop_traffic.c plays minutes of a busy shop, with four kinds of events and everything that goes wrong on the way. Campaigns think in hours
 * and days, and in more kinds: here two visitors at a time come and go for as many days as are asked for. They search, look again at what they have
 * seen, fill carts and empty them, begin to pay and leave, sign up with or without consent, hammer on a button that does nothing; some are robots. Between them the
 * shop changes prices, runs out of stock and gets it back, and takes orders back.
 *
 * Times are drawn, never late and never broken: `--out` writes what a JetStream stream would hold, in order. Whoever tests lateness and duplicates
 * shuffles the file (tests/pipelines). */
#ifndef EVS_SHOP_JOURNEYS_H
#define EVS_SHOP_JOURNEYS_H

#include "shop_traffic.h"

struct evs_shop_journeys;
struct evs_shop_journeys *evs_shop_journeys_new(struct evs_shop_traffic *traffic,
                                                const struct evs_shop_settings *settings);
void evs_shop_journeys_free(struct evs_shop_journeys *journeys);

int64_t evs_shop_journeys_next_us(const struct evs_shop_journeys *journeys);
/* Fills all but the event's number. */
void evs_shop_journeys_next(struct evs_shop_journeys *journeys, struct evs_shop_event *event);

#endif
