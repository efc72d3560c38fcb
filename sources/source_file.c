/* The file connector: one file, one partition, read in pieces of whole lines.
 *
 *            ┌ memory                    ┌ block (page-aligned)             ┌ block + BLOCK_BYTES
 *            ▼                           ▼                                  ▼
 *            │        │ carried line │ rest of it \n line \n line \n li│ padding │
 *                     └──────────── payload ───────────────────┘ └ rest: carried to before the block by the next poll
 *
 * The kernel copies from the page cache at full speed only when source and destination agree modulo the page size (or differ by
 * much): a destination a few bytes further costs three times as much. So reads always go from page-aligned offsets to the page-aligned
 * block, and the unfinished line at a block's end is moved to just before it.
 *
 * A piece is a message of sequence 1 whose record numbers continue; its byte_offset, behind its last line, is where a later run may go
 * on. A line that is longer than a row may be is read to its end, but little more than is allowed is kept: the decoder finds it too
 * long and reports what there is of it. The last line needs no newline. */
#include "source_file.h"

#include <unistd.h>

#include "evstream/memory.h"
#include "file_bytes.h"

#define BLOCK_BYTES (256u << 10)
#define CARRY_BYTES_FIRST (64u << 10)
#define ROW_BYTES_UNSAID (64u << 20) /* the longest row when nothing is said */

struct file_config {
    const char *path;
};

struct file_source {
    const struct evs_os *os;
    const char *path;
    struct evs_file_bytes *bytes; /* NULL: another worker reads the file, or it is over */
    bool is_stdin_stream;         /* reading may wait, and there is a descriptor to wait on */
    size_t line_bytes_max;        /* of a line that is kept; more than a row may have */

    uint8_t *memory; /* carry_bytes, then BLOCK_BYTES, then padding */
    size_t carry_bytes;
    uint8_t *block; /* memory + carry_bytes */

    char *rest; /* read, but not delivered */
    size_t rest_bytes;
    bool rest_has_lines; /* whole ones: a line that was cut was delivered alone */
    bool is_cutting;     /* the rest is the kept part of a line whose end is still to come */
    bool at_end;         /* of the file */
    size_t skip_bytes;   /* of the first block: the resume offset is not page-aligned */

    uint64_t byte_offset; /* behind what was delivered */
    uint64_t cut_bytes;   /* dropped from the line in hand */
};

/* --- options ------------------------------------------------------------------------------------------------------------ */

static const struct evs_option file_options[] = {
    {
        .name = "path",
        .kind = EVS_OPTION_STRING,
        .required = true,
        .help = "The file to read, one JSON object a line; `-` is standard input, and names that end in .gz or .zst "
                "are unpacked.",
    },
    {.name = NULL},
};

static evs_status file_configure(const struct evs_option_value *values, struct evs_arena *arena, const void **config,
                                 struct evs_error *error)
{
    struct evs_slice path = evs_option_find(values, "path")->text;
    if (path.count == 0 || memchr(path.data, '\0', path.count) != NULL) {
        return evs_fail(error, EVS_E_PIPELINE, "The option `path` must name a file; `-` is standard input.");
    }
    struct file_config *made = EVS_ARENA_NEW(arena, struct file_config);
    made->path = evs_arena_strndup(arena, path.data, path.count);
    *config = made;
    return EVS_OK;
}

/* --- open and close ------------------------------------------------------------------------------------------------------ */

/* Memory with `carry_bytes` (whole pages) before the block; what is carried moves with it. */
static void grow(struct file_source *source, size_t carry_bytes)
{
    EVS_ASSERT(carry_bytes % EVS_FILE_PAGE_BYTES == 0 && carry_bytes >= source->rest_bytes);
    uint8_t *memory = evs_alloc_aligned(EVS_FILE_PAGE_BYTES, carry_bytes + BLOCK_BYTES + EVS_PADDING);
    uint8_t *block = memory + carry_bytes;
    memset(block + BLOCK_BYTES, 0, EVS_PADDING);
    if (source->rest_bytes > 0) {
        memcpy(block - source->rest_bytes, source->rest, source->rest_bytes);
    }
    evs_free(source->memory);
    source->memory = memory;
    source->carry_bytes = carry_bytes;
    source->block = block;
    source->rest = (char *)block - source->rest_bytes;
}

static void file_close(void *instance)
{
    struct file_source *source = instance;
    if (source == NULL) {
        return;
    }
    evs_file_bytes_close(source->bytes);
    evs_free(source->memory);
    evs_free(source);
}

/* Where the last run stopped; nothing there: the beginning. */
static evs_status resume(struct file_source *source, const struct evs_source_open *open, struct evs_error *error)
{
    if (open->position_count == 0 || open->positions[open->position_count - 1].sequence == 0) {
        return EVS_OK;
    }
    const struct evs_position *last = &open->positions[open->position_count - 1];
    source->byte_offset = last->byte_offset;
    return evs_file_bytes_skip(source->bytes, last->byte_offset, &source->skip_bytes, error);
}

static evs_status check_start(const struct evs_source_open *open, struct evs_error *error)
{
    if (open->end_before_us > 0 || open->end_sequence > 0) {
        return evs_fail(error, EVS_E_USAGE,
                        "The source `%s` reads a file, which can only be read to its end: leave --to out.", open->name);
    }
    if (open->start == EVS_START_EARLIEST || open->start == EVS_START_COMMITTED || open->position_count > 0) {
        return EVS_OK;
    }
    return evs_fail(error, EVS_E_USAGE,
                    "The source `%s` reads a file, which can only be read from its beginning: use --from earliest.",
                    open->name);
}

static evs_status file_open(const struct evs_source_open *open, void **instance, struct evs_error *error)
{
    const struct file_config *config = open->config;
    EVS_ASSERT(open->worker_count > 0 && open->worker < open->worker_count);
    evs_status status = check_start(open, error);
    if (status != EVS_OK) {
        return status;
    }
    struct file_source *source = evs_alloc_zero(sizeof *source);
    source->os = open->os;
    source->path = config->path;
    /* Two bytes more: a '\r' at the end is not part of a row. */
    source->line_bytes_max = (size_t)(open->row_bytes_max == 0 ? ROW_BYTES_UNSAID : open->row_bytes_max) + 2;
    if (open->worker == 0) { /* partition 0, the only one */
        status = evs_file_bytes_open(open->os, config->path, &source->bytes, error);
        if (status == EVS_OK) {
            source->is_stdin_stream = strcmp(config->path, "-") == 0 && evs_file_bytes_is_stream(source->bytes);
            status = resume(source, open, error);
        }
    }
    if (status != EVS_OK) {
        file_close(source);
        return status;
    }
    grow(source, CARRY_BYTES_FIRST);
    *instance = source;
    return EVS_OK;
}

static evs_status file_probe(const struct evs_source_open *open, struct evs_error *error)
{
    const struct file_config *config = open->config;
    uint64_t offset = open->position_count == 0 ? 0 : open->positions[open->position_count - 1].byte_offset;
    evs_status status = check_start(open, error);
    return status == EVS_OK ? evs_file_bytes_probe(open->os, config->path, offset, error) : status;
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

/* A line that is longer than allowed: its kept part stays, all else of it is dropped. `text` is what was read behind the kept part. */
static void cut_line(struct file_source *source, size_t text_bytes)
{
    size_t keep = source->line_bytes_max - source->rest_bytes;
    keep = keep < text_bytes ? keep : text_bytes;
    source->rest_bytes += keep;
    source->cut_bytes += text_bytes - keep;
    source->is_cutting = source->cut_bytes > 0;
}

/* The rest goes to just before the block, where the next read continues it. */
static void carry(struct file_source *source)
{
    if (source->rest_bytes > source->carry_bytes) {
        size_t wanted = 2 * source->rest_bytes;
        grow(source, wanted + (EVS_FILE_PAGE_BYTES - wanted % EVS_FILE_PAGE_BYTES) % EVS_FILE_PAGE_BYTES);
        return;
    }
    char *target = (char *)source->block - source->rest_bytes;
    memmove(target, source->rest, source->rest_bytes);
    source->rest = target;
}

/* Reads one block behind the rest. */
static evs_status read_block(struct file_source *source, size_t *got, struct evs_error *error)
{
    carry(source);
    evs_status status = evs_file_bytes_read(source->bytes, source->block, BLOCK_BYTES, got, error);
    source->at_end = status == EVS_OK && *got == 0;
    if (source->skip_bytes > 0 && status == EVS_OK) {
        /* Only a first block is skipped in: nothing is carried. A file that ends in it has been found too short by `resume`. */
        EVS_ASSERT(source->rest_bytes == 0);
        size_t skip = source->skip_bytes < *got ? source->skip_bytes : *got;
        source->rest = (char *)source->block + skip;
        source->skip_bytes = 0;
        *got -= skip;
    }
    return status;
}

static void deliver(struct file_source *source, size_t bytes, struct evs_message *message)
{
    EVS_ASSERT(bytes > 0 && bytes <= source->rest_bytes);
    *message = (struct evs_message){
        .sequence = 1,
        .first_index = EVS_INDEX_CONTINUES,
        .ingested_at_us = INT64_MIN,
        .payload = {source->rest, bytes},
        .last_of_position = true,
    };
    source->byte_offset += bytes + source->cut_bytes;
    source->cut_bytes = 0;
    message->byte_offset = source->byte_offset;
    source->rest += bytes;
    source->rest_bytes -= bytes;
}

/* The line in hand was too long, and its end has come: `end` bytes into the block, or the file's end. It is delivered alone, cut; what
 * stands behind it is the rest. */
static void deliver_cut(struct file_source *source, size_t end, size_t block_bytes, struct evs_message *message)
{
    source->cut_bytes += end;
    deliver(source, source->rest_bytes, message);
    source->is_cutting = false;
    source->rest = (char *)source->block + end;
    source->rest_bytes = block_bytes - end;
    source->rest_has_lines = true;
}

/* What the block that was just read completes. False: nothing yet. */
static bool take_block(struct file_source *source, size_t got, struct evs_message *message)
{
    const char *text = source->rest + source->rest_bytes;
    if (source->is_cutting) {
        const char *newline = memchr(source->block, '\n', got);
        if (newline != NULL) {
            deliver_cut(source, (size_t)(newline + 1 - (char *)source->block), got, message);
            return true;
        }
        source->cut_bytes += got;
        return false;
    }
    const char *newline = memrchr(text, '\n', got);
    if (newline == NULL) {
        cut_line(source, got);
        return false;
    }
    source->rest_bytes += got;
    deliver(source, (size_t)(newline + 1 - source->rest), message);
    return true;
}

/* Whole lines that are already here. */
static bool take_rest(struct file_source *source, struct evs_message *message)
{
    if (!source->rest_has_lines) {
        return false;
    }
    source->rest_has_lines = false;
    const char *newline = memrchr(source->rest, '\n', source->rest_bytes);
    if (newline == NULL) {
        return false;
    }
    deliver(source, (size_t)(newline + 1 - source->rest), message);
    return true;
}

/* Whether a read would find something, or the end, at once. Only standard input can be asked. */
static bool can_read(struct file_source *source)
{
    struct evs_wait_fd fd = {.fd = STDIN_FILENO, .want_read = true};
    return !source->is_stdin_stream || source->os->sockets.wait(source->os->sockets.self, NULL, &fd, 1, 0) > 0;
}

static evs_status end(struct file_source *source, struct evs_message *message)
{
    evs_file_bytes_close(source->bytes);
    source->bytes = NULL;
    if (source->rest_bytes == 0) {
        return EVS_END;
    }
    deliver(source, source->rest_bytes, message);
    return EVS_OK;
}

/* The next piece. */
static evs_status next_piece(struct file_source *source, struct evs_message *message, struct evs_error *error)
{
    if (source->bytes == NULL) {
        return EVS_END;
    }
    bool taken = take_rest(source, message);
    while (!taken) {
        size_t got;
        if (!can_read(source)) {
            return EVS_AGAIN;
        }
        evs_status status = read_block(source, &got, error);
        if (status != EVS_OK) {
            return status;
        }
        if (source->at_end) {
            return end(source, message);
        }
        taken = got > 0 && take_block(source, got, message);
    }
    return EVS_OK;
}

static evs_status file_poll(void *instance, struct evs_message *messages, uint32_t max, uint32_t *count,
                            struct evs_error *error)
{
    EVS_ASSERT(max > 0);
    evs_status status = next_piece(instance, messages, error);
    *count = status == EVS_OK;
    return status;
}

static void file_state(void *instance, struct evs_source_state *state)
{
    const struct file_source *source = instance;
    *state = (struct evs_source_state){.partition_count = 1, .ended = source->bytes == NULL};
}

static uint32_t file_wait_fds(void *instance, struct evs_wait_fd *fds, uint32_t max)
{
    const struct file_source *source = instance;
    if (!source->is_stdin_stream || source->bytes == NULL || max == 0) {
        return 0;
    }
    fds[0] = (struct evs_wait_fd){.fd = STDIN_FILENO, .want_read = true};
    return 1;
}

static void file_committed(void *instance, const struct evs_position *positions, uint32_t count)
{
    (void)instance, (void)positions, (void)count; /* nothing is kept for an older position */
}

const struct evs_source evs_source_file = {
    .kind = "file",
    .bounded = true,
    .options = file_options,
    .file_option = "path",
    .configure = file_configure,
    .open = file_open,
    .probe = file_probe,
    .poll = file_poll,
    .state = file_state,
    .wait_fds = file_wait_fds,
    .committed = file_committed,
    .close = file_close,
};
