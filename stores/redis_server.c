#include "redis_server.h"

#include <stdio.h>

#include "redis_identity.h"

#define SECOND_US INT64_C(1000000)

/* --- INFO --------------------------------------------------------------------------------------------------------- */

static void take_info(struct evs_slice info, struct evs_redis_facts *facts)
{
    struct evs_slice version = evs_redis_info_value(info, "redis_version");
    size_t digits = 0;
    while (digits < version.count && version.data[digits] >= '0' && version.data[digits] <= '9') {
        digits++;
    }
    if (!evs_redis_number_parse((struct evs_slice){version.data, digits}, &facts->version)) {
        facts->version = 0;
    }
    struct evs_slice policy = evs_redis_info_value(info, "maxmemory_policy");
    snprintf(facts->policy, sizeof facts->policy, "%.*s", (int)policy.count, policy.data);
    facts->evicts = policy.count > 0 && strcmp(facts->policy, "noeviction") != 0;
    facts->is_replica = evs_slice_equal(evs_redis_info_value(info, "role"), EVS_SLICE("slave"));
    facts->is_clustered = evs_slice_equal(evs_redis_info_value(info, "cluster_enabled"), EVS_SLICE("1"));
    facts->append_only = evs_slice_equal(evs_redis_info_value(info, "aof_enabled"), EVS_SLICE("1"));
}

/* --- durability --------------------------------------------------------------------------------------------------- */

static enum evs_redis_fsync parse_fsync(struct evs_slice value)
{
    static const struct {
        const char *name;
        enum evs_redis_fsync fsync;
    } names[] = {
        {"always", EVS_REDIS_FSYNC_ALWAYS}, {"everysec", EVS_REDIS_FSYNC_EVERYSEC}, {"no", EVS_REDIS_FSYNC_NO}};
    for (size_t i = 0; i < EVS_COUNT(names); i++) {
        if (evs_slice_equal_nocase(value, names[i].name)) {
            return names[i].fsync;
        }
    }
    return EVS_REDIS_FSYNC_UNKNOWN;
}

/* Under everysec the write may wait up to 2 s for a running fsync, and its own comes within the next; `no` leaves it
 * to the kernel, which writes dirty pages back after 30 s. Without a file there is nothing to wait for. */
static void conclude_durability(struct evs_redis_facts *facts)
{
    static const struct {
        const char *text;
        int64_t delay_us;
    } table[] = {
        [EVS_REDIS_FSYNC_UNKNOWN] =
            {"appendonly yes, appendfsync unknown (CONFIG GET is not permitted; everysec is assumed)", 3 * SECOND_US},
        [EVS_REDIS_FSYNC_ALWAYS] = {"appendonly yes, appendfsync always", 0},
        [EVS_REDIS_FSYNC_EVERYSEC] =
            {"appendonly yes, appendfsync everysec (a crash of the server may lose the last seconds)", 3 * SECOND_US},
        [EVS_REDIS_FSYNC_NO] = {"appendonly yes, appendfsync no (a crash of the machine may lose half a minute)",
                                30 * SECOND_US},
    };
    EVS_ASSERT((size_t)facts->fsync < EVS_COUNT(table));
    const char *text = facts->append_only
                           ? table[facts->fsync].text
                           : "appendonly no (a restart of the server loses what came after its last snapshot, if any)";
    facts->forgets = !facts->append_only || facts->fsync != EVS_REDIS_FSYNC_ALWAYS;
    facts->confirm_delay_us = facts->append_only ? table[facts->fsync].delay_us : 0;
    if (facts->replicas == 0) {
        snprintf(facts->durability, sizeof facts->durability, "%s", text);
    } else {
        snprintf(facts->durability, sizeof facts->durability, "%s; %llu replica(s) confirm each commit", text,
                 (unsigned long long)facts->replicas);
    }
}

static void take_setting(struct evs_slice name, struct evs_slice value, struct evs_redis_facts *facts)
{
    if (evs_slice_equal(name, EVS_SLICE("appendfsync"))) {
        facts->fsync = parse_fsync(value);
    } else if (evs_slice_equal(name, EVS_SLICE("min-replicas-to-write")) &&
               !evs_redis_number_parse(value, &facts->replicas)) {
        facts->replicas = 0;
    }
}

/* An error reply only means that the answer stays unknown: managed servers and strict ACLs refuse CONFIG. */
static evs_status ask_settings(struct evs_redis_link *link, struct evs_redis_facts *facts, struct evs_error *error)
{
    struct evs_slice command[] = {EVS_SLICE("CONFIG"), EVS_SLICE("GET"), EVS_SLICE("appendfsync"),
                                  EVS_SLICE("min-replicas-to-write")};
    redisReply *reply;
    evs_status status = evs_redis_link_call(link, command, EVS_COUNT(command), &reply, error);
    if (status != EVS_OK) {
        return status;
    }
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2) {
        take_setting(evs_redis_reply_slice(reply->element[i]), evs_redis_reply_slice(reply->element[i + 1]), facts);
    }
    freeReplyObject(reply);
    return EVS_OK;
}

evs_status evs_redis_facts_ask(struct evs_redis_link *link, struct evs_redis_facts *facts, struct evs_error *error)
{
    *facts = (struct evs_redis_facts){0};
    struct evs_slice command[] = {EVS_SLICE("INFO")};
    redisReply *reply;
    evs_status status = evs_redis_link_call(link, command, 1, &reply, error);
    if (status != EVS_OK) {
        return status;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        status = evs_redis_link_refused(link, "tell what it is (INFO)", reply->str, error);
    } else if (evs_redis_reply_is_text(reply)) {
        take_info(evs_redis_reply_slice(reply), facts);
    }
    freeReplyObject(reply);
    if (status == EVS_OK) {
        status = ask_settings(link, facts, error);
    }
    conclude_durability(facts);
    return status;
}

evs_status evs_redis_facts_judge(const struct evs_redis_facts *facts, const char *server, bool may_fail_over,
                                 struct evs_error *error)
{
    EVS_ASSERT(facts != NULL && server != NULL);
    if (facts->version < EVS_REDIS_VERSION_MIN) {
        return evs_fail(
            error, EVS_E_REFUSED,
            "Redis at %s has version %llu; the state needs Redis %d or later, or Valkey, because of its functions.",
            server, (unsigned long long)facts->version, EVS_REDIS_VERSION_MIN);
    }
    if (facts->is_replica) {
        return evs_fail(error, may_fail_over ? EVS_E_UNREACHABLE : EVS_E_REFUSED,
                        "Redis at %s is a replica, which takes no writes; give the address of its master.", server);
    }
    if (facts->evicts) {
        return evs_fail(error, EVS_E_REFUSED,
                        "Redis at %s has maxmemory-policy %s, under which it may delete the whole state when memory is "
                        "short. Set it with CONFIG SET maxmemory-policy noeviction, and in its configuration file.",
                        server, facts->policy);
    }
    return EVS_OK;
}
