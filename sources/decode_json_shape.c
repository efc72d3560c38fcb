/* Learning what records look like: one that the walk has accepted is taken apart into gaps and values. The taking apart is strict and
 * knows little (plain names, few levels): whatever it does not expect is left to the walk, which costs time and nothing else. */
#include "decode_json_shape.h"

#define EVERY(byte)                                                                                                    \
    {                                                                                                                  \
        [0 ... 31] = (byte)                                                                                            \
    }
const struct json_bytes evs_json_bytes __attribute__((aligned(32))) = {
    .quote = EVERY('"'),
    .backslash = EVERY('\\'),
    .control = EVERY(0x1F),
    .begins_scalar = {['0' ... '9'] = true, ['-'] = true, ['t'] = true, ['f'] = true, ['n'] = true},
};

/* --- the wanted places ------------------------------------------------------------------------------------------------- */

static enum json_plain plain_of(const struct json_node *node)
{
    if (node->columns == NULL || node->columns->next != NULL || node->child_count > 0) {
        return JSON_NOT_PLAIN;
    }
    switch (node->columns->wish->kind) {
    case EVS_STRING:
        return JSON_PLAIN_TEXT;
    case EVS_TIMESTAMP:
        return JSON_PLAIN_TIME;
    case EVS_FLOAT64:
        return JSON_PLAIN_FLOAT64;
    case EVS_NUMERIC:
        return JSON_PLAIN_NUMERIC;
    default:
        return JSON_NOT_PLAIN;
    }
}

/* Numbers the nodes below `node` from `count` on; what `count` is then. */
static uint32_t number_nodes(struct json_node *node, uint32_t count)
{
    for (uint32_t i = 0; i < node->child_count; i++) {
        node->children[i]->number = count++;
        node->children[i]->plain = plain_of(node->children[i]);
    }
    for (uint32_t i = 0; i < node->child_count; i++) {
        count = number_nodes(node->children[i], count);
    }
    return count;
}

struct json_shapes *evs_json_shapes_new(struct evs_arena *memory, struct json_node *root)
{
    /* A record that is wanted as a whole is checked as a whole; one of which nothing is wanted has no fields to find. */
    if (root->columns != NULL || root->child_count == 0 || number_nodes(root, 0) > JSON_SHAPE_NODES_MAX) {
        return NULL;
    }
    struct json_shapes *shapes = EVS_ARENA_NEW(memory, struct json_shapes);
    shapes->never.kind = JSON_STEP_NONE;
    shapes->never.gap[0] = 0xFF; /* no byte of UTF-8 */
    shapes->never.mask = 1;
    shapes->never.bytes = 1;
    shapes->never.next = shapes->start.next = &shapes->never;
    shapes->start.state = EVS_ARENA_NEW(memory, struct json_state);
    shapes->states[shapes->state_count++] = shapes->start.state;
    return shapes;
}

/* --- states and steps -------------------------------------------------------------------------------------------------- */

static bool state_equal(const struct json_state *a, const struct json_state *b)
{
    return a->depth == b->depth && a->in_string == b->in_string &&
           memcmp(a->open, b->open, a->depth * sizeof *a->open) == 0;
}

static struct json_state *new_state(struct json_decoder *decoder, const struct json_state *place)
{
    struct json_shapes *shapes = decoder->shapes;
    if (shapes->state_count == JSON_STATES_MAX) {
        return NULL;
    }
    struct json_state *state = EVS_ARENA_NEW(&decoder->memory, struct json_state);
    memcpy(state->open, place->open, sizeof state->open);
    state->depth = place->depth;
    state->in_string = place->in_string;
    return shapes->states[shapes->state_count++] = state;
}

/* The state behind a value that is like `place`; NULL when there are too many. */
static struct json_state *keep_state(struct json_decoder *decoder, const struct json_state *place)
{
    struct json_shapes *shapes = decoder->shapes;
    for (uint32_t i = 0; i < shapes->state_count; i++) {
        if (shapes->states[i]->depth > 0 && state_equal(shapes->states[i], place)) {
            return shapes->states[i];
        }
    }
    return new_state(decoder, place);
}

static struct json_step *find_step(const struct json_state *state, struct evs_slice gap, enum json_step_kind kind)
{
    for (struct json_step *step = state->steps; step != NULL; step = step->sibling) {
        if (step->bytes == gap.count && step->kind == kind && memcmp(step->gap, gap.data, gap.count) == 0) {
            return step;
        }
    }
    return NULL;
}

static bool has_room(const struct json_shapes *shapes, const struct json_state *state)
{
    return shapes->step_count < JSON_STEPS_MAX && state->step_count < JSON_STATE_STEPS_MAX;
}

/* Enters a step that has its gap into the state that it leaves. */
static void enter_step(struct json_state *from, struct json_step *step)
{
    uint32_t quotes = 0;
    for (uint32_t i = 0; i < step->bytes; i++) {
        quotes |= (uint32_t)(step->gap[i] == '"') << i;
        step->marks += step->gap[i] == '"' || step->gap[i] < 0x20;
    }
    struct json_step **slot = &from->slots[evs_json_slot(from, (const char *)step->gap, quotes)];
    while (*slot != NULL && (*slot)->bytes > step->bytes) {
        slot = &(*slot)->same_slot;
    }
    step->same_slot = *slot;
    *slot = step;
    step->sibling = from->steps;
    from->steps = step;
    from->step_count++;
}

/* A new step that leaves `from`; there is room for it. */
static struct json_step *new_step(struct json_decoder *decoder, struct json_state *from, struct evs_slice gap,
                                  enum json_step_kind kind)
{
    EVS_ASSERT(gap.count > 0 && gap.count <= JSON_GAP_BYTES_MAX);
    struct json_step *step = evs_arena_alloc(&decoder->memory, sizeof *step, 64);
    *step = (struct json_step){
        .mask = UINT32_MAX >> (JSON_GAP_BYTES_MAX - gap.count),
        .bytes = (uint32_t)gap.count,
        .kind = kind,
        .next = &decoder->shapes->never,
        .usual_quote = 1,
        .has_usual = true,
        .since = decoder->record,
    };
    memcpy(step->gap, gap.data, gap.count);
    decoder->shapes->step_count++;
    enter_step(from, step);
    return step;
}

/* The state in the middle of a gap, behind the piece of it that leaves `from`; NULL when there are too many. */
static struct json_state *keep_piece(struct json_decoder *decoder, struct json_state *from, struct evs_slice piece)
{
    struct json_step *step = find_step(from, piece, JSON_STEP_GAP);
    if (step == NULL && has_room(decoder->shapes, from)) {
        struct json_state *middle = new_state(decoder, &(struct json_state){.depth = 0});
        step = middle == NULL ? NULL : new_step(decoder, from, piece, JSON_STEP_GAP);
        if (step != NULL) {
            step->state = middle;
        }
    }
    return step == NULL ? NULL : step->state;
}

/* What stands behind a gap. */
struct meaning {
    enum json_step_kind kind;
    struct json_node *node;
    const struct json_state *place;
    uint64_t gives;
};

/* The state behind `gap` from `from` on and the value after it; NULL at the record's end, and when there are too many. */
static struct json_state *keep_gap(struct json_decoder *decoder, struct json_state *from, struct evs_slice gap,
                                   const struct meaning *meaning)
{
    for (; gap.count > JSON_GAP_BYTES_MAX; gap.data += JSON_GAP_BYTES_MAX, gap.count -= JSON_GAP_BYTES_MAX) {
        from = keep_piece(decoder, from, (struct evs_slice){gap.data, JSON_GAP_BYTES_MAX});
        if (from == NULL) {
            return NULL;
        }
    }
    struct json_step *step = find_step(from, gap, meaning->kind);
    if (step == NULL) {
        struct json_state *to = meaning->kind == JSON_STEP_END ? NULL : keep_state(decoder, meaning->place);
        if ((to == NULL && meaning->kind != JSON_STEP_END) || !has_room(decoder->shapes, from)) {
            return NULL;
        }
        step = new_step(decoder, from, gap, meaning->kind);
        step->node = meaning->node;
        step->gives = meaning->gives;
        step->state = to;
    }
    return step->state;
}

/* --- taking a record apart --------------------------------------------------------------------------------------------- */

/* Where it stands in a line, and what is open there. */
struct taking {
    struct json_decoder *decoder;
    const char *next, *end;
    struct json_state place;
    struct json_node *node; /* of the field whose value comes next */
    uint64_t gives;         /* wanted places whose names are in the gap in hand */
};

static void skip_space(struct taking *taking)
{
    while (taking->next < taking->end && evs_json_is_space(*taking->next)) {
        taking->next++;
    }
}

static bool take_byte(struct taking *taking, char byte)
{
    skip_space(taking);
    if (taking->next == taking->end || *taking->next != byte) {
        return false;
    }
    taking->next++;
    return true;
}

/* Behind the opening quote of a string; moves to the closing one. */
static bool skip_string(struct taking *taking, bool *escaped)
{
    *escaped = false;
    for (; taking->next < taking->end && *taking->next != '"'; taking->next++) {
        if (*taking->next == '\\') {
            *escaped = true;
            taking->next++;
        }
    }
    return taking->next < taking->end;
}

/* A field's name and the colon behind it: which field of the innermost object it is. */
static bool take_name(struct taking *taking)
{
    bool escaped;
    if (!take_byte(taking, '"')) {
        return false;
    }
    const char *name = taking->next;
    if (!skip_string(taking, &escaped) || escaped) {
        return false;
    }
    struct evs_slice text = {name, (size_t)(taking->next++ - name)};
    struct json_node *object = taking->place.open[taking->place.depth - 1];
    taking->node = object == NULL ? NULL : evs_json_find_child(object, text);
    if (taking->node != NULL) {
        uint64_t bit = UINT64_C(1) << taking->node->number;
        if ((taking->gives & bit) != 0) {
            return false;
        }
        taking->gives |= bit;
    }
    return take_byte(taking, ':');
}

static bool enter_object(struct taking *taking, struct json_node *node)
{
    if (taking->place.depth == JSON_SHAPE_DEPTH_MAX || (node != NULL && node->columns != NULL)) {
        return false;
    }
    taking->place.open[taking->place.depth++] = node;
    return true;
}

/* From a name to the value that stands for it, through all objects that begin there. Moves to the value's first byte; an empty object is
 * closed again, and then *closed is true. */
static bool take_fields(struct taking *taking, bool *closed)
{
    *closed = false;
    for (;;) {
        if (!take_name(taking)) {
            return false;
        }
        skip_space(taking);
        if (taking->next == taking->end || *taking->next != '{') {
            return taking->next < taking->end;
        }
        if (!enter_object(taking, taking->node)) {
            return false;
        }
        taking->next++;
        skip_space(taking);
        if (taking->next < taking->end && *taking->next == '}') {
            *closed = true;
            return true;
        }
    }
}

/* Behind the value in hand: closes objects and goes on to the next one. *ended: there is none, all are closed. */
static bool take_gap(struct taking *taking, bool *ended)
{
    taking->next += taking->place.in_string;
    taking->place.in_string = false;
    taking->gives = 0;
    for (;;) {
        while (take_byte(taking, '}')) {
            taking->place.open[--taking->place.depth] = NULL;
            if (taking->place.depth == 0) {
                *ended = true;
                return taking->next == taking->end;
            }
        }
        bool closed;
        *ended = false;
        if (!take_byte(taking, ',') || !take_fields(taking, &closed)) {
            return false;
        }
        if (!closed) {
            return true;
        }
    }
}

static bool skip_container(struct taking *taking)
{
    uint32_t depth = 0;
    bool escaped;
    do {
        char c = taking->next < taking->end ? *taking->next++ : '"';
        depth += c == '[' || c == '{';
        depth -= c == ']' || c == '}';
        if (c == '"' && (!skip_string(taking, &escaped) || *taking->next++ != '"')) {
            return false;
        }
    } while (depth > 0 && taking->next < taking->end);
    return depth == 0;
}

/* What the value that comes next is; moves behind the quote of a string. */
static enum json_step_kind kind_of(struct taking *taking)
{
    taking->place.in_string = *taking->next == '"';
    if (!taking->place.in_string) {
        return JSON_STEP_OTHER;
    }
    taking->next++;
    if (taking->node == NULL) {
        return JSON_STEP_SKIP;
    }
    return taking->node->plain == JSON_PLAIN_TEXT   ? JSON_STEP_TEXT
           : taking->node->plain == JSON_PLAIN_TIME ? JSON_STEP_TIME
                                                    : JSON_STEP_STRING;
}

static bool skip_value(struct taking *taking)
{
    bool escaped;
    if (taking->place.in_string) {
        return skip_string(taking, &escaped);
    }
    if (*taking->next == '[') {
        return taking->node == NULL && skip_container(taking);
    }
    const char *start = taking->next;
    while (taking->next < taking->end && strchr(",}] \t\r", *taking->next) == NULL) {
        taking->next++;
    }
    return taking->next > start;
}

/* From the record's `{` to its first value. */
static bool begin_record(struct taking *taking, bool *ended)
{
    bool closed;
    *ended = false;
    if (!take_byte(taking, '{') || !enter_object(taking, taking->decoder->root) || !take_fields(taking, &closed)) {
        return false;
    }
    return !closed || take_gap(taking, ended);
}

void evs_json_learn(struct json_decoder *decoder, struct evs_slice line)
{
    struct taking taking = {.decoder = decoder, .next = line.data, .end = line.data + line.count};
    struct json_state *from = decoder->shapes->start.state;
    bool ended;
    const char *gap = taking.next;
    for (bool taken = begin_record(&taking, &ended); taken; taken = take_gap(&taking, &ended)) {
        struct meaning meaning = {.kind = ended ? JSON_STEP_END : kind_of(&taking)};
        meaning.node = ended ? NULL : taking.node;
        if (meaning.node != NULL && meaning.node->child_count > 0) {
            return; /* a path that leads through a scalar is the walk's to judge */
        }
        meaning.place = &taking.place;
        meaning.gives = taking.gives;
        from = keep_gap(decoder, from, (struct evs_slice){gap, (size_t)(taking.next - gap)}, &meaning);
        if (from == NULL) {
            return;
        }
        if (!skip_value(&taking)) {
            return;
        }
        gap = taking.next;
    }
}
