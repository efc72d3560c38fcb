#include "redis_hash.h"

#include <stdio.h>

#include "format_fields.h"

static const char library[] =
    "#!lua name=evsh1\n"
    "local function halves(id)\n"
    "  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')\n"
    "  return tonumber(ms), tonumber(sequence)\n"
    "end\n"
    "\n"
    "-- key; fence, id, ttl, number of fields, then names and values, then names to remove\n"
    "local function put(keys, args)\n"
    "  local key, fence, id, ttl, sets = keys[1], args[1], args[2], args[3], tonumber(args[4])\n"
    "  local last = redis.pcall('HGET', key, fence)\n"
    "  if type(last) == 'table' and last.err then return last end\n"
    "  local ms, sequence = halves(id)\n"
    "  local last_ms, last_sequence = halves(last or '0-0')\n"
    "  if not last_ms then return redis.error_reply('EVSDIVERGED the field ' .. fence .. ' is of another writer') end\n"
    "  if last_ms > ms or (last_ms == ms and last_sequence >= sequence) then return 'DUP' end\n"
    "  local first_removed = 5 + 2 * sets\n"
    "  if #args >= first_removed then redis.call('HDEL', key, unpack(args, first_removed)) end\n"
    "  redis.call('HSET', key, fence, id, unpack(args, 5, first_removed - 1))\n"
    "  if ttl ~= '0' then redis.call('PEXPIRE', key, ttl) end\n"
    "  return 'OK'\n"
    "end\n"
    "redis.register_function('evsh1_put', put)\n";

struct evs_slice evs_redis_hash_library(void)
{
    return EVS_SLICE(library);
}

/* Values first, then the names of those that are NULL. */
static uint32_t put_fields(struct evs_slice payload, struct evs_slice *arguments, uint32_t *set_count)
{
    struct evs_field_text field;
    uint32_t count = 0;
    *set_count = 0;
    for (struct evs_slice rest = payload; evs_fields_next(&rest, &field);) {
        if (!field.is_null) {
            arguments[count++] = field.name;
            arguments[count++] = field.value.count == 0 ? EVS_SLICE("") : field.value;
            (*set_count)++;
        }
    }
    for (struct evs_slice rest = payload; evs_fields_next(&rest, &field);) {
        if (field.is_null) {
            arguments[count++] = field.name;
        }
    }
    return count;
}

static uint32_t count_fields(struct evs_slice payload)
{
    struct evs_field_text field;
    uint32_t count = 0;
    while (evs_fields_next(&payload, &field)) {
        count++;
    }
    return count;
}

void evs_redis_hash_put(struct evs_redis_link *link, const struct evs_redis_hash_row *row)
{
    char sets[16];
    uint32_t set_count;
    const struct evs_slice head[] = {
        EVS_SLICE("FCALL"),       EVS_SLICE("evsh1_put"), EVS_SLICE("1"), row->key, evs_slice_of(row->fence), row->id,
        evs_slice_of(row->ttl_ms)};
    const uint32_t head_count = EVS_COUNT(head) + 1;
    struct evs_slice *arguments = evs_alloc((head_count + 2 * count_fields(row->payload)) * sizeof *arguments);
    memcpy(arguments, head, sizeof head);
    uint32_t count = head_count + put_fields(row->payload, arguments + head_count, &set_count);
    snprintf(sets, sizeof sets, "%u", set_count);
    arguments[head_count - 1] = evs_slice_of(sets);
    evs_redis_link_put(link, arguments, count);
    evs_free(arguments);
}
