#include "redis_identity.h"

#include <stdio.h>

#include "evstream/memory.h"

struct evs_slice evs_redis_info_value(struct evs_slice info, const char *name)
{
    size_t name_count = strlen(name);
    const char *end = info.data + info.count;
    for (const char *line = info.data; line < end;) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        line_end = line_end == NULL ? end : line_end;
        size_t count = (size_t)(line_end - line);
        if (count > name_count && memcmp(line, name, name_count) == 0 && line[name_count] == ':') {
            size_t value_count = count - name_count - 1;
            value_count -= value_count > 0 && line_end[-1] == '\r';
            return (struct evs_slice){line + name_count + 1, value_count};
        }
        line = line_end + 1;
    }
    return (struct evs_slice){info.data, 0};
}

static void take(struct evs_slice info, const char *name, char id[EVS_REDIS_ID_BYTES])
{
    struct evs_slice value = evs_redis_info_value(info, name);
    bool is_set = value.count < EVS_REDIS_ID_BYTES && value.count > 0 && strspn(value.data, "0") < value.count;
    snprintf(id, EVS_REDIS_ID_BYTES, "%.*s", is_set ? (int)value.count : 0, value.data);
}

void evs_redis_identity_read(struct evs_slice info, struct evs_redis_identity *identity)
{
    EVS_ASSERT(info.data != NULL);
    take(info, "run_id", identity->run_id);
    take(info, "master_replid2", identity->history_before);
}

enum evs_redis_change evs_redis_identity_compare(const struct evs_redis_identity *known,
                                                 const struct evs_redis_identity *now)
{
    if (known->run_id[0] == '\0' || now->run_id[0] == '\0' || strcmp(known->run_id, now->run_id) == 0) {
        return EVS_REDIS_SAME;
    }
    return now->history_before[0] == '\0' ? EVS_REDIS_RESTARTED : EVS_REDIS_REPLACED;
}
