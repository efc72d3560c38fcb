/* Shares, times and hints (measured.h).
 *
 * Time is sampled (one call of about 16, engine/run/view.c), so small shares are rough; nothing is said of what took less than a hundredth of a second. A hint
 * says what was seen, then what may be done; none is given for a pipeline that has nothing to do. */
#include "measured.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evstream/json_value.h"

#define BUSY_MIN_US 10000
#define TIME_SHARE_TOLD 0.3
#define BUSY_SHARE_FULL 0.9
#define HELD_SHARE_TOLD 0.1
#define FILTER_KEEPS_TOLD 0.2
#define ROWS_A_BATCH_SMALL 16
#define LOST_SHARE_TOLD 0.01

static bool is_kind(const struct evs_measured_node *node, const char *kind)
{
    return strcmp(node->seen->kind, kind) == 0;
}

/* --- figures --------------------------------------------------------------------------------------------------------------- */

static const struct evs_seen_node *node_named(const struct evs_seen_pipeline *pipeline, const char *name)
{
    for (uint32_t i = 0; i < pipeline->node_count; i++) {
        if (strcmp(pipeline->nodes[i].name, name) == 0) {
            return &pipeline->nodes[i];
        }
    }
    return NULL;
}

/* Counters of the span. A run that began again in between has counted from 0. */
static struct evs_seen_node difference(const struct evs_seen_node *before, const struct evs_seen_node *now)
{
    struct evs_seen_node node = *now;
    if (before == NULL || before->rows_in > now->rows_in || before->busy_us > now->busy_us) {
        return node;
    }
    node.rows_in -= before->rows_in;
    node.rows_out -= before->rows_out;
    node.batches_in -= before->batches_in;
    node.late -= before->late;
    node.dead -= before->dead;
    node.null_key -= before->null_key;
    node.limited -= before->limited;
    node.busy_us -= before->busy_us;
    node.blocked_us -= before->blocked_us;
    node.messages -= before->messages;
    node.retries -= before->retries;
    return node;
}

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : -1;
}

static void measure_node(const struct evs_measured *measured, int64_t busy_us, struct evs_measured_node *node)
{
    const struct evs_seen_node *seen = node->seen;
    double rows_in = (double)seen->rows_in;
    bool is_timed = seen->busy_us >= BUSY_MIN_US;
    bool gives_rows = strcmp(seen->kind, "sink") != 0 && strcmp(seen->kind, "exchange") != 0;
    int64_t workers = seen->workers > 0 ? seen->workers : 1;
    node->time_share = busy_us >= BUSY_MIN_US ? (double)seen->busy_us / (double)busy_us : -1;
    node->ns_a_row = is_timed ? ratio((double)seen->busy_us * 1e3, rows_in) : -1;
    node->rows_a_batch = ratio(rows_in, (double)seen->batches_in);
    node->selectivity = gives_rows ? ratio((double)seen->rows_out, rows_in) : -1;
    node->held_share = ratio((double)seen->blocked_us, (double)(measured->span_us * workers));
}

/* --- hints -------------------------------------------------------------------------------------------------------------------- */

static void EVS_PRINTF(5, 6)
    hint(struct evs_measured *measured, double weight, const char *kind, const char *node, const char *format, ...)
{
    if (measured->hint_count == EVS_HINTS_MAX) {
        return;
    }
    struct evs_hint *made = &measured->hints[measured->hint_count++];
    *made = (struct evs_hint){.weight = weight, .kind = kind, .node = node};
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(made->text, sizeof made->text, format, arguments);
    va_end(arguments);
}

static const struct evs_measured_node *busiest(const struct evs_measured *measured)
{
    const struct evs_measured_node *most = NULL;
    for (uint32_t i = 0; i < measured->node_count; i++) {
        const struct evs_measured_node *node = &measured->nodes[i];
        most = node->time_share >= 0 && (most == NULL || node->time_share > most->time_share) ? node : most;
    }
    return most;
}

static void hint_time(struct evs_measured *measured)
{
    const struct evs_measured_node *most = busiest(measured);
    if (most == NULL || most->time_share < TIME_SHARE_TOLD || measured->node_count < 2) {
        return;
    }
    const char *advice = is_kind(most, "source")
                             ? "that is reading and decoding: fewer columns, or more events a message, make it less"
                         : is_kind(most, "sink") ? "that is encoding: rows that are left out before need none"
                                                 : "rows that are left out before it make it less";
    char each[48] = "";
    if (most->ns_a_row >= 0) {
        snprintf(each, sizeof each, " (%.0f ns a row)", most->ns_a_row);
    }
    hint(measured, most->time_share * measured->busy_share, "time", most->seen->name,
         "%s takes %.0f %% of the time%s: %s.", most->seen->name, most->time_share * 100, each, advice);
}

static void hint_full(struct evs_measured *measured)
{
    if (measured->busy_share > BUSY_SHARE_FULL) {
        hint(measured, measured->busy_share, "full", NULL,
             "%s busy %.0f %% of the time: events that come faster wait at the broker. --parallelism gives more "
             "workers, if there are cores for them.",
             measured->workers == 1 ? "The worker is" : "The workers are", measured->busy_share * 100);
    }
}

/* Who is held up waits for one behind it that is not: the first such is what holds. */
static uint32_t holder_of(const struct evs_measured *measured, const struct evs_seen_pipeline *plan, uint32_t number)
{
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        if (plan->edges[i].from == number) {
            uint32_t to = plan->edges[i].to;
            return measured->nodes[to].held_share > HELD_SHARE_TOLD ? holder_of(measured, plan, to) : to;
        }
    }
    return number;
}

static void hint_held(struct evs_measured *measured, const struct evs_seen_pipeline *plan)
{
    const struct evs_measured_node *most = NULL;
    for (uint32_t i = 0; i < measured->node_count; i++) {
        const struct evs_measured_node *node = &measured->nodes[i];
        most =
            node->held_share > HELD_SHARE_TOLD && (most == NULL || node->held_share > most->held_share) ? node : most;
    }
    if (most != NULL) {
        const struct evs_measured_node *holder =
            &measured->nodes[holder_of(measured, plan, (uint32_t)(most - measured->nodes))];
        if (is_kind(holder, "sink") || holder == most) {
            hint(measured, most->held_share, "held_up", most->seen->name,
                 "%s was held up %.0f %% of the time by sinks that had too much undelivered; %s has %" PRId64
                 " messages without an acknowledgement now.",
                 most->seen->name, most->held_share * 100, holder->seen->name, holder->seen->waiting);
        } else {
            hint(measured, most->held_share, "held_up", most->seen->name,
                 "%s was held up %.0f %% of the time, because %s could not take more.", most->seen->name,
                 most->held_share * 100, holder->seen->name);
        }
    }
}

/* A filter that lets little through, straight behind something that costs much. */
static void hint_filter(struct evs_measured *measured, const struct evs_seen_pipeline *plan)
{
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const struct evs_measured_node *from = &measured->nodes[plan->edges[i].from],
                                       *to = &measured->nodes[plan->edges[i].to];
        bool is_late = is_kind(to, "where") && !is_kind(from, "source") && to->selectivity >= 0 &&
                       to->selectivity < FILTER_KEEPS_TOLD && from->time_share > TIME_SHARE_TOLD;
        if (is_late) {
            hint(measured, from->time_share * (1 - to->selectivity) * measured->busy_share, "late_filter",
                 to->seen->name,
                 "%s lets %.1f %% of its rows through, behind %s, which takes %.0f %% of the time: conditions on "
                 "columns that are there before it save work when "
                 "they stand before it.",
                 to->seen->name, to->selectivity * 100, from->seen->name, from->time_share * 100);
        }
    }
}

static void hint_batches(struct evs_measured *measured)
{
    for (uint32_t i = 0; i < measured->node_count; i++) {
        const struct evs_measured_node *node = &measured->nodes[i];
        double a_message = ratio((double)node->seen->rows_in, (double)node->seen->messages);
        bool is_small = is_kind(node, "source") && node->rows_a_batch >= 0 && node->rows_a_batch < ROWS_A_BATCH_SMALL &&
                        a_message >= 0 && a_message < 2 && measured->busy_share > 0.5;
        if (is_small) {
            hint(measured, measured->busy_share / 2, "small_batches", node->seen->name,
                 "%s brings %.1f events a message and %.1f rows a batch: a message that carries many events, one JSON "
                 "object a line, costs broker and engine a fraction.",
                 node->seen->name, a_message, node->rows_a_batch);
        }
    }
}

static void hint_lag(struct evs_measured *measured)
{
    for (uint32_t i = 0; i < measured->node_count; i++) {
        const struct evs_seen_node *seen = measured->nodes[i].seen;
        double rate = (double)seen->messages / ((double)measured->span_us / 1e6);
        if (seen->lag_messages > 0 && rate > 0 && (double)seen->lag_messages > 10 * rate) {
            hint(measured, 0.5, "lag", seen->name,
                 "%s is %" PRId64
                 " messages behind its stream, %.0f s at the rate of this span (%.0f messages a second).",
                 seen->name, seen->lag_messages, (double)seen->lag_messages / rate, rate);
        }
    }
}

static void hint_lost(struct evs_measured *measured)
{
    for (uint32_t i = 0; i < measured->node_count; i++) {
        const struct evs_seen_node *seen = measured->nodes[i].seen;
        const struct {
            int64_t count;
            const char *what;
        } losses[] = {
            {seen->late, "came too late; a longer watermark delay or `allow lateness` keeps them"},
            {seen->dead, "became dead letters; `evstream dlq ls` says why"},
            {seen->null_key, "have no key (NULL) and were left out"},
            {seen->limited, "were left out by a limit of a key"},
        };
        for (size_t j = 0; j < EVS_COUNT(losses); j++) {
            double share = ratio((double)losses[j].count, (double)seen->rows_in);
            if (share > LOST_SHARE_TOLD) {
                hint(measured, share, "lost_rows", seen->name, "%.1f %% of the rows of %s %s.", share * 100, seen->name,
                     losses[j].what);
            }
        }
    }
}

static int heavier(const void *left, const void *right)
{
    const struct evs_hint *a = left, *b = right;
    return a->weight < b->weight ? 1 : a->weight > b->weight ? -1 : strcmp(a->text, b->text);
}

void evs_measured_make(const struct evs_seen_pipeline *before, const struct evs_seen_pipeline *now, struct evs_arena *arena,
                 struct evs_measured *measured)
{
    struct evs_seen_node *figures = EVS_ARENA_ARRAY(arena, struct evs_seen_node, now->node_count + 1);
    bool is_same_run = before != NULL && before->starts == now->starts && before->uptime_us < now->uptime_us;
    int64_t busy_us = 0, events = 0;
    *measured = (struct evs_measured){
        .pipeline = now->name,
        .state = now->state,
        .span_us = is_same_run ? now->uptime_us - before->uptime_us : now->uptime_us,
        .workers = now->workers > 0 ? now->workers : 1,
        .nodes = EVS_ARENA_ARRAY(arena, struct evs_measured_node, now->node_count + 1),
        .node_count = now->node_count,
    };
    for (uint32_t i = 0; i < now->node_count; i++) {
        figures[i] = difference(is_same_run ? node_named(before, now->nodes[i].name) : NULL, &now->nodes[i]);
        measured->nodes[i].seen = &figures[i];
        busy_us += figures[i].busy_us;
        events += strcmp(figures[i].kind, "source") == 0 ? figures[i].rows_in : 0;
    }
    measured->span_us = measured->span_us > 0 ? measured->span_us : 1;
    measured->busy_share = (double)busy_us / (double)(measured->span_us * measured->workers);
    measured->busy_share = measured->busy_share > 1 ? 1 : measured->busy_share; /* it is sampled */
    measured->events_a_second = (double)events * 1e6 / (double)measured->span_us;
    for (uint32_t i = 0; i < now->node_count; i++) {
        measure_node(measured, busy_us, &measured->nodes[i]);
    }
    hint_time(measured);
    hint_full(measured);
    hint_held(measured, now);
    hint_filter(measured, now);
    hint_batches(measured);
    hint_lag(measured);
    hint_lost(measured);
    qsort(measured->hints, measured->hint_count, sizeof measured->hints[0], heavier);
}

/* --- for people ----------------------------------------------------------------------------------------------------------------- */

#define COLUMNS 9
struct table {
    char (*cells)[COLUMNS][EVS_SEEN_TEXT];
    uint32_t rows;
};

static void put_cell(char out[EVS_SEEN_TEXT], double value, int digits, const char *unit)
{
    if (value < 0) {
        snprintf(out, EVS_SEEN_TEXT, "-");
    } else {
        snprintf(out, EVS_SEEN_TEXT, "%.*f%s", digits, value, unit);
    }
}

static void fill_row(char cells[COLUMNS][EVS_SEEN_TEXT], const struct evs_measured_node *node)
{
    const struct evs_seen_node *seen = node->seen;
    bool has_state = seen->state_keys > 0 || seen->state_bytes > 0;
    evs_seen_count(cells[0], seen->rows_in);
    evs_seen_count(cells[1], seen->rows_out);
    put_cell(cells[2], node->selectivity * 100, 1, " %");
    put_cell(cells[3], node->time_share * 100, 0, " %");
    put_cell(cells[4], node->ns_a_row, 0, "");
    put_cell(cells[5], node->rows_a_batch, 0, "");
    put_cell(cells[6], node->held_share * 100, 0, " %");
    snprintf(cells[7], EVS_SEEN_TEXT, "-");
    snprintf(cells[8], EVS_SEEN_TEXT, "-");
    if (has_state) {
        evs_seen_count(cells[7], seen->state_keys);
        evs_seen_bytes(cells[8], seen->state_bytes);
    }
}

static void put_table(const struct evs_measured *measured, struct evs_buffer *out)
{
    static const char *const titles[COLUMNS] = {"rows in",    "rows out", "kept", "time",  "ns/row",
                                                "rows/batch", "held up",  "keys", "memory"};
    char(*cells)[COLUMNS][EVS_SEEN_TEXT] = evs_alloc_zero((measured->node_count + 1u) * sizeof *cells);
    int widths[COLUMNS] = {0}, name_width = 0;
    for (uint32_t i = 0; i <= measured->node_count; i++) {
        for (uint32_t j = 0; i == 0 && j < COLUMNS; j++) {
            snprintf(cells[0][j], EVS_SEEN_TEXT, "%s", titles[j]);
        }
        if (i > 0) {
            fill_row(cells[i], &measured->nodes[i - 1]);
            int width = (int)strlen(measured->nodes[i - 1].seen->name);
            name_width = width > name_width ? width : name_width;
        }
        for (uint32_t j = 0; j < COLUMNS; j++) {
            int width = (int)strlen(cells[i][j]);
            widths[j] = width > widths[j] ? width : widths[j];
        }
    }
    for (uint32_t i = 0; i <= measured->node_count; i++) {
        evs_buffer_printf(out, "  %-*s", name_width, i == 0 ? "" : measured->nodes[i - 1].seen->name);
        for (uint32_t j = 0; j < COLUMNS; j++) {
            evs_buffer_printf(out, "  %*s", widths[j], cells[i][j]);
        }
        evs_buffer_printf(out, "%s%s\n", i == 0 ? "" : "  ", i == 0 ? "" : measured->nodes[i - 1].seen->label);
    }
    evs_free(cells);
}

void evs_measured_text(const struct evs_measured *measured, struct evs_buffer *out)
{
    char span[EVS_SEEN_TEXT], rate[EVS_SEEN_TEXT];
    evs_buffer_printf(
        out, "pipeline %s, %s: measured over %s, %s events a second, %" PRId64 " %s busy %.0f %% of the time\n\n",
        measured->pipeline, measured->state, evs_seen_duration(span, measured->span_us),
        evs_seen_count(rate, (int64_t)measured->events_a_second), measured->workers,
        measured->workers == 1 ? "worker" : "workers", measured->busy_share * 100);
    put_table(measured, out);
    for (uint32_t i = 0; i < measured->hint_count; i++) {
        evs_buffer_printf(out, "%s* %s\n", i == 0 ? "\n" : "", measured->hints[i].text);
    }
    if (measured->hint_count == 0) {
        evs_buffer_puts(out, "\nNothing stands out.\n");
    }
}

/* --- for programs ------------------------------------------------------------------------------------------------------------------ */

static void put_text(struct evs_buffer *out, const char *name, const char *value)
{
    evs_buffer_printf(out, "\"%s\":", name);
    if (value == NULL) {
        evs_buffer_puts(out, "null");
    } else {
        evs_json_put_text(out, evs_slice_of(value));
    }
}

static void put_share(struct evs_buffer *out, const char *name, double value)
{
    if (value < 0) {
        evs_buffer_printf(out, ",\"%s\":null", name);
    } else {
        evs_buffer_printf(out, ",\"%s\":%.6g", name, value);
    }
}

static void put_node(struct evs_buffer *out, const struct evs_measured_node *node)
{
    const struct evs_seen_node *seen = node->seen;
    evs_buffer_puts(out, "{");
    put_text(out, "name", seen->name);
    evs_buffer_puts(out, ",");
    put_text(out, "kind", seen->kind);
    evs_buffer_puts(out, ",");
    put_text(out, "label", seen->label);
    evs_buffer_printf(out, ",\"rows_in\":%" PRId64 ",\"rows_out\":%" PRId64 ",\"busy_us\":%" PRId64, seen->rows_in,
                      seen->rows_out, seen->busy_us);
    put_share(out, "selectivity", node->selectivity);
    put_share(out, "time_share", node->time_share);
    put_share(out, "ns_a_row", node->ns_a_row);
    put_share(out, "rows_a_batch", node->rows_a_batch);
    put_share(out, "held_share", node->held_share);
    evs_buffer_printf(out, ",\"state_keys\":%" PRId64 ",\"state_bytes\":%" PRId64 "}", seen->state_keys,
                      seen->state_bytes);
}

void evs_measured_json(const struct evs_measured *measured, struct evs_buffer *out)
{
    evs_buffer_puts(out, "{");
    put_text(out, "pipeline", measured->pipeline);
    evs_buffer_puts(out, ",");
    put_text(out, "state", measured->state);
    evs_buffer_printf(out, ",\"span_us\":%" PRId64 ",\"workers\":%" PRId64, measured->span_us, measured->workers);
    put_share(out, "busy_share", measured->busy_share);
    put_share(out, "events_a_second", measured->events_a_second);
    evs_buffer_puts(out, ",\"nodes\":[");
    for (uint32_t i = 0; i < measured->node_count; i++) {
        evs_buffer_puts(out, i == 0 ? "\n  " : ",\n  ");
        put_node(out, &measured->nodes[i]);
    }
    evs_buffer_puts(out, "\n],\"hints\":[");
    for (uint32_t i = 0; i < measured->hint_count; i++) {
        evs_buffer_puts(out, i == 0 ? "\n  {" : ",\n  {");
        put_text(out, "kind", measured->hints[i].kind);
        evs_buffer_puts(out, ",");
        put_text(out, "node", measured->hints[i].node);
        evs_buffer_puts(out, ",");
        put_text(out, "text", measured->hints[i].text);
        evs_buffer_puts(out, "}");
    }
    evs_buffer_puts(out, "\n]}\n");
}
