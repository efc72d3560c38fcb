/* One file, read in pieces of whole lines.
 *
 *            ┌ memory                    ┌ block (page-aligned)             ┌ block + block_bytes
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
#include "file_lines.h"

#include <unistd.h>

#include "evstream/memory.h"
#include "file_bytes.h"

#define CARRY_BYTES_FIRST (64u << 10)

struct evs_file_lines {
    const struct evs_os *os;
    struct evs_file_bytes *bytes; /* NULL: it is over */
    int wait_fd;                  /* reading may wait, and this descriptor can be waited on; -1: none */
    size_t line_bytes_max;        /* of a line that is kept; more than a row may have */

    uint8_t *memory; /* carry_bytes, then block_bytes, then padding */
    size_t carry_bytes, block_bytes;
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

/* --- open and close ------------------------------------------------------------------------------------------------------ */

/* Memory with `carry_bytes` (whole pages) before the block; what is carried moves with it. */
static void grow(struct evs_file_lines *lines, size_t carry_bytes)
{
    EVS_ASSERT(carry_bytes % EVS_FILE_PAGE_BYTES == 0 && carry_bytes >= lines->rest_bytes);
    uint8_t *memory = evs_alloc_aligned(EVS_FILE_PAGE_BYTES, carry_bytes + lines->block_bytes + EVS_PADDING);
    uint8_t *block = memory + carry_bytes;
    memset(block + lines->block_bytes, 0, EVS_PADDING);
    if (lines->rest_bytes > 0) {
        memcpy(block - lines->rest_bytes, lines->rest, lines->rest_bytes);
    }
    evs_free(lines->memory);
    lines->memory = memory;
    lines->carry_bytes = carry_bytes;
    lines->block = block;
    lines->rest = (char *)block - lines->rest_bytes;
}

void evs_file_lines_close(struct evs_file_lines *lines)
{
    if (lines == NULL) {
        return;
    }
    evs_file_bytes_close(lines->bytes);
    evs_free(lines->memory);
    evs_free(lines);
}

evs_status evs_file_lines_open(const struct evs_file_lines_open *open, struct evs_file_lines **out,
                               struct evs_error *error)
{
    EVS_ASSERT(open->block_bytes > 0 && open->block_bytes % EVS_FILE_PAGE_BYTES == 0);
    struct evs_file_lines *lines = evs_alloc_zero(sizeof *lines);
    lines->os = open->os;
    lines->line_bytes_max = open->line_bytes_max;
    lines->block_bytes = open->block_bytes;
    lines->byte_offset = open->byte_offset;
    lines->wait_fd = -1;
    bool may_wait = open->may_wait && open->byte_offset == 0; /* what is skipped is read at once */
    evs_status status = may_wait ? evs_file_bytes_open_pipe(open->os, open->path, &lines->bytes, error)
                                 : evs_file_bytes_open(open->os, open->path, &lines->bytes, error);
    if (status == EVS_OK && strcmp(open->path, "-") == 0) {
        lines->wait_fd = evs_file_bytes_is_stream(lines->bytes) ? STDIN_FILENO : -1;
    } else if (status == EVS_OK && may_wait) {
        lines->wait_fd = evs_file_bytes_wait_fd(lines->bytes);
    }
    if (status == EVS_OK && open->byte_offset > 0) {
        status = evs_file_bytes_skip(lines->bytes, open->byte_offset, &lines->skip_bytes, error);
    }
    if (status != EVS_OK) {
        evs_file_lines_close(lines);
        return status;
    }
    grow(lines, CARRY_BYTES_FIRST);
    *out = lines;
    return EVS_OK;
}

bool evs_file_lines_ended(const struct evs_file_lines *lines)
{
    return lines->bytes == NULL;
}

int evs_file_lines_wait_fd(const struct evs_file_lines *lines)
{
    return lines->bytes != NULL ? lines->wait_fd : -1;
}

/* --- reading ------------------------------------------------------------------------------------------------------------- */

/* A line that is longer than allowed: its kept part stays, all else of it is dropped. `text` is what was read behind the kept part. */
static void cut_line(struct evs_file_lines *lines, size_t text_bytes)
{
    size_t keep = lines->line_bytes_max - lines->rest_bytes;
    keep = keep < text_bytes ? keep : text_bytes;
    lines->rest_bytes += keep;
    lines->cut_bytes += text_bytes - keep;
    lines->is_cutting = lines->cut_bytes > 0;
}

/* The rest goes to just before the block, where the next read continues it. */
static void carry(struct evs_file_lines *lines)
{
    if (lines->rest_bytes > lines->carry_bytes) {
        size_t wanted = 2 * lines->rest_bytes;
        grow(lines, wanted + (EVS_FILE_PAGE_BYTES - wanted % EVS_FILE_PAGE_BYTES) % EVS_FILE_PAGE_BYTES);
        return;
    }
    char *target = (char *)lines->block - lines->rest_bytes;
    memmove(target, lines->rest, lines->rest_bytes);
    lines->rest = target;
}

/* Reads one block behind the rest. */
static evs_status read_block(struct evs_file_lines *lines, size_t *got, struct evs_error *error)
{
    carry(lines);
    evs_status status = evs_file_bytes_read(lines->bytes, lines->block, lines->block_bytes, got, error);
    lines->at_end = status == EVS_OK && *got == 0;
    if (lines->skip_bytes > 0 && status == EVS_OK) {
        /* Only a first block is skipped in: nothing is carried. A file that ends in it has been found too short when it was opened. */
        EVS_ASSERT(lines->rest_bytes == 0);
        size_t skip = lines->skip_bytes < *got ? lines->skip_bytes : *got;
        lines->rest = (char *)lines->block + skip;
        lines->skip_bytes = 0;
        *got -= skip;
    }
    return status;
}

static void deliver(struct evs_file_lines *lines, size_t bytes, struct evs_message *message)
{
    EVS_ASSERT(bytes > 0 && bytes <= lines->rest_bytes);
    *message = (struct evs_message){
        .sequence = 1,
        .first_index = EVS_INDEX_CONTINUES,
        .ingested_at_us = INT64_MIN,
        .payload = {lines->rest, bytes},
        .last_of_position = true,
    };
    lines->byte_offset += bytes + lines->cut_bytes;
    lines->cut_bytes = 0;
    message->byte_offset = lines->byte_offset;
    lines->rest += bytes;
    lines->rest_bytes -= bytes;
}

/* The line in hand was too long, and its end has come: `end` bytes into the block, or the file's end. It is delivered alone, cut; what
 * stands behind it is the rest. */
static void deliver_cut(struct evs_file_lines *lines, size_t end, size_t block_bytes, struct evs_message *message)
{
    lines->cut_bytes += end;
    deliver(lines, lines->rest_bytes, message);
    lines->is_cutting = false;
    lines->rest = (char *)lines->block + end;
    lines->rest_bytes = block_bytes - end;
    lines->rest_has_lines = true;
}

/* What the block that was just read completes. False: nothing yet. */
static bool take_block(struct evs_file_lines *lines, size_t got, struct evs_message *message)
{
    const char *text = lines->rest + lines->rest_bytes;
    if (lines->is_cutting) {
        const char *newline = memchr(lines->block, '\n', got);
        if (newline != NULL) {
            deliver_cut(lines, (size_t)(newline + 1 - (char *)lines->block), got, message);
            return true;
        }
        lines->cut_bytes += got;
        return false;
    }
    const char *newline = memrchr(text, '\n', got);
    if (newline == NULL) {
        cut_line(lines, got);
        return false;
    }
    lines->rest_bytes += got;
    deliver(lines, (size_t)(newline + 1 - lines->rest), message);
    return true;
}

/* Whole lines that are already here. */
static bool take_rest(struct evs_file_lines *lines, struct evs_message *message)
{
    if (!lines->rest_has_lines) {
        return false;
    }
    lines->rest_has_lines = false;
    const char *newline = memrchr(lines->rest, '\n', lines->rest_bytes);
    if (newline == NULL) {
        return false;
    }
    deliver(lines, (size_t)(newline + 1 - lines->rest), message);
    return true;
}

/* Whether a read would find something, or the end, at once. Only pipes can be asked; one that had no writer yet has no end. */
static bool can_read(struct evs_file_lines *lines)
{
    struct evs_wait_fd fd = {.fd = lines->wait_fd, .want_read = true};
    return lines->wait_fd < 0 || lines->os->sockets.wait(lines->os->sockets.self, NULL, &fd, 1, 0) > 0;
}

static evs_status end(struct evs_file_lines *lines, struct evs_message *message)
{
    evs_file_bytes_close(lines->bytes);
    lines->bytes = NULL;
    if (lines->rest_bytes == 0) {
        return EVS_END;
    }
    deliver(lines, lines->rest_bytes, message);
    return EVS_OK;
}

evs_status evs_file_lines_next(struct evs_file_lines *lines, struct evs_message *message, struct evs_error *error)
{
    if (lines->bytes == NULL) {
        return EVS_END;
    }
    bool taken = take_rest(lines, message);
    while (!taken) {
        size_t got;
        if (!can_read(lines)) {
            return EVS_AGAIN;
        }
        evs_status status = read_block(lines, &got, error);
        if (status != EVS_OK) {
            return status;
        }
        if (lines->at_end) {
            return end(lines, message);
        }
        taken = got > 0 && take_block(lines, got, message);
    }
    return EVS_OK;
}
