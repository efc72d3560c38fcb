/* Clicks to measure with: seeded, so that every machine measures the same bytes.
 *
 *   evs_bench_clicks EVENTS [--seed N] [--users N] [--seconds N] [--keys-once] [--shuffle] [--escapes] [--nulls] [--missing] [--extra] > clicks.ndjson
 *
 * About 480 bytes an event, ten minutes of event time: 70/20/7/3 % page views, product views, carts, purchases; users by Zipf's law (0.99) over a
 * million; 10 % of the events late by up to four seconds; nested properties and campaign; some escapes. --keys-once gives every event a user of its own.
 *
 * What a reader that remembers does not like: --shuffle puts the fields of every event into another order; --escapes writes each type and user with an
 * escape; --nulls has null for each third user and price; --missing leaves out one in four of the fields that may be missing; --extra adds up to three
 * of forty fields in front of any other. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seeded.h"

struct options {
    uint64_t events, seed, users, seconds;
    bool keys_once, shuffle, escapes, nulls, missing, extra;
};

static double next_unit(void)
{
    return (double)(evs_bench_random() >> 11) * 0x1.0p-53;
}

/* Zipf by the method of Gray et al. (SIGMOD 1994): constant time a draw after one pass for the normalising sum. */
struct zipf {
    double count, theta, zeta, alpha, eta;
};

static struct zipf zipf_new(uint64_t count, double theta)
{
    struct zipf zipf = {.count = (double)count, .theta = theta, .alpha = 1 / (1 - theta)};
    for (uint64_t i = 1; i <= count; i++) {
        zipf.zeta += 1 / pow((double)i, theta);
    }
    double zeta2 = 1 + 1 / pow(2, theta);
    zipf.eta = (1 - pow(2.0 / zipf.count, 1 - theta)) / (1 - zeta2 / zipf.zeta);
    return zipf;
}

static uint64_t zipf_draw(const struct zipf *zipf)
{
    double u = next_unit(), uz = u * zipf->zeta;
    if (uz < 1) {
        return 0;
    }
    if (uz < 1 + pow(0.5, zipf->theta)) {
        return 1;
    }
    return (uint64_t)(zipf->count * pow(zipf->eta * u - zipf->eta + 1, zipf->alpha));
}

static const char *event_type(const struct options *options)
{
    uint64_t draw = evs_bench_random() % 100;
    if (options->escapes) {
        return draw < 70   ? "page\\u005fview"
               : draw < 90 ? "product\\u005fview"
               : draw < 97 ? "add\\u005fto\\u005fcart"
                           : "p\\u0075rchase";
    }
    return draw < 70 ? "page_view" : draw < 90 ? "product_view" : draw < 97 ? "add_to_cart" : "purchase";
}

/* ISO 8601 of 2026-01-05 with milliseconds; ten minutes fit one day. */
static void time_text(char *out, int64_t ms)
{
    int64_t second = ms / 1000;
    snprintf(out, 32, "2026-01-05T%02d:%02d:%02d.%03dZ", (int)(10 + second / 3600), (int)(second / 60 % 60),
             (int)(second % 60), (int)(ms % 1000));
}

#define FIELDS 11

static void shuffle(int *order)
{
    for (int i = FIELDS - 1; i > 0; i--) {
        int j = (int)(evs_bench_random() % (uint64_t)(i + 1));
        int kept = order[i];
        order[i] = order[j];
        order[j] = kept;
    }
}

static int64_t event_time_ms(const struct options *options, uint64_t number)
{
    int64_t ms = (int64_t)((double)number * (double)options->seconds * 1000 / (double)options->events);
    if (evs_bench_random() % 10 == 0) {
        double late = -log(1 - next_unit()) * 700;
        ms -= (int64_t)(late > 4000 ? 4000 : late);
    }
    return ms < 0 ? 0 : ms;
}

static void print_extra(void)
{
    for (uint64_t count = evs_bench_random() % 4; count > 0; count--) {
        uint64_t r = evs_bench_random();
        printf(r % 2 == 0 ? "\"extra_%llu\":\"%llu\"," : "\"extra_%llu\":%llu,", (unsigned long long)((r >> 8) % 40),
               (unsigned long long)((r >> 16) % 10000));
    }
}

static void print_fields(const struct options *options, char fields[FIELDS][256], const int *order)
{
    const char *between = "";
    uint64_t extra_at = options->extra ? evs_bench_random() % FIELDS : FIELDS;
    putchar('{');
    for (int i = 0; i < FIELDS; i++) {
        bool may_miss = order[i] != 1 && order[i] != 2; /* the type and the time are never missing */
        if (options->missing && may_miss && evs_bench_random() % 4 == 0) {
            continue;
        }
        fputs(between, stdout);
        if (extra_at == (uint64_t)i) {
            print_extra();
        }
        fputs(fields[order[i]], stdout);
        between = ",";
    }
    fputs("}\n", stdout);
}

static void print_event(const struct options *options, const struct zipf *zipf, uint64_t number)
{
    static const char *const countries[] = {"DE", "FR", "US", "NL", "SE", "PL", "IT", "ES"};
    static const char *const pages[] = {"/",     "/sale",      "/product/12-running-shoes", "/category/outdoor",
                                        "/cart", "/caf\\u00e9"};
    char fields[FIELDS][256], time[32];
    uint64_t user = options->keys_once ? number : zipf_draw(zipf), r = evs_bench_random();
    const char *type = event_type(options);
    time_text(time, event_time_ms(options, number));
    snprintf(fields[0], 256, "\"event_id\":\"%016llx\"", (unsigned long long)evs_bench_random());
    snprintf(fields[1], 256, "\"event\":\"%s\"", type);
    snprintf(fields[2], 256, "\"timestamp\":\"%s\"", time);
    snprintf(fields[3], 256, options->escapes ? "\"user_id\":\"\\u0075%llu\"" : "\"user_id\":\"u%llu\"",
             (unsigned long long)user);
    if (options->nulls && evs_bench_random() % 3 == 0) {
        snprintf(fields[3], 256, "\"user_id\":null");
    }
    snprintf(fields[4], 256, "\"session_id\":\"s-%08llx\"", (unsigned long long)(r & 0xffffffff));
    snprintf(fields[5], 256, "\"page\":{\"path\":\"%s\",\"referrer\":\"https://www.example.com/search?q=shoes\"}",
             pages[r % 6]);
    snprintf(fields[6], 256, "\"country\":\"%s\"", countries[(r >> 8) % 8]);
    snprintf(fields[7], 256, "\"device\":\"%s\"", (r >> 12) % 3 == 0 ? "desktop" : "mobile");
    char price[16];
    snprintf(price, sizeof price, "%llu.%02llu", (unsigned long long)((r >> 24) % 300),
             (unsigned long long)((r >> 32) % 100));
    bool has_price = !options->nulls || evs_bench_random() % 3 != 0;
    snprintf(
        fields[8], 256, "\"properties\":{\"sku\":\"sku-%05llu\",\"price\":%s,\"quantity\":%llu,\"currency\":\"EUR\"}",
        (unsigned long long)((r >> 16) % 20000), has_price ? price : "null", (unsigned long long)(1 + (r >> 40) % 4));
    snprintf(fields[9], 256,
             "\"context\":{\"campaign\":{\"source\":\"newsletter\",\"name\":\"winter-%llu\"},\"locale\":\"de-DE\"}",
             (unsigned long long)((r >> 44) % 12));
    snprintf(fields[10], 256, "\"consent\":%s", (r >> 50) % 5 == 0 ? "false" : "true");
    int order[FIELDS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    if (options->shuffle) {
        shuffle(order);
    }
    print_fields(options, fields, order);
}

int main(int argc, char **argv)
{
    struct options options = {.events = 1000000, .seed = 1, .users = 1000000, .seconds = 600};
    for (int i = 1; i < argc; i++) {
        uint64_t *number = strcmp(argv[i], "--seed") == 0      ? &options.seed
                           : strcmp(argv[i], "--users") == 0   ? &options.users
                           : strcmp(argv[i], "--seconds") == 0 ? &options.seconds
                                                               : NULL;
        bool *flag = strcmp(argv[i], "--keys-once") == 0 ? &options.keys_once
                     : strcmp(argv[i], "--shuffle") == 0 ? &options.shuffle
                     : strcmp(argv[i], "--escapes") == 0 ? &options.escapes
                     : strcmp(argv[i], "--nulls") == 0   ? &options.nulls
                     : strcmp(argv[i], "--missing") == 0 ? &options.missing
                     : strcmp(argv[i], "--extra") == 0   ? &options.extra
                                                         : NULL;
        if (flag != NULL) {
            *flag = true;
        } else if (number != NULL && i + 1 < argc) {
            *number = strtoull(argv[++i], NULL, 10);
        } else {
            options.events = strtoull(argv[i], NULL, 10);
        }
    }
    evs_bench_seed(options.seed);
    struct zipf zipf = zipf_new(options.users, 0.99);
    for (uint64_t i = 0; i < options.events; i++) {
        print_event(&options, &zipf, i);
    }
    return ferror(stdout) != 0;
}
