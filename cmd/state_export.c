/* Exporting state. Its blocks first go into a temporary file, which lets the reading begin again when an engine has trimmed the log meanwhile; from there they
 * are read twice (evs_state_lines). */
#include "state_export.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "aggregate_view.h"
#include "evstream/memory.h"
#include "evstream/state.h"
#include "identity_view.h"
#include "identity_view.h"
#include "redis_tools.h"

struct exporting {
    FILE *spool, *out;
    struct evs_state_lines *lines;
};

struct spooled {
    uint64_t checkpoint;
    uint32_t kind, count;
};

static evs_status io_failed(struct evs_error *error)
{
    return evs_fail(error, EVS_E_IO, "The exported state cannot be written: %s.", strerror(errno));
}

static evs_status begin(void *argument, const struct evs_store_terms *terms, struct evs_error *error)
{
    struct exporting *all = argument;
    rewind(all->spool);
    return evs_state_lines_begin(all->lines, terms->record, error);
}

static evs_status spool(void *argument, enum evs_block_kind kind, uint64_t checkpoint, struct evs_slice block,
                        struct evs_error *error)
{
    const struct exporting *all = argument;
    const struct spooled head = {checkpoint, (uint32_t)kind, (uint32_t)block.count};
    bool is_put =
        fwrite(&head, sizeof head, 1, all->spool) == 1 && fwrite(block.data, 1, block.count, all->spool) == block.count;
    return is_put ? EVS_OK : io_failed(error);
}

/* It may be longer than what was read last: a try that was given up. */
static evs_status cut_spool(struct exporting *all, struct evs_error *error)
{
    long end = ftell(all->spool);
    bool is_cut = fflush(all->spool) == 0 && end >= 0 && ftruncate(fileno(all->spool), end) == 0;
    return is_cut ? EVS_OK : io_failed(error);
}

static evs_status pass(struct exporting *all, struct evs_error *error)
{
    struct spooled head;
    evs_status status = EVS_OK;
    rewind(all->spool);
    while (status == EVS_OK && fread(&head, sizeof head, 1, all->spool) == 1) {
        char *bytes = evs_alloc(head.count + 1u);
        status = fread(bytes, 1, head.count, all->spool) == head.count ? EVS_OK : io_failed(error);
        if (status == EVS_OK) {
            status = evs_state_lines_block(all->lines, head.kind == EVS_BLOCK_OUTBOX, head.checkpoint,
                                           (struct evs_slice){bytes, head.count}, error);
        }
        evs_free(bytes);
    }
    return status;
}

static evs_status write_line(void *argument, struct evs_slice line, struct evs_error *error)
{
    return fwrite(line.data, 1, line.count, argument) == line.count ? EVS_OK : io_failed(error);
}

static bool view(const struct evs_state_shape *shape, const struct evs_snapshot_record *record, uint32_t key_bytes,
                 struct evs_slice rest, struct evs_buffer *line)
{
    if (strcmp(shape->kind, "resolve_identity") == 0) {
        return evs_identity_view(record, key_bytes, rest, line);
    }
    return strcmp(shape->kind, "aggregate") == 0 && evs_aggregate_view(shape, record, key_bytes, rest, line);
}

evs_status evs_state_export(void *store, FILE *out, struct evs_error *error)
{
    const struct evs_state_writing writing = {write_line, view, out};
    struct exporting all = {.out = out, .spool = tmpfile(), .lines = evs_state_lines_new(&writing)};
    const struct evs_redis_reading reading = {begin, spool, &all};
    evs_status status = all.spool == NULL ? io_failed(error) : evs_redis_tool_read(store, &reading, error);
    if (status == EVS_OK) {
        status = cut_spool(&all, error);
    }
    if (status == EVS_OK) {
        status = pass(&all, error);
    }
    if (status == EVS_OK) {
        evs_state_lines_again(all.lines);
        status = pass(&all, error);
    }
    if (status == EVS_OK && fflush(out) != 0) {
        status = io_failed(error);
    }
    if (all.spool != NULL) {
        fclose(all.spool);
    }
    evs_state_lines_free(all.lines);
    return status;
}
