#include "option_values.h"

static const char *option_said(const char *const *said, const char *name)
{
    size_t count = strlen(name);
    for (; said != NULL && *said != NULL; said++) {
        if (strncmp(*said, name, count) == 0 && (*said)[count] == '=') {
            return *said + count + 1;
        }
    }
    return NULL;
}

static bool option_choice(const char *choices, struct evs_slice text, int64_t *index)
{
    *index = 0;
    for (const char *at = choices; *at != '\0'; (*index)++) {
        size_t count = strcspn(at, "|");
        if (evs_slice_equal((struct evs_slice){at, count}, text)) {
            return true;
        }
        at += count + (at[count] == '|');
    }
    return false;
}

static bool option_parse(const struct evs_option *option, struct evs_option_value *value)
{
    bool flag = false, understood = true;
    switch (option->kind) {
    case EVS_OPTION_INT:
        return evs_parse_int64(value->text, &value->integer);
    case EVS_OPTION_DURATION:
        return evs_parse_duration(value->text, &value->integer);
    case EVS_OPTION_BYTES:
        return evs_parse_bytes(value->text, &value->integer);
    case EVS_OPTION_ENUM:
        return option_choice(option->choices, value->text, &value->integer);
    case EVS_OPTION_BOOL:
        understood = evs_parse_bool(value->text, &flag);
        value->integer = flag;
        return understood;
    case EVS_OPTION_STRING:
    case EVS_OPTION_TEMPLATE:
        return true;
    }
    return false;
}

void option_values(const struct evs_option *table, const char *const *said,
                   struct evs_option_value values[OPTION_VALUES_MAX])
{
    uint32_t used = 0, said_count = 0;
    for (uint32_t i = 0; table[i].name != NULL; i++) {
        EVS_ASSERT(i < OPTION_VALUES_MAX);
        const char *text = option_said(said, table[i].name);
        used += text != NULL;
        text = text != NULL ? text : table[i].fallback;
        values[i] = (struct evs_option_value){.option = &table[i], .is_set = text != NULL};
        values[i].text = evs_slice_of(text != NULL ? text : "");
        EVS_ASSERT(text == NULL || option_parse(&table[i], &values[i]));
    }
    for (; said != NULL && said[said_count] != NULL; said_count++) {
    }
    EVS_ASSERT(used == said_count);
}
