/* evs_watch: shows triggers as they come, for people.
 *
 * Windows of many keys close at once, so triggers come in bursts of hundreds. Of each burst the most telling trigger is shown and the rest
 * is counted: at most one line in four seconds for each pipeline. What is verified are the stored triggers (recount), never these lines.
 *
 *   evs_watch [--nats URL] [--started SECONDS]     SECONDS since 1970 from which the times on the left are counted
 *
 * Ends at SIGTERM. A server that goes away and comes back is waited for. */
#include <getopt.h>
#include <nats/nats.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BURST_MS 700
#define PAUSE_MS 4000
#define POLL_MS 100
#define TEXT_MAX 48
#define RECONNECT_MS 100

/* How a pipeline's triggers are told: {field} is the payload's value, {$field} the same as money. */
struct telling {
    const char *pipeline; /* the second token of the subject */
    const char *text;
    const char *weight; /* of a burst the trigger with the most of this is shown */
};

static const struct telling tellings[] = {
    {"cart_value", "{user_id} filled the cart with {$value}", "value"},
    {"hot_products", "{sku} was looked at by {visitors} visitors", "visitors"},
    {"sales_by_campaign", "{campaign} sold {$revenue}, orders: {orders}", "revenue"},
    {"gold_customers", "{user_id} has spent {$spent} and is gold", "spent"},
};
#define TELLINGS (sizeof tellings / sizeof tellings[0])

struct burst {
    unsigned count;
    int64_t first_ms, shown_ms;
    double most;
    char text[256];
};

static volatile sig_atomic_t asked_to_stop;
static bool colour;

static void on_signal(int number)
{
    (void)number;
    asked_to_stop = 1;
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* The value of a member of a flat JSON object, without quotes; empty when there is none. */
static void member(const char *payload, const char *name, int name_count, char value[TEXT_MAX])
{
    char pattern[TEXT_MAX];
    snprintf(pattern, sizeof pattern, "\"%.*s\":", name_count, name);
    const char *at = strstr(payload, pattern);
    *value = '\0';
    if (at != NULL) {
        at += strlen(pattern);
        at += *at == '"';
        snprintf(value, TEXT_MAX, "%.*s", (int)strcspn(at, "\",}"), at);
    }
}

static void tell(const struct telling *telling, const char *payload, char *text, size_t size)
{
    size_t count = 0;
    for (const char *at = telling->text; *at != '\0' && count + TEXT_MAX < size;) {
        if (*at != '{') {
            text[count++] = *at++;
            continue;
        }
        bool is_money = at[1] == '$';
        const char *name = at + 1 + is_money;
        int name_count = (int)strcspn(name, "}");
        char value[TEXT_MAX];
        member(payload, name, name_count, value);
        if (is_money) {
            double money = strtod(value, NULL);
            snprintf(value, sizeof value, "%.2f", money);
        }
        count += (size_t)snprintf(text + count, size - count, "%s", value);
        at = name + name_count + 1;
    }
    text[count] = '\0';
}

static void take(struct burst *bursts, const char *subject, const char *payload)
{
    const char *pipeline = strchr(subject, '.');
    for (size_t i = 0; pipeline != NULL && i < TELLINGS; i++) {
        size_t count = strlen(tellings[i].pipeline);
        char weight[TEXT_MAX];
        if (strncmp(pipeline + 1, tellings[i].pipeline, count) != 0 || pipeline[1 + count] != '.') {
            continue;
        }
        struct burst *burst = &bursts[i];
        member(payload, tellings[i].weight, (int)strlen(tellings[i].weight), weight);
        if (burst->count++ == 0) {
            burst->first_ms = now_ms();
            burst->most = -1;
        }
        double much = strtod(weight, NULL);
        if (much > burst->most) {
            burst->most = much;
            tell(&tellings[i], payload, burst->text, sizeof burst->text);
        }
    }
}

static void show(struct burst *burst, const struct telling *telling, int64_t started_ms)
{
    int64_t seconds = (now_ms() - started_ms) / 1000;
    int pad = 46 - (int)strlen(burst->text);
    printf("  %02d:%02d  %s%-18s%s %s", (int)(seconds / 60), (int)(seconds % 60), colour ? "\033[36m" : "",
           telling->pipeline, colour ? "\033[0m" : "", burst->text);
    if (burst->count > 1) {
        printf("%*s%sand %u more%s", pad > 0 ? pad : 1, "", colour ? "\033[2m" : "", burst->count - 1,
               colour ? "\033[0m" : "");
    }
    printf("\n");
    fflush(stdout);
    burst->count = 0;
    burst->shown_ms = now_ms();
}

static void show_due(struct burst *bursts, int64_t started_ms, bool all)
{
    int64_t now = now_ms();
    for (size_t i = 0; i < TELLINGS; i++) {
        struct burst *burst = &bursts[i];
        bool due = now - burst->first_ms >= BURST_MS && now - burst->shown_ms >= PAUSE_MS;
        if (burst->count > 0 && (due || all)) {
            show(burst, &tellings[i], started_ms);
        }
    }
}

static natsStatus subscribe(const char *url, natsConnection **connection, natsSubscription **subscription)
{
    natsOptions *options = NULL;
    natsStatus status = natsOptions_Create(&options);
    if (status == NATS_OK) {
        status = natsOptions_SetURL(options, url);
    }
    if (status == NATS_OK) {
        status = natsOptions_SetMaxReconnect(options, -1);
    }
    if (status == NATS_OK) {
        status = natsOptions_SetReconnectWait(options, RECONNECT_MS);
    }
    if (status == NATS_OK) {
        status = natsConnection_Connect(connection, options);
    }
    if (status == NATS_OK) {
        status = natsConnection_SubscribeSync(subscription, *connection, "triggers.>");
    }
    natsOptions_Destroy(options);
    return status;
}

static void watch(natsSubscription *subscription, int64_t started_ms)
{
    struct burst bursts[TELLINGS] = {0};
    while (!asked_to_stop) {
        natsMsg *message = NULL;
        char payload[4096];
        if (natsSubscription_NextMsg(&message, subscription, POLL_MS) == NATS_OK) {
            snprintf(payload, sizeof payload, "%.*s", natsMsg_GetDataLength(message), natsMsg_GetData(message));
            take(bursts, natsMsg_GetSubject(message), payload);
            natsMsg_Destroy(message);
        }
        show_due(bursts, started_ms, false);
    }
    show_due(bursts, started_ms, true);
}

static bool take_options(int argc, char **argv, const char **url, int64_t *started_ms)
{
    static const struct option options[] = {
        {"nats", required_argument, NULL, 'n'}, {"started", required_argument, NULL, 's'}, {0}};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'n') {
            *url = optarg;
        } else if (option == 's') {
            *started_ms = strtoll(optarg, NULL, 10) * 1000;
        } else {
            return false;
        }
    }
    return optind == argc;
}

int main(int argc, char **argv)
{
    const char *url = "nats://127.0.0.1:4222";
    int64_t started_ms = now_ms();
    natsConnection *connection = NULL;
    natsSubscription *subscription = NULL;
    struct sigaction action = {.sa_handler = on_signal};
    if (!take_options(argc, argv, &url, &started_ms)) {
        fprintf(stderr, "usage: evs_watch [--nats URL] [--started SECONDS]\n");
        return 2;
    }
    colour = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
    sigaction(SIGTERM, &action, NULL);
    natsStatus status = subscribe(url, &connection, &subscription);
    if (status != NATS_OK) {
        fprintf(stderr, "evs_watch: %s: %s\n", url, natsStatus_GetText(status));
        return 3;
    }
    watch(subscription, started_ms);
    natsSubscription_Destroy(subscription);
    natsConnection_Destroy(connection);
    nats_Close();
    return 0;
}
