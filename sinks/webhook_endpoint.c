/* What an answer means, and whether the receiver is asked at all.
 *
 * An answer is about the message, or about the receiver. Only the first may make a dead letter at once: a wrong key or a receiver that is being
 * deployed must not bury every trigger of the hour.
 *
 *   2xx                                taken
 *   408 425 429, 503 and other answers throttled: all messages wait; Retry-After counts, up to an hour
 *   with Retry-After, 502 504
 *   401 403 407, 3xx, no answer        broken: tried again, whatever message it is; 404 405, too, where the URL is the same for all rows
 *   410                                gone (where the URL is the same for all rows): what waits is refused, one is tried every five minutes
 *   409                                failed: a request with the same idempotency key is under way
 *   other 4xx                          refused: the message itself is not wanted, and never will be
 *   other 5xx                          failed: tried again; it may be this message alone
 *
 * The circuit: after five failures in a row nothing is sent for a second; then one message is, as a probe. While probes fail the pause doubles, up
 * to a minute. A probe that is answered (taken or refused) closes the circuit, and what waited for the receiver is due at once. So an outage costs a
 * message few of its tries, and a receiver that comes back is not met by everything at once: rate and concurrency hold. */
#include "webhook.h"

#include <stdio.h>

#define FAILURES_MAX 5u
#define PAUSE_US INT64_C(1000000)
#define PAUSE_MAX_US (INT64_C(60) * 1000000)
#define RETRY_AFTER_MAX_US (INT64_C(3600) * 1000000)
#define GONE_US (INT64_C(300) * 1000000)

static enum evs_webhook_verdict judge_status(const struct evs_webhook *webhook, uint32_t status, bool has_retry_after)
{
    bool is_same_for_all = !webhook->url_has_holes;
    switch (status) {
    case 408:
    case 425:
    case 429:
    case 502:
    case 503:
    case 504:
        return EVS_VERDICT_THROTTLED;
    case 401:
    case 403:
    case 407:
        return EVS_VERDICT_BROKEN;
    case 404:
    case 405:
        return is_same_for_all ? EVS_VERDICT_BROKEN : EVS_VERDICT_REFUSED;
    case 410:
        return is_same_for_all ? EVS_VERDICT_GONE : EVS_VERDICT_REFUSED;
    case 409:
        return EVS_VERDICT_FAILED;
    default:
        break;
    }
    if (status >= 200 && status < 300) {
        return EVS_VERDICT_TAKEN;
    }
    if (status < 400) {
        return EVS_VERDICT_BROKEN;
    }
    if (status < 500) {
        return EVS_VERDICT_REFUSED;
    }
    return has_retry_after ? EVS_VERDICT_THROTTLED : EVS_VERDICT_FAILED;
}

enum evs_webhook_verdict evs_webhook_judge(const struct evs_webhook *webhook, const struct evs_http_answer *answer)
{
    return answer->failure == EVS_HTTP_ANSWERED ? judge_status(webhook, answer->status, answer->retry_after_us > 0)
                                                : EVS_VERDICT_BROKEN;
}

/* --- pace -------------------------------------------------------------------------------------------------------------- */

void evs_webhook_endpoint_init(struct evs_webhook_endpoint *endpoint)
{
    for (uint32_t i = 0; i < endpoint->webhook->rate_count; i++) {
        endpoint->sent[i].at_us = evs_alloc_zero(endpoint->webhook->rates[i].count * sizeof *endpoint->sent[i].at_us);
    }
}

void evs_webhook_endpoint_fini(struct evs_webhook_endpoint *endpoint)
{
    for (uint32_t i = 0; i < EVS_WEBHOOK_RATES_MAX; i++) {
        evs_free(endpoint->sent[i].at_us);
    }
}

int64_t evs_webhook_may_send(const struct evs_webhook_endpoint *endpoint, int64_t now)
{
    int64_t at_us = now;
    for (uint32_t i = 0; i < endpoint->webhook->rate_count; i++) {
        const struct evs_webhook_rate *rate = &endpoint->webhook->rates[i];
        const struct sent *sent = &endpoint->sent[i];
        if (sent->count >= rate->count) { /* the slot to be written next is the oldest */
            int64_t free_us = sent->at_us[sent->count % rate->count] + rate->period_us;
            at_us = free_us > at_us ? free_us : at_us;
        }
    }
    if (endpoint->is_open && endpoint->is_probing) {
        return INT64_MAX;
    }
    return endpoint->is_open && endpoint->open_until_us > at_us ? endpoint->open_until_us : at_us;
}

void evs_webhook_sent(struct evs_webhook_endpoint *endpoint, int64_t now, struct evs_webhook_request *request)
{
    for (uint32_t i = 0; i < endpoint->webhook->rate_count; i++) {
        struct sent *sent = &endpoint->sent[i];
        sent->at_us[sent->count++ % endpoint->webhook->rates[i].count] = now;
    }
    request->is_probe = endpoint->is_open;
    endpoint->is_probing = endpoint->is_open;
    atomic_fetch_add(&endpoint->figures->attempts, 1);
}

static uint64_t draw(const struct evs_os *os, int64_t below)
{
    return os->random.next(os->random.self) % (uint64_t)(below > 0 ? below : 1);
}

int64_t evs_webhook_retry_us(const struct evs_webhook *webhook, const struct evs_os *os, uint32_t attempts,
                             int64_t age_us)
{
    EVS_ASSERT(attempts > 0 && webhook->retry_count > 0);
    uint32_t at = attempts - 1;
    int64_t reached_us = 0; /* by a message that was tried before a restart, too */
    for (uint32_t i = 0; i < webhook->retry_count && reached_us + webhook->retries_us[i] <= age_us; i++) {
        reached_us += webhook->retries_us[i];
        at = i + 1 > at ? i + 1 : at;
    }
    at = at < webhook->retry_count ? at : webhook->retry_count - 1;
    return 1 + (int64_t)draw(os, webhook->retries_us[at]);
}

/* --- the circuit ------------------------------------------------------------------------------------------------------- */

static int64_t pause_of(struct evs_webhook_endpoint *endpoint)
{
    int64_t pause_us = PAUSE_US;
    for (uint32_t i = 0; i < endpoint->openings && pause_us < PAUSE_MAX_US; i++) {
        pause_us *= 2;
    }
    pause_us = pause_us < PAUSE_MAX_US ? pause_us : PAUSE_MAX_US;
    return pause_us / 2 + (int64_t)draw(endpoint->os, pause_us / 2);
}

static void open_circuit(struct evs_webhook_endpoint *endpoint, int64_t pause_us, const char *why)
{
    if (!endpoint->is_open) {
        evs_log(endpoint->log, EVS_LOG_WARN, "sink_webhook_open",
                "%s: the receiver %s; rows wait, and one is tried from time to time.", endpoint->name, why);
    }
    endpoint->is_open = true;
    endpoint->open_until_us = evs_monotonic_us(endpoint->os) + pause_us;
    endpoint->openings++;
    atomic_store(&endpoint->figures->is_open, 1);
}

static bool close_circuit(struct evs_webhook_endpoint *endpoint)
{
    bool was_open = endpoint->is_open;
    endpoint->is_open = endpoint->is_gone = false;
    endpoint->failures = endpoint->openings = 0;
    atomic_store(&endpoint->figures->is_open, 0);
    if (was_open) {
        evs_log(endpoint->log, EVS_LOG_INFO, "sink_webhook_closed", "%s: the receiver answers again.", endpoint->name);
    }
    return was_open;
}

static void describe_failure(const struct evs_http_answer *answer, char *out, size_t bytes)
{
    if (answer->failure == EVS_HTTP_ANSWERED) {
        snprintf(out, bytes, "answers %u", answer->status);
    } else {
        snprintf(out, bytes, "cannot be reached (%s)", answer->text);
    }
}

static void count_failure(struct evs_webhook_endpoint *endpoint, const struct evs_http_answer *answer, bool was_probe)
{
    char why[512];
    if (++endpoint->failures >= FAILURES_MAX || was_probe) {
        describe_failure(answer, why, sizeof why);
        bool is_new = !endpoint->is_open || was_probe; /* requests that were under way together are one failure */
        if (is_new) {
            open_circuit(endpoint, pause_of(endpoint), why);
        }
    }
}

static void count_throttle(struct evs_webhook_endpoint *endpoint, const struct evs_http_answer *answer, bool was_probe)
{
    char why[512];
    int64_t asked_us = answer->retry_after_us < RETRY_AFTER_MAX_US ? answer->retry_after_us : RETRY_AFTER_MAX_US;
    describe_failure(answer, why, sizeof why);
    if (asked_us > 0) {
        open_circuit(endpoint, asked_us, why);
    } else if (!endpoint->is_open || was_probe) {
        open_circuit(endpoint, pause_of(endpoint), why);
    }
}

bool evs_webhook_answered(struct evs_webhook_endpoint *endpoint, enum evs_webhook_verdict verdict,
                          const struct evs_http_answer *answer, bool was_probe)
{
    if (answer->failure == EVS_HTTP_ANSWERED && answer->status >= 100 && answer->status < 600) {
        atomic_fetch_add(&endpoint->figures->answers[answer->status / 100], 1);
    } else {
        atomic_fetch_add(&endpoint->figures->failures, 1);
    }
    if (was_probe) {
        endpoint->is_probing = false;
    }
    switch (verdict) {
    case EVS_VERDICT_TAKEN:
    case EVS_VERDICT_REFUSED:
        endpoint->failures = 0;
        return (was_probe || !endpoint->is_open) && close_circuit(endpoint);
    case EVS_VERDICT_FAILED:
    case EVS_VERDICT_BROKEN:
        count_failure(endpoint, answer, was_probe);
        break;
    case EVS_VERDICT_THROTTLED:
        count_throttle(endpoint, answer, was_probe);
        break;
    case EVS_VERDICT_GONE:
        open_circuit(endpoint, GONE_US, "answers 410, it wants nothing any more");
        endpoint->is_gone = true;
        break;
    }
    return false;
}
