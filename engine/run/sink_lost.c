/* A sink's connector, and what its receiver may lose behind its acknowledgement (exactness, 13).
 *
 *   running ── has_lost ──► closed ── opened again, with what is kept ──► what lies above the cut waits again ──► running
 *                             └── the server is away: tried again, for as long as the retry policy says
 *
 * So a cut that comes in the middle of a run takes the way of a restart: the connector reads what the log has, finds the cut by what is kept, and takes for sent what is
 * there. It may block in its open, as it may at a start. Messages go back to waiting on the worker's thread, between two batches. */
#include <stdlib.h>

#include "sink_node.h"

#define REOPEN_US 250000 /* between two tries */

/* --- the connector --------------------------------------------------------------------------------------------------------------- */

struct evs_sink_open evs_sink_how_to_open(const struct sink_node *node)
{
    const struct evs_op *op = node->op;
    const struct evs_run *run = op->worker->run;
    return (struct evs_sink_open){
        .os = run->options.os,
        .log = op->log,
        .pipeline = run->plan->pipeline,
        .name = op->node->name,
        .group = run->options.group,
        .config = node->plan->config,
        .schema = &op->node->schema,
        .lane = op->worker->number,
        .park = op->worker->park,
        .nats_url = run->options.nats_url,
        .nats_credentials = run->options.nats_credentials,
        .redis_url = run->options.redis_url,
        .create = run->options.create,
        .epoch = run->terms.epoch,
        .nonce = run->terms.nonce,
        .store_forgets = run->terms.forgets,
        .retry_us = run->options.retry_us,
    };
}

/* Beside the instance at work those that were closed, because their receiver's log was cut. */
struct evs_sink_state evs_sink_figures(const struct sink_node *node)
{
    struct evs_sink_state state = {0};
    if (node->plan->connector->state != NULL && node->connector != NULL) {
        node->plan->connector->state(node->connector, &state);
    }
    state.reconnects += node->before.reconnects;
    state.retries += node->before.retries;
    state.duplicates += node->before.duplicates;
    state.orphans += node->before.orphans;
    return state;
}

static void add_figures(struct sink_node *node)
{
    node->before = evs_sink_figures(node);
    node->before.reconnects++;
}

struct kept_list {
    struct evs_sink_kept *items;
    uint32_t count, capacity;
    bool is_restored; /* of the last run's lanes; else of one lane of this run, whatever it had restored */
};

static void add_kept(void *argument, struct evs_pending *pending)
{
    struct kept_list *list = argument;
    EVS_GROW(list->items, list->count, list->capacity);
    list->items[list->count++] =
        (struct evs_sink_kept){pending->place, pending->id, list->is_restored ? pending->stored_lane : 0};
}

static int compare_kept(const void *left, const void *right)
{
    const struct evs_sink_kept *a = left, *b = right;
    if (a->lane != b->lane) {
        return a->lane < b->lane ? -1 : 1;
    }
    return a->place < b->place ? -1 : a->place > b->place;
}

/* What this lane keeps; before any worker runs, what all lanes keep. To be freed. */
struct evs_sink_kept *evs_sink_tell_kept(const struct sink_node *node, struct evs_sink_open *open)
{
    const struct evs_op *op = node->op;
    const struct evs_run *run = op->worker->run;
    struct kept_list list = {.is_restored = open->replay != EVS_REPLAY_CUT};
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        struct worker *worker = &run->workers[i];
        struct sink_node *lane = evs_worker_op(worker, op->node_index)->impl;
        if (lane == node || list.is_restored) {
            evs_pendings_each_kept(&lane->pendings, add_kept, &list);
        }
    }
    if (list.count > 0) {
        qsort(list.items, list.count, sizeof *list.items, compare_kept);
    }
    open->kept = list.items;
    open->kept_count = list.count;
    return list.items;
}

/* --- what the receiver may lose ------------------------------------------------------------------------------------------------- */

static void tell_short(struct sink_node *node)
{
    int64_t age_us = node->pendings.dropped_age_us;
    if (age_us == 0 || (node->told_age_us != 0 && age_us > node->told_age_us / 2)) {
        return;
    }
    node->told_age_us = age_us;
    evs_log(node->op->log, EVS_LOG_INFO, "sink_keeps_less",
            "Sink %s: rows of the last %.3g s are kept, in case its receiver loses what it has stored, and not of %.3g "
            "s: more would be over the limit of bytes.",
            node->op->node->name, (double)age_us / 1e6, (double)node->pendings.keep_us / 1e6);
}

/* What the instance knows of the log is what the next one has to compare it with. */
static void close_cut(struct sink_node *node)
{
    add_figures(node);
    node->plan->connector->receipt(node->connector, &node->last_receipt);
    node->plan->connector->close(node->connector);
    node->connector = NULL;
    node->cut_us = node->reopen_us = node->op->worker->now_us;
}

/* Of its receiver's log everything up to `holds` is there. */
void evs_sink_send_lost_again(struct sink_node *node, uint64_t holds)
{
    uint32_t count = evs_pendings_revive(&node->pendings, holds);
    node->sent = evs_pendings_cursor(&node->pendings);
    node->sent_again += count;
    if (count > 0) {
        atomic_store(&node->op->worker->run->wants_rewrite, true); /* the outbox says that they are delivered */
        evs_log(node->op->log, EVS_LOG_WARN, "sink_sent_again",
                "Sink %s: its receiver has lost rows that it had acknowledged; %u that were kept are sent again, under "
                "their ids.",
                node->op->node->name, count);
    }
}

/* The instance of before is closed. While the server is away, the retry policy is asked here: nobody else can. */
static bool reopen(struct sink_node *node)
{
    const struct evs_run *run = node->op->worker->run;
    struct evs_error error = {0};
    void *nothing = NULL;
    if (node->op->worker->now_us < node->reopen_us) {
        return false;
    }
    struct evs_sink_open open = evs_sink_how_to_open(node);
    uint64_t holds = UINT64_MAX;
    open.replay = EVS_REPLAY_CUT;
    open.receipts = &node->last_receipt;
    open.receipt_count = 1;
    open.holds = &holds;
    open.shared = &nothing;
    struct evs_sink_kept *kept = evs_sink_tell_kept(node, &open);
    evs_status status = node->plan->connector->open(&open, &node->connector, &error);
    evs_free(kept);
    if (status == EVS_OK) {
        node->cut_us = 0;
        evs_sink_send_lost_again(node, holds);
        return true;
    }
    int64_t now_us = evs_monotonic_us(run->options.os);
    node->reopen_us = now_us + REOPEN_US;
    bool is_patient = run->options.retry_us == 0 || now_us - node->cut_us < run->options.retry_us;
    bool may_pass = status == EVS_E_UNREACHABLE || status == EVS_E_REFUSED; /* a stream that is being made again */
    if (!may_pass || !is_patient) {
        evs_run_fail(node->op->worker->run, status, &error);
    }
    return false;
}

bool evs_sink_has_connector(struct sink_node *node)
{
    return node->cut_us == 0 || reopen(node);
}

/* A cut that comes behind the word that nothing is left to deliver is the next start's: the last commit is being made. */
void evs_sink_tend_kept(struct sink_node *node)
{
    const struct worker *worker = node->op->worker;
    if (evs_sink_keeps(node)) {
        evs_pendings_tend(&node->pendings, node->op->worker->now_us);
        tell_short(node);
    }
    bool is_over = worker->idle_told > 0 && worker->idle_told == worker->ops[0].barrier;
    if (!is_over && node->plan->connector->has_lost != NULL && node->plan->connector->has_lost(node->connector)) {
        close_cut(node);
    }
}
