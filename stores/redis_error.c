#include "redis_error.h"

#include <string.h>
#include <strings.h>

/* The first matching prefix counts: longer ones come before shorter ones. The last entry matches everything. */
static const struct evs_redis_refusal refusals[] = {
    {EVS_REDIS_LOADING, EVS_E_UNREACHABLE, "LOADING", "It is still reading its data into memory after a start."},
    {EVS_REDIS_BUSY, EVS_E_UNREACHABLE, "BUSY ",
     "A script or function of another client is running; SCRIPT KILL or FUNCTION KILL ends one that hangs."},
    {EVS_REDIS_READONLY, EVS_E_UNREACHABLE, "READONLY",
     "It is a replica now, perhaps after a failover: the URL must lead to the master."},
    {EVS_REDIS_MASTERDOWN, EVS_E_UNREACHABLE, "MASTERDOWN",
     "It is a replica that has lost its master: the URL must lead to the master."},
    {EVS_REDIS_NOREPLICAS, EVS_E_UNREACHABLE, "NOREPLICAS",
     "Fewer replicas than min-replicas-to-write are connected and up to date; bring them back or lower that setting."},
    {EVS_REDIS_OOM, EVS_E_UNREACHABLE, "OOM",
     "Its memory has reached maxmemory: raise maxmemory, free other keys, or bound the pipeline's state."},
    {EVS_REDIS_MISCONF, EVS_E_UNREACHABLE, "MISCONF",
     "It cannot write to its disk (full, or a failed save): see its log, then make room or repair the disk."},
    {EVS_REDIS_TRYAGAIN, EVS_E_UNREACHABLE, "TRYAGAIN", "The cluster is moving this slot."},
    {EVS_REDIS_CLUSTERDOWN, EVS_E_UNREACHABLE, "CLUSTERDOWN", "The cluster does not serve all slots at the moment."},
    {EVS_REDIS_CLIENTS_MAX, EVS_E_UNREACHABLE, "ERR max number of clients",
     "Close other clients or raise its maxclients."},
    {EVS_REDIS_NO_FUNCTION, EVS_E_UNREACHABLE, "ERR Function not found",
     "The function library was lost (FUNCTION FLUSH, FLUSHALL, or a new master without it); it is loaded again."},
    {EVS_REDIS_ID_SMALL, EVS_E_UNREACHABLE, "ERR The ID specified in XADD is equal or smaller",
     "The stream has a newer entry than the one to be written."},
    {EVS_REDIS_FENCED, EVS_E_FENCED, "EVSFENCED",
     "Another engine has taken over this group; this one stops, so that the two do not write in turn."},
    {EVS_REDIS_GAP, EVS_E_GAP, "EVSGAP",
     "The stream does not end where this engine left it: Redis has lost its newest entries (a crash under appendfsync "
     "everysec, or a failover to a replica that lagged), or somebody else wrote into it."},
    {EVS_REDIS_DIVERGED, EVS_E_STATE, "EVSDIVERGED",
     "The stream holds something else where this message belongs: another program writes into it, or two pipelines "
     "share it. A stream needs one writer; give the sink a key of its own."},
    {EVS_REDIS_MOVED, EVS_E_REFUSED, "MOVED",
     "It is a cluster node that does not own this key; the node named in the reply does."},
    {EVS_REDIS_ASK, EVS_E_UNREACHABLE, "ASK",
     "It is a cluster node that is handing this key's slot over to another one; when that is done, the other one is "
     "used."},
    {EVS_REDIS_CROSSSLOT, EVS_E_REFUSED, "CROSSSLOT", "The keys lie in different slots of the cluster."},
    {EVS_REDIS_NOAUTH, EVS_E_REFUSED, "NOAUTH", "It wants a password: write redis://user:password@host:port."},
    {EVS_REDIS_WRONGPASS, EVS_E_REFUSED, "WRONGPASS", "User name or password in the URL are wrong."},
    {EVS_REDIS_WRONGPASS, EVS_E_REFUSED, "ERR invalid password", "The password in the URL is wrong."},
    {EVS_REDIS_WRONGPASS, EVS_E_REFUSED, "ERR AUTH",
     "It has no password, or the user name is missing; correct the URL."},
    {EVS_REDIS_NOPERM, EVS_E_REFUSED, "NOPERM",
     "Its access rules (ACL) do not allow this; the rules that are needed are listed in stores/README.md."},
    {EVS_REDIS_NOPERM, EVS_E_REFUSED, "ERR The user executing the script can't",
     "Its access rules (ACL) do not allow what the function does; the rules that are needed are listed in "
     "stores/README.md."},
    {EVS_REDIS_DENIED, EVS_E_REFUSED, "DENIED",
     "It runs in protected mode: set a password, or bind it to this network."},
    {EVS_REDIS_WRONGTYPE, EVS_E_STATE, "WRONGTYPE",
     "A key that must be a stream holds something else; rename or delete it."},
    {EVS_REDIS_UNKNOWN_COMMAND, EVS_E_REFUSED, "ERR unknown command",
     "It is too old or the command is switched off; Redis 7.0 or later, or Valkey, is needed."},
    {EVS_REDIS_DATABASE, EVS_E_REFUSED, "ERR DB index", "The database number in the URL does not exist there."},
    {EVS_REDIS_OTHER, EVS_E_REFUSED, "", "This reply is not known; see the log of the server."},
};

const struct evs_redis_refusal *evs_redis_classify(const char *reply)
{
    EVS_ASSERT(reply != NULL);
    const struct evs_redis_refusal *refusal = refusals;
    while (strncasecmp(reply, refusal->prefix, strlen(refusal->prefix)) != 0) {
        refusal++;
        EVS_ASSERT(refusal < refusals + EVS_COUNT(refusals));
    }
    return refusal;
}

evs_status evs_redis_refused(const char *server, const char *doing, const char *reply, struct evs_error *error)
{
    EVS_ASSERT(server != NULL && doing != NULL);
    const struct evs_redis_refusal *refusal = evs_redis_classify(reply);
    EVS_ASSERT(refusal->status != EVS_OK);
    return evs_fail(error, refusal->status, "Redis at %s refused to %s: \"%.200s\". %s", server, doing, reply,
                    refusal->advice);
}
