/* The Redis store on a real server: what is committed comes back; who may write; what is refused. */
#include <check.h>
#include <stdlib.h>

#include "store_fixture.h"
#include "store_redis.h"

/* --- in peace ----------------------------------------------------------------------------------------------------- */

START_TEST(first_start_has_no_commit)
{
    void *store = open_at(server.url, SECOND);
    struct evs_store_terms terms = acquire(store);
    ck_assert(!terms.has_commit);
    ck_assert_uint_gt(terms.epoch, UINT64_C(1600000000000)); /* the server's time */
    ck_assert_uint_ne(terms.nonce, 0);
    ck_assert_int_eq(oracle_restore(&oracle, store, &error), EVS_OK);
    ck_assert_int_eq(evs_store_redis.confirm(store, &error), EVS_OK);
    evs_store_redis.close(store);
}
END_TEST

START_TEST(commits_come_back)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 1, .block_bytes = 100});
    must_commit(store, (struct oracle_commit){.seed = 2}); /* nothing changed */
    must_commit(store, (struct oracle_commit){.blocks = 40, .seed = 3, .block_bytes = EVS_BLOCK_BYTES});
    must_commit(store, (struct oracle_commit){.blocks = 1200, .outbox = 5, .seed = 4, .block_bytes = 500});
    must_commit(store, (struct oracle_commit){.outbox = 2, .seed = 5, .block_bytes = 4000});
    evs_store_redis.close(store);
    store = check_restore(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 2, .outbox = 1, .seed = 6, .block_bytes = 10});
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

START_TEST(tcp_database_and_password)
{
    server_redis_tell(&server, "ACL SETUSER evs on >p%%40ss ~* +@all");
    server_redis_tell(&server, "CONFIG SET requirepass secret");
    char url[128];
    snprintf(url, sizeof url, "redis://evs:p%%2540ss@127.0.0.1:%d/3", server.port);
    void *store = open_and_acquire(url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 1, .block_bytes = 100});
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(url));
    server_redis_tell(&server, "SELECT 3");
    ck_assert_int_gt(server_redis_length(&server, LOG), 4);
}
END_TEST

/* A server whose clock is behind the streams: a failover to a machine with another time. */
START_TEST(epochs_rise_above_both_streams)
{
    void *store = open_and_acquire(server.url);
    evs_store_redis.close(store);
    server_redis_tell(&server, "FCALL evs1_raise 1 " LOG " 9000000000000");
    store = open_and_acquire(server.url);
    ck_assert_uint_eq(acquire(store).epoch, UINT64_C(9000000000002)); /* the second take-over */
    server_redis_tell(&server, "FCALL evs1_raise 1 " OB " 9000000000100");
    ck_assert_uint_eq(acquire(store).epoch, UINT64_C(9000000000101));
    redisReply *last = server_redis_ask(&server, "FCALL evs1_raise 1 " OB " 5"); /* never lowers */
    ck_assert_str_eq(last->str, "9000000000101-0");
    freeReplyObject(last);
    must_commit(store, (struct oracle_commit){.blocks = 3, .outbox = 2, .seed = 1, .block_bytes = 100});
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

START_TEST(snapshot_replaces_and_trims)
{
    void *store = open_and_acquire(server.url);
    for (uint64_t i = 0; i < 20; i++) {
        must_commit(store, (struct oracle_commit){.blocks = 5, .outbox = 3, .seed = i, .block_bytes = 20000});
    }
    long long log_before = server_redis_length(&server, LOG), ob_before = server_redis_length(&server, OB);
    must_commit(store, (struct oracle_commit){
                           .blocks = 4, .outbox = 1, .seed = 50, .block_bytes = 20000, .snapshot_starts = true});
    ck_assert_int_ge(server_redis_length(&server, LOG), 20); /* the outbox still needs the old commits */
    must_commit(store, (struct oracle_commit){
                           .blocks = 4, .outbox = 2, .seed = 51, .block_bytes = 20000, .outbox_restart = true});
    must_commit(store, (struct oracle_commit){.blocks = 1, .seed = 52, .block_bytes = 20000});
    ck_assert_int_lt(server_redis_length(&server, LOG), log_before / 3);
    ck_assert_int_lt(server_redis_length(&server, OB), ob_before / 3);
    evs_store_redis.close(store);
    store = check_restore(server.url);
    must_commit(store,
                (struct oracle_commit){.seed = 53, .snapshot_starts = true, .outbox_restart = true}); /* all gone */
    evs_store_redis.close(store);
    store = check_restore(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 2, .outbox = 2, .seed = 54, .block_bytes = 100});
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

/* The state's beginning moves on with each commit, also in the term of another owner. */
START_TEST(rolling_state_is_trimmed)
{
    const struct oracle_commit shape = {.blocks = 3, .block_bytes = 20000, .state_keeps = 10, .outbox_restart = true};
    void *store = open_and_acquire(server.url);
    for (uint64_t i = 0; i < 100; i++) {
        must_commit(store, shape);
        ck_assert_int_le(server_redis_length(&server, LOG), 12 * 4 + 8); /* takes-over apart, and small nodes */
        if (i % 30 == 7) {
            evs_store_redis.close(store);
            store = check_restore(server.url);
        }
    }
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

/* A look takes nothing from the owner, and sees the last commit between blocks that have none. */
START_TEST(peek_fences_nobody)
{
    struct evs_store_terms seen;
    void *owner = open_and_acquire(server.url);
    void *other = open_at(server.url, SECOND);
    ck_assert_int_eq(evs_store_redis.peek(other, &seen, &error), EVS_OK);
    ck_assert(!seen.has_commit);
    for (uint64_t i = 1; i < 4; i++) {
        must_commit(owner,
                    (struct oracle_commit){.blocks = 2, .seed = i, .block_bytes = 9000, .snapshot_starts = true});
        ck_assert_int_eq(evs_store_redis.peek(other, &seen, &error), EVS_OK);
        oracle_accept(&oracle, &seen);
        ck_assert_uint_eq(seen.checkpoint, i);
    }
    server_redis_tell(&server, "XADD " LOG " * t B o 0123456789abcdef c 00000000 b torn");
    ck_assert_int_eq(evs_store_redis.peek(other, &seen, &error), EVS_OK);
    ck_assert_uint_eq(seen.checkpoint, 3);
    evs_store_redis.close(owner);
    evs_store_redis.close(other);
}
END_TEST

START_TEST(log_of_empty_commits_stays_small)
{
    void *store = open_and_acquire(server.url);
    for (uint64_t i = 0; i < 1000; i++) {
        must_commit(store, (struct oracle_commit){.seed = i});
    }
    ck_assert_int_lt(server_redis_length(&server, LOG), 250); /* nodes of 100 entries */
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

/* The walk backwards crosses terms and is longer than one round trip. */
START_TEST(long_chain_over_many_terms)
{
    void *store = open_and_acquire(server.url);
    for (uint64_t i = 0; i < 200; i++) {
        must_commit(store, (struct oracle_commit){.blocks = i % 3, .outbox = i % 2, .seed = i, .block_bytes = 300});
        if (i % 37 == 36) {
            evs_store_redis.close(store);
            store = check_restore(server.url);
        }
    }
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

/* A block behind the newest entry, as an engine leaves it that dies while it stages. */
static void leave_torn_block(void)
{
    redisReply *newest = server_redis_ask(&server, "XREVRANGE %s + - COUNT 1", LOG);
    char *rest = NULL;
    unsigned long long epoch = strtoull(newest->element[0]->element[0]->str, &rest, 10);
    unsigned long long sequence = strtoull(rest + 1, NULL, 10);
    server_redis_tell(&server, "XADD " LOG " %llu-%llu t B o 0123456789abcdef c 0 b torn", epoch, sequence + 1);
    freeReplyObject(newest);
}

/* More blocks than a slot has numbers: the slots run ahead of the checkpoints, and are found all the same. */
START_TEST(more_blocks_than_a_slot)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 2, .seed = 1, .block_bytes = 8});
    must_commit(store, (struct oracle_commit){.blocks = 66000, .outbox = 1, .seed = 2, .block_bytes = 8});
    leave_torn_block();
    evs_store_redis.close(store);
    store = check_restore(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 1, .seed = 3, .block_bytes = 8});
    must_commit(store, (struct oracle_commit){.outbox = 1, .seed = 4, .block_bytes = 8});
    evs_store_redis.close(store);
    store = check_restore(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 1, .seed = 6, .block_bytes = 8});
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

START_TEST(groups_and_pipelines_are_apart)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 1, .block_bytes = 100});
    void *other = NULL;
    struct evs_store_open open = {.os = evs_os_system(), .url = server.url, .pipeline = "clicks", .group = "1"};
    ck_assert_int_eq(evs_store_redis.open(&open, &other, &error), EVS_OK);
    ck_assert(!acquire(other).has_commit);
    must_commit(store, (struct oracle_commit){.blocks = 1, .seed = 2, .block_bytes = 100});
    evs_store_redis.close(other);
    evs_store_redis.close(store);
}
END_TEST

START_TEST(durability_is_told)
{
    void *store = open_at(server.url, SECOND);
    struct evs_store_terms terms = acquire(store);
    ck_assert_int_eq(terms.confirm_delay_us, 3 * SECOND);
    ck_assert_ptr_nonnull(strstr(terms.durability, "everysec"));
    server_redis_tell(&server, "CONFIG SET appendfsync always");
    terms = acquire(store);
    ck_assert_int_eq(terms.confirm_delay_us, 0);
    ck_assert_str_eq(terms.durability, "appendonly yes, appendfsync always");
    server_redis_tell(&server, "ACL SETUSER default -config");
    terms = acquire(store);
    ck_assert_int_eq(terms.confirm_delay_us, 3 * SECOND);
    ck_assert_ptr_nonnull(strstr(terms.durability, "unknown"));
    evs_store_redis.close(store);
}
END_TEST

/* The rules that README.md lists are enough. */
START_TEST(documented_access_rules_suffice)
{
    server_redis_tell(
        &server, "ACL SETUSER evs on >pw resetkeys ~evs:* resetchannels -@all +xadd +xrange +xrevrange +xtrim +xsetid "
                 "+xinfo|stream +fcall +time +function|load +ping +info +client|setname +select");
    char url[128];
    snprintf(url, sizeof url, "redis://evs:pw@127.0.0.1:%d", server.port);
    void *store = open_and_acquire(url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .outbox = 1, .seed = 1, .block_bytes = 9000});
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 2, .block_bytes = 9000, .snapshot_starts = true});
    ck_assert_int_eq(evs_store_redis.confirm(store, &error), EVS_OK);
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(url));
}
END_TEST

/* --- owners ------------------------------------------------------------------------------------------------------- */

START_TEST(second_owner_fences_the_first)
{
    void *first = open_and_acquire(server.url);
    must_commit(first, (struct oracle_commit){.blocks = 3, .seed = 1, .block_bytes = 100});
    void *second = check_restore(server.url);
    ck_assert_int_eq(evs_store_redis.confirm(first, &error), EVS_E_FENCED);
    check_text("Another engine");
    evs_status status = oracle_commit(
        &oracle, first, (struct oracle_commit){.blocks = 2, .outbox = 1, .seed = 2, .block_bytes = 100}, &error);
    ck_assert_int_eq(status, EVS_E_FENCED);
    status = oracle_commit(&oracle, first, (struct oracle_commit){.seed = 3},
                           &error); /* without blocks only the function can refuse */
    ck_assert_int_eq(status, EVS_E_FENCED);
    must_commit(second, (struct oracle_commit){.blocks = 2, .seed = 4, .block_bytes = 100});
    evs_store_redis.close(first);
    evs_store_redis.close(second);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

/* --- refusals that stay ------------------------------------------------------------------------------------------- */

static evs_status acquire_status(const char *url, int64_t retry_us)
{
    void *store = open_at(url, retry_us);
    struct evs_store_terms terms;
    evs_status status = evs_store_redis.acquire(store, &terms, &error);
    evs_store_redis.close(store);
    return status;
}

START_TEST(wrong_password_is_final_and_not_told)
{
    server_redis_tell(&server, "CONFIG SET requirepass right-secret");
    char url[128];
    snprintf(url, sizeof url, "redis://:wrong-secret@127.0.0.1:%d", server.port);
    ck_assert_int_eq(acquire_status(url, 600 * SECOND), EVS_E_REFUSED);
    check_text("password");
    ck_assert_ptr_null(strstr(error.text, "secret"));
    ck_assert_int_eq(acquire_status(server.tcp_url, 600 * SECOND), EVS_E_REFUSED);
    check_text("wants a password");
}
END_TEST

START_TEST(eviction_is_refused)
{
    server_redis_tell(&server, "CONFIG SET maxmemory-policy allkeys-lru");
    ck_assert_int_eq(acquire_status(server.url, 600 * SECOND), EVS_E_REFUSED);
    check_text("noeviction");
}
END_TEST

START_TEST(replica_is_refused)
{
    server_redis_tell(&server, "REPLICAOF 127.0.0.1 1");
    ck_assert_int_eq(acquire_status(server.url, 600 * SECOND), EVS_E_REFUSED);
    check_text("master");
}
END_TEST

START_TEST(missing_permission_is_told)
{
    server_redis_tell(&server, "ACL SETUSER default -xadd");
    ck_assert_int_eq(acquire_status(server.url, 600 * SECOND), EVS_E_REFUSED);
    check_text("ACL");
}
END_TEST

START_TEST(other_key_in_the_way)
{
    server_redis_tell(&server, "SET " LOG " text");
    ck_assert_int_eq(acquire_status(server.url, 600 * SECOND), EVS_E_STATE);
    check_text("stream");
}
END_TEST

START_TEST(unreachable_ends_with_the_retry_time)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 1, .block_bytes = 100});
    server_redis_kill(&server);
    evs_store_redis.close(store);
    ck_assert_int_eq(acquire_status(server.url, SECOND / 5), EVS_E_UNREACHABLE);
    check_text("cannot be reached");
    ck_assert_int_eq(acquire_status(server.tcp_url, SECOND / 5), EVS_E_UNREACHABLE);
    check_text("retries is over");
}
END_TEST

START_TEST(wrong_urls_are_usage)
{
    static const char *const urls[] = {
        "http://x",        "redis://",      "redis://h:0",   "redis://h:70000", "redis://h/x",
        "unix://relative", "unix:///s?x=1", "redis://%zz@h", "rediss://h",      ""};
    for (size_t i = 0; i < EVS_COUNT(urls); i++) {
        void *store = NULL;
        struct evs_store_open open = {.os = evs_os_system(), .url = urls[i], .pipeline = "p", .group = "0"};
        ck_assert_int_eq(evs_store_redis.open(&open, &store, &error), EVS_E_USAGE);
        ck_assert_ptr_null(store);
    }
}
END_TEST

/* --- lost and damaged --------------------------------------------------------------------------------------------- */

START_TEST(lost_tail_is_a_gap)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .outbox = 1, .seed = 1, .block_bytes = 500});
    must_commit(store, (struct oracle_commit){.blocks = 1, .seed = 2, .block_bytes = 500});
    server_redis_kill(&server);
    long before = server_redis_file_bytes(&server);
    server_redis_restart(&server);
    must_commit(store, (struct oracle_commit){.blocks = 3, .outbox = 1, .seed = 3, .block_bytes = 500});
    server_redis_kill(&server);
    server_redis_cut(&server, server_redis_file_bytes(&server) - before); /* checkpoint 3 never was */
    server_redis_restart(&server);
    evs_status status =
        oracle_commit(&oracle, store, (struct oracle_commit){.blocks = 1, .seed = 4, .block_bytes = 500}, &error);
    ck_assert_int_eq(status, EVS_E_GAP);
    struct evs_store_terms terms = acquire(store);
    ck_assert_uint_eq(terms.checkpoint, 2);
    oracle_accept(&oracle, &terms);
    ck_assert_int_eq(oracle_restore(&oracle, store, &error), EVS_OK);
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 5, .block_bytes = 500});
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

static void *open_with_followers(const char *fsync)
{
    void *store = NULL;
    server_redis_tell(&server, "CONFIG SET appendfsync %s", fsync);
    struct evs_store_open open = {.os = evs_os_system(),
                                  .url = server.url,
                                  .pipeline = "clicks",
                                  .group = "0",
                                  .has_followers = true,
                                  .retry_us = 20 * SECOND};
    ck_assert_int_eq(evs_store_redis.open(&open, &store, &error), EVS_OK);
    oracle_accept(&oracle, &(struct evs_store_terms){0});
    ck_assert_int_eq(acquire(store).forgets, strcmp(fsync, "always") != 0);
    return store;
}

/* The log is whole after the restart. What sinks had written behind it may not be, so the last commit is what counts; unless every reply was synced. */
START_TEST(a_restart_is_a_gap_for_rows_behind_the_log)
{
    static const struct {
        const char *fsync;
        evs_status status;
    } cases[] = {{"everysec", EVS_E_GAP}, {"no", EVS_E_GAP}, {"always", EVS_OK}};
    void *store = open_with_followers(cases[_i].fsync);
    must_commit(store, (struct oracle_commit){.blocks = 3, .outbox = 1, .seed = 1, .block_bytes = 500});
    server_redis_tell(&server, "CLIENT KILL TYPE normal"); /* a connection that broke is no restart */
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 2, .block_bytes = 500});
    server_redis_kill(&server);
    server_redis_restart(&server);
    evs_status status =
        oracle_commit(&oracle, store, (struct oracle_commit){.blocks = 1, .seed = 3, .block_bytes = 500}, &error);
    ck_assert_int_eq(status, cases[_i].status);
    if (status == EVS_E_GAP) {
        check_text("started again");
        struct evs_store_terms terms = acquire(store);
        oracle_accept(&oracle, &terms);
        ck_assert_int_eq(oracle_restore(&oracle, store, &error), EVS_OK);
        must_commit(store, (struct oracle_commit){.blocks = 1, .seed = 4, .block_bytes = 500}); /* once is enough */
    }
    evs_store_redis.close(store);
    evs_store_redis.close(check_restore(server.url));
}
END_TEST

START_TEST(deleted_log_is_no_first_start)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 3, .seed = 1, .block_bytes = 500});
    server_redis_tell(&server, "FLUSHALL");
    ck_assert_int_eq(evs_store_redis.confirm(store, &error), EVS_E_GAP);
    evs_status status =
        oracle_commit(&oracle, store, (struct oracle_commit){.blocks = 1, .seed = 4, .block_bytes = 500}, &error);
    ck_assert_int_eq(status, EVS_E_GAP);
    struct evs_store_terms terms;
    ck_assert_int_eq(evs_store_redis.acquire(store, &terms, &error), EVS_E_STATE);
    check_text("deleted");
    evs_store_redis.close(store);
}
END_TEST

/* Writes the stream again entry by entry, changed by `change`. */
static void rewrite(const char *key, bool (*change)(redisReply *entry, unsigned number))
{
    redisReply *all = server_redis_ask(&server, "XRANGE %s - +", key);
    server_redis_tell(&server, "DEL %s", key);
    for (size_t i = 0; i < all->elements; i++) {
        redisReply *fields = all->element[i]->element[1];
        if (!change(all->element[i], (unsigned)i)) {
            continue;
        }
        const char *arguments[20] = {"XADD", key, all->element[i]->element[0]->str};
        size_t counts[20] = {4, strlen(key), strlen(arguments[2])};
        ck_assert_uint_le(fields->elements + 3, 20);
        for (size_t f = 0; f < fields->elements; f++) {
            arguments[f + 3] = fields->element[f]->str;
            counts[f + 3] = (size_t)fields->element[f]->len;
        }
        redisReply *reply = redisCommandArgv(server.context, (int)fields->elements + 3, arguments, counts);
        ck_assert(reply != NULL && reply->type != REDIS_REPLY_ERROR);
        freeReplyObject(reply);
    }
    freeReplyObject(all);
}

static redisReply *field(redisReply *entry, const char *name)
{
    redisReply *fields = entry->element[1];
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        if (strcmp(fields->element[i]->str, name) == 0) {
            return fields->element[i + 1];
        }
    }
    return NULL;
}

static bool flip_block(redisReply *entry, unsigned number)
{
    redisReply *block = field(entry, "b");
    if (number == 2) {
        ck_assert(block != NULL && block->len > 0);
        block->str[block->len / 2] ^= 1;
    }
    return true;
}

static bool flip_block_and_checksum(redisReply *entry, unsigned number)
{
    if (number == 2) {
        flip_block(entry, number);
        redisReply *block = field(entry, "b"), *crc = field(entry, "c");
        snprintf(crc->str, (size_t)crc->len + 1, "%08x", evs_crc32c(0, block->str, (size_t)block->len));
    }
    return true;
}

static bool drop_block(redisReply *entry, unsigned number)
{
    (void)entry;
    return number != 2;
}

static bool drop_last_block(redisReply *entry, unsigned number)
{
    (void)entry;
    return number != 4;
}

static bool change_owner(redisReply *entry, unsigned number)
{
    if (number == 2) {
        redisReply *owner = field(entry, "o");
        owner->str[0] = owner->str[0] == '0' ? '1' : '0';
    }
    return true;
}

static bool drop_first_commit(redisReply *entry, unsigned number)
{
    return !(field(entry, "t")->str[0] == 'C' && number < 6);
}

static bool flip_header(redisReply *entry, unsigned number)
{
    redisReply *header = field(entry, "h");
    if (header != NULL && number < 6) {
        header->str[10] ^= 1;
    }
    return true;
}

static bool flip_record(redisReply *entry, unsigned number)
{
    (void)number;
    redisReply *record = field(entry, "r");
    if (record != NULL) {
        record->str[0] ^= 1;
    }
    return true;
}

static const struct {
    const char *key;
    bool (*change)(redisReply *entry, unsigned number);
    const char *text;
    bool at_acquire;
} damages[] = {
    {LOG, flip_block, "is not the block that checkpoint 1 wrote", false},
    {LOG, flip_block_and_checksum, "do not have its checksum", false},
    {LOG, drop_block, "lacks the block", false},
    {LOG, drop_last_block, "lacks the block", false},
    {LOG, change_owner, "is not the block", false},
    {LOG, drop_first_commit, "is missing", false},
    {LOG, flip_header, "does not decode", false},
    {LOG, flip_record, "the record of checkpoint 2", true},
    {OB, flip_block, "is not the block that checkpoint 1 wrote", false},
    {OB, drop_block, "lacks the block", false},
};

static evs_status take_anything(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                                struct evs_error *e)
{
    (void)argument;
    (void)kind;
    (void)checkpoint;
    (void)block;
    (void)e;
    return EVS_OK;
}

/* log: F B B B B C B B C; ob: B B B B B B */
START_TEST(damage_is_refused)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 4, .outbox = 4, .seed = 7, .block_bytes = 500});
    must_commit(store, (struct oracle_commit){.blocks = 2, .outbox = 2, .seed = 8, .block_bytes = 500});
    evs_store_redis.close(store);
    rewrite(damages[_i].key, damages[_i].change);
    store = open_at(server.url, SECOND);
    struct evs_store_terms terms;
    evs_status status = evs_store_redis.acquire(store, &terms, &error);
    ck_assert_int_eq(status, damages[_i].at_acquire ? EVS_E_STATE : EVS_OK);
    if (status == EVS_OK) {
        status = evs_store_redis.restore(store, take_anything, NULL, &error);
    }
    ck_assert_int_eq(status, EVS_E_STATE);
    check_text(damages[_i].text);
    check_text("backup");
    evs_store_redis.close(store);
}
END_TEST

static evs_status take_nothing(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                               struct evs_error *e)
{
    (void)argument;
    (void)kind;
    (void)checkpoint;
    (void)block;
    return evs_fail(e, EVS_E_CORRUPT, "no taste");
}

START_TEST(refusal_of_the_taker_ends_the_restore)
{
    void *store = open_and_acquire(server.url);
    must_commit(store, (struct oracle_commit){.blocks = 4, .seed = 7, .block_bytes = 500});
    ck_assert_int_eq(evs_store_redis.restore(store, take_nothing, NULL, &error), EVS_E_CORRUPT);
    check_text("no taste");
    evs_store_redis.close(store);
}
END_TEST

/* --- all ---------------------------------------------------------------------------------------------------------- */

static void add_peace(Suite *suite)
{
    TCase *peace = tcase_create("peace");
    tcase_add_checked_fixture(peace, set_up, tear_down);
    tcase_set_timeout(peace, 60);
    tcase_add_test(peace, first_start_has_no_commit);
    tcase_add_test(peace, commits_come_back);
    tcase_add_test(peace, tcp_database_and_password);
    tcase_add_test(peace, epochs_rise_above_both_streams);
    tcase_add_test(peace, snapshot_replaces_and_trims);
    tcase_add_test(peace, rolling_state_is_trimmed);
    tcase_add_test(peace, peek_fences_nobody);
    tcase_add_test(peace, log_of_empty_commits_stays_small);
    tcase_add_test(peace, long_chain_over_many_terms);
    tcase_add_test(peace, more_blocks_than_a_slot);
    tcase_add_test(peace, groups_and_pipelines_are_apart);
    tcase_add_test(peace, durability_is_told);
    tcase_add_test(peace, documented_access_rules_suffice);
    tcase_add_test(peace, second_owner_fences_the_first);
    tcase_add_test(peace, wrong_urls_are_usage);
    suite_add_tcase(suite, peace);
}

static void add_refusals(Suite *suite)
{
    TCase *refusals = tcase_create("refusals");
    tcase_add_checked_fixture(refusals, set_up_strict, tear_down);
    tcase_set_timeout(refusals, 60);
    tcase_add_test(refusals, wrong_password_is_final_and_not_told);
    tcase_add_test(refusals, eviction_is_refused);
    tcase_add_test(refusals, replica_is_refused);
    tcase_add_test(refusals, missing_permission_is_told);
    tcase_add_test(refusals, other_key_in_the_way);
    tcase_add_test(refusals, unreachable_ends_with_the_retry_time);
    tcase_add_test(refusals, lost_tail_is_a_gap);
    tcase_add_loop_test(refusals, a_restart_is_a_gap_for_rows_behind_the_log, 0, 3);
    tcase_add_test(refusals, deleted_log_is_no_first_start);
    tcase_add_loop_test(refusals, damage_is_refused, 0, EVS_COUNT(damages));
    tcase_add_test(refusals, refusal_of_the_taker_ends_the_restore);
    suite_add_tcase(suite, refusals);
}

int main(void)
{
    if (!server_redis_is_installed()) {
        puts("SKIP store_redis: redis-server is not installed");
        return 77;
    }
    Suite *suite = suite_create("store_redis");
    add_peace(suite);
    add_refusals(suite);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
