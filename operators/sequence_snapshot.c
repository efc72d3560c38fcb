/* How the sequence operator's state is stored.
 *
 * Section 0, pending rows: keyed_rows.h.
 * Section 1, attempts. Fixed: struct stored_attempt and the number of rows of each step. Variable: the rows, one after another; each begins with its
 * length. A DELETE has the first row alone: with the place of that row in the order of its key it says which attempt it is. */
#include "evstream/keys.h"
#include "sequence_state.h"

enum { SECTION_ATTEMPTS = 1 };

struct stored_attempt {
    int64_t opened_us, last_us, step_from_us;
    uint32_t step, row_count;
    uint32_t has_gap, reserved;
};

struct stored_deletion {
    uint64_t hash;
    uint64_t bytes;
};

static size_t fixed_bytes(const struct sequence *sequence)
{
    return sizeof(struct stored_attempt) + sequence->config->step_count * sizeof(uint32_t);
}

static struct evs_slice slice_of(const struct evs_buffer *buffer)
{
    return (struct evs_slice){buffer->data, buffer->count};
}

/* --- writing --------------------------------------------------------------------------------------------------------------------------- */

static void put_fixed(const struct sequence *sequence, const struct attempt *attempt, struct evs_buffer *fixed)
{
    struct stored_attempt stored = {
        .opened_us = attempt->opened_us,
        .last_us = attempt->last_us,
        .step_from_us = attempt->step_from_us,
        .step = attempt->step,
        .row_count = attempt->row_count,
        .has_gap = attempt->has_gap,
    };
    evs_buffer_put(fixed, &stored, sizeof stored);
    evs_buffer_put(fixed, attempt->counts, sequence->config->step_count * sizeof *attempt->counts);
}

void evs_sequence_remember_deleted(struct sequence *sequence, const struct attempt *attempt)
{
    struct evs_slice first = evs_row_slice(&attempt->rows[0]->row);
    struct stored_deletion deletion = {evs_keyed_entry(&sequence->rows, attempt->entry)->hash,
                                       fixed_bytes(sequence) + first.count};
    if (!sequence->is_durable) {
        return;
    }
    evs_buffer_put(&sequence->deleted, &deletion, sizeof deletion);
    put_fixed(sequence, attempt, &sequence->deleted);
    evs_buffer_put(&sequence->deleted, first.data, first.count);
}

static void write_deleted(struct sequence *sequence, struct evs_snapshot_writer *writer)
{
    const char *at = sequence->deleted.data, *end = at + sequence->deleted.count;
    size_t fixed = fixed_bytes(sequence);
    while (at < end) {
        struct stored_deletion deletion;
        memcpy(&deletion, at, sizeof deletion);
        at += sizeof deletion;
        evs_snapshot_put(writer, SECTION_ATTEMPTS, EVS_RECORD_DELETE, deletion.hash, (struct evs_slice){at, fixed},
                         (struct evs_slice){at + fixed, deletion.bytes - fixed});
        at += deletion.bytes;
    }
    sequence->deleted.count = 0;
}

struct writing {
    struct sequence *sequence;
    struct evs_snapshot_writer *writer;
    struct evs_buffer fixed, variable;
};

static void write_attempt(struct writing *to, struct attempt *attempt, uint64_t hash)
{
    to->fixed.count = to->variable.count = 0;
    put_fixed(to->sequence, attempt, &to->fixed);
    for (uint32_t r = 0; r < attempt->row_count; r++) {
        struct evs_slice row = evs_row_slice(&attempt->rows[r]->row);
        evs_buffer_put(&to->variable, row.data, row.count);
    }
    evs_snapshot_put(to->writer, SECTION_ATTEMPTS, EVS_RECORD_PUT, hash, slice_of(&to->fixed), slice_of(&to->variable));
    attempt->is_saved = true;
    attempt->is_dirty = false;
}

static void write_key(void *argument, uint32_t index, struct evs_entry *entry)
{
    struct writing *to = argument;
    for (struct attempt *at = evs_sequence_key(to->sequence, index)->oldest; at != NULL; at = at->newer) {
        write_attempt(to, at, entry->hash);
    }
}

/* Where the copy has the key, its attempts are left to it. */
static void write_dirty(struct writing *to)
{
    struct sequence *sequence = to->sequence;
    for (uint32_t i = 0; i < sequence->dirty_count; i++) {
        struct attempt *attempt = sequence->slots[sequence->dirty[i]].attempt;
        if (attempt != NULL && attempt->is_dirty) {
            write_attempt(to, attempt, evs_keyed_entry(&sequence->rows, attempt->entry)->hash);
        }
    }
}

/* Deletions first: the first row of an attempt that is gone may begin another one after a replay. */
evs_status evs_sequence_snapshot(struct evs_op *op, void *state, struct evs_snapshot_writer *writer, bool full)
{
    struct sequence *sequence = state;
    struct writing to = {.sequence = sequence, .writer = writer};
    EVS_ASSERT(sequence->event_at == sequence->event_count && sequence->held == NULL);
    evs_keyed_snapshot(&sequence->rows, op, writer, full);
    if (full) {
        sequence->deleted.count = 0;
    }
    write_deleted(sequence, writer);
    if (full) {
        evs_snapshot_walk(writer, &sequence->rows.table, write_key, &to);
    } else {
        write_dirty(&to);
    }
    sequence->dirty_count = 0;
    evs_buffer_fini(&to.fixed);
    evs_buffer_fini(&to.variable);
    return EVS_OK;
}

/* --- reading --------------------------------------------------------------------------------------------------------------------------- */

struct reading {
    struct sequence *sequence;
    struct evs_op *op;
    uint64_t hash;
    struct stored_attempt stored;
    uint32_t counts[EVS_SEQUENCE_STEPS_MAX];
    struct evs_slice rest;
};

static bool read_fixed(struct reading *reading, struct evs_slice fixed)
{
    const struct evs_sequence_config *config = reading->sequence->config;
    uint64_t total = 0;
    if (fixed.count != fixed_bytes(reading->sequence)) {
        return false;
    }
    memcpy(&reading->stored, fixed.data, sizeof reading->stored);
    memcpy(reading->counts, fixed.data + sizeof reading->stored, config->step_count * sizeof(uint32_t));
    for (uint32_t i = 0; i < config->step_count; i++) {
        total += reading->counts[i];
        if (i > reading->stored.step && reading->counts[i] > 0) {
            return false;
        }
    }
    return reading->stored.step < config->step_count && total == reading->stored.row_count && total > 0;
}

static struct evs_keyed_row *read_row(struct reading *reading)
{
    struct evs_row head;
    if (reading->rest.count < sizeof head) {
        return NULL;
    }
    memcpy(&head, reading->rest.data, sizeof head);
    uint32_t bytes = evs_row_bytes(&head);
    if (bytes > reading->rest.count || bytes < sizeof head) {
        return NULL;
    }
    struct evs_slice row = {reading->rest.data, bytes};
    reading->rest = (struct evs_slice){row.data + bytes, reading->rest.count - bytes};
    return evs_keyed_restore_row(&reading->sequence->rows, reading->op, reading->hash, 0, row);
}

static bool same_row(const struct evs_keyed_row *a, const struct evs_keyed_row *b)
{
    return evs_slice_equal(evs_row_slice(&a->row), evs_row_slice(&b->row));
}

/* The attempt of the key that begins with the row. */
static struct attempt *find_attempt(struct reading *reading, const struct evs_keyed_row *first)
{
    struct attempt *attempt = evs_sequence_key(reading->sequence, first->entry)->oldest;
    while (attempt != NULL && !same_row(attempt->rows[0], first)) {
        attempt = attempt->newer;
    }
    return attempt;
}

/* A row that another attempt of the key has already is shared with it. */
static struct evs_keyed_row *shared_row(struct reading *reading, struct evs_keyed_row *row)
{
    struct attempt *attempt = evs_sequence_key(reading->sequence, row->entry)->oldest;
    for (; attempt != NULL; attempt = attempt->newer) {
        for (uint32_t i = attempt->row_count; i > 0; i--) {
            struct evs_keyed_row *other = attempt->rows[i - 1];
            if (other->row.event_time_us < row->row.event_time_us) {
                break;
            }
            if (other != row && same_row(other, row)) {
                other->references++;
                evs_keyed_row_release(&reading->sequence->rows, row);
                return other;
            }
        }
    }
    return row;
}

/* Attempts of a key stand in the order of their first rows, whatever the order of their records. */
static void place_attempt(struct sequence *sequence, struct attempt *attempt)
{
    struct key_attempts *key = evs_sequence_key(sequence, attempt->entry);
    while (attempt->older != NULL && evs_row_compare(&attempt->older->rows[0]->row, &attempt->rows[0]->row) > 0) {
        struct attempt *older = attempt->older, *newer = attempt->newer;
        attempt->older = older->older;
        attempt->newer = older;
        *(older->older != NULL ? &older->older->newer : &key->oldest) = attempt;
        older->older = attempt;
        older->newer = newer;
        *(newer != NULL ? &newer->older : &key->newest) = older;
    }
}

static bool read_rows(struct reading *reading, struct attempt *attempt, struct evs_keyed_row *first)
{
    struct sequence *sequence = reading->sequence;
    for (uint32_t i = 0; i < reading->stored.row_count; i++) {
        struct evs_keyed_row *row = i == 0 ? first : read_row(reading);
        if (row == NULL || row->entry != attempt->entry) {
            return false;
        }
        row = shared_row(reading, row);
        evs_sequence_add_row(sequence, attempt, row);
        evs_keyed_row_release(&sequence->rows, row); /* the attempt has its own reference now */
    }
    return reading->rest.count == 0;
}

static bool put_attempt(struct reading *reading, struct evs_keyed_row *first)
{
    struct sequence *sequence = reading->sequence;
    struct attempt *attempt = evs_sequence_attempt_new(sequence, reading->op, first->entry);
    if (!read_rows(reading, attempt, first)) {
        return false;
    }
    memcpy(attempt->counts, reading->counts, sequence->config->step_count * sizeof *attempt->counts);
    attempt->step = (uint16_t)reading->stored.step;
    attempt->has_gap = reading->stored.has_gap != 0;
    attempt->opened_us = reading->stored.opened_us;
    attempt->last_us = reading->stored.last_us;
    attempt->step_from_us = reading->stored.step_from_us;
    attempt->is_saved = true;
    attempt->is_dirty = false;
    place_attempt(sequence, attempt);
    if (!evs_attempt_time(sequence->config, attempt, EVS_TIME_MIN)) {
        return false; /* it would not have been stored */
    }
    evs_sequence_arm(sequence, attempt);
    return true;
}

static bool read_attempt(struct reading *reading, enum evs_record_kind kind)
{
    struct sequence *sequence = reading->sequence;
    struct evs_keyed_row *first = read_row(reading);
    if (first == NULL) {
        return false;
    }
    uint32_t entry = first->entry;
    evs_keyed_hold(&sequence->rows, reading->op, entry);
    struct attempt *old = find_attempt(reading, first);
    if (old != NULL) {
        old->is_saved = false; /* what is stored of it is being replaced */
        evs_sequence_attempt_free(sequence, reading->op, old);
    }
    bool is_good = true;
    if (kind == EVS_RECORD_PUT) {
        is_good = put_attempt(reading, first);
    } else {
        evs_keyed_row_release(&sequence->rows, first);
    }
    evs_keyed_drop(&sequence->rows, reading->op, entry);
    return is_good;
}

evs_status evs_sequence_restore(struct evs_op *op, void *state, uint32_t version,
                                const struct evs_snapshot_record *record, struct evs_error *error)
{
    struct reading reading = {.sequence = state, .op = op, .hash = record->hash, .rest = record->variable};
    if (version != EVS_SEQUENCE_SNAPSHOT_VERSION || record->section > SECTION_ATTEMPTS) {
        return evs_fail(error, EVS_E_STATE, "The stored state of `sequence` has an unknown layout (version %u).",
                        version);
    }
    bool is_good = record->section == EVS_KEYED_SECTION
                       ? evs_keyed_restore(&reading.sequence->rows, op, record)
                       : read_fixed(&reading, record->fixed) && read_attempt(&reading, record->kind);
    return is_good ? EVS_OK : evs_fail(error, EVS_E_CORRUPT, "A stored record of `sequence` does not decode.");
}
