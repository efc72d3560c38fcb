/* The canonical event of a click: one object a line, about 500 bytes, as a collector publishes it. */
#include "shop_text.h"

#include <inttypes.h>
#include <stdio.h>

#include "evstream/text.h"
#include "evstream/type.h"

#define ID_MAX 24

static const char *const devices[] = {"mobile", "desktop", "tablet"};
static const char robot[] = "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)";
static const char *const agents[] = {
    "Mozilla/5.0 (Linux; Android 14; Mobile)",
    "Mozilla/5.0 (X11; Linux x86_64)",
    "Mozilla/5.0 (iPad; CPU OS 17_4 like Mac OS X)",
};

static const char *user_of(const struct evs_shop_event *event, char text[ID_MAX])
{
    snprintf(text, ID_MAX, "u%05" PRIu32, event->user);
    return event->user == EVS_SHOP_NOBODY ? NULL : text;
}

static const char *anonymous_of(const struct evs_shop_event *event, char text[ID_MAX])
{
    snprintf(text, ID_MAX, "a%07" PRIu32, event->visitor);
    return event->visitor == EVS_SHOP_NOBODY ? NULL : text;
}

static const char *sku_of(const struct evs_shop_event *event, char text[ID_MAX])
{
    static const uint32_t with_product = 1u << EVS_SHOP_PRODUCT_VIEW | 1u << EVS_SHOP_ADD_TO_CART |
                                         1u << EVS_SHOP_REMOVE_FROM_CART | 1u << EVS_SHOP_PRICE_CHANGE |
                                         1u << EVS_SHOP_STOCK_CHANGE;
    bool has_product = (with_product >> event->kind & 1) != 0;
    snprintf(text, ID_MAX, "sku-%03" PRIu32, event->product);
    return has_product ? text : NULL;
}

uint32_t evs_shop_partition(const struct evs_shop_event *event, uint32_t partition_count)
{
    char text[ID_MAX];
    const char *key = user_of(event, text);
    if (key == NULL) {
        key = anonymous_of(event, text);
    }
    if (key == NULL) {
        snprintf(text, ID_MAX, "e%010" PRIu64, event->number);
        key = text;
    }
    return evs_fnv1a32(key, strlen(key)) % partition_count;
}

/* --- JSON ------------------------------------------------------------------------------------------------------------- */

static void put_time(struct evs_buffer *out, const char *name, int64_t us)
{
    char text[EVS_FORMAT_MAX];
    size_t count = evs_format_timestamp(text, us);
    evs_buffer_printf(out, ",\"%s\":\"%.*s\"", name, (int)count, text);
}

static void put_text(struct evs_buffer *out, const char *name, const char *text)
{
    if (text == NULL) {
        evs_buffer_printf(out, ",\"%s\":null", name);
    } else {
        evs_buffer_printf(out, ",\"%s\":\"%s\"", name, text);
    }
}

static void put_money(struct evs_buffer *out, const char *name, const struct evs_shop_event *event)
{
    const char *quote = event->quoted ? "\"" : "";
    if (event->flaw == EVS_SHOP_BAD_PRICE) {
        evs_buffer_printf(out, "\"%s\":\"twelve\"", name);
    } else {
        evs_buffer_printf(out, "\"%s\":%s%" PRId64 ".%02" PRId64 "%s", name, quote, event->cents / 100,
                          event->cents % 100, quote);
    }
}

static void put_what(struct evs_buffer *out, const struct evs_shop_event *event)
{
    if (event->flaw != EVS_SHOP_NO_TYPE) {
        put_text(out, "type", evs_shop_kind_name(event->kind));
    }
    if (event->flaw == EVS_SHOP_BAD_TIME) {
        put_text(out, "occurred_at", "yesterday");
    } else if (event->flaw != EVS_SHOP_NO_TIME) {
        put_time(out, "occurred_at", event->occurred_us);
    }
    put_time(out, "received_at", event->sent_us - event->sent_us % 1000);
}

static void put_cents(struct evs_buffer *out, const char *name, int64_t cents)
{
    evs_buffer_printf(out, "\"%s\":%" PRId64 ".%02" PRId64, name, cents / 100, cents % 100);
}

static void put_product(struct evs_buffer *out, const struct evs_shop_event *event, const char *sku)
{
    evs_buffer_printf(out, "\"sku\":\"%s\",", sku);
    if (event->kind == EVS_SHOP_STOCK_CHANGE) {
        evs_buffer_printf(out, "\"stock\":%" PRIu32, event->quantity);
        return;
    }
    put_money(out, "price", event);
    if (event->kind == EVS_SHOP_ADD_TO_CART || event->kind == EVS_SHOP_REMOVE_FROM_CART) {
        evs_buffer_printf(out, ",\"quantity\":%" PRIu32, event->quantity);
    } else if (event->kind == EVS_SHOP_PRICE_CHANGE) {
        evs_buffer_puts(out, ",");
        put_cents(out, "was", event->was_cents);
    }
}

static void put_order(struct evs_buffer *out, const struct evs_shop_event *event)
{
    put_money(out, "value", event);
    if (event->kind != EVS_SHOP_CHECKOUT) {
        evs_buffer_printf(out, ",\"order_id\":\"o%08" PRIu64 "\"", event->order > 0 ? event->order : event->number);
    }
    if (event->kind != EVS_SHOP_REFUND) {
        evs_buffer_printf(out, ",\"items\":%" PRIu32, event->quantity);
    }
    for (uint32_t i = 0; i < event->line_count; i++) {
        const struct evs_shop_line *line = &event->lines[i];
        evs_buffer_printf(out, "%s{\"sku\":\"sku-%03" PRIu32 "\",\"quantity\":%" PRIu32 ",",
                          i == 0 ? ",\"products\":[" : ",", line->product, line->quantity);
        put_cents(out, "price", line->cents);
        evs_buffer_puts(out, "}");
    }
    evs_buffer_puts(out, event->line_count > 0 ? "]" : "");
}

static void put_properties(struct evs_buffer *out, const struct evs_shop_event *event)
{
    char text[ID_MAX];
    const char *sku = sku_of(event, text);
    bool is_order =
        event->kind == EVS_SHOP_PURCHASE || event->kind == EVS_SHOP_CHECKOUT || event->kind == EVS_SHOP_REFUND;
    evs_buffer_puts(out, ",\"properties\":{");
    if (sku != NULL) {
        put_product(out, event, sku);
    } else if (is_order) {
        put_order(out, event);
    } else if (event->kind == EVS_SHOP_SEARCH) {
        evs_buffer_printf(out, "\"query\":\"product %" PRIu32 "\"", event->product);
    } else if (event->kind == EVS_SHOP_SIGNED_UP) {
        evs_buffer_printf(out, "\"consent\":%s", event->consents ? "true" : "false");
    } else if (event->kind == EVS_SHOP_CLICK) {
        evs_buffer_printf(out, "\"x\":%" PRIu32 ",\"y\":%" PRIu32 ",\"target\":\"button\"", event->x, event->y);
    }
    evs_buffer_puts(out, sku != NULL || is_order ? ",\"currency\":\"EUR\"}" : "}");
}

static void put_context(struct evs_buffer *out, const struct evs_shop_event *event)
{
    char text[ID_MAX];
    const char *sku = sku_of(event, text), *campaign = evs_shop_campaign(event->campaign);
    evs_buffer_printf(out, ",\"context\":{\"page\":{\"url\":\"https://shop.example/%s%s\"}",
                      sku != NULL ? "products/" : "", sku != NULL ? sku : "");
    if (campaign != NULL) {
        evs_buffer_printf(out, ",\"campaign\":{\"name\":\"%s\",\"source\":\"%s\"}", campaign,
                          event->campaign == EVS_SHOP_REMINDED ? "evstream" : "shop");
    }
    evs_buffer_printf(out, ",\"device\":\"%s\",\"userAgent\":\"%s\"}", devices[event->device],
                      event->is_robot ? robot : agents[event->device]);
}

void evs_shop_put_json(struct evs_buffer *out, const struct evs_shop_event *event)
{
    char text[ID_MAX];
    size_t first = out->count;
    evs_buffer_printf(out, "{\"event_id\":\"e%010" PRIu64 "\"", event->number);
    put_what(out, event);
    put_text(out, "user_id", user_of(event, text));
    put_text(out, "anonymous_id", anonymous_of(event, text));
    evs_buffer_printf(out, ",\"session_id\":\"s%08" PRIu32 "\"", event->session);
    put_properties(out, event);
    put_context(out, event);
    evs_buffer_printf(
        out, ",\"source\":\"web\",\"schema\":1,\"traceparent\":\"00-%016" PRIx64 "%016" PRIx64 "-%016" PRIx64 "-01\"}",
        (uint64_t)event->session, event->number + 1, event->number + 1);
    if (event->flaw == EVS_SHOP_CUT) {
        out->count = first + (out->count - first) * 2 / 3;
    }
    evs_buffer_puts(out, "\n");
}

/* --- the record ------------------------------------------------------------------------------------------------------------ */

static const char *or_dash(const char *text)
{
    return text == NULL ? "-" : text;
}

void evs_shop_put_record(struct evs_buffer *out, const struct evs_shop_event *event, uint32_t partition,
                         uint64_t sequence, uint64_t index)
{
    char user[ID_MAX], anonymous[ID_MAX], sku[ID_MAX];
    evs_buffer_printf(out, "%" PRIu32 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRId64 "\t%" PRId64, partition, sequence, index,
                      event->sent_us, event->occurred_us);
    evs_buffer_printf(out, "\t%s\t%s\te%010" PRIu64, evs_shop_kind_name(event->kind), evs_shop_flaw_name(event->flaw),
                      event->number);
    evs_buffer_printf(out, "\t%s\t%s\t%s\t%s", or_dash(user_of(event, user)), anonymous_of(event, anonymous),
                      or_dash(sku_of(event, sku)), or_dash(evs_shop_campaign(event->campaign)));
    evs_buffer_printf(out, "\t%" PRIu32 "\t%" PRId64 "\n", event->quantity, event->cents);
}
