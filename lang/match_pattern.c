/* Patterns of match_recognize (match_pattern.h). */
#include "match_pattern.h"

struct conversion {
    struct evs_arena *arena;
    const struct evs_ast_item *definitions;
    uint32_t definition_count;
    const struct evs_ident *unknown; /* the first one */
};

static uint32_t find_symbol(struct conversion *conversion, const struct evs_ident *symbol)
{
    for (uint32_t i = 0; i < conversion->definition_count; i++) {
        if (evs_slice_equal_nocase(symbol->text, conversion->definitions[i].alias.text.data)) {
            return i;
        }
    }
    conversion->unknown = conversion->unknown != NULL ? conversion->unknown : symbol;
    return 0;
}

static const struct evs_pattern *convert(struct conversion *conversion, const struct evs_ast_pattern *ast)
{
    static const int kinds[] = {
        [EVS_PATTERN_SYMBOL] = EVS_PATTERN_OF_SYMBOL, [EVS_PATTERN_CONCAT] = EVS_PATTERN_OF_ALL,
        [EVS_PATTERN_CHOICE] = EVS_PATTERN_OF_ONE,    [EVS_PATTERN_EMPTY] = EVS_PATTERN_OF_ALL,
        [EVS_PATTERN_START] = EVS_PATTERN_OF_FIRST,   [EVS_PATTERN_END] = EVS_PATTERN_OF_LAST,
    };
    struct evs_pattern *pattern = EVS_ARENA_NEW(conversion->arena, struct evs_pattern);
    pattern->kind = kinds[ast->kind];
    pattern->min = ast->min;
    pattern->max = ast->max < ast->min ? ast->min : ast->max; /* the parser has told it */
    _Static_assert(EVS_UNBOUNDED == EVS_PATTERN_UNBOUNDED, "one word for it");
    pattern->is_reluctant = ast->reluctant;
    if (ast->kind == EVS_PATTERN_SYMBOL) {
        pattern->symbol = find_symbol(conversion, &ast->symbol);
        return pattern;
    }
    const struct evs_pattern **parts =
        EVS_ARENA_ARRAY(conversion->arena, const struct evs_pattern *, ast->part_count + 1);
    for (uint32_t i = 0; i < ast->part_count; i++) {
        parts[i] = convert(conversion, ast->parts[i]);
    }
    pattern->parts = parts;
    pattern->part_count = ast->part_count;
    return pattern;
}

const struct evs_pattern *evs_match_pattern(struct evs_arena *arena, const struct evs_ast_pattern *ast,
                                            const struct evs_ast_item *definitions, uint32_t definition_count,
                                            const struct evs_ident **unknown)
{
    EVS_ASSERT(definition_count <= EVS_PATTERN_SYMBOLS_MAX);
    struct conversion conversion = {arena, definitions, definition_count, NULL};
    const struct evs_pattern *pattern = convert(&conversion, ast);
    *unknown = conversion.unknown;
    return conversion.unknown == NULL ? pattern : NULL;
}
