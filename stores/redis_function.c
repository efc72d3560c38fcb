#include "redis_function.h"

/* Numbers: an id's halves stay below 2^53, where Lua's doubles are exact; %.0f writes them without an exponent. */
static const char library[] =
    "#!lua name=evs1\n"
    "local function halves(id)\n"
    "  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')\n"
    "  return tonumber(ms), tonumber(sequence)\n"
    "end\n"
    "\n"
    "local function below(a, b)\n"
    "  local a_ms, a_sequence = halves(a)\n"
    "  local b_ms, b_sequence = halves(b)\n"
    "  return a_ms < b_ms or (a_ms == b_ms and a_sequence < b_sequence)\n"
    "end\n"
    "\n"
    "-- What XINFO STREAM says under a name; the second result is an error. A stream that is not there has id 0-0.\n"
    "local function stream_info(key, name)\n"
    "  local info = redis.pcall('XINFO', 'STREAM', key)\n"
    "  if info.err then\n"
    "    if string.find(info.err, 'no such key', 1, true) then return nil end\n"
    "    return nil, info\n"
    "  end\n"
    "  for i = 1, #info, 2 do\n"
    "    if info[i] == name then return info[i + 1] end\n"
    "  end\n"
    "end\n"
    "\n"
    "-- id, kind and owner of the newest entry; nil when there is none.\n"
    "local function newest_of(key)\n"
    "  local entry = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]\n"
    "  if entry then return entry[1], entry[2][2], entry[2][4] end\n"
    "end\n"
    "\n"
    "local function acquire(keys, args)\n"
    "  local time = redis.call('TIME')\n"
    "  local epoch = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)\n"
    "  for _, key in ipairs(keys) do\n"
    "    local last, failed = stream_info(key, 'last-generated-id')\n"
    "    if failed then return failed end\n"
    "    if last then epoch = math.max(epoch, (halves(last)) + 1) end\n"
    "  end\n"
    "  epoch = string.format('%.0f', epoch)\n"
    "  redis.call('XADD', keys[1], epoch .. '-0', 't', 'F', 'o', args[1])\n"
    "  return epoch\n"
    "end\n"
    "\n"
    "local function raise(keys, args)\n"
    "  local floor = args[1] .. '-0'\n"
    "  local last, failed = stream_info(keys[1], 'last-generated-id')\n"
    "  if failed then return failed end\n"
    "  if last and not below(last, floor) then return last end\n"
    "  if last then\n"
    "    redis.call('XSETID', keys[1], floor)\n"
    "  else\n"
    "    redis.call('XADD', keys[1], 'MAXLEN', 0, floor, 't', 'F')\n"
    "  end\n"
    "  return floor\n"
    "end\n"
    "\n"
    "local function newest(keys)\n"
    "  local id, kind, owner = newest_of(keys[1])\n"
    "  if not id then return {} end\n"
    "  return {id, kind, owner}\n"
    "end\n"
    "\n"
    "local function commit(keys, args)\n"
    "  local nonce, this, expect, expect_ob = args[1], args[2], args[3], args[4]\n"
    "  local id, _, owner = newest_of(keys[1])\n"
    "  if not id then return redis.error_reply('EVSGAP the log is empty') end\n"
    "  if id == this and owner == nonce then return 'DUP' end\n"
    "  if id ~= expect or owner ~= nonce then\n"
    "    local theirs, ours = (halves(id)), (halves(this))\n"
    "    local fenced = theirs > ours or (theirs == ours and owner ~= nonce)\n"
    "    return redis.error_reply((fenced and 'EVSFENCED' or 'EVSGAP') .. ' the log ends at ' .. id .. ', not at ' .. "
    "expect)\n"
    "  end\n"
    "  if expect_ob ~= '' then\n"
    "    local ob_id, _, ob_owner = newest_of(keys[2])\n"
    "    if ob_id ~= expect_ob or ob_owner ~= nonce then\n"
    "      return redis.error_reply('EVSGAP the outbox ends at ' .. (ob_id or 'nothing') .. ', not at ' .. expect_ob)\n"
    "    end\n"
    "  end\n"
    "  redis.call('XADD', keys[1], this, 't', 'C', 'o', nonce, 'h', args[5], 'r', args[6])\n"
    "  return 'OK'\n"
    "end\n"
    "\n"
    "-- Has evs1_append written this entry, for the sink that `n` names (16 digits, a hyphen, a checksum)?\n"
    "local function is_ours(fields, n)\n"
    "  return #fields == 6 and fields[1] == 'id' and fields[3] == 'data' and fields[5] == 'n'\n"
    "    and string.sub(fields[6], 1, 17) == string.sub(n, 1, 17)\n"
    "end\n"
    "\n"
    "-- The stream is at or past `id`. Done before, if the entry is ours; also if it has been trimmed or deleted "
    "since: messages are\n"
    "-- written in order, so a later message of ours, or the stream's own note of what was deleted, shows that it was "
    "there.\n"
    "local function written_before(key, id, trigger, data, n)\n"
    "  local entry = redis.call('XRANGE', key, id, '+', 'COUNT', 1)[1]\n"
    "  if not entry then\n"
    "    local deleted, failed = stream_info(key, 'max-deleted-entry-id')\n"
    "    if failed then return failed end\n"
    "    if deleted and not below(deleted, id) then return 'DUP' end\n"
    "    return redis.error_reply('EVSDIVERGED the stream is past ' .. id .. ', which it has never had')\n"
    "  end\n"
    "  local fields = entry[2]\n"
    "  if not is_ours(fields, n) then\n"
    "    return redis.error_reply('EVSDIVERGED the entry ' .. entry[1] .. ' is of another writer')\n"
    "  end\n"
    "  if entry[1] == id and (fields[2] ~= trigger or fields[4] ~= data) then\n"
    "    return redis.error_reply('EVSDIVERGED the entry ' .. id .. ' has other content')\n"
    "  end\n"
    "  return 'DUP'\n"
    "end\n"
    "\n"
    "local function append(keys, args)\n"
    "  local key, id, after, maxlen, trigger, data, n = keys[1], args[1], args[2], args[3], args[4], args[5], args[6]\n"
    "  local last, failed = stream_info(key, 'last-generated-id')\n"
    "  if failed then return failed end\n"
    "  last = last or '0-0'\n"
    "  if not below(last, id) then return written_before(key, id, trigger, data, n) end\n"
    "  if after ~= '' and last ~= after then\n"
    "    if below(last, after) then return redis.error_reply('EVSGAP the stream ends at ' .. last .. ', not at ' .. "
    "after) end\n"
    "    return redis.error_reply('EVSDIVERGED the stream ends at ' .. last .. ', not at ' .. after)\n"
    "  end\n"
    "  if maxlen == '' then\n"
    "    redis.call('XADD', key, id, 'id', trigger, 'data', data, 'n', n)\n"
    "  else\n"
    "    redis.call('XADD', key, 'MAXLEN', '~', maxlen, id, 'id', trigger, 'data', data, 'n', n)\n"
    "  end\n"
    "  return 'OK'\n"
    "end\n"
    "\n"
    "redis.register_function('evs1_acquire', acquire)\n"
    "redis.register_function('evs1_raise', raise)\n"
    "redis.register_function{function_name = 'evs1_newest', callback = newest, flags = {'no-writes'}}\n"
    "redis.register_function('evs1_commit', commit)\n"
    "redis.register_function('evs1_append', append)\n";

struct evs_slice evs_redis_function_text(void)
{
    return EVS_SLICE(library);
}

static const char *loading = "load its function library";

evs_status evs_redis_function_load(struct evs_redis_link *link, struct evs_error *error)
{
    struct evs_slice command[] = {EVS_SLICE("FUNCTION"), EVS_SLICE("LOAD"), EVS_SLICE("REPLACE"),
                                  evs_redis_function_text()};
    redisReply *reply;
    evs_status status = evs_redis_link_call(link, command, EVS_COUNT(command), &reply, error);
    if (status != EVS_OK) {
        return status;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        status = evs_redis_link_refused(link, loading, reply->str, error);
    }
    freeReplyObject(reply);
    return status;
}

static bool is_missing(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR && evs_redis_classify(reply->str)->cause == EVS_REDIS_NO_FUNCTION;
}

evs_status evs_redis_function_call(struct evs_redis_link *link, const struct evs_slice *arguments, uint32_t count,
                                   const char *doing, redisReply **reply, struct evs_error *error)
{
    EVS_ASSERT(count >= 4 && strncmp(arguments[0].data, "FCALL", 5) == 0);
    evs_status status = evs_redis_link_call(link, arguments, count, reply, error);
    if (status == EVS_OK && is_missing(*reply)) {
        freeReplyObject(*reply);
        status = evs_redis_function_load(link, error);
        if (status == EVS_OK) {
            status = evs_redis_link_call(link, arguments, count, reply, error);
        }
    }
    if (status == EVS_OK && (*reply)->type == REDIS_REPLY_ERROR) {
        status = evs_redis_link_refused(link, doing, (*reply)->str, error);
        freeReplyObject(*reply);
    }
    return status;
}
