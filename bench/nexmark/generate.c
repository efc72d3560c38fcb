/* Nexmark's auctions to measure with: seeded, so that every machine measures the same bytes.
 *
 *   evs_bench_nexmark EVENTS FOLDER [--seed N] [--rate N]        writes FOLDER/person.ndjson, auction.ndjson, bid.ndjson, side.ndjson
 *
 * The proportions of the benchmark's own generator (Tucker, Tufte, Papadimos, Maier: NEXMark, 2002; Apache Beam's and Flink's editions): of 50 events 1 is a
 * person, 3 are auctions, 46 bids; every second bid is for the hot auction of the last hundred, three of four come from the hot bidder, three of four
 * auctions are a hot seller's; prices are spread over six powers of ten; half of the bids come over four hot channels. 10,000 events a second of event time
 * (--rate), in order. side.ndjson is the bounded input of q13. Texts are this program's own. */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "seeded.h"

#define EVENTS_A_TURN 50u
#define PERSONS_A_TURN 1u
#define AUCTIONS_A_TURN 3u
#define FIRST_ID 1000u
#define ACTIVE_PERSONS 1000u
#define AUCTIONS_IN_FLIGHT 100u
#define HOT_EVERY 100u    /* the hot ones are the first of each hundred */
#define BASE_S 1436918400 /* 2015-07-15T00:00:00Z, as everywhere */
#define EVENTS_A_SECOND 10000u
#define SIDE_ROWS 10000u

static uint64_t rate = EVENTS_A_SECOND;

static uint64_t below(uint64_t limit)
{
    return evs_bench_random() % limit;
}

static const char *letters(size_t least, size_t most)
{
    static char text[256];
    size_t count = least + below(most - least + 1);
    for (size_t i = 0; i < count; i++) {
        text[i] = (char)('a' + below(26));
    }
    text[count] = '\0';
    return text;
}

/* Milliseconds since BASE_S. */
static const char *time_text(uint64_t ms)
{
    static char text[2][40];
    static int turn;
    char *to = text[turn = !turn];
    time_t seconds = (time_t)(BASE_S + ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t count = strftime(to, sizeof text[0], "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(to + count, sizeof text[0] - count, ".%03dZ", (int)(ms % 1000));
    return to;
}

static uint64_t price(void)
{
    return (uint64_t)(pow(10, (double)below(1u << 20) / (1u << 20) * 6) * 100);
}

/* How many persons and auctions there are when event `number` comes. */
static uint64_t persons_at(uint64_t number)
{
    return number / EVENTS_A_TURN * PERSONS_A_TURN +
           (number % EVENTS_A_TURN >= PERSONS_A_TURN ? PERSONS_A_TURN : number % EVENTS_A_TURN);
}

static uint64_t auctions_at(uint64_t number)
{
    uint64_t place = number % EVENTS_A_TURN, of_turn = place < PERSONS_A_TURN ? 0 : place - PERSONS_A_TURN;
    return number / EVENTS_A_TURN * AUCTIONS_A_TURN + (of_turn > AUCTIONS_A_TURN ? AUCTIONS_A_TURN : of_turn);
}

/* One of the last `active` of `count`; the hot one with probability 1 - 1/cold. */
static uint64_t pick(uint64_t count, uint64_t active, uint64_t cold, uint64_t hot_offset)
{
    if (count == 0) {
        return FIRST_ID;
    }
    if (below(cold) > 0) {
        return FIRST_ID + (count - 1) / HOT_EVERY * HOT_EVERY + hot_offset;
    }
    uint64_t among = count < active ? count : active;
    return FIRST_ID + count - 1 - below(among);
}

static void put_person(FILE *to, uint64_t number, uint64_t ms)
{
    static const char *const firsts[] = {"Peter", "Paul",  "Luke",  "John",   "Saul",  "Vicky",
                                         "Kate",  "Julie", "Sarah", "Deiter", "Walter"};
    static const char *const lasts[] = {"Shultz", "Abrams", "Spencer", "White", "Bartels",
                                        "Walton", "Smith",  "Jones",   "Noris"};
    static const char *const cities[] = {"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland",
                                         "Bend",    "Redmond",     "Seattle",       "Kent",  "Cheyenne"};
    static const char *const states[] = {"AZ", "CA", "ID", "OR", "WA", "WY"};
    const char *first = firsts[below(sizeof firsts / sizeof *firsts)],
               *last = lasts[below(sizeof lasts / sizeof *lasts)];
    fprintf(to, "{\"id\":%llu,\"name\":\"%s %s\",\"email_address\":\"%s@example.com\"",
            (unsigned long long)(FIRST_ID + persons_at(number)), first, last, letters(5, 9));
    fprintf(to,
            ",\"credit_card\":\"%04d %04d %04d "
            "%04d\",\"city\":\"%s\",\"state\":\"%s\",\"date_time\":\"%s\",\"extra\":\"%s\"}\n",
            (int)below(10000), (int)below(10000), (int)below(10000), (int)below(10000),
            cities[below(sizeof cities / sizeof *cities)], states[below(sizeof states / sizeof *states)], time_text(ms),
            letters(60, 120));
}

static void put_auction(FILE *to, uint64_t number, uint64_t ms)
{
    uint64_t initial = price(), seller = pick(persons_at(number), ACTIVE_PERSONS, 4, 0);
    fprintf(to, "{\"id\":%llu,\"item_name\":\"%s\"", (unsigned long long)(FIRST_ID + auctions_at(number)),
            letters(10, 20));
    fprintf(to, ",\"description\":\"%s\"", letters(40, 100));
    /* It ends when about a hundred more have begun. */
    uint64_t lasts_ms = 1 + below(2 * AUCTIONS_IN_FLIGHT * EVENTS_A_TURN / AUCTIONS_A_TURN * 1000 / rate);
    fprintf(to,
            ",\"initial_bid\":%llu,\"reserve\":%llu,\"date_time\":\"%s\",\"expires\":\"%s\",\"seller\":%llu,"
            "\"category\":%llu,\"extra\":\"%s\"}\n",
            (unsigned long long)initial, (unsigned long long)(initial + price()), time_text(ms),
            time_text(ms + lasts_ms), (unsigned long long)seller, (unsigned long long)(10 + below(5)),
            letters(100, 200));
}

static void put_bid(FILE *to, uint64_t number, uint64_t ms)
{
    static const char *const hot[] = {"Google", "Facebook", "Baidu", "Apple"};
    uint64_t auction = pick(auctions_at(number), AUCTIONS_IN_FLIGHT, 2, 0),
             bidder = pick(persons_at(number), ACTIVE_PERSONS, 4, 1);
    char channel[32], query[64] = "";
    uint64_t other = below(10000);
    snprintf(channel, sizeof channel, "channel-%llu", (unsigned long long)other);
    if (below(10) > 0) {
        snprintf(query, sizeof query, "&channel_id=%llu", (unsigned long long)(other * 7919 + 1));
    }
    const char *name = below(2) > 0 ? hot[below(4)] : channel;
    fprintf(to, "{\"auction\":%llu,\"bidder\":%llu,\"price\":%llu,\"channel\":\"%s\"", (unsigned long long)auction,
            (unsigned long long)bidder, (unsigned long long)price(), name);
    char folder[3][16];
    for (int i = 0; i < 3; i++) {
        snprintf(folder[i], sizeof folder[i], "%.15s", letters(3, 5));
    }
    fprintf(
        to,
        ",\"url\":\"https://www.nexmark.example/%s/%s/%s/item.htm?query=1%s\",\"date_time\":\"%s\",\"extra\":\"%s\"}\n",
        folder[0], folder[1], folder[2], query, time_text(ms), letters(40, 80));
}

static void write_side(const char *folder)
{
    FILE *side = evs_bench_open(folder, "side.ndjson");
    for (uint64_t key = 0; key < SIDE_ROWS; key++) {
        fprintf(side, "{\"key\":%llu,\"value\":\"%s\"}\n", (unsigned long long)key, letters(10, 30));
    }
    evs_bench_shut(side);
}

static void write_events(const char *folder, uint64_t events)
{
    FILE *persons = evs_bench_open(folder, "person.ndjson"), *auctions = evs_bench_open(folder, "auction.ndjson"),
         *bids = evs_bench_open(folder, "bid.ndjson");
    for (uint64_t number = 0; number < events; number++) {
        uint64_t place = number % EVENTS_A_TURN, ms = number * 1000 / rate;
        if (place < PERSONS_A_TURN) {
            put_person(persons, number, ms);
        } else if (place < PERSONS_A_TURN + AUCTIONS_A_TURN) {
            put_auction(auctions, number, ms);
        } else {
            put_bid(bids, number, ms);
        }
    }
    evs_bench_shut(persons);
    evs_bench_shut(auctions);
    evs_bench_shut(bids);
}

int main(int argc, char **argv)
{
    const char *folder = argc > 2 ? argv[2] : NULL;
    bool is_right = argc > 2 && argc % 2 == 1;
    uint64_t seed = 1;
    for (int i = 3; is_right && i < argc; i += 2) {
        uint64_t *number = strcmp(argv[i], "--seed") == 0 ? &seed : strcmp(argv[i], "--rate") == 0 ? &rate : NULL;
        is_right = number != NULL;
        if (is_right) {
            *number = strtoull(argv[i + 1], NULL, 10);
        }
    }
    if (!is_right || rate == 0) {
        fprintf(stderr, "usage: evs_bench_nexmark EVENTS FOLDER [--seed N] [--rate N]\n");
        return 2;
    }
    evs_bench_seed(seed);
    write_events(folder, strtoull(argv[1], NULL, 10));
    write_side(folder);
    return 0;
}
