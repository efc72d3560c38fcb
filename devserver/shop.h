/* The demo shop's page: files of a folder, and the triggers as server-sent events.
 *
 *   GET /                a page of the shop, also under every path without a dot: the shop routes in the browser
 *   GET /shop.js …       a file of the folder
 *   GET /triggers        text/event-stream; begins with what came last
 *
 * In *.html, {{collector}} and {{key}} are replaced by where events go. */
#ifndef EVS_DEV_SHOP_H
#define EVS_DEV_SHOP_H

#include <event2/event.h>

#include "evstream/memory.h"
#include "evstream/text.h"

struct evs_dev_shop;
struct evs_dev_shop_options {
    const char *folder;
    const char *collector_url, *key;
    const char *host;
    uint16_t port;
};

/* `options`' texts are borrowed. EVS_E_USAGE when the address cannot be had. */
EVS_MUST_CHECK evs_status evs_dev_shop_new(struct event_base *loop, const struct evs_dev_shop_options *options,
                                           struct evs_dev_shop **shop, struct evs_error *error);
/* Shows a trigger on every open page. */
void evs_dev_shop_tell(struct evs_dev_shop *shop, struct evs_slice subject, struct evs_slice payload);
void evs_dev_shop_free(struct evs_dev_shop *shop); /* NULL is allowed */

#endif
