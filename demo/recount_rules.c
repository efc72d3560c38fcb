/* The rules, as the language's pages tell them:
 *
 *   dead    an event that cannot be decoded into the columns that the pipeline reads, or that claims to be from the future
 *   W       of a partition: the largest event time so far, less the delay; a dead event does not count
 *   late    when W before the event has reached the end of its window [start, start + size)
 *   result  one row for each window and key, after the last event; without a window one row for each event of the key, in order */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "recount.h"

#define TIME_MAX 32
#define MONEY_MAX 40

const char *const evs_pipeline_names[PIPELINE_COUNT] = {"cart_value", "hot_products", "sales_by_campaign",
                                                        "gold_customers"};

/* An event that counts, with its key. */
struct row {
    const struct event *event;
    const char *key;
    int64_t start_us;     /* of its window */
    int64_t watermark_us; /* before it */
    size_t order;
};

struct rows {
    struct row *items;
    size_t count, capacity;
};

/* --- texts ---------------------------------------------------------------------------------------------------------------- */

/* 2026-01-05T10:00:00Z, with three or six more digits where they are not zero. */
static const char *time_text(int64_t us, char text[TIME_MAX])
{
    time_t seconds = us / 1000000;
    int fraction = (int)(us % 1000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t count = strftime(text, TIME_MAX, "%Y-%m-%dT%H:%M:%S", &parts);
    if (fraction % 1000 != 0) {
        count += (size_t)snprintf(text + count, TIME_MAX - count, ".%06d", fraction);
    } else if (fraction != 0) {
        count += (size_t)snprintf(text + count, TIME_MAX - count, ".%03d", fraction / 1000);
    }
    snprintf(text + count, TIME_MAX - count, "Z");
    return text;
}

/* A number of 10^-digits, without zeros behind its last digit: 1250 with 2 digits is 12.5. */
static const char *decimal_text(int64_t value, int digits, char text[MONEY_MAX])
{
    int64_t unit = 1;
    for (int i = 0; i < digits; i++) {
        unit *= 10;
    }
    int count = snprintf(text, MONEY_MAX, "%" PRId64 ".%0*" PRId64, value / unit, digits, value % unit);
    while (text[count - 1] == '0') {
        text[--count] = '\0';
    }
    if (text[count - 1] == '.') {
        text[count - 1] = '\0';
    }
    return text;
}

static const char *money_text(int64_t cents, char text[MONEY_MAX])
{
    return decimal_text(cents, 2, text);
}

/* Quoted, or null. No text of the shop needs escaping. */
static const char *string_text(const char *value, char *text, size_t size)
{
    snprintf(text, size, value == NULL ? "null" : "\"%s\"", value);
    return text;
}

/* --- which events count ------------------------------------------------------------------------------------------------------ */

static bool reads_money_of(enum pipeline pipeline, enum kind kind)
{
    bool has_price = kind == KIND_PRODUCT_VIEW || kind == KIND_ADD_TO_CART;
    switch (pipeline) {
    case CART_VALUE:
        return has_price;
    case SALES_BY_CAMPAIGN:
    case GOLD_CUSTOMERS:
        return kind == KIND_PURCHASE;
    default:
        return false;
    }
}

/* Why the event is dead for the pipeline; NULL: it is not. */
static const char *death_of(enum pipeline pipeline, const struct rules *rules, const struct event *event)
{
    switch (event->flaw) {
    case FLAW_CUT:
        return "json";
    case FLAW_NO_TYPE:
    case FLAW_NO_TIME:
        return "null";
    case FLAW_BAD_TIME:
        return "type";
    case FLAW_BAD_PRICE:
        return reads_money_of(pipeline, event->kind) ? "type" : NULL;
    default:
        return event->occurred_us > event->sent_us + rules->future_us ? "future" : NULL;
    }
}

/* The key under which the pipeline counts the event; NULL: it does not. */
static const char *key_of(enum pipeline pipeline, const struct event *event)
{
    switch (pipeline) {
    case CART_VALUE:
        return event->kind == KIND_ADD_TO_CART ? event->user : NULL;
    case HOT_PRODUCTS:
        return event->kind == KIND_PRODUCT_VIEW ? event->sku : NULL;
    case SALES_BY_CAMPAIGN:
        return event->kind != KIND_PURCHASE ? NULL : event->campaign == NULL ? "direct" : event->campaign;
    default:
        return event->kind == KIND_PURCHASE ? event->user : NULL;
    }
}

static void add_late(enum pipeline pipeline, const struct rules *rules, const struct row *row, struct lines *late)
{
    static const char *const kinds[] = {"page", "product_view", "add_to_cart", "purchase"};
    const struct event *event = row->event;
    char occurred[TIME_MAX], start[TIME_MAX], end[TIME_MAX], watermark[TIME_MAX], money[MONEY_MAX], own[160], user[40],
        sku[40], anonymous[40];
    money_text(event->cents, money);
    string_text(event->sku, sku, sizeof sku);
    switch (pipeline) {
    case CART_VALUE:
        snprintf(own, sizeof own, "\"user_id\":%s,\"sku\":%s,\"price\":%s,\"quantity\":%" PRId64,
                 string_text(event->user, user, sizeof user), sku, money, event->quantity);
        break;
    case HOT_PRODUCTS:
        snprintf(own, sizeof own, "\"anonymous_id\":%s,\"sku\":%s",
                 string_text(event->anonymous, anonymous, sizeof anonymous), sku);
        break;
    default:
        snprintf(own, sizeof own, "\"campaign\":\"%s\",\"value\":%s", row->key, money);
        break;
    }
    evs_lines_add(
        late,
        "{\"event_id\":\"%s\",\"type\":\"%s\",\"occurred_at\":\"%s\",%s,\"window_start\":\"%s\",\"window_end\":"
        "\"%s\",\"_watermark\":\"%s\","
        "\"_lateness\":%" PRId64 "}",
        event->id, kinds[event->kind], time_text(event->occurred_us, occurred), own, time_text(row->start_us, start),
        time_text(row->start_us + rules->window_us, end), time_text(row->watermark_us, watermark),
        row->watermark_us - event->occurred_us);
}

/* Sorts the events into dead, late and counting ones. */
static void judge(enum pipeline pipeline, const struct rules *rules, const struct event *events, size_t count,
                  struct rows *rows, struct expected *expected)
{
    int64_t watermarks[PARTITIONS_MAX];
    for (size_t i = 0; i < PARTITIONS_MAX; i++) {
        watermarks[i] = INT64_MIN;
    }
    for (size_t i = 0; i < count; i++) {
        const struct event *event = &events[i];
        const char *death = death_of(pipeline, rules, event), *key = key_of(pipeline, event);
        if (death != NULL) {
            evs_lines_add(&expected->dead, "%s %" PRIu64, death, event->sequence);
            continue;
        }
        int64_t *watermark = &watermarks[event->partition];
        struct row row = {event, key, event->occurred_us - event->occurred_us % rules->window_us, *watermark, i};
        *watermark =
            event->occurred_us - rules->delay_us > *watermark ? event->occurred_us - rules->delay_us : *watermark;
        if (key == NULL) {
            continue;
        }
        if (pipeline != GOLD_CUSTOMERS && row.watermark_us >= row.start_us + rules->window_us) {
            add_late(pipeline, rules, &row, &expected->late);
            continue;
        }
        rows->items = evs_recount_grow(rows->items, &rows->capacity, rows->count, sizeof *rows->items);
        rows->items[rows->count++] = row;
    }
}

/* --- results ----------------------------------------------------------------------------------------------------------------- */

static int by_window(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    int order = strcmp(a->key, b->key);
    if (order == 0) {
        order = (a->start_us > b->start_us) - (a->start_us < b->start_us);
    }
    if (order == 0) {
        order = strcmp(a->event->anonymous, b->event->anonymous); /* so that different visitors stand apart */
    }
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

static int by_order(const void *left, const void *right)
{
    const struct row *a = left, *b = right;
    int order = strcmp(a->key, b->key);
    return order != 0 ? order : (a->order > b->order) - (a->order < b->order);
}

/* What a window of a key comes to. */
struct sums {
    int64_t rows, cents, goods_cents, most_cents, visitors;
};

static struct sums sum_up(const struct row *rows, size_t count)
{
    struct sums sums = {0};
    for (size_t i = 0; i < count; i++) {
        const struct event *event = rows[i].event;
        sums.rows++;
        sums.cents += event->cents;
        sums.goods_cents += event->cents * event->quantity;
        sums.most_cents = event->cents > sums.most_cents ? event->cents : sums.most_cents;
        sums.visitors += i == 0 || strcmp(rows[i - 1].event->anonymous, event->anonymous) != 0;
    }
    return sums;
}

/* The average has nine digits behind the point, rounded half away from zero. */
static const char *average_text(int64_t cents, int64_t count, char text[MONEY_MAX])
{
    int64_t billionths = cents * 10000000;
    return decimal_text((2 * billionths + count) / (2 * count), 9, text);
}

static void add_result(enum pipeline pipeline, const struct rules *rules, const struct row *row,
                       const struct sums *sums, struct lines *triggers)
{
    char start[TIME_MAX], end[TIME_MAX], window[128], a[MONEY_MAX], b[MONEY_MAX], c[MONEY_MAX];
    snprintf(window, sizeof window, "\"window_start\":\"%s\",\"window_end\":\"%s\"", time_text(row->start_us, start),
             time_text(row->start_us + rules->window_us, end));
    if (pipeline == CART_VALUE && sums->goods_cents >= rules->min_cents) {
        evs_lines_add(triggers, "{\"user_id\":\"%s\",%s,\"items\":%" PRId64 ",\"value\":%s,\"dearest\":%s}", row->key,
                      window, sums->rows, money_text(sums->goods_cents, a), money_text(sums->most_cents, b));
    }
    if (pipeline == HOT_PRODUCTS && sums->visitors >= rules->min_visitors) {
        evs_lines_add(triggers, "{\"sku\":\"%s\",%s,\"views\":%" PRId64 ",\"visitors\":%" PRId64 "}", row->key, window,
                      sums->rows, sums->visitors);
    }
    if (pipeline == SALES_BY_CAMPAIGN) {
        evs_lines_add(triggers,
                      "{\"campaign\":\"%s\",%s,\"orders\":%" PRId64 ",\"revenue\":%s,\"average\":%s,\"largest\":%s}",
                      row->key, window, sums->rows, money_text(sums->cents, a),
                      average_text(sums->cents, sums->rows, b), money_text(sums->most_cents, c));
    }
}

static void add_windows(enum pipeline pipeline, const struct rules *rules, struct rows *rows, struct lines *triggers)
{
    qsort(rows->items, rows->count, sizeof *rows->items, by_window);
    for (size_t first = 0, end; first < rows->count; first = end) {
        const struct row *row = &rows->items[first];
        for (end = first + 1; end < rows->count; end++) {
            if (strcmp(rows->items[end].key, row->key) != 0 || rows->items[end].start_us != row->start_us) {
                break;
            }
        }
        struct sums sums = sum_up(row, end - first);
        add_result(pipeline, rules, row, &sums, triggers);
    }
}

/* One row for each order, with the customer's sums so far; a customer who stayed away too long begins again. */
static void add_updates(const struct rules *rules, struct rows *rows, struct lines *triggers)
{
    int64_t orders = 0, cents = 0, revision = 0, latest_us = 0;
    char spent[MONEY_MAX];
    qsort(rows->items, rows->count, sizeof *rows->items, by_order);
    for (size_t i = 0; i < rows->count; i++) {
        const struct row *row = &rows->items[i];
        int64_t occurred_us = row->event->occurred_us;
        bool is_new = i == 0 || strcmp(rows->items[i - 1].key, row->key) != 0;
        if (is_new || latest_us + rules->remember_us <= row->watermark_us) {
            orders = cents = revision = 0;
            latest_us = occurred_us;
        }
        latest_us = occurred_us > latest_us ? occurred_us : latest_us;
        orders++;
        cents += row->event->cents;
        if (cents >= rules->gold_cents) {
            evs_lines_add(triggers, "{\"user_id\":\"%s\",\"orders\":%" PRId64 ",\"spent\":%s,\"revision\":%" PRId64 "}",
                          row->key, orders, money_text(cents, spent), revision);
        }
        revision++;
    }
}

void evs_recount(enum pipeline pipeline, const struct rules *rules, const struct event *events, size_t count,
                 struct expected *expected)
{
    struct rows rows = {0};
    judge(pipeline, rules, events, count, &rows, expected);
    if (rows.count == 0) {
        return;
    }
    if (pipeline == GOLD_CUSTOMERS) {
        add_updates(rules, &rows, &expected->triggers);
    } else {
        add_windows(pipeline, rules, &rows, &expected->triggers);
    }
    free(rows.items);
}
