/* The matcher (pattern_match.h): all ways at once, in order of preference. */
#include "pattern_match.h"

/* A way at one row, for finding out afterwards which row was which symbol. */
struct step {
    uint16_t state;
    uint32_t from; /* the step before, in the row before */
};

struct evs_match_scratch {
    const struct evs_pattern_program *program;
    uint32_t set_words; /* of a set of states */
    uint32_t *seen;     /* generation in which a state was met: each state once a row, by its most preferred way */
    uint32_t generation;
    uint16_t *stack, *ways, *held;
    uint32_t way_count;
    bool has_match; /* this row's ways include a finished one */

    bool is_tracing; /* steps are kept */
    struct step *steps;
    uint32_t step_count, step_capacity;
    uint32_t from, match_from; /* tracing: the step that is being followed; the one that led to the match */
    uint8_t *symbols;
    uint32_t symbol_capacity;
};

struct evs_match_scratch *evs_match_scratch_new(const struct evs_pattern_program *program)
{
    struct evs_match_scratch *scratch = evs_alloc_zero(sizeof *scratch);
    EVS_ASSERT(program->state_count > 0 && program->state_count <= EVS_PATTERN_STATES_MAX);
    scratch->program = program;
    scratch->set_words = (program->state_count + 63) / 64;
    scratch->seen = evs_alloc_zero(program->state_count * sizeof *scratch->seen);
    scratch->stack = evs_alloc(((size_t)program->state_count + 1) * sizeof *scratch->stack);
    scratch->ways = evs_alloc(program->state_count * sizeof *scratch->ways);
    scratch->held = evs_alloc(program->state_count * sizeof *scratch->held);
    return scratch;
}

void evs_match_scratch_free(struct evs_match_scratch *scratch)
{
    if (scratch != NULL) {
        evs_free(scratch->seen);
        evs_free(scratch->stack);
        evs_free(scratch->ways);
        evs_free(scratch->held);
        evs_free(scratch->steps);
        evs_free(scratch->symbols);
        evs_free(scratch);
    }
}

/* --- sets of states, one pair a row -------------------------------------------------------------------------------------------------- */

static uint64_t *tried(const struct evs_matching *m, const struct evs_match_scratch *scratch, uint32_t row)
{
    return m->masks + m->capacity + ((size_t)m->first + row) * 2 * scratch->set_words;
}

static uint64_t *hopeless(const struct evs_matching *m, const struct evs_match_scratch *scratch, uint32_t row)
{
    return tried(m, scratch, row) + scratch->set_words;
}

static bool has(const uint64_t *set, uint32_t state)
{
    return (set[state / 64] >> (state % 64)) & 1;
}

static size_t block_bytes(const struct evs_match_scratch *scratch, uint32_t capacity)
{
    return (size_t)capacity * (1 + 2 * (size_t)scratch->set_words) * sizeof(uint64_t);
}

/* --- ways ------------------------------------------------------------------------------------------------------------------------------ */

struct position {
    const struct evs_matching *matching;
    uint32_t row;  /* the row that is waited for */
    bool is_first; /* in front of the partition's first row */
    bool is_end;   /* behind its last one */
};

static void begin_row(struct evs_match_scratch *scratch)
{
    if (++scratch->generation == 0) {
        memset(scratch->seen, 0, scratch->program->state_count * sizeof *scratch->seen);
        scratch->generation = 1;
    }
    scratch->way_count = 0;
    scratch->has_match = false;
}

static void add_way(struct evs_match_scratch *scratch, const struct position *at, uint16_t state)
{
    bool waits = scratch->program->states[state].code == EVS_PATTERN_ROW;
    if (waits && at->row < at->matching->count && has(hopeless(at->matching, scratch, at->row), state)) {
        return;
    }
    scratch->ways[scratch->way_count++] = state;
    if (scratch->is_tracing) {
        EVS_GROW(scratch->steps, scratch->step_count, scratch->step_capacity);
        scratch->steps[scratch->step_count++] = (struct step){state, scratch->from};
    }
}

/* Follows the ways from `state` that take no row, preferred ones first. False: a match is found that no later way can displace. */
static bool follow(struct evs_match_scratch *scratch, const struct position *at, uint16_t state)
{
    const struct evs_pattern_program *program = scratch->program;
    uint32_t depth = 0;
    scratch->stack[depth++] = state;
    while (depth > 0) {
        state = scratch->stack[--depth];
        if (scratch->seen[state] == scratch->generation) {
            continue;
        }
        scratch->seen[state] = scratch->generation;
        const struct evs_pattern_state *s = &program->states[state];
        if (s->code == EVS_PATTERN_SPLIT) {
            scratch->stack[depth++] = s->second;
            scratch->stack[depth++] = s->next;
        } else if ((s->code == EVS_PATTERN_FIRST && at->is_first) || (s->code == EVS_PATTERN_LAST && at->is_end)) {
            scratch->stack[depth++] = s->next;
        } else if (s->code == EVS_PATTERN_ROW || s->code == EVS_PATTERN_LAST) {
            add_way(scratch, at, state);
        } else if (s->code == EVS_PATTERN_MATCH) {
            scratch->has_match = true;
            scratch->match_from = scratch->from;
            if (!program->is_longest) {
                return false;
            }
        }
    }
    return true;
}

static void start(struct evs_match_scratch *scratch, const struct position *at)
{
    begin_row(scratch);
    scratch->from = UINT32_MAX;
    follow(scratch, at, (uint16_t)scratch->program->start);
}

/* Lets the ways take a row. `first_step`: tracing, the step of ways[0]. */
static void step(struct evs_match_scratch *scratch, const struct position *at, const uint16_t *ways, uint32_t way_count,
                 uint64_t mask, uint32_t first_step)
{
    begin_row(scratch);
    for (uint32_t i = 0; i < way_count; i++) {
        const struct evs_pattern_state *s = &scratch->program->states[ways[i]];
        if (s->code != EVS_PATTERN_ROW || ((mask >> s->symbol) & 1) == 0) {
            continue;
        }
        scratch->from = first_step + i;
        if (!follow(scratch, at, s->next)) {
            return;
        }
    }
}

/* --- the look ---------------------------------------------------------------------------------------------------------------------------- */

static void keep_ways(struct evs_matching *m, struct evs_match_scratch *scratch, struct evs_row_pool *pool)
{
    if (m->ways == NULL) {
        m->ways = evs_row_pool_take(pool, scratch->program->state_count * sizeof *m->ways);
    }
    memcpy(m->ways, scratch->ways, scratch->way_count * sizeof *m->ways);
    m->way_count = scratch->way_count;
    if (scratch->has_match) {
        m->best = m->fed + 1;
    }
    if (m->fed < m->count) {
        uint64_t *set = tried(m, scratch, m->fed);
        memset(set, 0, scratch->set_words * sizeof *set);
        for (uint32_t i = 0; i < m->way_count; i++) {
            set[m->ways[i] / 64] |= UINT64_C(1) << (m->ways[i] % 64);
        }
    }
}

static struct position position_of(const struct evs_matching *m, uint32_t row, bool is_end)
{
    return (struct position){m, row, row == 0 && m->is_first, is_end && row == m->count};
}

static void begin(struct evs_matching *m, struct evs_match_scratch *scratch, struct evs_row_pool *pool, bool is_end)
{
    struct position at = position_of(m, 0, is_end);
    m->fed = m->best = 0;
    start(scratch, &at);
    keep_ways(m, scratch, pool);
    m->is_open = true;
}

static void feed(struct evs_matching *m, struct evs_match_scratch *scratch, struct evs_row_pool *pool, bool is_end)
{
    uint64_t mask = m->masks[m->first + m->fed++];
    struct position at = position_of(m, m->fed, is_end);
    step(scratch, &at, m->ways, m->way_count, mask, 0);
    keep_ways(m, scratch, pool);
}

enum evs_match_outcome evs_match_look(struct evs_matching *m, struct evs_match_scratch *scratch,
                                      struct evs_row_pool *pool, uint32_t row_limit, bool is_closed, bool is_end,
                                      uint32_t *row_count)
{
    EVS_ASSERT(m->count > 0 && row_limit <= m->count && row_limit > 0);
    EVS_ASSERT(!is_end || row_limit == m->count);
    scratch->is_tracing = false;
    m->is_at_end = is_end;
    /* What stands behind the last row is decided anew when it turns out to be the last. */
    bool was_last = is_end && m->is_open && m->fed == m->count && scratch->program->has_last;
    if (!m->is_open || was_last) {
        begin(m, scratch, pool, is_end);
    }
    while (m->way_count > 0 && m->fed < row_limit) {
        feed(m, scratch, pool, is_end);
    }
    if (m->way_count > 0 && !is_closed && !is_end) {
        return EVS_MATCH_OPEN;
    }
    m->is_closed = m->way_count > 0 && !is_end;
    *row_count = m->best > 0 ? m->best - 1 : 0;
    return m->best > 0 ? EVS_MATCH_FOUND : EVS_MATCH_NONE;
}

/* The match again, with every step kept, and then back from its end. */
const uint8_t *evs_match_symbols(const struct evs_matching *m, struct evs_match_scratch *scratch)
{
    EVS_ASSERT(m->best > 0);
    uint32_t rows = m->best - 1, first = 0;
    while (scratch->symbol_capacity <= rows) {
        EVS_GROW(scratch->symbols, scratch->symbol_capacity, scratch->symbol_capacity);
    }
    scratch->is_tracing = true;
    scratch->step_count = 0;
    bool is_end = m->is_at_end;
    struct position at = position_of(m, 0, is_end);
    start(scratch, &at);
    for (uint32_t row = 0; row < rows; row++) {
        uint32_t count = scratch->way_count, next = scratch->step_count;
        at = position_of(m, row + 1, is_end);
        memcpy(scratch->held, scratch->ways, count * sizeof *scratch->held);
        step(scratch, &at, scratch->held, count, m->masks[m->first + row], first);
        first = next;
    }
    EVS_ASSERT(scratch->has_match);
    for (uint32_t row = rows, from = scratch->match_from; row > 0; row--, from = scratch->steps[from].from) {
        scratch->symbols[row - 1] = scratch->program->states[scratch->steps[from].state].symbol;
    }
    scratch->is_tracing = false;
    return scratch->symbols;
}

/* --- rows ---------------------------------------------------------------------------------------------------------------------------------- */

/* The rows that are left to the front of a block, which is a larger one if they need it. */
static void make_room(struct evs_matching *m, struct evs_match_scratch *scratch, struct evs_row_pool *pool)
{
    struct evs_matching old = *m;
    bool is_tight = old.count > old.capacity / 2;
    m->first = 0;
    if (is_tight || old.capacity == 0) {
        m->capacity = old.capacity == 0 ? 4 : old.capacity * 2;
        m->masks = evs_row_pool_take(pool, block_bytes(scratch, m->capacity));
    }
    if (old.capacity > 0) {
        memmove(m->masks, old.masks + old.first, old.count * sizeof *m->masks);
        memmove(tried(m, scratch, 0), tried(&old, scratch, 0),
                (size_t)old.count * 2 * scratch->set_words * sizeof *m->masks);
    }
    if (is_tight) {
        evs_row_pool_give(pool, old.masks, block_bytes(scratch, old.capacity));
    }
}

void evs_match_add(struct evs_matching *m, struct evs_match_scratch *scratch, struct evs_row_pool *pool, uint64_t mask)
{
    if (m->first + m->count == m->capacity) {
        make_room(m, scratch, pool);
    }
    uint32_t row = m->count++;
    m->masks[m->first + row] = mask;
    memset(tried(m, scratch, row), 0, 2 * (size_t)scratch->set_words * sizeof *m->masks);
    for (uint32_t i = 0; m->is_open && m->fed == row && i < m->way_count; i++) { /* they wait for this row */
        tried(m, scratch, row)[m->ways[i] / 64] |= UINT64_C(1) << (m->ways[i] % 64);
    }
}

/* What has been tried behind the match, or anywhere if there was none, came to nothing. */
static void learn(struct evs_matching *m, struct evs_match_scratch *scratch)
{
    uint32_t last = m->fed < m->count ? m->fed : m->count - 1;
    for (uint32_t row = m->best; row <= last; row++) {
        for (uint32_t word = 0; word < scratch->set_words; word++) {
            hopeless(m, scratch, row)[word] |= tried(m, scratch, row)[word];
        }
    }
}

void evs_match_skip(struct evs_matching *m, struct evs_match_scratch *scratch, struct evs_row_pool *pool, uint32_t rows)
{
    EVS_ASSERT(m->is_open && rows > 0 && rows <= m->count);
    if (!m->is_closed) {
        learn(m, scratch);
    }
    m->is_open = m->is_first = false;
    m->first += rows;
    m->count -= rows;
    if (m->count == 0) {
        evs_match_free(m, scratch, pool);
    }
}

void evs_match_free(struct evs_matching *m, struct evs_match_scratch *scratch, struct evs_row_pool *pool)
{
    if (m->capacity > 0) {
        evs_row_pool_give(pool, m->masks, block_bytes(scratch, m->capacity));
    }
    if (m->ways != NULL) {
        evs_row_pool_give(pool, m->ways, scratch->program->state_count * sizeof *m->ways);
    }
    *m = (struct evs_matching){0};
}
