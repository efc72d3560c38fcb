#include "identity_model.h"

#include <stdlib.h>

const char *model_text(int id)
{
    static const char *const texts[MODEL_IDS] = {
        "a",   "b",   "0f6e5b1c-8d2a-4c3e-9f70-112233445566",        "1f6e5b1c-8d2a-4c3e-9f70-112233445566",     "e",
        "ann", "bob", "a user whose id is long enough to lie apart", "another user whose id is as long as that", "cid"};
    return texts[id];
}

/* --- persons ----------------------------------------------------------------------------------------------------------------------- */

static bool is_for_ever(const struct model *model)
{
    return model->rules.alias_retain_us == EVS_TIME_MAX;
}

static int64_t forget_at(const struct model *model, int64_t at_us)
{
    return model->rules.retain_us == EVS_TIME_MAX ? EVS_TIME_MAX : at_us + model->rules.retain_us;
}

static struct model_alias *alias_from(struct model *model, int id)
{
    for (uint32_t i = 0; i < model->alias_count; i++) {
        if (model->aliases[i].from == id) {
            return &model->aliases[i];
        }
    }
    return NULL;
}

static int person_of(struct model *model, int id)
{
    if (is_for_ever(model)) {
        return model->label[id];
    }
    for (const struct model_alias *alias; (alias = alias_from(model, id)) != NULL;) {
        id = alias->to;
    }
    return id;
}

static uint32_t ids_of(struct model *model, int person)
{
    uint32_t count = 0;
    for (int id = 0; id < MODEL_IDS; id++) {
        count += person_of(model, id) == person;
    }
    return count;
}

static void renew(struct model *model, int id, int64_t at_us)
{
    for (struct model_alias *alias; (alias = alias_from(model, id)) != NULL; id = alias->to) {
        alias->forget_us = at_us + model->rules.alias_retain_us;
    }
}

static bool merge(struct model *model, int previous, int user, int64_t at_us)
{
    int from = person_of(model, previous), to = person_of(model, user);
    if (previous != user) {
        renew(model, previous, at_us);
        renew(model, user, at_us);
    }
    if (from == to) {
        return true;
    }
    if (ids_of(model, from) + ids_of(model, to) > model->rules.aliases_max) {
        model->limited++;
        return false;
    }
    model->merged++;
    for (int id = 0; id < MODEL_IDS; id++) {
        model->label[id] = model->label[id] == from ? to : model->label[id];
    }
    if (!is_for_ever(model)) {
        model->aliases[model->alias_count++] = (struct model_alias){from, to, at_us + model->rules.alias_retain_us};
    }
    return true;
}

static void forget(struct model *model, int64_t at_us)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < model->alias_count; i++) {
        if (model->aliases[i].forget_us > at_us) {
            model->aliases[kept++] = model->aliases[i];
        }
    }
    model->alias_count = kept;
    for (int id = 0; id < MODEL_IDS; id++) {
        struct model_device *device = &model->devices[id];
        if (device->forget_us <= at_us) {
            *device = (struct model_device){.user = MODEL_NONE, .forget_us = EVS_TIME_MAX};
        }
    }
}

/* --- one moment --------------------------------------------------------------------------------------------------------------------- */

static void leave(struct model *model, struct model_row *row, int id, bool is_known)
{
    row->person = is_known && model->rules.has_aliases ? person_of(model, id) : id;
    row->is_known = is_known;
    row->has_left = true;
}

static void leave_waiting(struct model *model, int anonymous, int user, int64_t before_us)
{
    for (uint32_t i = 0; i < model->row_count; i++) {
        struct model_row *row = &model->rows[i];
        if (!row->has_left && row->anonymous == anonymous && row->user == MODEL_NONE && row->moment_us < before_us) {
            leave(model, row, user, true);
        }
    }
}

static void tie(struct model *model, int anonymous, int user, int64_t at_us)
{
    struct model_device *device = &model->devices[anonymous];
    if (!device->is_shared && device->user != user) {
        device->users++;
        device->is_shared = device->users > model->rules.users_max;
        model->limited += device->is_shared;
        model->identified += !device->is_shared;
        device->user = device->is_shared ? MODEL_NONE : user;
    }
    device->forget_us = forget_at(model, at_us);
    if (!device->is_shared) {
        leave_waiting(model, anonymous, user, at_us);
    }
}

static void work_aliases(struct model *model, int64_t at_us)
{
    for (uint32_t i = 0; i < model->row_count; i++) {
        const struct model_row *row = &model->rows[i];
        bool is_alias = row->moment_us == at_us && row->previous != MODEL_NONE && row->user != MODEL_NONE;
        if (!model->rules.has_aliases || !is_alias || !merge(model, row->previous, row->user, at_us)) {
            continue;
        }
        bool waits = false;
        for (uint32_t k = 0; k < model->row_count; k++) {
            const struct model_row *other = &model->rows[k];
            waits = waits || (other->anonymous == row->previous && other->user == MODEL_NONE && !other->has_left &&
                              other->moment_us < at_us);
        }
        if (waits) {
            tie(model, row->previous, row->user, at_us);
        }
    }
}

static void work_rows(struct model *model, int64_t at_us)
{
    for (uint32_t i = 0; i < model->row_count; i++) {
        struct model_row *row = &model->rows[i];
        if (row->moment_us != at_us) {
            continue;
        }
        if (row->user != MODEL_NONE) {
            leave(model, row, row->user, true);
            continue;
        }
        if (row->anonymous == MODEL_NONE) {
            leave(model, row, MODEL_NONE, false);
            continue;
        }
        struct model_device *device = &model->devices[row->anonymous];
        int person = model->rules.has_aliases ? person_of(model, row->anonymous) : row->anonymous;
        if (device->user == MODEL_NONE && !device->is_shared && person != row->anonymous) {
            tie(model, row->anonymous, person, at_us);
        }
        if (device->user != MODEL_NONE || device->is_shared) {
            device->forget_us = forget_at(model, at_us);
            leave(model, row, device->is_shared ? row->anonymous : device->user, !device->is_shared);
        }
    }
}

static void work_moment(struct model *model, int64_t at_us)
{
    forget(model, at_us);
    work_aliases(model, at_us);
    for (uint32_t i = 0; i < model->row_count; i++) {
        const struct model_row *row = &model->rows[i];
        if (row->moment_us == at_us && row->anonymous != MODEL_NONE && row->user != MODEL_NONE) {
            tie(model, row->anonymous, row->user, at_us);
        }
    }
    work_rows(model, at_us);
    for (uint32_t i = 0; i < model->row_count; i++) {
        struct model_row *row = &model->rows[i];
        if (!row->has_left && row->moment_us + model->rules.within_us == at_us) {
            leave(model, row, row->anonymous, false);
        }
    }
}

/* Rows of one moment count in the order of a key. */
static int by_order(const void *a, const void *b)
{
    const struct op_row *left = &((const struct model_row *)a)->row, *right = &((const struct model_row *)b)->row;
    if (left->time_us != right->time_us) {
        return left->time_us < right->time_us ? -1 : 1;
    }
    if (left->cause.major != right->cause.major) {
        return left->cause.major < right->cause.major ? -1 : 1;
    }
    return (left->cause.minor > right->cause.minor) - (left->cause.minor < right->cause.minor);
}

void model_run(struct model *model)
{
    int64_t first_us = INT64_MAX, last_us = INT64_MIN;
    qsort(model->rows, model->row_count, sizeof *model->rows, by_order);
    for (int id = 0; id < MODEL_IDS; id++) {
        model->label[id] = id;
        model->devices[id] = (struct model_device){.user = MODEL_NONE, .forget_us = EVS_TIME_MAX};
    }
    for (uint32_t i = 0; i < model->row_count; i++) {
        struct model_row *row = &model->rows[i];
        row->moment_us = row->row.time_us > row->row.watermark_us ? row->row.time_us : row->row.watermark_us;
        row->has_left = false;
        first_us = row->moment_us < first_us ? row->moment_us : first_us;
        last_us = row->moment_us > last_us ? row->moment_us : last_us;
    }
    for (int64_t at_us = first_us; at_us <= last_us + model->rules.within_us; at_us++) {
        work_moment(model, at_us);
    }
}
