/* From the tree of a pattern to its program (pattern_program.h). Built from the end: each part is told where to go on, and answers where it begins,
 * so that nothing is patched later but the backward edge of a loop. */
#include "pattern_program.h"

struct compiling {
    struct evs_pattern_state *states; /* room for EVS_PATTERN_STATES_MAX */
    uint32_t count;
    bool is_too_large;
};

static uint16_t add(struct compiling *c, struct evs_pattern_state state)
{
    if (c->count == EVS_PATTERN_STATES_MAX) {
        c->is_too_large = true;
        return 0;
    }
    c->states[c->count] = state;
    return (uint16_t)c->count++;
}

/* Two ways: into `inside`, preferred unless the quantifier is reluctant, or past it. */
static uint16_t add_split(struct compiling *c, uint16_t inside, uint16_t past, bool is_reluctant)
{
    return add(c, (struct evs_pattern_state){.code = EVS_PATTERN_SPLIT,
                                             .next = is_reluctant ? past : inside,
                                             .second = is_reluctant ? inside : past});
}

static uint16_t compile_quantified(struct compiling *c, const struct evs_pattern *pattern, uint16_t next);

static uint16_t compile_choice(struct compiling *c, const struct evs_pattern *pattern, uint16_t next)
{
    uint32_t i = pattern->part_count;
    uint16_t start = compile_quantified(c, pattern->parts[--i], next);
    while (i > 0 && !c->is_too_large) {
        uint16_t preferred = compile_quantified(c, pattern->parts[--i], next);
        start = add_split(c, preferred, start, false);
    }
    return start;
}

/* One round. */
static uint16_t compile_once(struct compiling *c, const struct evs_pattern *pattern, uint16_t next)
{
    switch (pattern->kind) {
    case EVS_PATTERN_OF_SYMBOL:
        EVS_ASSERT(pattern->symbol < EVS_PATTERN_SYMBOLS_MAX);
        return add(
            c, (struct evs_pattern_state){.code = EVS_PATTERN_ROW, .symbol = (uint8_t)pattern->symbol, .next = next});
    case EVS_PATTERN_OF_FIRST:
        return add(c, (struct evs_pattern_state){.code = EVS_PATTERN_FIRST, .next = next});
    case EVS_PATTERN_OF_LAST:
        return add(c, (struct evs_pattern_state){.code = EVS_PATTERN_LAST, .next = next});
    case EVS_PATTERN_OF_ALL:
        for (uint32_t i = pattern->part_count; i > 0 && !c->is_too_large; i--) {
            next = compile_quantified(c, pattern->parts[i - 1], next);
        }
        return next;
    case EVS_PATTERN_OF_ONE:
        EVS_ASSERT(pattern->part_count > 0);
        return compile_choice(c, pattern, next);
    }
    return next;
}

/* One round or more. */
static uint16_t compile_loop(struct compiling *c, const struct evs_pattern *pattern, uint16_t next)
{
    uint16_t again = add_split(c, 0, next, pattern->is_reluctant);
    uint16_t start = compile_once(c, pattern, again);
    if (pattern->is_reluctant) {
        c->states[again].second = start;
    } else {
        c->states[again].next = start;
    }
    return start;
}

static uint16_t compile_quantified(struct compiling *c, const struct evs_pattern *pattern, uint16_t next)
{
    bool is_endless = pattern->max == EVS_PATTERN_UNBOUNDED;
    EVS_ASSERT(is_endless || pattern->min <= pattern->max);
    uint32_t required = pattern->min;
    if (is_endless) {
        uint16_t past = next;
        next = compile_loop(c, pattern, next);
        if (required == 0) {
            return add_split(c, next, past, pattern->is_reluctant);
        }
        required--; /* the loop is one of them */
    } else {
        uint16_t past = next; /* each optional round goes on, or past all the others */
        for (uint32_t i = pattern->min; i < pattern->max && !c->is_too_large; i++) {
            next = add_split(c, compile_once(c, pattern, next), past, pattern->is_reluctant);
        }
    }
    for (uint32_t i = 0; i < required && !c->is_too_large; i++) {
        next = compile_once(c, pattern, next);
    }
    return next;
}

/* --- what can be said of a pattern ------------------------------------------------------------------------------------------------ */

static uint32_t times(uint32_t rows, uint32_t rounds)
{
    if (rows == 0 || rounds == 0) {
        return 0;
    }
    uint64_t product = (uint64_t)rows * rounds;
    bool is_endless = rows == EVS_PATTERN_UNBOUNDED || rounds == EVS_PATTERN_UNBOUNDED;
    return is_endless || product >= EVS_PATTERN_UNBOUNDED ? EVS_PATTERN_UNBOUNDED : (uint32_t)product;
}

static uint32_t plus(uint32_t a, uint32_t b)
{
    uint64_t sum = (uint64_t)a + b;
    return sum >= EVS_PATTERN_UNBOUNDED ? EVS_PATTERN_UNBOUNDED : (uint32_t)sum;
}

static uint32_t most_rows(const struct evs_pattern *pattern)
{
    uint32_t rows = pattern->kind == EVS_PATTERN_OF_SYMBOL;
    for (uint32_t i = 0; i < pattern->part_count; i++) {
        uint32_t part = most_rows(pattern->parts[i]);
        bool is_more = part > rows;
        rows = pattern->kind == EVS_PATTERN_OF_ALL ? plus(rows, part) : is_more ? part : rows;
    }
    return times(rows, pattern->max);
}

bool evs_pattern_compile(struct evs_arena *arena, const struct evs_pattern *pattern, bool is_longest,
                         struct evs_pattern_program *program)
{
    struct compiling c = {.states = EVS_ARENA_ARRAY(arena, struct evs_pattern_state, EVS_PATTERN_STATES_MAX)};
    uint16_t match = add(&c, (struct evs_pattern_state){.code = EVS_PATTERN_MATCH});
    uint16_t start = compile_quantified(&c, pattern, match);
    if (c.is_too_large) {
        return false;
    }
    *program = (struct evs_pattern_program){
        .states = c.states,
        .state_count = c.count,
        .start = start,
        .is_longest = is_longest,
        .rows_max = most_rows(pattern),
    };
    for (uint32_t i = 0; i < c.count; i++) {
        program->has_first = program->has_first || c.states[i].code == EVS_PATTERN_FIRST;
        program->has_last = program->has_last || c.states[i].code == EVS_PATTERN_LAST;
    }
    return true;
}
