/* Committing a checkpoint: stage the blocks, then one write makes them count.
 *
 *   attempt 1   :ob  XADD o1 o2 …      :log  XADD b1 b2 b3 … ──► evs1_commit ──► OK, DUP     done
 *                       │ an error reply, a time-out, a lost connection, anywhere
 *                       ▼
 *               drop the connection, pause, connect, look at the log's end
 *                       ├── it is the commit that was sent: done (the reply was lost)
 *                       ├── it is not ours: EVS_E_FENCED or EVS_E_GAP
 *                       ▼
 *   attempt 2   the same blocks from the beginning, under the sequence numbers behind all that were ever sent
 *
 * An attempt is all or nothing: one block refused between two accepted ones would pass a look at the last entry
 * alone. The commit is sent only after every XADD of this attempt has been answered OK on this one connection.
 * Nothing is undone: what an abandoned attempt has left behind is in no commit's range, so no restore takes it, and
 * trimming removes it.
 *
 * What a dropped connection has still in flight may reach the server late. Late blocks have smaller ids than the
 * next attempt's: they come before them, or are refused. A late commit either finds its own blocks at the end, and
 * then it is this very checkpoint (found by the next look, or answered DUP), or it does not, and is refused. */
#include <stdio.h>

#include "redis_store.h"

#define XADD_BYTES 160 /* of a block's command beside the block, roughly */

struct attempt {
    const struct evs_store_commit *commit;
    struct evs_redis_id sent_id; /* of the commit that may be on its way; zero: none was sent */
    struct evs_redis_header header;
    bool done;
    bool written; /* by this connection: WAIT only counts a connection's own writes */
};

struct staged { /* one kind of blocks in one attempt */
    const struct evs_slice *blocks;
    uint32_t count;
    enum evs_block_kind kind;
};

/* --- staging ------------------------------------------------------------------------------------------------------ */

static void put_block(struct evs_redis_store *store, const struct staged *staged, uint32_t index,
                      struct evs_redis_range *range)
{
    struct evs_slice block = staged->blocks[index];
    EVS_ASSERT(block.count <= EVS_BLOCK_BYTES);
    char id[EVS_REDIS_ID_TEXT_BYTES], crc_text[16];
    uint32_t crc = evs_crc32c(0, block.data, block.count);
    range->crc = evs_redis_range_crc(range->crc, crc);
    range->bytes_max = block.count > range->bytes_max ? (uint32_t)block.count : range->bytes_max;
    struct evs_redis_id at = {range->first.ms, range->first.sequence + index};
    struct evs_slice command[] = {EVS_SLICE("XADD"),
                                  evs_slice_of(store->keys[staged->kind]),
                                  evs_redis_id_text(at, id),
                                  EVS_SLICE("t"),
                                  EVS_SLICE("B"),
                                  EVS_SLICE("o"),
                                  evs_slice_of(store->nonce_text),
                                  EVS_SLICE("c"),
                                  {crc_text, (size_t)snprintf(crc_text, sizeof crc_text, "%08x", crc)},
                                  EVS_SLICE("b"),
                                  block};
    evs_redis_link_put(store->link, command, EVS_COUNT(command));
    store->sequences[staged->kind] = at.sequence;
}

static evs_status take_staged(struct evs_redis_store *store, struct evs_error *error)
{
    redisReply *reply;
    evs_status status = evs_redis_link_receive(store->link, &reply, error);
    if (status != EVS_OK) {
        return status;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        status = evs_redis_link_refused(store->link, "take a block of state", reply->str, error);
    }
    freeReplyObject(reply);
    return status;
}

static uint64_t slot_start(const struct evs_store_commit *commit)
{
    return commit->checkpoint << EVS_REDIS_SLOT_BITS;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Pipelined, with at most a window of bytes without an answer. */
static evs_status stage(struct evs_redis_store *store, const struct evs_store_commit *commit,
                        const struct staged *staged, struct evs_redis_range *range, struct evs_error *error)
{
    *range = (struct evs_redis_range){0};
    if (staged->count == 0) {
        return EVS_OK;
    }
    uint64_t first = larger(store->sequences[staged->kind], slot_start(commit)) + 1;
    range->first = (struct evs_redis_id){store->epoch, first};
    range->last = (struct evs_redis_id){store->epoch, first + staged->count - 1};
    range->count = staged->count;
    size_t in_flight = 0;
    for (uint32_t sent = 0, taken = 0; taken < staged->count; taken++) {
        while (sent < staged->count &&
               (in_flight == 0 || in_flight + staged->blocks[sent].count <= EVS_REDIS_WINDOW_BYTES)) {
            in_flight += staged->blocks[sent].count + XADD_BYTES;
            put_block(store, staged, sent++, range);
        }
        evs_status status = take_staged(store, error);
        if (status != EVS_OK) {
            return status;
        }
        in_flight -= staged->blocks[taken].count + XADD_BYTES;
    }
    return EVS_OK;
}

/* --- the commit record -------------------------------------------------------------------------------------------- */

static struct evs_redis_chain chain_from_here(const struct evs_redis_range *range, struct evs_redis_id this)
{
    return range->count == 0 ? (struct evs_redis_chain){0} : (struct evs_redis_chain){this, range->first};
}

static struct evs_redis_chain outbox_chain(const struct evs_redis_store *store, const struct evs_store_commit *commit,
                                           const struct evs_redis_range *range, struct evs_redis_id this)
{
    const struct evs_redis_chain *chain = &store->commit.chains[EVS_BLOCK_OUTBOX];
    bool goes_on = !commit->outbox_restart && !evs_redis_id_is_zero(chain->start);
    return goes_on ? *chain : chain_from_here(range, this);
}

/* The state begins with the first commit that is needed and has blocks. */
static struct evs_redis_chain state_chain(const struct evs_redis_store *store, const struct evs_store_commit *commit,
                                          const struct evs_redis_range *range, struct evs_redis_id this)
{
    const struct evs_redis_chain *chain = &store->commit.chains[EVS_BLOCK_STATE];
    if (!store->knows_beginnings && commit->state_from < commit->checkpoint && !evs_redis_id_is_zero(chain->start)) {
        return *chain;
    }
    for (uint32_t i = store->beginning_first; i < store->beginning_count; i++) {
        if (store->beginnings[i].checkpoint >= commit->state_from) {
            return store->beginnings[i].chain;
        }
    }
    return chain_from_here(range, this);
}

/* Forgets beginnings that the commit has left behind. */
static void take_beginnings(struct evs_redis_store *store, const struct evs_store_commit *commit)
{
    const struct evs_redis_range *range = &store->commit.ranges[EVS_BLOCK_STATE];
    store->knows_beginnings = store->knows_beginnings || commit->state_from == commit->checkpoint;
    if (range->count > 0) {
        evs_redis_store_begin(store, commit->checkpoint, chain_from_here(range, store->commit_id));
    }
    while (store->beginning_first < store->beginning_count &&
           store->beginnings[store->beginning_first].checkpoint < commit->state_from) {
        store->beginning_first++;
    }
}

/* The rest of the header, when the ranges are known. */
static void fill_header(const struct evs_redis_store *store, const struct evs_store_commit *commit,
                        struct evs_redis_id this, struct evs_redis_header *header)
{
    header->checkpoint = commit->checkpoint;
    header->previous = store->has_commit ? store->commit_id : (struct evs_redis_id){0};
    header->chains[EVS_BLOCK_STATE] = state_chain(store, commit, &header->ranges[EVS_BLOCK_STATE], this);
    header->chains[EVS_BLOCK_OUTBOX] = outbox_chain(store, commit, &header->ranges[EVS_BLOCK_OUTBOX], this);
    header->record_crc = evs_crc32c(0, commit->record.data, commit->record.count);
}

/* DUP means the same checkpoint, but perhaps an earlier attempt's blocks: the log's own header is the one that
 * counts. */
static evs_status adopt(struct evs_redis_store *store, struct attempt *attempt, struct evs_redis_id id,
                        struct evs_error *error)
{
    evs_status status = evs_redis_store_read_commit(store, id, &attempt->header, NULL, error);
    if (status == EVS_OK && attempt->header.checkpoint != attempt->commit->checkpoint) {
        status = evs_redis_store_damaged(store, error, "a commit of ours has another checkpoint's number");
    }
    attempt->done = status == EVS_OK;
    return status;
}

static evs_status send_commit(struct evs_redis_store *store, struct attempt *attempt, struct evs_error *error)
{
    const struct evs_redis_range *ranges = attempt->header.ranges;
    char this[EVS_REDIS_ID_TEXT_BYTES], expect[EVS_REDIS_ID_TEXT_BYTES], expect_ob[EVS_REDIS_ID_TEXT_BYTES];
    struct evs_slice expect_ob_slice = {0};
    if (ranges[EVS_BLOCK_OUTBOX].count > 0) {
        expect_ob_slice = evs_redis_id_text(ranges[EVS_BLOCK_OUTBOX].last, expect_ob);
    }
    struct evs_buffer header = {0};
    evs_redis_header_write(&attempt->header, &header);
    struct evs_slice command[] = {EVS_SLICE("FCALL"),
                                  EVS_SLICE(EVS_REDIS_COMMIT),
                                  EVS_SLICE("2"),
                                  evs_slice_of(store->keys[EVS_BLOCK_STATE]),
                                  evs_slice_of(store->keys[EVS_BLOCK_OUTBOX]),
                                  evs_slice_of(store->nonce_text),
                                  evs_redis_id_text(attempt->sent_id, this),
                                  evs_redis_id_text(store->tail, expect),
                                  expect_ob_slice,
                                  {header.data, header.count},
                                  attempt->commit->record};
    redisReply *reply;
    evs_status status =
        evs_redis_function_call(store->link, command, EVS_COUNT(command), "commit a checkpoint", &reply, error);
    evs_buffer_fini(&header);
    if (status != EVS_OK) {
        return status;
    }
    bool is_new = evs_redis_reply_is_text(reply) && evs_slice_equal(evs_redis_reply_slice(reply), EVS_SLICE("OK"));
    freeReplyObject(reply);
    attempt->done = attempt->written = is_new;
    return is_new ? EVS_OK : adopt(store, attempt, attempt->sent_id, error);
}

/* --- attempts ----------------------------------------------------------------------------------------------------- */

static evs_status stage_all(struct evs_redis_store *store, struct attempt *attempt, struct evs_error *error)
{
    const struct evs_store_commit *commit = attempt->commit;
    const struct staged outbox = {commit->outbox, commit->outbox_count, EVS_BLOCK_OUTBOX};
    const struct staged state = {commit->blocks, commit->block_count, EVS_BLOCK_STATE};
    /* the log last: when its last block is there, so is all of the outbox */
    evs_status status = stage(store, commit, &outbox, &attempt->header.ranges[EVS_BLOCK_OUTBOX], error);
    if (status == EVS_OK) {
        status = stage(store, commit, &state, &attempt->header.ranges[EVS_BLOCK_STATE], error);
    }
    if (status == EVS_OK && commit->block_count > 0) {
        store->tail = attempt->header.ranges[EVS_BLOCK_STATE].last;
    }
    return status;
}

static evs_status try_commit(struct evs_redis_store *store, void *argument, struct evs_error *error)
{
    struct attempt *attempt = argument;
    if (!store->located) {
        evs_status status = evs_redis_store_locate(store, error);
        if (status != EVS_OK) {
            return status;
        }
        if (!evs_redis_id_is_zero(attempt->sent_id) && evs_redis_id_compare(store->tail, attempt->sent_id) == 0) {
            return adopt(store, attempt, attempt->sent_id, error);
        }
    }
    attempt->header = (struct evs_redis_header){0};
    evs_status status = stage_all(store, attempt, error);
    if (status != EVS_OK) {
        return status;
    }
    uint64_t used = larger(store->sequences[EVS_BLOCK_STATE], slot_start(attempt->commit));
    attempt->sent_id = (struct evs_redis_id){store->epoch, (used + 1) | EVS_REDIS_SLOT_LAST};
    fill_header(store, attempt->commit, attempt->sent_id, &attempt->header);
    return send_commit(store, attempt, error);
}

/* --- trimming ----------------------------------------------------------------------------------------------------- */

/* The oldest id of a stream that a restore may ask for. */
static struct evs_redis_id keep_from(const struct evs_redis_store *store, enum evs_block_kind kind)
{
    struct evs_redis_id keep = store->commit_id;
    const struct evs_redis_chain *chains = store->commit.chains;
    if (!evs_redis_id_is_zero(chains[kind].first)) {
        keep = chains[kind].first;
    }
    struct evs_redis_id outbox_start = chains[EVS_BLOCK_OUTBOX].start;
    if (kind == EVS_BLOCK_STATE && !evs_redis_id_is_zero(outbox_start) &&
        evs_redis_id_compare(outbox_start, keep) < 0) {
        keep = outbox_start;
    }
    return keep;
}

/* `~` removes whole nodes of the stream, which are single blocks unless those are small, at most a few thousand
 * entries a call: what is left goes with the next commits. */
static void put_trim(struct evs_redis_store *store, enum evs_block_kind kind)
{
    char id[EVS_REDIS_ID_TEXT_BYTES];
    struct evs_slice command[] = {EVS_SLICE("XTRIM"), evs_slice_of(store->keys[kind]), EVS_SLICE("MINID"),
                                  EVS_SLICE("~"), evs_redis_id_text(keep_from(store, kind), id)};
    evs_redis_link_put(store->link, command, EVS_COUNT(command));
}

/* The checkpoint is safe already: a failure here is no failure of the commit, the next one trims again. */
static void trim(struct evs_redis_store *store)
{
    struct evs_error error;
    for (int kind = 0; kind < EVS_BLOCK_KINDS; kind++) {
        if (store->trims[kind]) {
            put_trim(store, kind);
        }
    }
    for (int kind = 0; kind < EVS_BLOCK_KINDS; kind++) {
        redisReply *reply;
        if (!store->trims[kind]) {
            continue;
        }
        if (evs_redis_link_receive(store->link, &reply, &error) != EVS_OK) {
            store->located = false;
            return;
        }
        if (reply->type == REDIS_REPLY_ERROR) {
            evs_log(store->log, EVS_LOG_WARN, "redis_trim", "Redis at %s does not trim %s: %s", store->address.text,
                    store->keys[kind], reply->str);
        }
        store->trims[kind] = reply->type == REDIS_REPLY_INTEGER && reply->integer > 0;
        freeReplyObject(reply);
    }
}

/* --- replicas ----------------------------------------------------------------------------------------------------- */

/* A write that changes nothing: the log's last id is what it is. */
static evs_status write_again(struct evs_redis_store *store, struct evs_error *error)
{
    char id[EVS_REDIS_ID_TEXT_BYTES];
    struct evs_slice command[] = {EVS_SLICE("XSETID"), evs_slice_of(store->keys[EVS_BLOCK_STATE]),
                                  evs_redis_id_text(store->commit_id, id)};
    redisReply *reply;
    evs_status status = evs_redis_store_locate(store, error);
    if (status == EVS_OK) {
        status = evs_redis_store_ask(store, command, EVS_COUNT(command), "write for its replicas", &reply, error);
    }
    if (status == EVS_OK) {
        freeReplyObject(reply);
    }
    return status;
}

/* A server that must have replicas to write confirms nothing alone (exactness, 8): they must have the commit, too. */
static evs_status await_replicas(struct evs_redis_store *store, void *argument, struct evs_error *error)
{
    struct attempt *attempt = argument;
    if (!attempt->written || !store->located) {
        evs_status status = write_again(store, error);
        if (status != EVS_OK) {
            return status;
        }
        attempt->written = true;
    }
    char count[24];
    struct evs_slice command[] = {
        EVS_SLICE("WAIT"),
        {count, (size_t)snprintf(count, sizeof count, "%llu", (unsigned long long)store->facts.replicas)},
        EVS_SLICE("1000")};
    redisReply *reply;
    evs_status status = evs_redis_store_ask(store, command, EVS_COUNT(command), "wait for its replicas", &reply, error);
    if (status != EVS_OK) {
        return status;
    }
    long long have = reply->type == REDIS_REPLY_INTEGER ? reply->integer : 0;
    freeReplyObject(reply);
    if (have >= (long long)store->facts.replicas) {
        return EVS_OK;
    }
    return evs_fail(error, EVS_E_UNREACHABLE,
                    "Checkpoint %llu is written to Redis at %s, but only %lld of the %llu replicas that its "
                    "min-replicas-to-write asks for have it.",
                    (unsigned long long)attempt->commit->checkpoint, store->address.text, have,
                    (unsigned long long)store->facts.replicas);
}

/* --- the slot of the contract ------------------------------------------------------------------------------------- */

static void conclude(struct evs_redis_store *store, const struct attempt *attempt)
{
    struct evs_redis_id kept[EVS_BLOCK_KINDS];
    for (int kind = 0; kind < EVS_BLOCK_KINDS; kind++) {
        kept[kind] = keep_from(store, kind);
    }
    store->has_commit = true;
    store->commit = attempt->header;
    store->commit_id = attempt->sent_id;
    store->floor = store->tail = attempt->sent_id;
    store->sequences[EVS_BLOCK_STATE] = attempt->sent_id.sequence;
    store->located = true;
    take_beginnings(store, attempt->commit);
    for (int kind = 0; kind < EVS_BLOCK_KINDS; kind++) {
        store->trims[kind] = store->trims[kind] || evs_redis_id_compare(kept[kind], keep_from(store, kind)) != 0;
    }
}

evs_status evs_redis_store_commit(void *instance, const struct evs_store_commit *commit, struct evs_error *error)
{
    struct evs_redis_store *store = instance;
    EVS_ASSERT(store->has_term);
    EVS_ASSERT(!store->has_commit || commit->checkpoint > store->commit.checkpoint);
    EVS_ASSERT(commit->state_from <= commit->checkpoint);
    EVS_ASSERT(commit->checkpoint <
               UINT64_C(1) << (53 - EVS_REDIS_SLOT_BITS)); /* exact in the doubles of the server's functions */
    struct attempt attempt = {.commit = commit};
    store->retries = commit->retries;
    evs_status status = evs_redis_store_try(store, try_commit, &attempt, error);
    if (status == EVS_OK) {
        EVS_ASSERT(attempt.done);
        conclude(store, &attempt);
    }
    if (status == EVS_OK && store->facts.replicas > 0) {
        status = evs_redis_store_try(store, await_replicas, &attempt, error);
    }
    store->retries = NULL;
    if (status == EVS_OK) {
        trim(store);
    }
    return status;
}
