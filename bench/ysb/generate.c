/* Ad events of the Yahoo Streaming Benchmark (Chintapalli et al., 2016): seeded, so that every machine measures the same bytes.
 *
 *   evs_bench_ads EVENTS FOLDER [--seed N] [--rate N]        writes FOLDER/ads.ndjson, campaigns.tsv and counts.tsv
 *
 * A hundred campaigns of ten ads; of three events one is a view. Fields, ids (UUIDs) and proportions are the benchmark's (times are numbers, not texts of digits); `rate` events a second of event time (10,000),
 * of which one in twenty comes up to two seconds late. campaigns.tsv is the table that the benchmark keeps in Redis: ad, campaign. counts.tsv is the answer, counted here while the events are
 * made: campaign, begin of the ten seconds, views. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "seeded.h"

#define CAMPAIGNS 100u
#define ADS_A_CAMPAIGN 10u
#define ADS (CAMPAIGNS * ADS_A_CAMPAIGN)
#define WINDOW_MS 10000u
#define LATE_EVERY 20u
#define LATE_MS 2000u
#define BASE_MS UINT64_C(1767600000000) /* 2026-01-05T08:00:00Z */
#define UUID_BYTES 37

static void make_uuid(char *to)
{
    uint64_t a = evs_bench_random(), b = evs_bench_random();
    snprintf(to, UUID_BYTES, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(a >> 32), (unsigned)(a >> 16 & 0xffff),
             (unsigned)(a & 0xfff), (unsigned)(0x8000 | (b >> 50 & 0x3fff)),
             (unsigned long long)(b & UINT64_C(0xffffffffffff)));
}

struct world {
    char ads[ADS][UUID_BYTES], campaigns[CAMPAIGNS][UUID_BYTES];
    uint64_t window_count;
    uint32_t *views; /* of each window and campaign */
};

static void write_campaigns(struct world *world, const char *folder)
{
    FILE *file = evs_bench_open(folder, "campaigns.tsv");
    for (uint32_t i = 0; i < CAMPAIGNS; i++) {
        make_uuid(world->campaigns[i]);
    }
    for (uint32_t i = 0; i < ADS; i++) {
        make_uuid(world->ads[i]);
        fprintf(file, "%s\t%s\n", world->ads[i], world->campaigns[i / ADS_A_CAMPAIGN]);
    }
    evs_bench_shut(file);
}

static void write_event(struct world *world, FILE *file, uint64_t ms)
{
    static const char *const ad_types[] = {"banner", "modal", "sponsored-search", "mail", "mobile"};
    static const char *const event_types[] = {"view", "click", "purchase"};
    char user[UUID_BYTES], page[UUID_BYTES];
    uint32_t ad = (uint32_t)(evs_bench_random() % ADS), kind = (uint32_t)(evs_bench_random() % 3);
    make_uuid(user);
    make_uuid(page);
    uint64_t late = evs_bench_random() % LATE_EVERY == 0 ? evs_bench_random() % LATE_MS : 0,
             at = ms > late ? ms - late : 0;
    fprintf(file, "{\"user_id\":\"%s\",\"page_id\":\"%s\",\"ad_id\":\"%s\",\"ad_type\":\"%s\",\"event_type\":\"%s\"",
            user, page, world->ads[ad], ad_types[evs_bench_random() % 5], event_types[kind]);
    fprintf(file, ",\"event_time\":%llu,\"ip_address\":\"1.2.3.4\"}\n", (unsigned long long)(BASE_MS + at));
    if (kind == 0) {
        world->views[at / WINDOW_MS * CAMPAIGNS + ad / ADS_A_CAMPAIGN]++;
    }
}

static void write_counts(const struct world *world, const char *folder)
{
    FILE *file = evs_bench_open(folder, "counts.tsv");
    for (uint64_t i = 0; i < world->window_count * CAMPAIGNS; i++) {
        if (world->views[i] > 0) {
            fprintf(file, "%s\t%llu\t%u\n", world->campaigns[i % CAMPAIGNS],
                    (unsigned long long)(BASE_MS + i / CAMPAIGNS * WINDOW_MS), world->views[i]);
        }
    }
    evs_bench_shut(file);
}

int main(int argc, char **argv)
{
    static struct world world;
    uint64_t events = argc > 2 ? strtoull(argv[1], NULL, 10) : 0, rate = 10000, seed = 1;
    for (int i = 3; i + 1 < argc; i += 2) {
        *(strcmp(argv[i], "--seed") == 0 ? &seed : &rate) = strtoull(argv[i + 1], NULL, 10);
    }
    if (events == 0 || rate == 0 || argc % 2 == 0) {
        fprintf(stderr, "usage: evs_bench_ads EVENTS FOLDER [--seed N] [--rate N]\n");
        return 2;
    }
    evs_bench_seed(seed);
    world.window_count = events * 1000 / rate / WINDOW_MS + 1;
    world.views = calloc(world.window_count * CAMPAIGNS, sizeof *world.views);
    if (world.views == NULL) {
        perror("evs_bench_ads");
        return 1;
    }
    write_campaigns(&world, argv[2]);
    FILE *file = evs_bench_open(argv[2], "ads.ndjson");
    for (uint64_t i = 0; i < events; i++) {
        write_event(&world, file, i * 1000 / rate);
    }
    evs_bench_shut(file);
    write_counts(&world, argv[2]);
    free(world.views);
    return 0;
}
