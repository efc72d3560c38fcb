/* Names and labels of nodes.
 *
 * Names are identities. An operator with state is named by `as NAME`, else by its kind, its keys and a piece of its lineage, so that one that is
 * added, moved or dropped elsewhere in the file renames no other. Labels are for people. */
#include "plan_build.h"

#include <inttypes.h>
#include <string.h>

static const char *take(struct evs_arena *arena, struct evs_buffer *text)
{
    const char *taken = evs_arena_strndup(arena, text->count > 0 ? text->data : "", text->count);
    evs_buffer_fini(text);
    return taken;
}

/* --- labels ----------------------------------------------------------------------------------------------------------------- */

void evs_put_duration(struct evs_buffer *out, int64_t us)
{
    static const struct {
        int64_t us;
        const char *unit;
    } units[] = {{INT64_C(86400000000), "d"},
                 {INT64_C(3600000000), "h"},
                 {60000000, "min"},
                 {1000000, "s"},
                 {1000, "ms"},
                 {1, "us"}};
    for (size_t i = 0; i < EVS_COUNT(units); i++) {
        if (us % units[i].us == 0 || units[i].us == 1) {
            evs_buffer_printf(out, "%" PRId64 " %s", us / units[i].us, units[i].unit);
            return;
        }
    }
}

const char *evs_label_scan(struct evs_arena *arena, const struct evs_bound_source *source)
{
    struct evs_buffer text = {0};
    evs_buffer_printf(&text, "source %s from %s, ", source->name, source->label);
    if (source->watermark == NULL) {
        evs_buffer_puts(&text, "event time _ingested_at");
    } else if (source->watermark_delay_us == 0) {
        evs_buffer_printf(&text, "event time %s, its own watermark", source->columns[source->watermark_column].name);
    } else if (source->watermark_delay_us > 0) {
        evs_buffer_printf(&text, "event time %s, watermark ", source->columns[source->watermark_column].name);
        evs_put_duration(&text, source->watermark_delay_us);
        evs_buffer_puts(&text, " behind");
    } else {
        evs_buffer_printf(&text, "event time %s, watermark %s", source->columns[source->watermark_column].name,
                          source->watermark->text);
    }
    return take(arena, &text);
}

/* A coercion has the text of what it coerces. */
static bool is_silent_cast(const struct evs_expr *expr)
{
    return expr->kind == EVS_EXPR_CAST && strcmp(expr->text, expr->arguments[0]->text) == 0;
}

const char *evs_label_project(struct evs_arena *arena, const struct evs_rel *rel)
{
    struct evs_buffer text = {0};
    for (uint32_t i = 0; i < rel->column_count; i++) {
        const struct evs_expr *expr = rel->exprs[i];
        if (!evs_rel_needs(rel, i) || expr->kind == EVS_EXPR_COLUMN) {
            continue;
        }
        bool is_named = strcmp(rel->columns[i].name, expr->text) != 0; /* a key of an operator has none but its text */
        evs_buffer_puts(&text, text.count > 0 ? ", " : "compute ");
        if (is_named) {
            evs_buffer_printf(&text, "%s = ", rel->columns[i].name);
        }
        if (is_silent_cast(expr)) {
            evs_buffer_printf(&text, "cast(%s as ", expr->text);
            evs_type_name(expr->type, &text);
            evs_buffer_puts(&text, ")");
        } else {
            evs_buffer_puts(&text, expr->text);
        }
    }
    return text.count > 0 ? take(arena, &text) : "keep columns";
}

static void put_keys(struct evs_buffer *out, const struct evs_rel *rel)
{
    const struct evs_rel_aggregate *aggregate = rel->aggregate;
    uint32_t count = 0;
    for (uint32_t i = 0; i < aggregate->key_count; i++) {
        evs_buffer_printf(out, "%s%s", count++ > 0 ? ", " : " by ",
                          rel->inputs[0].rel->columns[aggregate->keys[i]].name);
    }
    if (aggregate->window.kind != EVS_WINDOW_NONE) {
        evs_buffer_printf(out, "%s%s", count > 0 ? ", " : " by ",
                          aggregate->window_text != NULL ? aggregate->window_text : "window_start, window_end");
    }
}

static void put_emission(struct evs_buffer *out, const struct evs_rel_aggregate *aggregate)
{
    static const char *const modes[] = {[EVS_EMIT_ON_CLOSE] = ", emit on window close",
                                        [EVS_EMIT_ON_CHANGE] = ", emit on change",
                                        [EVS_EMIT_EVERY] = ", emit every "};
    evs_buffer_puts(out, modes[aggregate->emit]);
    if (aggregate->emit == EVS_EMIT_EVERY) {
        evs_put_duration(out, aggregate->every_us);
    }
    if (aggregate->lateness_us > 0) {
        evs_buffer_puts(out, ", allow lateness ");
        evs_put_duration(out, aggregate->lateness_us);
    }
}

const char *evs_label_aggregate(struct evs_arena *arena, const struct evs_rel *rel)
{
    struct evs_buffer text = {0};
    evs_buffer_puts(&text, "aggregate");
    for (uint32_t i = 0; i < rel->aggregate->call_count; i++) {
        evs_buffer_printf(&text, "%s%s", i > 0 ? ", " : " ", rel->aggregate->calls[i].text);
    }
    put_keys(&text, rel);
    put_emission(&text, rel->aggregate);
    return take(arena, &text);
}

const char *evs_label_groups(struct evs_arena *arena, const struct evs_rel *rel)
{
    struct evs_buffer text = {0};
    evs_buffer_puts(&text, "aggregate");
    put_keys(&text, rel);
    put_emission(&text, rel->aggregate);
    return take(arena, &text);
}

const char *evs_label_exchange(struct evs_arena *arena, const struct evs_schema *schema,
                               const struct evs_plan_exchange *exchange)
{
    if (exchange->gather) {
        return "gather on one worker";
    }
    if (exchange->broadcast) {
        return "broadcast to all workers";
    }
    struct evs_buffer text = {0};
    for (uint32_t i = 0; i < exchange->column_count; i++) {
        evs_buffer_printf(&text, "%s%s", i > 0 ? ", " : "exchange by ", schema->fields[exchange->columns[i]].name);
    }
    return take(arena, &text);
}

/* --- names ------------------------------------------------------------------------------------------------------------------- */

/* "aggregate_user_id_331619ec": kind, keys, and a piece of the lineage, as an identifier. */
static const char *derived_name(struct evs_arena *arena, const struct evs_rel *rel)
{
    struct evs_buffer text = {0};
    bool is_aggregate = rel->kind == EVS_REL_AGGREGATE;
    const uint32_t *keys = is_aggregate ? rel->aggregate->keys : rel->op->readings[0].keys;
    uint32_t key_count = is_aggregate ? rel->aggregate->key_count : rel->op->readings[0].key_count;
    evs_buffer_puts(&text, is_aggregate ? "aggregate" : rel->op->operator_->kind);
    for (uint32_t i = 0; i < key_count; i++) {
        evs_buffer_puts(&text, "_");
        for (const char *at = rel->inputs[0].rel->columns[keys[i]].name; *at != '\0'; at++) {
            bool is_plain = (*at >= 'a' && *at <= 'z') || (*at >= 'A' && *at <= 'Z') || (*at >= '0' && *at <= '9');
            evs_buffer_put(&text, is_plain ? at : "_", 1);
        }
    }
    evs_buffer_printf(&text, "_%08x", (uint32_t)(rel->lineage >> 32));
    return take(arena, &text);
}

static bool is_named(const struct evs_rel *rel)
{
    bool has_state = rel->kind == EVS_REL_AGGREGATE ||
                     (rel->kind == EVS_REL_OPERATOR && (rel->op->operator_->flags & EVS_OP_STATEFUL) != 0);
    return has_state && rel->is_live;
}

/* How many operators with this name have come so far, without this one. */
static uint32_t same_before(struct evs_name_index *counts, const char *name)
{
    uint32_t count = evs_name_index_find(counts, evs_slice_of(name));
    count = count != EVS_NO_NAME ? count : 0;
    evs_name_index_set(counts, name, count + 1);
    return count;
}

static void check_explicit(struct evs_binder *binder, struct evs_name_index *explicit, uint32_t index)
{
    const struct evs_rel *rel = binder->rels.items[index];
    uint32_t first = evs_name_index_find(explicit, evs_slice_of(rel->name));
    if (first != EVS_NO_NAME) {
        struct evs_diag *diag =
            evs_report(binder, EVS_E0407, rel->place, "the name `%s` belongs to another operator", rel->name);
        evs_report_note(binder, diag, binder->rels.items[first]->place, "that operator");
        return;
    }
    evs_name_index_set(explicit, rel->name, index);
    if (evs_entity_find(binder, false, evs_slice_of(rel->name)) != NULL) {
        evs_report(binder, EVS_E0407, rel->place, "the name `%s` is taken by a declaration", rel->name);
    }
}

const char **evs_name_aggregates(struct evs_binder *binder)
{
    struct evs_rels *rels = &binder->rels;
    struct evs_name_index explicit = {0}, derived = {0};
    const char **names = EVS_ARENA_ARRAY(binder->arena, const char *, rels->count + 1);
    for (uint32_t i = 0; i < rels->count; i++) {
        const struct evs_rel *rel = rels->items[i];
        if (!is_named(rel)) {
            continue;
        }
        if (rel->name != NULL) {
            check_explicit(binder, &explicit, i);
            names[i] = rel->name;
            continue;
        }
        const char *name = derived_name(binder->arena, rel);
        uint32_t before = same_before(&derived, name); /* the very same one twice: either may take the other's state */
        names[i] = before == 0 ? name : evs_arena_printf(binder->arena, "%s_%u", name, before + 1);
    }
    evs_name_index_fini(&explicit);
    evs_name_index_fini(&derived);
    return names;
}

const char *evs_path_of(struct evs_arena *arena, const char *const *names, const struct evs_rel *rel)
{
    struct evs_buffer text = {0};
    for (const struct evs_rel *at = rel;; at = at->inputs[0].rel) {
        if (at->kind == EVS_REL_SCAN) {
            evs_buffer_printf(&text, "%s%s", text.count > 0 ? "<" : "", at->source->name);
            break;
        }
        if (names[at->number] != NULL) {
            evs_buffer_printf(&text, "%s%s", text.count > 0 ? "<" : "", names[at->number]);
        }
    }
    return take(arena, &text);
}
