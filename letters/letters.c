#include "letters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_reader.h"
#include "json_tree.h"
#include "nats_json.h"
#include "parts.h"
#include "source_nats.h"

#define BYTES_MAX ((size_t)64 << 20) /* of the rows of one list */

/* --- opening --------------------------------------------------------------------------------------------------------------- */

static evs_status (*reader_of(const struct evs_plan_node *sink))(struct evs_letters *, const struct evs_plan_node *,
                                                                 struct evs_letters_rows *, struct evs_error *)
{
    static const struct {
        const char *kind;
        evs_status (*read)(struct evs_letters *, const struct evs_plan_node *, struct evs_letters_rows *,
                           struct evs_error *);
    } readers[] = {{"nats", evs_letters_read_nats}, {"file", evs_letters_read_file}, {"redis", evs_letters_read_redis}};
    for (size_t i = 0; i < EVS_COUNT(readers); i++) {
        if (strcmp(sink->sink->connector->kind, readers[i].kind) == 0) {
            return readers[i].read;
        }
    }
    return NULL;
}

static bool is_letter_sink(const struct evs_plan_node *node)
{
    return node->kind == EVS_NODE_SINK && node->sink->is_dead_letter;
}

static evs_status check_plan(const struct evs_plan *plan, struct evs_error *error)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const struct evs_plan_node *node = &plan->nodes[i];
        if (is_letter_sink(node) && reader_of(node) == NULL) {
            return evs_fail(
                error, EVS_E_USAGE,
                "The dead letters of sink %s go to %s, which cannot be read back; nats, redis and file can.",
                node->name, node->sink->connector->kind);
        }
        count += is_letter_sink(node);
    }
    return count > 0
               ? EVS_OK
               : evs_fail(
                     error, EVS_E_USAGE,
                     "No source of pipeline %s keeps its dead letters: `dead letter into SINK` behind the source does.",
                     plan->pipeline);
}

evs_status evs_letters_open(const struct evs_letters_open *open, struct evs_letters **result, struct evs_error *error)
{
    evs_status status = check_plan(open->plan, error);
    if (status != EVS_OK) {
        return status;
    }
    struct evs_letters *letters = evs_alloc_zero(sizeof *letters);
    letters->with = *open;
    letters->park = open->os->threads.park_new(open->os->threads.self);
    *result = letters;
    return EVS_OK;
}

void evs_letters_close(struct evs_letters *letters)
{
    if (letters != NULL) {
        evs_letters_disconnect(&letters->link);
        letters->with.os->threads.park_free(letters->park);
        evs_free(letters);
    }
}

const struct evs_nats_reader_config *evs_letters_broker(const struct evs_letters *letters, const char *source)
{
    const struct evs_plan *plan = letters->with.plan;
    for (uint32_t i = 0; source != NULL && i < plan->node_count; i++) {
        const struct evs_plan_node *node = &plan->nodes[i];
        if (node->kind == EVS_NODE_SOURCE && strcmp(node->name, source) == 0) {
            return node->source->connector == &evs_source_nats ? node->source->config : NULL;
        }
    }
    return NULL;
}

/* --- rows ---------------------------------------------------------------------------------------------------------------------- */

bool evs_letters_keep(struct evs_letters_rows *rows, struct evs_slice payload, struct evs_slice id, int64_t time_us)
{
    if (rows->count >= rows->max || rows->bytes + payload.count > BYTES_MAX) {
        rows->is_complete = false;
        return false;
    }
    if (rows->count == rows->capacity) {
        uint32_t capacity = rows->capacity == 0 ? 256 : rows->capacity * 2;
        struct evs_letters_row *grown = EVS_ARENA_ARRAY(rows->arena, struct evs_letters_row, capacity);
        if (rows->count > 0) {
            memcpy(grown, rows->rows, rows->count * sizeof *grown);
        }
        rows->rows = grown;
        rows->capacity = capacity;
    }
    char *text = evs_arena_zero(rows->arena, payload.count + EVS_TREE_PADDING, 64);
    if (payload.count > 0) {
        memcpy(text, payload.data, payload.count);
    }
    rows->rows[rows->count++] = (struct evs_letters_row){
        .payload = {text, payload.count},
        .id = id.count == 0 ? NULL : evs_arena_strndup(rows->arena, id.data, id.count),
        .time_us = time_us,
    };
    rows->bytes += payload.count;
    return true;
}

/* --- letters ------------------------------------------------------------------------------------------------------------------- */

static const char *text_of(struct evs_arena *arena, const struct evs_tree *row, const char *name)
{
    struct evs_slice text = evs_tree_string(row, name);
    return text.count == 0 ? NULL : evs_arena_strndup(arena, text.data, text.count);
}

static int64_t number_of(const struct evs_tree *row, const char *name)
{
    const struct evs_tree *member = evs_tree_get(row, name);
    int64_t value = 0;
    return evs_tree_is(member, EVS_TREE_NUMBER) && evs_parse_int64(member->text, &value) ? value : 0;
}

/* Bytes are base64 in a text. */
static void take_raw(struct evs_arena *arena, const struct evs_tree *row, struct evs_letter *letter)
{
    const struct evs_tree *member = evs_tree_get(row, "raw");
    struct evs_buffer quoted = {0}, bytes = {0};
    if (!evs_tree_is(member, EVS_TREE_STRING)) {
        return;
    }
    evs_buffer_printf(&quoted, "\"%.*s\"", (int)member->text.count, member->text.data);
    letter->has_raw = evs_nats_json_base64((struct evs_slice){quoted.data, quoted.count}, &bytes);
    char *copy = evs_arena_strndup(arena, bytes.count == 0 ? "" : bytes.data, bytes.count);
    letter->raw = (struct evs_slice){copy, bytes.count};
    evs_buffer_fini(&quoted);
    evs_buffer_fini(&bytes);
}

/* Why it is not sent back. */
static const char *kept_because(const struct evs_letters *letters, const struct evs_letter *letter)
{
    const struct evs_nats_reader_config *broker = evs_letters_broker(letters, letter->source);
    if (letter->source == NULL) {
        return "It is no dead letter of this pipeline.";
    }
    if (broker == NULL) {
        return "Its source reads no stream that a message could be sent back to.";
    }
    if (!letter->has_raw || letter->row.count > 0) {
        return "It died behind its source, where other branches of the pipeline may have taken it already: sent back "
               "it would count twice there. Mend the "
               "pipeline, and let `evstream replay` derive what is missing.";
    }
    bool is_ours = letter->subject != NULL &&
                   (broker->subject[0] == '\0' || evs_nats_subject_covers(broker->subject, letter->subject));
    return is_ours ? NULL : "Its subject is none that the source reads.";
}

/* A row of a sink with `format cloudevents` in structured mode has it as `data`. */
static const struct evs_tree *row_of(const struct evs_tree *tree)
{
    const struct evs_tree *data = evs_tree_get(tree, "data");
    return evs_tree_get(tree, "specversion") != NULL && evs_tree_is(data, EVS_TREE_OBJECT) ? data : tree;
}

static void make_letter(const struct evs_letters *letters, struct evs_json_reader *reader, struct evs_arena *arena,
                        const char *sink, const struct evs_letters_row *from, struct evs_letter *letter)
{
    const char *mistake = NULL;
    const struct evs_tree *tree =
        evs_tree_read(reader, arena, (char *)(uintptr_t)from->payload.data, from->payload.count, &mistake);
    const struct evs_tree *row = row_of(tree), *inner = evs_tree_get(row, "row");
    struct evs_slice ingested = evs_tree_string(row, "_ingested_at");
    const char *reason = text_of(arena, row, "_reason");
    char id[40];
    *letter = (struct evs_letter){
        .id = from->id,
        .sink = sink,
        .time_us = from->time_us,
        .reason = reason == NULL ? "" : reason,
        .code = text_of(arena, row, "_code"),
        .file = text_of(arena, row, "_file"),
        .expression = text_of(arena, row, "_expr"),
        .source = text_of(arena, row, "_source"),
        .subject = text_of(arena, row, "_subject"),
        .line = number_of(row, "_line"),
        .sequence = number_of(row, "_sequence"),
        .row = inner == NULL || evs_tree_is(inner, EVS_TREE_NULL) ? (struct evs_slice){0} : inner->text,
    };
    if (letter->time_us == EVS_TIME_MIN && ingested.count > 0) {
        (void)evs_parse_timestamp(ingested, true, &letter->time_us);
    }
    if (letter->id == NULL) {
        struct evs_hash128 hash = evs_hash128(from->payload.data, from->payload.count);
        snprintf(id, sizeof id, "%016llx%016llx", (unsigned long long)hash.high, (unsigned long long)hash.low);
        letter->id = evs_arena_strndup(arena, id, strlen(id));
    }
    take_raw(arena, row, letter);
    letter->kept = kept_because(letters, letter);
}

static bool is_wanted(const struct evs_letters_query *query, const struct evs_letter *letter)
{
    return (query->reason == NULL || strcmp(query->reason, letter->reason) == 0) &&
           (query->source == NULL || (letter->source != NULL && strcmp(query->source, letter->source) == 0)) &&
           (query->id == NULL || strcmp(query->id, letter->id) == 0);
}

struct listing {
    struct evs_letter *letters;
    uint32_t count, capacity;
};

static evs_status list_sink(struct evs_letters *letters, const struct evs_letters_query *query,
                            const struct evs_plan_node *sink, struct evs_json_reader *reader, struct evs_arena *arena,
                            struct listing *listing, struct evs_letter_list *list, struct evs_error *error)
{
    struct evs_letters_rows rows = {.arena = arena, .max = query->newest, .is_complete = true};
    evs_status status = reader_of(sink)(letters, sink, &rows, error);
    list->is_complete = list->is_complete && rows.is_complete;
    for (uint32_t i = 0; status == EVS_OK && i < rows.count; i++) {
        struct evs_letter letter;
        make_letter(letters, reader, arena, sink->name, &rows.rows[i], &letter);
        if (!is_wanted(query, &letter)) {
            continue;
        }
        if (query->marks && letter.kept == NULL) {
            status = evs_letters_look_up(letters, &letter, error);
        }
        EVS_GROW(listing->letters, listing->count, listing->capacity);
        listing->letters[listing->count++] = letter;
    }
    return status;
}

/* Of one sink they stand in order; a list of several sinks is put in order of time. */
static int newer_first(const void *left, const void *right)
{
    const struct evs_letter *a = left, *b = right;
    if (a->time_us != b->time_us) {
        return a->time_us > b->time_us ? -1 : 1;
    }
    return 0;
}

evs_status evs_letters_list(struct evs_letters *letters, const struct evs_letters_query *query, struct evs_arena *arena,
                            struct evs_letter_list *list, struct evs_error *error)
{
    const struct evs_plan *plan = letters->with.plan;
    struct evs_json_reader *reader = evs_json_reader_new();
    struct listing listing = {0};
    uint32_t sinks = 0;
    evs_status status = EVS_OK;
    EVS_ASSERT(query->newest > 0);
    *list = (struct evs_letter_list){.is_complete = true};
    for (uint32_t i = 0; i < plan->node_count && status == EVS_OK; i++) {
        if (is_letter_sink(&plan->nodes[i])) {
            status = list_sink(letters, query, &plan->nodes[i], reader, arena, &listing, list, error);
            sinks++;
        }
    }
    if (sinks > 1 && listing.count > 1) {
        qsort(listing.letters, listing.count, sizeof *listing.letters, newer_first);
    }
    list->letters = evs_arena_copy(arena, listing.letters, listing.count * sizeof *listing.letters);
    list->count = listing.count;
    evs_free(listing.letters);
    evs_json_reader_free(reader);
    return status;
}
