/* resolve identity ANONYMOUS to USER [alias PREVIOUS] [within INTERVAL] [retain INTERVAL]: who each row is about.
 *
 * Every row that carries both ids is a *link*: from its moment on the anonymous id belongs to that user, until a later link says otherwise. Whose a row is:
 *
 *   it carries a user                                   that user
 *   its anonymous id is linked at its moment            the user of the latest link
 *   the id's next link comes within `within`            the user of that link: the visit before the login
 *   none of them                                        itself: the anonymous id, and not known
 *
 * and whoever that is may be known under another id by an alias (identity_aliases.h). All of it is in event time: of links and aliases of one moment all
 * count for the rows of the moment, and among themselves they go by the order of a key. So the result does not depend on when rows came.
 *
 *   process    row ──► both ids? ──► a link, until its moment
 *                └──► a user, and no alias could rename it? ──► leaves at once
 *                └──► else: waits for its moment
 *   watermark  moments that it has passed, one after another: forget, aliases, links, rows, bounds that are over
 *
 *     W          s                      t                    s + within
 *  ───┼──────────●──────────────────────▲────────────────────┼──────►     a row at s, unknown: leaves when W has passed t, as the user of the link at t,
 *                   waits                  link                           or when W has passed s + within, as itself
 *
 * Rows leave with their own event times, so the watermark is passed on `within` later: windows and sequences behind see the visit before the login under
 * the user's name and in its place. That is the price of looking back, and why `within` is the user's choice. Rejected: releasing anonymous rows at once and
 * again under the user's name when that becomes known (whatever counts them would count twice, and a reminder that was sent cannot be taken back).
 *
 * Late rows are not lost. Their moment is the watermark that they came behind (of their partition before them, or the operator's), for rows and links
 * alike; they leave with their own time, and are late for what follows if they would have been late for it anyway. So a link that comes too late counts
 * from then on.
 *
 * State: of a device that is tied 72 B + long ids + 8–16 of directory + 16 of a timer (143 B with an id of 36 characters and a short user); a waiting row
 * 40 B + 16 of timer + the kept row; a link until its moment 130 B + its ids. A tie is forgotten `retain` after the last row of the device.
 * Spread by the anonymous id, or the user's where there is none: all that is known of a device is on one worker. The aliases are on all.
 * Recovery: identity_snapshot.c. Limits: a device of more than `users_max` users one after another is a shared one (a shop's tablet, an id
 * that a broken app gives to everybody) and says nothing about anybody any more; persons of too many ids are not merged further. Both are counted.
 * Rejected: merging two users because they share a device: a family's tablet would make one customer of four. */
#include "op_identity.h"

#include <stdlib.h>

#include "evstream/keys.h"
#include "identity_state.h"
#include "key_store.h"
#include "row_judge.h"

#define EMIT_BATCHES 4

static evs_status identity_open(struct evs_op *op, void *state, struct evs_error *error)
{
    static const enum evs_kind text = EVS_STRING;
    struct identity *identity = state;
    const struct evs_identity_config *config = identity->config = evs_op_config(op);
    (void)error;
    EVS_ASSERT(config->within_us >= 0 && config->within_us <= config->retain_us && config->users_max > 0);
    identity->op = op;
    identity->durable = evs_op_is_durable(op);
    identity->epoch = 1;
    evs_keeper_init(&identity->keeper, op);
    evs_table_layout_init(&identity->layout, &text, 1, sizeof(struct device));
    evs_table_init(&identity->devices, &identity->layout);
    if (config->has_aliases) {
        evs_aliases_init(&identity->aliases, op, config->alias_retain_us, config->aliases_max);
    }
    evs_op_delay_watermark(op, config->within_us);
    return EVS_OK;
}

static void identity_close(struct evs_op *op, void *state)
{
    struct identity *identity = state;
    (void)op;
    if (identity->epoch > 0) {
        evs_table_fini(&identity->devices);
        evs_keeper_fini(&identity->keeper);
    }
    evs_aliases_fini(&identity->aliases);
    evs_timers_fini(&identity->moments);
    evs_timers_fini(&identity->forget);
    evs_going_fini(&identity->going);
    evs_arena_fini(&identity->texts);
    evs_free(identity->slots);
    evs_free(identity->dirty_slots);
    evs_free(identity->dirty_devices);
    evs_free(identity->due);
    evs_free(identity->leaving);
}

static void tell_bytes(struct identity *identity)
{
    int64_t bytes = (int64_t)(identity->keeper.pool.used_bytes + evs_table_bytes(&identity->devices) +
                              identity->slot_capacity * sizeof *identity->slots +
                              identity->moments.capacity * sizeof *identity->moments.heap +
                              identity->forget.capacity * sizeof *identity->forget.heap);
    bytes += identity->config->has_aliases ? (int64_t)evs_aliases_bytes(&identity->aliases) : 0;
    evs_op_count(identity->op, EVS_COUNT_STATE_BYTES, bytes - identity->told_bytes);
    identity->told_bytes = bytes;
}

/* --- rows come ------------------------------------------------------------------------------------------------------------------------- */

/* NULL: the row has no such id. */
static const struct evs_str *id_of(const struct evs_batch *batch, uint32_t column, uint32_t row)
{
    const struct evs_column *ids = &batch->columns[column];
    const struct evs_str *id = evs_column_is_valid(ids, row) ? EVS_COLUMN_AT(ids, struct evs_str, row) : NULL;
    return id == NULL || id->count == 0 ? NULL : id;
}

/* The moment of a row: of a late one, that of its arrival in its partition's time. */
static int64_t moment_of(const struct evs_op *op, const struct evs_batch *batch, uint32_t row)
{
    int64_t watermark_us = evs_row_watermark(op, batch, row);
    return batch->event_time_us[row] > watermark_us ? batch->event_time_us[row] : watermark_us;
}

static void add_pair(struct identity *identity, enum slot_kind kind, const struct evs_batch *batch, uint32_t row,
                     const struct evs_str *first, const struct evs_str *second)
{
    struct evs_row_order order = evs_row_order_of(batch, row);
    struct slot slot = {.kind = kind, .at_us = moment_of(identity->op, batch, row), .hash = evs_key_hash_text(first)};
    slot.pair = evs_identity_pair(identity, &order, first, second);
    slot.device = kind == SLOT_LINK ? evs_identity_find_device(identity, slot.hash, first) + 1 : 0;
    evs_identity_add_slot(identity, slot);
}

static void add_row(struct identity *identity, const struct evs_batch *batch, uint32_t row, uint64_t hash,
                    const struct evs_str *anonymous)
{
    struct slot slot = {.kind = SLOT_ROW, .at_us = moment_of(identity->op, batch, row), .hash = hash};
    slot.row = evs_keeper_keep(&identity->keeper, row);
    slot.device = anonymous != NULL ? evs_identity_find_device(identity, hash, anonymous) + 1 : 0;
    evs_identity_add_slot(identity, slot);
}

/* True when the row leaves at once: nothing that is still to come could tell more about it. */
static bool take_row(struct identity *identity, const struct evs_batch *batch, uint32_t row, uint64_t hash)
{
    const struct evs_str *anonymous = id_of(batch, identity->config->anonymous, row);
    const struct evs_str *user = id_of(batch, identity->config->user, row);
    if (anonymous != NULL && user != NULL) {
        add_pair(identity, SLOT_LINK, batch, row, anonymous, user);
    }
    if ((anonymous == NULL && user == NULL) || (user != NULL && !identity->config->has_aliases)) {
        return true;
    }
    add_row(identity, batch, row, hash, anonymous);
    return false;
}

static void put_person(struct evs_column *column, struct evs_batch *batch, uint32_t row, const struct evs_str *person)
{
    struct evs_value value = {.kind = EVS_STRING, .is_null = person == NULL};
    value.str = person == NULL ? (struct evs_str){0} : *person;
    evs_column_put(column, batch, row, &value);
}

static void put_known(struct evs_column *column, struct evs_batch *batch, uint32_t row, bool is_known)
{
    struct evs_value value = {.kind = EVS_BOOL, .boolean = is_known};
    evs_column_put(column, batch, row, &value);
}

/* A column of the operator's own; rows that are not selected have something in it, too, since expressions may look at all. */
static void init_column(struct evs_batch *batch, uint32_t number, enum evs_kind kind, uint32_t rows)
{
    evs_column_init(&batch->columns[number], batch, kind, rows, true);
    memset(batch->columns[number].data, 0, (size_t)rows * evs_kind_width(kind));
}

static void init_columns(const struct evs_identity_config *config, struct evs_batch *batch, uint32_t rows)
{
    if (config->person != EVS_IDENTITY_NO_COLUMN) {
        init_column(batch, config->person, EVS_STRING, rows);
    }
    if (config->known != EVS_IDENTITY_NO_COLUMN) {
        init_column(batch, config->known, EVS_BOOL, rows);
    }
}

static void put_columns(const struct evs_identity_config *config, struct evs_batch *batch, uint32_t row,
                        const struct evs_str *person, bool is_known)
{
    if (config->person != EVS_IDENTITY_NO_COLUMN) {
        put_person(&batch->columns[config->person], batch, row, person);
    }
    if (config->known != EVS_IDENTITY_NO_COLUMN) {
        put_known(&batch->columns[config->known], batch, row, is_known);
    }
}

/* Behind this operator the watermark is `within` earlier, and so is what rows are judged by. */
static int64_t *earlier_watermarks(const struct identity *identity, struct evs_batch *batch)
{
    if (batch->watermark_us == NULL || identity->config->within_us == 0) {
        return batch->watermark_us;
    }
    int64_t *earlier = evs_arena_alloc(batch->arena, batch->row_count * sizeof *earlier, 64);
    for (uint32_t row = 0; row < batch->row_count; row++) {
        earlier[row] = evs_time_plus(batch->watermark_us[row], -identity->config->within_us);
    }
    return earlier;
}

static void pass(struct identity *identity, struct evs_batch *batch, uint32_t count)
{
    struct evs_batch *some = evs_batch_derive(batch, evs_op_schema(identity->op)->count);
    uint16_t *selection = evs_arena_alloc(batch->arena, count * sizeof *selection + 64, 64);
    memcpy(selection, identity->passing, count * sizeof *selection);
    some->selection = selection;
    some->selected_count = count;
    some->watermark_us = earlier_watermarks(identity, batch);
    init_columns(identity->config, some, batch->row_count);
    for (uint32_t i = 0; i < count; i++) {
        const struct evs_str *user = id_of(batch, identity->config->user, selection[i]);
        put_columns(identity->config, some, selection[i], user, user != NULL);
    }
    evs_emit(identity->op, 0, some);
}

static void take_aliases(struct identity *identity, const struct evs_batch *batch)
{
    EVS_FOR_ROWS(batch, position, row) {
        const struct evs_str *previous = id_of(batch, identity->config->previous, row);
        const struct evs_str *into = id_of(batch, identity->config->into, row);
        if (previous != NULL && into != NULL) {
            add_pair(identity, SLOT_ALIAS, batch, row, previous, into);
        }
    }
}

static evs_status identity_process(struct evs_op *op, void *state, uint32_t input, struct evs_batch *batch)
{
    struct identity *identity = state;
    uint32_t passing = 0;
    (void)op;
    EVS_ASSERT(identity->going.count == 0 && input <= identity->config->has_aliases);
    evs_identity_settle(identity);
    if (input == 1) {
        take_aliases(identity, batch);
    } else {
        evs_key_hash_rows(batch, &identity->config->key, 1, identity->hashes);
        evs_keeper_see(&identity->keeper, batch);
        EVS_FOR_ROWS(batch, position, row) {
            if (take_row(identity, batch, row, identity->hashes[position])) {
                identity->passing[passing++] = (uint16_t)row;
            }
        }
    }
    if (passing > 0) {
        pass(identity, batch, passing);
    }
    tell_bytes(identity);
    return EVS_OK;
}

/* --- rows leave -------------------------------------------------------------------------------------------------------------------------- */

static void leave(struct identity *identity, uint32_t index, const struct evs_str *id, bool is_known)
{
    const struct slot *slot = &identity->slots[index];
    struct evs_str person =
        identity->config->has_aliases && is_known ? evs_aliases_person(&identity->aliases, id) : *id;
    EVS_GROW(identity->leaving, identity->leaving_count, identity->leaving_capacity);
    identity->leaving[identity->leaving_count] =
        (struct leaving){evs_str_keep(&identity->texts, &person), identity->moment_us, is_known};
    evs_going_add(&identity->going, slot->row->event_time_us, slot->row);
    identity->going.rows[identity->going.count - 1].mark = identity->leaving_count++;
    evs_identity_free_slot(identity, index);
}

static struct evs_str id_of_row(const struct identity *identity, const struct evs_row *row, uint32_t column)
{
    struct evs_value value = evs_row_value(&identity->keeper.layout, row, column);
    return value.is_null ? (struct evs_str){0} : value.str;
}

/* All rows of a device that wait, as this person. The device stays: it is tied. */
static void leave_waiting(struct identity *identity, uint32_t device_index, const struct evs_str *id, bool is_known)
{
    for (uint32_t first; (first = evs_identity_device(identity, device_index)->waiting) != 0;) {
        evs_identity_stop_waiting(identity, first - 1);
        leave(identity, first - 1, id, is_known);
    }
}

/* --- one moment -------------------------------------------------------------------------------------------------------------------------- */

/* The device was used: what is known of it is kept so much longer. */
static void use_device(struct identity *identity, uint32_t index, int64_t at_us)
{
    struct device *device = evs_identity_device(identity, index);
    int64_t forget_us = evs_time_plus(at_us, identity->config->retain_us);
    EVS_ASSERT(device->has_user || device->is_shared);
    if (forget_us > device->forget_us) {
        device->forget_us = forget_us;
        evs_identity_mark_device(identity, index);
    }
    evs_identity_time_device(identity, index);
}

/* At a moment, before anything else: what was known of a device and is not any more. */
static void forget_device(struct identity *identity, struct device *device, int64_t at_us)
{
    if ((device->has_user || device->is_shared) && device->forget_us <= at_us) {
        evs_identity_untie(identity, device);
        device->is_shared = false;
        device->users = 0;
        device->forget_us = EVS_TIME_MIN;
    }
}

static void tie(struct identity *identity, uint32_t index, const struct evs_str *user, int64_t at_us)
{
    struct device *device = evs_identity_device(identity, index);
    forget_device(identity, device, at_us);
    bool is_new = !device->is_shared && !(device->has_user && evs_str_equal(&device->user, user));
    if (is_new && device->users == identity->config->users_max) {
        device->is_shared = true;
        evs_identity_untie(identity, device);
        evs_op_count(identity->op, EVS_COUNT_LIMITED, 1);
    } else if (is_new) {
        device->users++;
        evs_identity_set_user(identity, device, user);
        evs_op_count(identity->op, EVS_COUNT_IDENTIFIED, 1);
    }
    use_device(identity, index, at_us);
    if (is_new) {
        evs_identity_mark_device(identity, index);
    }
}

static void link_device(struct identity *identity, uint32_t index, const struct evs_str *user, int64_t at_us)
{
    tie(identity, index, user, at_us);
    if (!evs_identity_device(identity, index)->is_shared) {
        leave_waiting(identity, index, user, true);
    }
}

/* An alias of an anonymous id identifies the rows of it that wait. Where none does, later ones find the alias by themselves: whether the device is here for
 * another reason (a row that came early) must not show. */
static void identify_by_alias(struct identity *identity, const struct slot *slot, const struct evs_str *user)
{
    struct evs_str anonymous = evs_identity_first(slot->pair);
    struct evs_entry *entry = evs_table_find_stored(&identity->devices, slot->hash, 0, (const uint8_t *)&anonymous);
    uint32_t index = entry == NULL ? 0 : evs_table_index_of(&identity->devices, entry);
    if (entry != NULL && evs_identity_device(identity, index)->waiting != 0) {
        link_device(identity, index, user, slot->at_us);
    }
}

static void work_pair(struct identity *identity, uint32_t index)
{
    struct slot *slot = &identity->slots[index];
    struct pair *pair = slot->pair;
    struct evs_str first = evs_identity_first(pair), second = evs_identity_second(pair);
    if (slot->kind == SLOT_LINK) {
        link_device(identity, slot->device - 1, &second, slot->at_us);
    } else if (evs_aliases_add(&identity->aliases, &first, &second, slot->at_us)) {
        identify_by_alias(identity, slot, &second);
    }
    evs_identity_free_slot(identity, index);
    evs_identity_free_pair(identity, pair);
}

/* A row of an anonymous visitor at its moment. */
static void work_anonymous(struct identity *identity, uint32_t index)
{
    const struct slot *slot = &identity->slots[index];
    uint32_t device_index = slot->device - 1;
    struct device *device = evs_identity_device(identity, device_index);
    struct evs_str anonymous = id_of_row(identity, slot->row, identity->config->anonymous);
    forget_device(identity, device, slot->at_us);
    if (!device->has_user && !device->is_shared && identity->config->has_aliases) {
        struct evs_str person = evs_aliases_person(&identity->aliases, &anonymous);
        if (!evs_str_equal(&person, &anonymous)) {
            tie(identity, device_index, &person, slot->at_us);
        }
    }
    if (device->has_user || device->is_shared) {
        use_device(identity, device_index, slot->at_us);
        leave(identity, index, device->has_user ? &device->user : &anonymous, device->has_user);
    } else if (identity->config->within_us > 0) {
        evs_identity_wait(identity, index);
        evs_timers_arm(&identity->moments, evs_time_plus(slot->at_us, identity->config->within_us),
                       index | MOMENT_BOUND);
    } else {
        leave(identity, index, &anonymous, false);
    }
}

static void work_row(struct identity *identity, uint32_t index)
{
    const struct slot *slot = &identity->slots[index];
    struct evs_str user = id_of_row(identity, slot->row, identity->config->user);
    if (user.count > 0) {
        leave(identity, index, &user, true);
    } else {
        work_anonymous(identity, index);
    }
}

/* Nobody has said who it was. At a cut, somebody might have. */
static void end_wait(struct identity *identity, uint32_t index, int64_t at_us)
{
    const struct slot *slot = &identity->slots[index];
    bool is_meant = index < identity->slot_count && slot->kind == SLOT_WAITS &&
                    evs_time_plus(slot->at_us, identity->config->within_us) == at_us;
    if (!is_meant) {
        return;
    }
    evs_identity_stop_waiting(identity, index);
    if (evs_op_is_cut(identity->op) && at_us >= evs_op_watermark(identity->op)) {
        evs_row_free(&identity->keeper.pool, slot->row);
        evs_identity_free_slot(identity, index);
        return;
    }
    struct evs_str anonymous = id_of_row(identity, slot->row, identity->config->anonymous);
    leave(identity, index, &anonymous, false);
}

/* What a moment's slots are worked off by: aliases, links, rows; bounds last, for a link of the last moment still counts. */
static int rank_of(const struct identity *identity, uint64_t payload)
{
    static const int ranks[] = {[SLOT_ALIAS] = 0, [SLOT_LINK] = 1, [SLOT_ROW] = 2};
    if ((payload & MOMENT_BOUND) != 0) {
        return 3;
    }
    enum slot_kind kind = identity->slots[payload].kind;
    EVS_ASSERT(kind == SLOT_ALIAS || kind == SLOT_LINK || kind == SLOT_ROW);
    return ranks[kind];
}

static int by_rank(const void *a, const void *b, void *argument)
{
    const struct identity *identity = argument;
    uint64_t left = ((const struct evs_timer *)a)->payload, right = ((const struct evs_timer *)b)->payload;
    int rank = rank_of(identity, left), other = rank_of(identity, right);
    if (rank != other || rank > 1) {
        return (rank > other) - (rank < other);
    }
    return evs_row_order_compare(&identity->slots[left].pair->order, &identity->slots[right].pair->order);
}

static void work_moment(struct identity *identity, int64_t at_us)
{
    struct evs_timer due;
    identity->moment_us = at_us;
    identity->due_count = 0;
    while (evs_timers_pop(&identity->moments, at_us, &due)) {
        EVS_GROW(identity->due, identity->due_count, identity->due_capacity);
        identity->due[identity->due_count++] = due;
    }
    if (identity->due_count > 1) {
        qsort_r(identity->due, identity->due_count, sizeof *identity->due, by_rank, identity);
    }
    if (identity->config->has_aliases) {
        evs_aliases_forget(&identity->aliases, at_us);
    }
    for (uint32_t i = 0; i < identity->due_count; i++) {
        uint32_t index = (uint32_t)identity->due[i].payload;
        if ((identity->due[i].payload & MOMENT_BOUND) != 0) {
            end_wait(identity, index, at_us);
        } else if (identity->slots[index].kind == SLOT_ROW) {
            work_row(identity, index);
        } else {
            work_pair(identity, index);
        }
    }
}

static void forget_devices(struct identity *identity, int64_t until_us)
{
    struct evs_timer due;
    while (evs_timers_pop(&identity->forget, until_us, &due)) {
        uint32_t index = (uint32_t)due.payload;
        struct device *device = evs_identity_device(identity, index);
        EVS_ASSERT(device->is_timed);
        device->is_timed = false;
        forget_device(identity, device, until_us);
        if (device->has_user || device->is_shared) {
            evs_identity_time_device(identity, index);
        } else {
            evs_identity_drop_device(identity, index);
        }
    }
    evs_key_compact(&identity->devices);
}

static void work_until(struct identity *identity, int64_t until_us)
{
    for (int64_t at_us; identity->moments.count > 0 && (at_us = evs_timers_next(&identity->moments)) <= until_us;) {
        work_moment(identity, at_us);
    }
    forget_devices(identity, until_us);
    if (identity->config->has_aliases) {
        evs_aliases_forget(&identity->aliases, until_us);
    }
    evs_going_sort(&identity->going, &identity->keeper);
}

/* --- emitting ----------------------------------------------------------------------------------------------------------------------------- */

/* A row in time is in time for what follows, too. A late one is judged by the watermark that is behind this operator at the moment at which it leaves, however
 * far that has really come. */
static void put_own(const struct identity *identity, struct evs_batch *batch, const struct evs_going_row *rows,
                    uint32_t count)
{
    init_columns(identity->config, batch, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct leaving *leaving = &identity->leaving[rows[i].mark];
        put_columns(identity->config, batch, i, &leaving->person, leaving->is_known);
        int64_t watermark_us = evs_time_plus(leaving->moment_us, -identity->config->within_us);
        if (watermark_us > rows[i].time_us) {
            batch->watermark_us[i] = watermark_us;
        }
    }
}

static evs_status emit(struct identity *identity)
{
    struct evs_going *going = &identity->going;
    for (uint32_t emitted = 0; going->at < going->count; emitted++) {
        if (emitted == EMIT_BATCHES) {
            return EVS_MORE;
        }
        const struct evs_going_row *rows = &going->rows[going->at];
        uint32_t count = evs_keeper_alike(&identity->keeper, rows, going->count - going->at);
        struct evs_batch *batch = evs_keeper_batch(identity->op, &identity->keeper, rows, count);
        put_own(identity, batch, rows, count);
        evs_emit(identity->op, 0, batch);
        for (uint32_t i = 0; i < count; i++) {
            evs_row_free(&identity->keeper.pool, rows[i].row);
        }
        going->at += count;
    }
    going->at = going->count = identity->leaving_count = 0;
    evs_arena_reset(&identity->texts);
    return EVS_OK;
}

static evs_status identity_watermark(struct evs_op *op, void *state, int64_t watermark_us)
{
    struct identity *identity = state;
    (void)op;
    evs_identity_settle(identity);
    if (identity->going.count == 0) { /* else the credit was used up before all were out */
        work_until(identity, evs_timers_passed(watermark_us));
    }
    evs_status status = emit(identity);
    tell_bytes(identity);
    return status;
}

const struct evs_operator evs_op_identity = {
    .kind = "resolve_identity",
    .flags = EVS_OP_KEYED | EVS_OP_STATEFUL | EVS_OP_HOLDS_WATERMARK | EVS_OP_ELASTIC | EVS_OP_PASSES_LATE,
    .snapshot_version = IDENTITY_VERSION,
    .state_bytes = sizeof(struct identity),
    .inputs_max = 2,
    .emit_max = EMIT_BATCHES,
    .everywhere = 1 << SECTION_PENDING_ALIASES | 1 << SECTION_ALIASES,
    .stored_key = {.sections = EVS_STORED_OWNER | 1 << SECTION_DEVICES | 1 << SECTION_ALIASES,
                   .nulls_at = DEVICE_NULLS_AT,
                   .key_at = DEVICE_KEY_AT},
    .open = identity_open,
    .process = identity_process,
    .watermark = identity_watermark,
    .snapshot = evs_identity_snapshot,
    .restore = evs_identity_restore,
    .close = identity_close,
};
_Static_assert((int)DEVICE_NULLS_AT == (int)EVS_ALIASES_NULLS_AT && (int)DEVICE_KEY_AT == (int)EVS_ALIASES_KEY_AT,
               "one place for both");
