/* evs_shop: plays the traffic of an invented shop, from one seed, live into NATS JetStream or at full speed into a file.
 *
 *   shop_traffic.c  who does what, when        shop_text.c  as JSON, and as a record to recount from
 *   shop.c          cuts it into messages      shop_publish.c  gets each stored once
 *
 * A message holds 1 to 100 events of one partition, as a collector's does: it is sent when it is full, or 250 ms after its first event. The
 * demo's README.md tells the options and the record's form. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "evstream/type.h"
#include "shop_publish.h"
#include "shop_text.h"

#define LINGER_US 250000
#define TICK_US 10000
#define CLOSING_US INT64_C(60000000) /* how long the last messages may take to be stored */

static volatile sig_atomic_t asked_to_close;

struct shop {
    const char *nats, *stream, *out, *record;
    uint64_t events, seconds; /* 0: no such limit */
    uint32_t partitions;
    struct evs_shop_settings settings;
    struct evs_shop_traffic *traffic;
    struct evs_shop_publisher *publisher;
    struct open_message {
        struct evs_shop_message message;
        uint32_t full; /* events at which it is sent */
        int64_t opened_us;
    } * open; /* of each partition */
};

static void on_signal(int number)
{
    (void)number;
    asked_to_close = 1;
}

static int64_t wall_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* --- options ------------------------------------------------------------------------------------------------------------ */

_Noreturn static void refuse(const char *text)
{
    fprintf(stderr,
            "evs_shop: %s\n"
            "usage: evs_shop [--nats URL [--stream NAME]] [--seconds N] [--rate N] [--seed N] [--partitions N] "
            "[--record FILE]\n"
            "       evs_shop --events N --out FILE [--start TIME] [--rate N] [--seed N] [--clean] [--record FILE]\n"
            "       evs_shop --events N --days N --out FILE [--start TIME] [--seed N]\n",
            text);
    exit(2);
}

static uint64_t number_of(const char *text, const char *option, int64_t least, int64_t most)
{
    int64_t value = 0;
    char refusal[160];
    if (!evs_parse_int64(evs_slice_of(text), &value) || value < least || value > most) {
        snprintf(refusal, sizeof refusal, "--%s takes a number from %" PRId64 " to %" PRId64 ".", option, least, most);
        refuse(refusal);
    }
    return (uint64_t)value;
}

static void take_option(struct shop *shop, int option, const char *value)
{
    switch (option) {
    case 'n':
        shop->nats = value;
        break;
    case 'm':
        shop->stream = value;
        break;
    case 'o':
        shop->out = value;
        break;
    case 'l':
        shop->record = value;
        break;
    case 'e':
        shop->events = number_of(value, "events", 1, INT64_MAX);
        break;
    case 's':
        shop->seconds = number_of(value, "seconds", 1, 1000000);
        break;
    case 'r':
        shop->settings.rate = (uint32_t)number_of(value, "rate", 1, 1000000);
        break;
    case 'd':
        shop->settings.seed = number_of(value, "seed", 0, INT64_MAX);
        break;
    case 'p':
        shop->partitions = (uint32_t)number_of(value, "partitions", 1, EVS_SHOP_PARTITIONS_MAX);
        break;
    case 'y':
        shop->settings.days = (uint32_t)number_of(value, "days", 1, 3650);
        break;
    case 'c':
        shop->settings.clean = true;
        break;
    case 't':
        if (!evs_parse_timestamp(evs_slice_of(value), true, &shop->settings.start_us)) {
            refuse("--start takes a time such as 2026-01-05T10:00:00Z.");
        }
        break;
    default:
        refuse("that is no option, or it lacks its value.");
    }
}

static void take_options(struct shop *shop, int argc, char **argv)
{
    static const struct option options[] = {
        {"nats", required_argument, NULL, 'n'},
        {"stream", required_argument, NULL, 'm'},
        {"out", required_argument, NULL, 'o'},
        {"record", required_argument, NULL, 'l'},
        {"events", required_argument, NULL, 'e'},
        {"seconds", required_argument, NULL, 's'},
        {"rate", required_argument, NULL, 'r'},
        {"seed", required_argument, NULL, 'd'},
        {"partitions", required_argument, NULL, 'p'},
        {"start", required_argument, NULL, 't'},
        {"days", required_argument, NULL, 'y'},
        {"clean", no_argument, NULL, 'c'},
        {0},
    };
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        take_option(shop, option, optarg);
    }
    if (optind != argc) {
        refuse("it takes options only.");
    }
    if (shop->out != NULL && shop->events == 0) {
        refuse("--out needs --events: how many to write.");
    }
    if (shop->settings.days > 0 && (shop->out == NULL || shop->record != NULL)) {
        refuse("--days writes a file (--out) without a record: its events are whole and in order.");
    }
    shop->settings.events = shop->events;
    if (shop->settings.start_us == 0) {
        shop->settings.start_us = wall_us();
    }
}

static FILE *open_to_write(const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdout : fopen(path, "w");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}

static bool close_written(FILE *file, const char *path)
{
    bool good = file == NULL || (fflush(file) == 0 && !ferror(file));
    if (!good) {
        perror(path);
    }
    if (file != NULL && file != stdout) {
        fclose(file);
    }
    return good;
}

/* --- into a file ------------------------------------------------------------------------------------------------------------ */

/* A file is one partition with one message in it: the record says sequence 1, and the line's number from 0 as the index. */
static bool write_file(struct shop *shop, FILE *record)
{
    FILE *out = open_to_write(shop->out);
    struct evs_buffer text = {0};
    for (uint64_t i = 0; i < shop->events; i++) {
        struct evs_shop_event event;
        evs_shop_next(shop->traffic, &event);
        text.count = 0;
        evs_shop_put_json(&text, &event);
        fwrite(text.data, 1, text.count, out);
        if (record != NULL) {
            text.count = 0;
            evs_shop_put_record(&text, &event, 0, 1, i);
            fwrite(text.data, 1, text.count, record);
        }
    }
    evs_buffer_fini(&text);
    return close_written(out, shop->out);
}

/* --- live -------------------------------------------------------------------------------------------------------------------- */

static void send_open(struct shop *shop, struct open_message *open)
{
    while (!evs_shop_has_room(shop->publisher)) {
        evs_shop_pump(shop->publisher, 20); /* NATS is away: the shop goes on when it is back */
    }
    open->message.repeat = evs_shop_draw(shop->traffic, 50) == 0;
    evs_shop_publish(shop->publisher, &open->message);
}

static void add_event(struct shop *shop)
{
    struct evs_shop_event event;
    evs_shop_next(shop->traffic, &event);
    uint32_t partition = evs_shop_partition(&event, shop->partitions);
    struct open_message *open = &shop->open[partition];
    if (open->message.event_count == 0) {
        open->message.partition = partition;
        open->opened_us = event.sent_us;
        open->full = 1 + evs_shop_draw(shop->traffic, EVS_SHOP_MESSAGE_EVENTS);
    }
    open->message.events[open->message.event_count++] = event;
    evs_shop_put_json(&open->message.payload, &event);
    if (open->message.event_count == open->full) {
        send_open(shop, open);
    }
}

/* Sends what has waited long enough at the virtual time `now_us`. */
static void send_lingering(struct shop *shop, int64_t now_us, int64_t linger_us)
{
    for (uint32_t i = 0; i < shop->partitions; i++) {
        struct open_message *open = &shop->open[i];
        if (open->message.event_count > 0 && now_us - open->opened_us >= linger_us) {
            send_open(shop, open);
        }
    }
}

static bool is_over(const struct shop *shop, uint64_t event_count)
{
    return (shop->events > 0 && event_count >= shop->events) ||
           (shop->seconds > 0 &&
            evs_shop_next_us(shop->traffic) >= shop->settings.start_us + (int64_t)shop->seconds * 1000000);
}

static void play(struct shop *shop)
{
    int64_t tick_us = shop->settings.start_us;
    for (uint64_t count = 0; !asked_to_close && !is_over(shop, count);) {
        int64_t next_us = evs_shop_next_us(shop->traffic);
        if (next_us > wall_us()) {
            evs_shop_pump(shop->publisher, 5);
            continue;
        }
        add_event(shop);
        count++;
        if (next_us >= tick_us + TICK_US) {
            tick_us = next_us;
            send_lingering(shop, next_us, LINGER_US);
            evs_shop_pump(shop->publisher, 0);
        }
    }
    send_lingering(shop, INT64_MAX, 0);
}

/* True when everything that was sent is stored. */
static bool close_shop(struct shop *shop)
{
    int64_t deadline = wall_us() + CLOSING_US;
    while (!evs_shop_all_stored(shop->publisher) && wall_us() < deadline) {
        evs_shop_pump(shop->publisher, 20);
    }
    return evs_shop_all_stored(shop->publisher);
}

static bool play_live(struct shop *shop, FILE *record)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    shop->publisher = evs_shop_publisher_new(shop->nats, shop->stream, record);
    shop->open = evs_alloc_zero(shop->partitions * sizeof *shop->open);
    printf("open\n"); /* the stream is there: readers may come */
    fflush(stdout);
    play(shop);
    bool good = close_shop(shop);
    const struct evs_shop_published *published = evs_shop_published(shop->publisher);
    printf("events %" PRIu64 "\nmessages %" PRIu64 "\nrepeated %" PRIu64 "\nresent %" PRIu64 "\ndropped %" PRIu64 "\n",
           published->events, published->messages, published->repeated, published->resent, published->dropped);
    if (!good) {
        fprintf(stderr, "evs_shop: NATS did not acknowledge everything within %d seconds.\n",
                (int)(CLOSING_US / 1000000));
    }
    for (uint32_t i = 0; i < shop->partitions; i++) {
        evs_buffer_fini(&shop->open[i].message.payload);
    }
    evs_free(shop->open);
    evs_shop_publisher_free(shop->publisher);
    return good;
}

int main(int argc, char **argv)
{
    const char *url = getenv("EVSTREAM_NATS_URL");
    struct shop shop = {
        .nats = url != NULL ? url : "nats://127.0.0.1:4222",
        .stream = "CLICKS",
        .partitions = 16,
        .settings = {.seed = 1, .rate = 2000},
    };
    take_options(&shop, argc, argv);
    FILE *record = shop.record != NULL ? open_to_write(shop.record) : NULL;
    shop.settings.futures = shop.out == NULL;
    shop.traffic = evs_shop_traffic_new(&shop.settings);
    bool good = shop.out != NULL ? write_file(&shop, record) : play_live(&shop, record);
    evs_shop_traffic_free(shop.traffic);
    good = close_written(record, shop.record) && good;
    return good ? 0 : 1;
}
