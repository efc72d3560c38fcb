/* Restoring: first the chain of commits backwards, then the blocks forwards, each page once.
 *
 *   :log   F  B B B C₁  B B C₂  B(torn)  F  B B C₃  F          the newest F is ours
 *                    ▲──────┴─────prev──────────┘
 *
 * A commit's header names the commit before it and the range, the count and the checksums of its blocks. With the
 * chain in hand, each block that comes by can be judged at once: nothing has to be held back until its commit
 * appears, and blocks of torn or abandoned attempts are skipped. The commit before is asked for by arithmetic, many
 * at a time (its id is one slot lower unless the term has changed); the header's own word decides. */
#include <stdio.h>

#include "redis_store.h"

#define WALK_AHEAD 32         /* commits asked for at once */
#define PAGE_BYTES (2u << 20) /* a page is whole in memory on both sides */
#define PAGE_ENTRIES_MAX 256

struct link_of_chain { /* one commit, as far as the blocks need it */
    struct evs_redis_id id;
    uint64_t checkpoint;
    char owner[EVS_REDIS_NONCE_DIGITS];
    struct evs_redis_range ranges[EVS_BLOCK_KINDS];
};

struct restoration {
    struct link_of_chain *links; /* newest first */
    uint32_t count, capacity;
    struct evs_redis_id wanted; /* the next commit backwards */
    struct evs_redis_id oldest; /* where the walk ends */
    evs_status (*take)(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                       struct evs_error *error);
    void *argument;

    /* the pass over one stream */
    enum evs_block_kind kind;
    uint32_t index;           /* links[index - 1] is the commit whose range is being read; 0: all are done */
    uint32_t seen, crc;       /* of its blocks */
    struct evs_redis_id next; /* the first id of the next page */
    struct evs_redis_id end;
    uint32_t page_entries;
};

/* --- the chain, backwards ----------------------------------------------------------------------------------------- */

static void put_walk(struct evs_redis_store *store, struct evs_redis_id id)
{
    char text[EVS_REDIS_ID_TEXT_BYTES];
    struct evs_slice at = evs_redis_id_text(id, text);
    struct evs_slice command[] = {EVS_SLICE("XRANGE"), evs_slice_of(store->keys[EVS_BLOCK_STATE]), at, at};
    evs_redis_link_put(store->link, command, EVS_COUNT(command));
}

static evs_status take_link(struct evs_redis_store *store, struct restoration *all, const redisReply *reply,
                            struct evs_error *error)
{
    struct evs_redis_header header;
    struct evs_redis_entry entry;
    evs_status status = evs_redis_store_parse_commit(store, reply, all->wanted, &header, &entry, error);
    if (status != EVS_OK) {
        return status;
    }
    if (all->count > 0 && header.checkpoint >= all->links[all->count - 1].checkpoint) {
        return evs_redis_store_damaged(store, error, "the commits do not follow each other");
    }
    struct link_of_chain made = {.id = all->wanted, .checkpoint = header.checkpoint};
    memcpy(made.owner, entry.owner.data, sizeof made.owner);
    memcpy(made.ranges, header.ranges, sizeof made.ranges);
    EVS_GROW(all->links, all->count, all->capacity);
    all->links[all->count++] = made;
    bool is_oldest = evs_redis_id_compare(all->wanted, all->oldest) == 0;
    all->wanted = is_oldest ? (struct evs_redis_id){0} : header.previous;
    if (!is_oldest && evs_redis_id_compare(all->wanted, all->oldest) < 0) {
        return evs_redis_store_damaged(store, error, "the chain of commits misses the one that it begins with");
    }
    return EVS_OK;
}

/* One round trip: the wanted commit and those that probably come before it. */
static evs_status walk_some(struct evs_redis_store *store, void *argument, struct evs_error *error)
{
    struct restoration *all = argument;
    struct evs_redis_id guesses[WALK_AHEAD] = {all->wanted};
    uint32_t count = 1;
    put_walk(store, guesses[0]);
    while (count < WALK_AHEAD && guesses[count - 1].sequence > 2 * EVS_REDIS_SLOT_LAST) {
        guesses[count] = (struct evs_redis_id){guesses[0].ms, guesses[count - 1].sequence - EVS_REDIS_SLOT_LAST - 1};
        put_walk(store, guesses[count++]);
    }
    for (uint32_t i = 0; i < count; i++) {
        redisReply *reply;
        evs_status status = evs_redis_link_receive(store->link, &reply, error);
        if (status != EVS_OK) {
            return status;
        }
        if (reply->type == REDIS_REPLY_ERROR) {
            status = evs_redis_link_refused(store->link, "read the chain of commits", reply->str, error);
        } else if (evs_redis_id_compare(guesses[i], all->wanted) == 0) {
            status = take_link(store, all, reply, error);
        }
        freeReplyObject(reply);
        if (status != EVS_OK) {
            return status;
        }
    }
    return EVS_OK;
}

static struct evs_redis_id oldest_start(const struct evs_redis_store *store)
{
    struct evs_redis_id oldest = {0};
    for (int kind = 0; kind < EVS_BLOCK_KINDS; kind++) {
        struct evs_redis_id start = store->commit.chains[kind].start;
        bool is_older = evs_redis_id_is_zero(oldest) || evs_redis_id_compare(start, oldest) < 0;
        oldest = !evs_redis_id_is_zero(start) && is_older ? start : oldest;
    }
    return oldest;
}

/* The walk has seen the headers that the next commits need (redis_commit.c, state_chain). */
static void note_beginnings(struct evs_redis_store *store, const struct restoration *all)
{
    struct evs_redis_id start = store->commit.chains[EVS_BLOCK_STATE].start;
    store->beginning_first = store->beginning_count = 0;
    store->knows_beginnings = true;
    for (uint32_t i = all->count; i-- > 0 && !evs_redis_id_is_zero(start);) {
        const struct link_of_chain *link = &all->links[i];
        const struct evs_redis_range *range = &link->ranges[EVS_BLOCK_STATE];
        if (range->count > 0 && evs_redis_id_compare(link->id, start) >= 0) {
            evs_redis_store_begin(store, link->checkpoint, (struct evs_redis_chain){link->id, range->first});
        }
    }
}

static evs_status walk(struct evs_redis_store *store, struct restoration *all, struct evs_error *error)
{
    all->oldest = oldest_start(store);
    all->wanted = evs_redis_id_is_zero(all->oldest) ? all->oldest : store->commit_id;
    while (!evs_redis_id_is_zero(all->wanted)) {
        evs_status status = evs_redis_store_try(store, walk_some, all, error);
        if (status != EVS_OK) {
            return status;
        }
    }
    note_beginnings(store, all);
    return EVS_OK;
}

/* --- the blocks, forwards ----------------------------------------------------------------------------------------- */

static const struct evs_redis_range *range_now(const struct restoration *all)
{
    EVS_ASSERT(all->index > 0);
    return &all->links[all->index - 1].ranges[all->kind];
}

static evs_status missing_block(struct evs_redis_store *store, const struct restoration *all, struct evs_error *error)
{
    const struct evs_redis_range *range = range_now(all);
    char id[EVS_REDIS_ID_TEXT_BYTES];
    evs_redis_id_text((struct evs_redis_id){range->first.ms, range->first.sequence + all->seen}, id);
    return evs_redis_store_damaged(store, error, "%s lacks the block %s of checkpoint %llu, one of %u",
                                   store->keys[all->kind], id,
                                   (unsigned long long)all->links[all->index - 1].checkpoint, range->count);
}

/* Goes to the next commit of the chain that has blocks of this kind. */
static evs_status finish_range(struct evs_redis_store *store, struct restoration *all, struct evs_error *error)
{
    const struct evs_redis_range *range = range_now(all);
    if (all->seen != range->count) {
        return missing_block(store, all, error);
    }
    if (all->crc != range->crc) {
        return evs_redis_store_damaged(store, error, "the blocks of checkpoint %llu do not have its checksum",
                                       (unsigned long long)all->links[all->index - 1].checkpoint);
    }
    all->seen = all->crc = 0;
    do {
        all->index--;
    } while (all->index > 0 && range_now(all)->count == 0);
    return EVS_OK;
}

static evs_status take_block(struct evs_redis_store *store, struct restoration *all,
                             const struct evs_redis_entry *entry, struct evs_error *error)
{
    const struct link_of_chain *link = &all->links[all->index - 1];
    struct evs_slice block = evs_redis_entry_field(entry, "b");
    struct evs_slice stored = evs_redis_entry_field(entry, "c");
    uint32_t crc = evs_crc32c(0, block.data, block.count);
    char crc_text[16];
    struct evs_slice computed = {crc_text, (size_t)snprintf(crc_text, sizeof crc_text, "%08x", crc)};
    bool is_of_owner = memcmp(entry->owner.data, link->owner, sizeof link->owner) == 0;
    if (entry->kind != 'B' || !is_of_owner || block.data == NULL || !evs_slice_equal(stored, computed)) {
        char id[EVS_REDIS_ID_TEXT_BYTES];
        evs_redis_id_text(entry->id, id);
        return evs_redis_store_damaged(store, error, "the entry %s of %s is not the block that checkpoint %llu wrote",
                                       id, store->keys[all->kind], (unsigned long long)link->checkpoint);
    }
    all->seen++;
    all->crc = evs_redis_range_crc(all->crc, crc);
    return all->take(all->argument, all->kind, link->checkpoint, block, error);
}

static evs_status take_entry(struct evs_redis_store *store, struct restoration *all, const redisReply *reply,
                             struct evs_error *error)
{
    struct evs_redis_entry entry;
    if (!evs_redis_entry_read(reply, &entry)) {
        return evs_redis_store_damaged(store, error, "%s holds an entry of another program", store->keys[all->kind]);
    }
    while (all->index > 0 && evs_redis_id_compare(entry.id, range_now(all)->last) > 0) {
        evs_status status = finish_range(store, all, error);
        if (status != EVS_OK) {
            return status;
        }
    }
    all->next = (struct evs_redis_id){entry.id.ms, entry.id.sequence + 1};
    if (all->index == 0 || evs_redis_id_compare(entry.id, range_now(all)->first) < 0) {
        return EVS_OK; /* a commit, a take-over, a block of an abandoned attempt */
    }
    if (entry.id.sequence != range_now(all)->first.sequence + all->seen) {
        return missing_block(store, all, error);
    }
    return take_block(store, all, &entry, error);
}

static evs_status take_page(struct evs_redis_store *store, struct restoration *all, const redisReply *reply,
                            struct evs_error *error)
{
    if (reply->type != REDIS_REPLY_ARRAY) {
        return evs_redis_store_damaged(store, error, "%s is not a stream", store->keys[all->kind]);
    }
    evs_status status = EVS_OK;
    for (size_t i = 0; i < reply->elements && status == EVS_OK; i++) {
        status = take_entry(store, all, reply->element[i], error);
    }
    if (reply->elements < all->page_entries) {
        all->next = (struct evs_redis_id){UINT64_MAX, UINT64_MAX}; /* that was the last page */
    }
    return status;
}

struct page {
    struct restoration *all;
    redisReply *reply;
};

static evs_status ask_page(struct evs_redis_store *store, void *argument, struct evs_error *error)
{
    struct page *page = argument;
    char from[EVS_REDIS_ID_TEXT_BYTES], to[EVS_REDIS_ID_TEXT_BYTES], count[16];
    struct evs_slice count_slice = {count, (size_t)snprintf(count, sizeof count, "%u", page->all->page_entries)};
    struct evs_slice command[] = {EVS_SLICE("XRANGE"),
                                  evs_slice_of(store->keys[page->all->kind]),
                                  evs_redis_id_text(page->all->next, from),
                                  evs_redis_id_text(page->all->end, to),
                                  EVS_SLICE("COUNT"),
                                  count_slice};
    return evs_redis_store_ask(store, command, EVS_COUNT(command), "read the state", &page->reply, error);
}

/* Pages are as large as the largest block allows. */
static void begin_pass(const struct evs_redis_store *store, struct restoration *all, enum evs_block_kind kind)
{
    const struct evs_redis_chain *chain = &store->commit.chains[kind];
    uint32_t bytes_max = 1;
    all->kind = kind;
    all->index = all->seen = all->crc = 0;
    all->end = (struct evs_redis_id){0};
    for (uint32_t i = 0; i < all->count && !evs_redis_id_is_zero(chain->start); i++) {
        const struct evs_redis_range *range = &all->links[i].ranges[kind];
        if (range->count > 0 && evs_redis_id_compare(all->links[i].id, chain->start) >= 0) {
            bytes_max = range->bytes_max > bytes_max ? range->bytes_max : bytes_max;
            all->end = all->index == 0 ? range->last : all->end; /* newest first */
            all->index = i + 1;
        }
    }
    all->next = chain->first;
    all->page_entries = PAGE_BYTES / bytes_max < PAGE_ENTRIES_MAX ? PAGE_BYTES / bytes_max : PAGE_ENTRIES_MAX;
    EVS_ASSERT(all->page_entries >= PAGE_BYTES / EVS_BLOCK_BYTES);
}

static evs_status pass(struct evs_redis_store *store, struct restoration *all, enum evs_block_kind kind,
                       struct evs_error *error)
{
    begin_pass(store, all, kind);
    evs_status status = EVS_OK;
    while (status == EVS_OK && all->index > 0 && evs_redis_id_compare(all->next, all->end) <= 0) {
        struct page page = {.all = all};
        status = evs_redis_store_try(store, ask_page, &page, error);
        if (status == EVS_OK) {
            status = take_page(store, all, page.reply, error);
            freeReplyObject(page.reply);
        }
    }
    while (status == EVS_OK && all->index > 0) {
        status = finish_range(store, all, error);
    }
    return status;
}

/* --- the slot of the contract ------------------------------------------------------------------------------------- */

static evs_status look(struct evs_redis_store *store, void *argument, struct evs_error *error)
{
    (void)argument;
    return evs_redis_store_locate(store, error);
}

/* What looks damaged may be the work of a new owner, who trims, or of a server that came back without its newest
 * entries. */
static evs_status explain_damage(struct evs_redis_store *store, struct evs_error *error)
{
    struct evs_error why;
    evs_status status = evs_redis_store_try(store, look, NULL, &why);
    return status == EVS_E_FENCED || status == EVS_E_GAP ? evs_fail(error, status, "%s", why.text) : EVS_E_STATE;
}

static evs_status read_chain(struct evs_redis_store *store, evs_store_take_block *take, void *argument,
                             struct evs_error *error)
{
    struct restoration all = {.take = take, .argument = argument};
    evs_status status = walk(store, &all, error);
    if (status == EVS_OK) {
        status = pass(store, &all, EVS_BLOCK_STATE, error);
    }
    if (status == EVS_OK) {
        status = pass(store, &all, EVS_BLOCK_OUTBOX, error);
    }
    evs_free(all.links);
    return status;
}

evs_status evs_redis_store_restore(void *instance,
                                   evs_status (*take)(void *argument, enum evs_block_kind kind, uint64_t checkpoint,
                                                      struct evs_slice block, struct evs_error *error),
                                   void *argument, struct evs_error *error)
{
    struct evs_redis_store *store = instance;
    EVS_ASSERT(store->has_term && take != NULL);
    evs_status status = store->has_commit ? read_chain(store, take, argument, error) : EVS_OK;
    return status == EVS_E_STATE ? explain_damage(store, error) : status;
}

evs_status evs_redis_store_read(struct evs_redis_store *store, evs_store_take_block *take, void *argument,
                                struct evs_error *error)
{
    EVS_ASSERT(!store->has_term && store->has_commit);
    evs_status status = read_chain(store, take, argument, error);
    if (status != EVS_E_STATE) {
        return status;
    }
    struct evs_redis_id seen = store->commit_id;
    struct evs_store_terms terms;
    struct evs_error why;
    bool has_moved = evs_redis_store_look(store, &terms, &why) == EVS_OK && store->has_commit &&
                     evs_redis_id_compare(store->commit_id, seen) > 0;
    return has_moved ? evs_fail(error, EVS_E_GAP, "The engine has gone on while its state was read.") : EVS_E_STATE;
}
