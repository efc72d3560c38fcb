/* The table behind codes.h, made of codes.def. */
#include "codes.h"

static const struct evs_code_info infos[EVS_CODE_COUNT] = {
#define EVS_CODE(code, title, explanation) {#code, title, explanation},
#include "codes.def"
#undef EVS_CODE
};

const struct evs_code_info *evs_code_info(enum evs_code code)
{
    EVS_ASSERT((uint32_t)code < EVS_CODE_COUNT);
    return &infos[code];
}

bool evs_code_find(struct evs_slice name, enum evs_code *code)
{
    for (uint32_t i = 0; i < EVS_CODE_COUNT; i++) {
        if (evs_slice_equal_nocase(name, infos[i].name)) {
            *code = (enum evs_code)i;
            return true;
        }
    }
    return false;
}
