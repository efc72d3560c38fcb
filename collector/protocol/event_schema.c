#include "event_schema.h"

#include <stdlib.h>

#include "form.h"
#include "schema_validator.h"

struct schema {
    char *type;
    uint32_t major;
    struct evs_schema_validator *validator;
};

struct evs_schema_set {
    struct schema *schemas; /* by type, then major */
    uint32_t count;
};

/* --- the set ----------------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    const struct schema *left = a, *right = b;
    int order = strcmp(left->type, right->type);
    return order != 0 ? order : (left->major > right->major) - (left->major < right->major);
}

static evs_status add(struct evs_schema_set *set, const struct evs_event_schema *given, struct evs_error *error)
{
    char mistake[EVS_SCHEMA_MISTAKE_BYTES] = "";
    struct evs_schema_validator *validator =
        evs_schema_validator_new((struct evs_schema_text){given->text.data, given->text.count}, mistake);
    if (validator == NULL) {
        return evs_fail(error, EVS_E_USAGE, "The schema %s/%u cannot be used: %s.", given->type, given->major, mistake);
    }
    set->schemas[set->count++] = (struct schema){evs_strdup(given->type), given->major, validator};
    return EVS_OK;
}

evs_status evs_schema_set_new(const struct evs_event_schema *schemas, uint32_t count, struct evs_schema_set **set,
                              struct evs_error *error)
{
    *set = NULL;
    if (count == 0) {
        return EVS_OK;
    }
    struct evs_schema_set *made = evs_alloc_zero(sizeof *made);
    made->schemas = evs_alloc_zero(count * sizeof *made->schemas);
    for (uint32_t i = 0; i < count; i++) {
        evs_status status = add(made, &schemas[i], error);
        if (status != EVS_OK) {
            evs_schema_set_free(made);
            return status;
        }
    }
    qsort(made->schemas, count, sizeof *made->schemas, compare);
    *set = made;
    return EVS_OK;
}

void evs_schema_set_free(struct evs_schema_set *set)
{
    if (set == NULL) {
        return;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        evs_schema_validator_free(set->schemas[i].validator);
        evs_free(set->schemas[i].type);
    }
    evs_free(set->schemas);
    evs_free(set);
}

/* --- one event ----------------------------------------------------------------------------------------------------------- */

struct wish {
    uint32_t major;
    bool is_said;
};

/* "<type>/<major>", of this type, whose name may be the sender's ("Product Added/1" where that is add_to_cart). */
static bool read_wish(const struct evs_call *call, struct evs_slice said, struct evs_slice type, struct wish *wish)
{
    struct evs_slice name = said, digits = evs_form_cut(&name, '/');
    uint64_t major = 0;
    if (!evs_slice_equal(evs_event_type(call, name), type) || digits.count == 0 || digits.count > 9) {
        return false;
    }
    for (size_t i = 0; i < digits.count; i++) {
        if (digits.data[i] < '0' || digits.data[i] > '9') {
            return false;
        }
        major = major * 10 + (uint64_t)(digits.data[i] - '0');
    }
    *wish = (struct wish){(uint32_t)major, true};
    return true;
}

/* The schema of the type with this major, or its highest; *knows_type says whether there is any of the type. */
static const struct schema *find(const struct evs_schema_set *set, struct evs_slice type, struct wish wish,
                                 bool *knows_type)
{
    const struct schema *found = NULL;
    *knows_type = false;
    for (uint32_t i = 0; set != NULL && i < set->count; i++) {
        if (evs_slice_equal(type, evs_slice_of(set->schemas[i].type))) {
            *knows_type = true;
            found = !wish.is_said || set->schemas[i].major == wish.major ? &set->schemas[i] : found;
        }
    }
    return found;
}

struct judging {
    struct evs_call *call;
    struct evs_draft *draft;
    const struct schema *schema;
};

static void report(void *context, const char *where, const char *what)
{
    struct judging *judging = context;
    evs_draft_reject(judging->call, judging->draft, "Against the schema %s/%u: properties%s%s: %s.",
                     judging->schema->type, judging->schema->major, where[0] == 0 ? "" : ".", where, what);
}

static void hold_against(struct evs_call *call, struct evs_draft *draft, const struct schema *schema)
{
    struct evs_buffer *out = &call->protocol->buffer;
    struct judging judging = {call, draft, schema};
    out->count = 0;
    if (draft->properties == NULL) {
        evs_buffer_puts(out, "{}");
    } else {
        evs_tree_write(out, draft->properties, &call->protocol->strip);
    }
    bool fits = evs_schema_validator_check(schema->validator, (struct evs_schema_text){out->data, out->count}, report,
                                           &judging);
    EVS_ASSERT(fits == (draft->reason_count == 0));
}

struct evs_slice evs_schema_judge(const struct evs_schema_set *set, struct evs_call *call, struct evs_draft *draft,
                                  struct evs_slice type)
{
    struct wish wish = {0};
    bool knows_type = false;
    if (draft->schema.count > 0 && !read_wish(call, draft->schema, type, &wish)) {
        evs_draft_reject(call, draft, "Its schema '%.*s' is not written as its type and a version: %.*s/1.",
                         (int)(draft->schema.count < 64 ? draft->schema.count : 64), draft->schema.data,
                         (int)type.count, type.data);
        return draft->schema;
    }
    const struct schema *schema = find(set, type, wish, &knows_type);
    if (schema != NULL) {
        hold_against(call, draft, schema);
        return evs_slice_of(evs_arena_printf(call->arena, "%s/%u", schema->type, schema->major));
    }
    if (knows_type) {
        evs_draft_reject(call, draft, "There is no version %u of the schema of %.*s here.", wish.major, (int)type.count,
                         type.data);
    } else if (call->protocol->config.schema_required) {
        evs_draft_reject(call, draft, "There is no schema of the type %.*s, and events must have one here.",
                         (int)type.count, type.data);
    }
    return wish.is_said ? evs_slice_of(evs_arena_printf(call->arena, "%.*s/%u", (int)type.count, type.data, wish.major))
                        : draft->schema;
}
