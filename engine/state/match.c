#include "match.h"

#include <inttypes.h>
#include <string.h>

static bool is_stateful(const struct evs_plan_node *node)
{
    return node->kind == EVS_NODE_OPERATOR && node->operator_->snapshot != NULL;
}

/* --- do they fit? ---------------------------------------------------------------------------------------------------------------- */

static bool same_parts(const struct evs_state_parts *a, const struct evs_state_parts *b)
{
    bool same = a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++) {
        same = a->items[i].identity == b->items[i].identity;
    }
    return same;
}

/* NULL: the stored state can go on as today's, apart from columns and rows. */
static const char *misfit(const struct evs_state_shape *stored, const struct evs_state_shape *now)
{
    if (strcmp(stored->kind, now->kind) != 0) {
        return "it was another kind of operator";
    }
    if (!same_parts(&stored->keys, &now->keys)) {
        return "its keys have changed";
    }
    if (stored->window != now->window) {
        return strcmp(now->kind, "aggregate") == 0 ? "its window or its emission has changed"
                                                   : "what it looks for has changed";
    }
    bool is_rigid = !stored->is_elastic || !now->is_elastic;
    if (is_rigid && !same_parts(&stored->columns, &now->columns)) {
        return "what it keeps of a key has changed";
    }
    return is_rigid && !same_parts(&stored->rows, &now->rows)
               ? "it keeps rows with other columns (what stands behind it asks for other ones)"
               : NULL;
}

static bool is_same_base(const struct evs_state_shape *stored, const struct evs_state_shape *now)
{
    return stored != NULL && now != NULL && strcmp(stored->kind, now->kind) == 0 &&
           same_parts(&stored->keys, &now->keys) && stored->window == now->window && stored->lineage == now->lineage;
}

static bool is_unchanged(const struct evs_state_shape *stored, const struct evs_state_shape *now)
{
    return misfit(stored, now) == NULL && same_parts(&stored->columns, &now->columns) &&
           same_parts(&stored->rows, &now->rows);
}

/* Of each stored part today's number. A part that stands there twice is taken in turn. */
static const uint32_t *map_parts(const struct evs_state_parts *stored, const struct evs_state_parts *now,
                                 struct evs_arena *arena)
{
    uint32_t *map = EVS_ARENA_ARRAY(arena, uint32_t, stored->count + 1u);
    bool *is_taken = EVS_ARENA_ARRAY(arena, bool, now->count + 1u);
    for (uint32_t i = 0; i < stored->count; i++) {
        map[i] = EVS_NO_PART;
        for (uint32_t k = 0; k < now->count && map[i] == EVS_NO_PART; k++) {
            if (!is_taken[k] && now->items[k].identity == stored->items[i].identity) {
                is_taken[k] = true;
                map[i] = k;
            }
        }
    }
    return map;
}

/* --- finding pairs -------------------------------------------------------------------------------------------------------------- */

struct matching {
    const struct evs_plan *plan;
    const struct evs_record *record;
    struct evs_arena *arena;
    struct evs_match *match;
    bool *is_taken; /* stored operators that have found theirs */
};

static struct evs_match_operator *of_node(const struct matching *m, uint32_t node)
{
    for (uint32_t i = 0; i < m->match->operator_count; i++) {
        if (m->match->operators[i].node == &m->plan->nodes[node]) {
            return &m->match->operators[i];
        }
    }
    return NULL;
}

static void pair(struct matching *m, uint32_t node, uint32_t stored)
{
    struct evs_match_operator *operator_ = of_node(m, node);
    EVS_ASSERT(operator_ != NULL && operator_->stored == NULL && !m->is_taken[stored]);
    operator_->stored = &m->record->nodes[stored];
    m->is_taken[stored] = true;
}

/* State written before shapes were: as it is, or not at all. */
static bool is_plainly_same(const struct evs_plan_node *node, const struct evs_record_node *stored)
{
    return strcmp(node->name, stored->name) == 0 && node->state_identity == stored->identity;
}

/* Without an explicit name on either side, an equal name may be an accident: two operators of one base are numbered as they come. */
static bool is_pair_by_name(const struct evs_plan_node *node, const struct evs_record_node *stored)
{
    if (strcmp(node->name, stored->name) != 0) {
        return false;
    }
    const struct evs_state_shape *now = node->shape;
    return now == NULL || stored->shape == NULL || now->is_named || is_unchanged(stored->shape, now);
}

static void pair_by_name(struct matching *m)
{
    for (uint32_t i = 0; i < m->plan->node_count; i++) {
        for (uint32_t k = 0; is_stateful(&m->plan->nodes[i]) && k < m->record->node_count; k++) {
            if (!m->is_taken[k] && is_pair_by_name(&m->plan->nodes[i], &m->record->nodes[k])) {
                pair(m, i, k);
                break;
            }
        }
    }
}

/* Candidates of one base, still alone: how many there are, and the first of each side. */
struct candidates {
    uint32_t node_count, stored_count, node, stored;
};

static struct candidates candidates_of(const struct matching *m, const struct evs_state_shape *base, bool unchanged)
{
    struct candidates all = {0};
    for (uint32_t i = m->plan->node_count; i-- > 0;) {
        const struct evs_plan_node *node = &m->plan->nodes[i];
        bool is_free = is_stateful(node) && of_node(m, i)->stored == NULL;
        if (is_free && is_same_base(base, node->shape) && (!unchanged || is_unchanged(base, node->shape))) {
            all.node = i;
            all.node_count++;
        }
    }
    for (uint32_t k = m->record->node_count; k-- > 0;) {
        const struct evs_state_shape *shape = m->record->nodes[k].shape;
        if (!m->is_taken[k] && is_same_base(base, shape) && (!unchanged || is_unchanged(base, shape))) {
            all.stored = k;
            all.stored_count++;
        }
    }
    return all;
}

/* One stored operator and one of today's that mean the same; with `unchanged`, to the last column. */
static void pair_by_base(struct matching *m, bool unchanged)
{
    for (uint32_t k = 0; k < m->record->node_count; k++) {
        const struct evs_state_shape *shape = m->record->nodes[k].shape;
        if (!m->is_taken[k] && shape != NULL) {
            struct candidates all = candidates_of(m, shape, unchanged);
            if (all.node_count == 1 && all.stored_count == 1) {
                pair(m, all.node, all.stored);
            }
        }
    }
}

static evs_status refuse_unclear(const struct matching *m, const struct evs_state_shape *base, struct evs_error *error)
{
    struct evs_buffer stored = {0}, now = {0};
    for (uint32_t k = 0; k < m->record->node_count; k++) {
        if (!m->is_taken[k] && is_same_base(base, m->record->nodes[k].shape)) {
            evs_buffer_printf(&stored, "%s`%s`", stored.count > 0 ? ", " : "", m->record->nodes[k].name);
        }
    }
    for (uint32_t i = 0; i < m->plan->node_count; i++) {
        const struct evs_plan_node *node = &m->plan->nodes[i];
        if (is_stateful(node) && of_node(m, i)->stored == NULL && is_same_base(base, node->shape)) {
            evs_buffer_printf(&now, "%sline %" PRIu32, now.count > 0 ? ", " : "", node->place.line);
        }
    }
    evs_buffer_put(&stored, "", 1);
    evs_buffer_put(&now, "", 1);
    evs_status status = evs_fail(error, EVS_E_STATE,
                                 "pipeline %s: it is not clear which stored state belongs to which operator: %s are "
                                 "stored, and the operators in %s "
                                 "have the same keys, window and rows; say it with names: write `as NAME` behind `%s` "
                                 "in the file, with the stored "
                                 "name whose state the operator shall go on with, or a new name for empty state",
                                 m->plan->pipeline, stored.data, now.data, base->kind);
    evs_buffer_fini(&stored);
    evs_buffer_fini(&now);
    return status;
}

static evs_status check_clear(const struct matching *m, struct evs_error *error)
{
    for (uint32_t k = 0; k < m->record->node_count; k++) {
        const struct evs_state_shape *shape = m->record->nodes[k].shape;
        if (m->is_taken[k] || shape == NULL) {
            continue;
        }
        struct candidates all = candidates_of(m, shape, false);
        if (all.node_count > 0) { /* several on one side at least: a single pair has been made */
            return refuse_unclear(m, shape, error);
        }
    }
    return EVS_OK;
}

/* --- what becomes of them ---------------------------------------------------------------------------------------------------------- */

static void decide(struct matching *m, struct evs_match_operator *operator_)
{
    const struct evs_record_node *stored = operator_->stored;
    if (stored == NULL) {
        operator_->fate = EVS_MATCH_NEW;
        return;
    }
    const struct evs_state_shape *now = operator_->node->shape;
    if (stored->shape == NULL || now == NULL) {
        bool same = is_plainly_same(operator_->node, stored);
        operator_->fate = same ? EVS_MATCH_KEPT : EVS_MATCH_RESTARTED;
        operator_->why = same ? NULL
                              : "its keys, window, aggregates or what feeds it have changed, and the state is of an "
                                "evstream that could not take over a part";
        return;
    }
    operator_->why = misfit(stored->shape, now);
    if (operator_->why != NULL) {
        operator_->fate = EVS_MATCH_RESTARTED;
    } else if (is_unchanged(stored->shape, now)) {
        operator_->fate = EVS_MATCH_KEPT;
    } else {
        operator_->fate = EVS_MATCH_MIGRATED;
        operator_->migration = EVS_ARENA_NEW(m->arena, struct evs_state_migration);
        *operator_->migration = (struct evs_state_migration){
            .stored = stored->shape,
            .columns = map_parts(&stored->shape->columns, &now->columns, m->arena),
            .rows = map_parts(&stored->shape->rows, &now->rows, m->arena),
        };
    }
}

static void list_operators(struct matching *m)
{
    struct evs_match *match = m->match;
    match->operators =
        EVS_ARENA_ARRAY(m->arena, struct evs_match_operator, m->plan->node_count + m->record->node_count + 1u);
    for (uint32_t i = 0; i < m->plan->node_count; i++) {
        if (is_stateful(&m->plan->nodes[i])) {
            match->operators[match->operator_count++].node = &m->plan->nodes[i];
        }
    }
}

static void add_dropped(struct matching *m)
{
    for (uint32_t k = 0; k < m->record->node_count; k++) {
        if (!m->is_taken[k]) {
            m->match->operators[m->match->operator_count++] =
                (struct evs_match_operator){.fate = EVS_MATCH_DROPPED, .stored = &m->record->nodes[k]};
        }
    }
}

static void judge(struct evs_match *match)
{
    for (uint32_t i = 0; i < match->operator_count; i++) {
        const struct evs_match_operator *operator_ = &match->operators[i];
        bool is_lost = operator_->fate == EVS_MATCH_DROPPED || operator_->fate == EVS_MATCH_RESTARTED;
        bool is_renamed = operator_->node != NULL && operator_->stored != NULL &&
                          strcmp(operator_->node->name, operator_->stored->name) != 0;
        match->drops = match->drops || is_lost;
        match->is_changed = match->is_changed || is_lost || is_renamed || operator_->fate == EVS_MATCH_MIGRATED;
    }
}

/* --- sources and sinks: by their names, which every one has --------------------------------------------------------------------------- */

static const struct evs_plan_node *end_of_name(const struct evs_plan *plan, enum evs_node_kind kind, const char *name)
{
    for (uint32_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].kind == kind && strcmp(plan->nodes[i].name, name) == 0) {
            return &plan->nodes[i];
        }
    }
    return NULL;
}

static void add_end(struct evs_match_end *ends, uint32_t *count, enum evs_match_fate fate, const char *name)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (strcmp(ends[i].name, name) == 0) {
            return;
        }
    }
    ends[(*count)++] = (struct evs_match_end){.fate = fate, .name = name};
}

static void add_new_ends(struct matching *m, enum evs_node_kind kind, struct evs_match_end *ends, uint32_t *count)
{
    for (uint32_t i = 0; i < m->plan->node_count; i++) {
        if (m->plan->nodes[i].kind == kind) {
            add_end(ends, count, EVS_MATCH_NEW, m->plan->nodes[i].name);
        }
    }
}

static void match_sources(struct matching *m)
{
    struct evs_match *match = m->match;
    match->sources =
        EVS_ARENA_ARRAY(m->arena, struct evs_match_end, m->plan->node_count + m->record->source_count + 1u);
    for (uint32_t i = 0; i < m->record->source_count; i++) {
        const struct evs_record_source *source = &m->record->sources[i];
        bool is_there = end_of_name(m->plan, EVS_NODE_SOURCE, source->name) != NULL;
        add_end(match->sources, &match->source_count, is_there ? EVS_MATCH_KEPT : EVS_MATCH_DROPPED, source->name);
        match->drops = match->drops || !is_there;
        match->is_changed = match->is_changed || !is_there;
    }
    add_new_ends(m, EVS_NODE_SOURCE, match->sources, &match->source_count);
}

static uint64_t undelivered(const struct evs_record_sink *sink)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < sink->lane_count; i++) {
        count += sink->lanes[i].last > sink->lanes[i].cursor ? sink->lanes[i].last - sink->lanes[i].cursor : 0;
    }
    return count;
}

static void match_sinks(struct matching *m)
{
    struct evs_match *match = m->match;
    match->sinks = EVS_ARENA_ARRAY(m->arena, struct evs_match_end, m->plan->node_count + m->record->sink_count + 1u);
    for (uint32_t i = 0; i < m->record->sink_count; i++) {
        const struct evs_record_sink *sink = &m->record->sinks[i];
        bool is_there = end_of_name(m->plan, EVS_NODE_SINK, sink->name) != NULL;
        add_end(match->sinks, &match->sink_count, is_there ? EVS_MATCH_KEPT : EVS_MATCH_DROPPED, sink->name);
        uint64_t waiting = is_there ? 0 : undelivered(sink);
        match->sinks[match->sink_count - 1].undelivered += waiting;
        match->drops = match->drops || waiting > 0;
    }
    add_new_ends(m, EVS_NODE_SINK, match->sinks, &match->sink_count);
}

evs_status evs_match_make(const struct evs_plan *plan, const struct evs_record *record, struct evs_arena *arena,
                          struct evs_match *match, struct evs_error *error)
{
    *match = (struct evs_match){0};
    struct matching m = {.plan = plan, .record = record, .arena = arena, .match = match};
    m.is_taken = EVS_ARENA_ARRAY(arena, bool, record->node_count + 1u);
    list_operators(&m);
    pair_by_name(&m);
    pair_by_base(&m, true);
    pair_by_base(&m, false);
    evs_status status = check_clear(&m, error);
    if (status != EVS_OK) {
        return status;
    }
    for (uint32_t i = 0; i < match->operator_count; i++) {
        decide(&m, &match->operators[i]);
    }
    add_dropped(&m);
    judge(match);
    match_sources(&m);
    match_sinks(&m);
    return EVS_OK;
}

/* --- asking --------------------------------------------------------------------------------------------------------------------------- */

const struct evs_match_operator *evs_match_of_stored(const struct evs_match *match, struct evs_slice name)
{
    for (uint32_t i = 0; i < match->operator_count; i++) {
        const struct evs_match_operator *operator_ = &match->operators[i];
        bool goes_on = operator_->fate == EVS_MATCH_KEPT || operator_->fate == EVS_MATCH_MIGRATED;
        if (goes_on && evs_slice_equal(name, evs_slice_of(operator_->stored->name))) {
            return operator_;
        }
    }
    return NULL;
}

const struct evs_match_operator *evs_match_of_node(const struct evs_match *match, const struct evs_plan_node *node)
{
    for (uint32_t i = 0; i < match->operator_count; i++) {
        if (match->operators[i].node == node) {
            return &match->operators[i];
        }
    }
    return NULL;
}

/* --- in words --------------------------------------------------------------------------------------------------------------------------- */

static void put_name(struct evs_buffer *text, const struct evs_match_operator *operator_)
{
    const struct evs_state_shape *shape = operator_->node != NULL ? operator_->node->shape : operator_->stored->shape;
    evs_buffer_printf(text, "operator %s", operator_->node != NULL ? operator_->node->name : operator_->stored->name);
    if (shape != NULL) {
        evs_buffer_printf(text, " (%s)", shape->label);
    }
    if (operator_->node != NULL && operator_->stored != NULL &&
        strcmp(operator_->node->name, operator_->stored->name) != 0) {
        evs_buffer_printf(text, ", stored as %s", operator_->stored->name);
    }
    evs_buffer_puts(text, "\n");
}

static bool is_mapped(const uint32_t *map, uint32_t count, uint32_t number)
{
    for (uint32_t i = 0; i < count; i++) {
        if (map[i] == number) {
            return true;
        }
    }
    return false;
}

static void put_parts(struct evs_buffer *text, const struct evs_state_parts *before, const struct evs_state_parts *now,
                      const uint32_t *map, const char *added)
{
    for (uint32_t i = 0; i < before->count; i++) {
        evs_buffer_printf(text, "            %s %s%s\n", map[i] == EVS_NO_PART ? "-" : "=", before->items[i].text,
                          map[i] == EVS_NO_PART ? ": its values are forgotten" : "");
    }
    for (uint32_t i = 0; i < now->count; i++) {
        if (!is_mapped(map, before->count, i)) {
            evs_buffer_printf(text, "            + %s: %s\n", now->items[i].text, added);
        }
    }
}

/* Of an aggregate that holds rows for a while, the columns of these are no news. */
static void put_columns(struct evs_buffer *text, const struct evs_match_operator *operator_)
{
    const struct evs_state_migration *migration = operator_->migration;
    const struct evs_state_shape *now = operator_->node->shape;
    put_parts(text, &migration->stored->columns, &now->columns, migration->columns,
              "begins empty, and counts only what comes from now on");
    if (strcmp(now->kind, "aggregate") != 0) {
        put_parts(text, &migration->stored->rows, &now->rows, migration->rows,
                  "NULL in the rows that are kept already");
    }
}

static void put_operator(struct evs_buffer *text, const struct evs_match_operator *operator_)
{
    static const char *const fates[] = {[EVS_MATCH_KEPT] = "kept      ",
                                        [EVS_MATCH_MIGRATED] = "migrated  ",
                                        [EVS_MATCH_NEW] = "new       ",
                                        [EVS_MATCH_DROPPED] = "dropped   ",
                                        [EVS_MATCH_RESTARTED] = "dropped   "};
    evs_buffer_puts(text, fates[operator_->fate]);
    put_name(text, operator_);
    if (operator_->fate == EVS_MATCH_MIGRATED) {
        put_columns(text, operator_);
    } else if (operator_->fate == EVS_MATCH_NEW) {
        evs_buffer_puts(text,
                        "            begins with empty state: windows that are open now count only what comes from now "
                        "on\n");
    } else if (operator_->fate == EVS_MATCH_RESTARTED) {
        evs_buffer_printf(text, "            %s; the operator begins again with empty state\n", operator_->why);
    } else if (operator_->fate == EVS_MATCH_DROPPED) {
        const struct evs_state_shape *shape = operator_->stored->shape;
        bool may_be_named = shape != NULL && !shape->is_named;
        evs_buffer_puts(text, "            the pipeline has no operator that fits it\n");
        if (may_be_named) {
            evs_buffer_printf(
                text,
                "            if one shall go on with its state although other rows come to it, name it so: "
                "%s as %s …\n",
                shape->kind, operator_->stored->name);
        }
    }
}

static void put_source(struct evs_buffer *text, const struct evs_match_end *end)
{
    switch (end->fate) {
    case EVS_MATCH_NEW:
        evs_buffer_printf(text,
                          "new       source %s\n            is read from its beginning, or from where --from says\n",
                          end->name);
        break;
    case EVS_MATCH_DROPPED:
        evs_buffer_printf(
            text,
            "dropped   source %s\n            where it stood is forgotten; a source with another name begins "
            "anew, and counts again what has been counted\n",
            end->name);
        break;
    default:
        evs_buffer_printf(text, "kept      source %s\n", end->name);
    }
}

static void put_sink(struct evs_buffer *text, const struct evs_match_end *end)
{
    if (end->fate == EVS_MATCH_DROPPED && end->undelivered > 0) {
        evs_buffer_printf(text,
                          "dropped   sink %s\n            %" PRIu64 " rows for it are stored and not delivered yet\n",
                          end->name, end->undelivered);
    } else if (end->fate == EVS_MATCH_DROPPED) {
        evs_buffer_printf(text, "removed   sink %s\n            everything was delivered to it\n", end->name);
    } else {
        evs_buffer_printf(text, "%s sink %s\n", end->fate == EVS_MATCH_NEW ? "new      " : "kept     ", end->name);
    }
}

void evs_match_describe(const struct evs_match *match, struct evs_buffer *text)
{
    for (uint32_t i = 0; i < match->operator_count; i++) {
        put_operator(text, &match->operators[i]);
    }
    for (uint32_t i = 0; i < match->source_count; i++) {
        put_source(text, &match->sources[i]);
    }
    for (uint32_t i = 0; i < match->sink_count; i++) {
        put_sink(text, &match->sinks[i]);
    }
}

void evs_match_losses(const struct evs_match *match, struct evs_buffer *text)
{
    const char *before = "";
    for (uint32_t i = 0; i < match->operator_count; i++) {
        const struct evs_match_operator *operator_ = &match->operators[i];
        if (operator_->fate == EVS_MATCH_DROPPED || operator_->fate == EVS_MATCH_RESTARTED) {
            evs_buffer_printf(text, "%soperator `%s` (%s)", before, operator_->stored->name,
                              operator_->why != NULL ? operator_->why : "the pipeline has none that fits it");
            before = "; ";
        }
    }
    for (uint32_t i = 0; i < match->source_count; i++) {
        if (match->sources[i].fate == EVS_MATCH_DROPPED) {
            evs_buffer_printf(text, "%swhere source `%s` stood", before, match->sources[i].name);
            before = "; ";
        }
    }
    for (uint32_t i = 0; i < match->sink_count; i++) {
        if (match->sinks[i].undelivered > 0) {
            evs_buffer_printf(text, "%s%" PRIu64 " undelivered rows of sink `%s`", before, match->sinks[i].undelivered,
                              match->sinks[i].name);
            before = "; ";
        }
    }
}
