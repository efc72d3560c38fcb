/* Traced rows on their way through the ops (evstream/trace.h).
 *
 *   source    makes marks: a list of (row, context) beside the batch, where there is a traced row at all
 *   filter, select, union …   derive batches, and with them the pointer to the marks
 *   exchange  copies rows, and the marks of those (evs_trace_copy)
 *   any other op that builds rows for rows   the marks of the batch at hand are found again by the rows' causes (evs_trace_emit)
 *   windows   evs_op_trace_keys remembers traced rows by key; a result of that key whose window holds their time has links to them
 *   sequences rows are remembered by cause when they come; evs_op_trace_rows names the ones that a result was made of
 *   sink      puts the context into the message's headers, and tells the span when it is acknowledged
 *
 * A memory is a ring of entries found by a hash: the newest are kept. It belongs to one op, and is made when the first traced row comes. */
#include <stdio.h>
#include <strings.h>

#include "evstream/keys.h"
#include "evstream/rows.h"
#include "source_node.h"

#define ENTRIES 4096u
#define BUCKETS 8192u
#define NONE UINT16_MAX

/* What is remembered of a key, or of a row. */
struct memory_entry {
    struct evs_hash128 key;
    uint16_t next;  /* in its bucket */
    uint16_t count; /* of contexts, a ring */
    uint32_t at;
    struct {
        struct evs_trace_context context;
        int64_t event_time_us;
    } of[EVS_TRACE_LINKS_MAX];
};
struct evs_trace_memory {
    uint16_t buckets[BUCKETS];
    uint32_t count, oldest;
    struct memory_entry entries[ENTRIES];
};

static const struct evs_tracer *tracer_of(const struct evs_op *op)
{
    return op->worker->run->options.tracer;
}

bool evs_op_traces(const struct evs_op *op)
{
    return tracer_of(op) != NULL;
}

/* --- spans ------------------------------------------------------------------------------------------------------------------- */

static void new_span_id(const struct evs_op *op, uint8_t id[8])
{
    const struct evs_os *os = op->worker->run->options.os;
    uint64_t random = os->random.next(os->random.self) | 1; /* never zeroes */
    memcpy(id, &random, 8);
}

static int64_t wall_us(const struct evs_op *op)
{
    const struct evs_clock *clock = &op->worker->run->options.os->clock;
    return clock->wall_us(clock->self);
}

static struct evs_trace_span span_of(const struct evs_op *op, const char *operation, enum evs_span_kind kind,
                                     const struct evs_trace_context *parent)
{
    struct evs_trace_span span = {
        .kind = kind,
        .own = *parent,
        .pipeline = op->worker->run->plan->pipeline,
        .node = op->node->name,
        .operation = operation,
        .start_us = wall_us(op),
    };
    memcpy(span.parent, parent->span_id, sizeof span.parent);
    new_span_id(op, span.own.span_id);
    span.end_us = span.start_us;
    return span;
}

static void tell(const struct evs_op *op, const struct evs_trace_span *span)
{
    (void)tracer_of(op)->take(tracer_of(op)->self, span); /* what it has no room for it counts */
}

/* --- marks ------------------------------------------------------------------------------------------------------------------- */

/* Room for one more mark, in the batch's arena. Marks that others see are never changed: a batch is given its list before it is emitted. */
static struct evs_trace_mark *add_mark(struct evs_batch *batch, uint32_t row)
{
    struct evs_trace_marks *marks = batch->traces;
    uint32_t count = marks == NULL ? 0 : marks->count;
    if ((count & (count - 1)) == 0) { /* a power of two, or none: full */
        uint32_t capacity = count == 0 ? 1 : 2 * count;
        struct evs_trace_marks *grown =
            evs_arena_zero(batch->arena, sizeof *grown + capacity * sizeof grown->marks[0], 8);
        if (count > 0) {
            memcpy(grown, marks, sizeof *marks + count * sizeof marks->marks[0]);
        }
        batch->traces = marks = grown;
    }
    EVS_ASSERT(count == 0 || marks->marks[count - 1].row < row);
    marks->marks[marks->count].row = row;
    return &marks->marks[marks->count++];
}

const struct evs_trace_mark *evs_trace_mark_of(const struct evs_batch *batch, uint32_t row)
{
    const struct evs_trace_marks *marks = batch->traces;
    uint32_t low = 0, high = marks == NULL ? 0 : marks->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (marks->marks[middle].row < row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return marks != NULL && low < marks->count && marks->marks[low].row == row ? &marks->marks[low] : NULL;
}

/* The position of a physical row among the selected ones; UINT32_MAX: it is not selected. */
static uint32_t position_of(const uint16_t *rows, uint32_t count, uint32_t row)
{
    if (rows == NULL) {
        return row < count ? row : UINT32_MAX;
    }
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (rows[middle] < row) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < count && rows[low] == row ? low : UINT32_MAX;
}

void evs_trace_copy(struct evs_batch *to, const struct evs_batch *from, const uint16_t *rows, uint32_t count)
{
    to->traces = NULL;
    for (uint32_t i = 0; from->traces != NULL && i < from->traces->count; i++) {
        uint32_t at = position_of(rows, count, from->traces->marks[i].row);
        if (at != UINT32_MAX) {
            add_mark(to, at)->context = from->traces->marks[i].context;
        }
    }
}

/* --- the source ----------------------------------------------------------------------------------------------------------------- */

/* The member's text in the record, or the message's header. */
static bool find_context(const struct evs_message *message, struct evs_slice record, struct evs_trace_context *context)
{
    static const char member[] = "\"traceparent\"", header[] = "\ntraceparent:";
    const char *found = record.data == NULL ? NULL : memmem(record.data, record.count, member, sizeof member - 1);
    const char *end = record.data + record.count;
    if (found != NULL) {
        found += sizeof member - 1;
        found += found < end ? strspn(found, " \t:") : 0; /* padding follows the record */
        return found < end && *found == '"' && end - found > EVS_TRACEPARENT_BYTES + 1 &&
               found[EVS_TRACEPARENT_BYTES + 1] == '"' &&
               evs_traceparent_parse((struct evs_slice){found + 1, EVS_TRACEPARENT_BYTES}, context);
    }
    for (size_t i = 0; i + sizeof header - 1 + EVS_TRACEPARENT_BYTES < message->headers.count; i++) {
        const char *at = message->headers.data + i;
        if (*at == '\n' && strncasecmp(at, header, sizeof header - 1) == 0) {
            at += sizeof header - 1;
            at += *at == ' ';
            size_t left = (size_t)(message->headers.data + message->headers.count - at);
            return left >= EVS_TRACEPARENT_BYTES &&
                   evs_traceparent_parse((struct evs_slice){at, EVS_TRACEPARENT_BYTES}, context);
        }
    }
    return false;
}

/* The clock is read for records that are looked at alone. */
static bool may_trace(struct source_node *node)
{
    int64_t now_us = evs_monotonic_us(node->op->worker->run->options.os);
    if (now_us - node->traced_since_us >= 1000000) {
        node->traced_since_us = now_us;
        node->traced_count = 0;
    }
    return node->traced_count < tracer_of(node->op)->most;
}

static void receive(struct source_node *node, struct evs_batch *batch, const struct evs_message *message, uint32_t row)
{
    struct evs_trace_context from;
    if (!may_trace(node) || !find_context(message, node->raw[row], &from)) {
        return;
    }
    node->traced_count++;
    struct evs_trace_span span = span_of(node->op, "receive", EVS_SPAN_CONSUMER, &from);
    span.system = node->plan->connector->kind;
    span.has_record = true;
    span.partition = message->partition;
    span.sequence = message->sequence;
    span.record = node->record_index[row];
    snprintf(span.destination, sizeof span.destination, "%.*s", (int)message->subject.count, message->subject.data);
    add_mark(batch, row)->context = span.own;
    tell(node->op, &span);
}

/* One record in `every`, from a place that the message decides. */
void evs_trace_source(struct source_node *node, struct evs_batch *batch, const struct evs_message *message,
                      uint32_t first)
{
    uint64_t every = tracer_of(node->op)->every;
    uint64_t name[2] = {message->partition, message->sequence};
    uint64_t offset = evs_hash64(name, sizeof name) % every;
    uint32_t row = first;
    uint64_t wanted = node->record_index[first] + (every - (node->record_index[first] + offset) % every) % every;
    while (row < batch->row_count) {
        uint32_t last = node->record_index[batch->row_count - 1];
        if (wanted > last) {
            return;
        }
        row = row + (uint32_t)(wanted - node->record_index[row]) < batch->row_count
                  ? row + (uint32_t)(wanted - node->record_index[row])
                  : batch->row_count - 1;
        while (row > first && node->record_index[row - 1] >= wanted) {
            row--; /* records that were bad have left gaps */
        }
        if (node->record_index[row] == wanted) {
            receive(node, batch, message, row);
        }
        wanted += every;
    }
}

/* --- memories ----------------------------------------------------------------------------------------------------------------------- */

static struct evs_trace_memory *memory_of(struct evs_trace_memory **memory)
{
    if (*memory == NULL) {
        *memory = evs_alloc_zero(sizeof **memory);
        memset((*memory)->buckets, 0xff, sizeof(*memory)->buckets);
    }
    return *memory;
}

static struct memory_entry *find_entry(struct evs_trace_memory *memory, struct evs_hash128 key)
{
    for (uint16_t at = memory->buckets[key.low % BUCKETS]; at != NONE; at = memory->entries[at].next) {
        if (memory->entries[at].key.low == key.low && memory->entries[at].key.high == key.high) {
            return &memory->entries[at];
        }
    }
    return NULL;
}

static void forget(struct evs_trace_memory *memory, uint16_t number)
{
    uint16_t *at = &memory->buckets[memory->entries[number].key.low % BUCKETS];
    while (*at != number) {
        at = &memory->entries[*at].next;
    }
    *at = memory->entries[number].next;
}

static struct memory_entry *add_entry(struct evs_trace_memory *memory, struct evs_hash128 key)
{
    uint16_t number;
    if (memory->count < ENTRIES) {
        number = (uint16_t)memory->count++;
    } else {
        number = (uint16_t)memory->oldest;
        memory->oldest = (memory->oldest + 1) % ENTRIES;
        forget(memory, number);
    }
    uint16_t *bucket = &memory->buckets[key.low % BUCKETS];
    memory->entries[number] = (struct memory_entry){.key = key, .next = *bucket};
    *bucket = number;
    return &memory->entries[number];
}

static void remember(struct evs_trace_memory *memory, struct evs_hash128 key, const struct evs_trace_context *context,
                     int64_t event_time_us)
{
    struct memory_entry *entry = find_entry(memory, key);
    entry = entry == NULL ? add_entry(memory, key) : entry;
    entry->of[entry->at].context = *context;
    entry->of[entry->at].event_time_us = event_time_us;
    entry->at = (entry->at + 1) % EVS_TRACE_LINKS_MAX;
    entry->count = entry->count < EVS_TRACE_LINKS_MAX ? entry->count + 1 : entry->count;
}

static struct evs_hash128 key_of_cause(struct evs_cause cause)
{
    return evs_hash128(&cause, sizeof cause);
}

void evs_op_trace_keys(struct evs_op *op, const struct evs_batch *batch, const uint32_t *keys, uint32_t key_count)
{
    struct evs_buffer key = {0};
    for (uint32_t i = 0; i < batch->traces->count; i++) {
        const struct evs_trace_mark *mark = &batch->traces->marks[i];
        if (position_of(batch->selection, batch->selected_count, mark->row) == UINT32_MAX) {
            continue;
        }
        key.count = 0;
        evs_key_encode(batch, mark->row, keys, key_count, &key);
        remember(memory_of(&op->trace_keys), evs_hash128(key.data, key.count), &mark->context,
                 batch->event_time_us[mark->row]);
    }
    evs_buffer_fini(&key);
}

/* Rows that a stateful operator takes, for evs_op_trace_rows. One that remembers keys never asks for rows; that it does is known from its first traced batch on. */
void evs_trace_take(struct evs_op *op, const struct evs_batch *batch)
{
    op->traced = batch;
    if (op->operator_ == NULL || (op->operator_->flags & EVS_OP_STATEFUL) == 0 || op->trace_keys != NULL) {
        return;
    }
    for (uint32_t i = 0; i < batch->traces->count; i++) {
        const struct evs_trace_mark *mark = &batch->traces->marks[i];
        if (position_of(batch->selection, batch->selected_count, mark->row) != UINT32_MAX) {
            remember(memory_of(&op->trace_rows), key_of_cause(batch->cause[mark->row]), &mark->context,
                     batch->event_time_us[mark->row]);
        }
    }
}

void evs_trace_free(struct evs_op *op)
{
    evs_free(op->trace_keys);
    evs_free(op->trace_rows);
}

/* --- results ------------------------------------------------------------------------------------------------------------------------ */

/* A span of the operator, in the trace of the newest event behind the result, with links to the others. */
static void tell_result(struct evs_op *op, struct evs_batch *batch, uint32_t row, struct evs_trace_span *span)
{
    span->operator_kind = op->operator_->kind;
    tell(op, span);
    add_mark(batch, row)->context = span->own;
}

static void add_link(struct evs_trace_span *span, const struct evs_trace_context *context)
{
    if (span->link_count < EVS_TRACE_LINKS_MAX) {
        span->links[span->link_count++] = *context;
    }
}

void evs_op_trace_rows(struct evs_op *op, struct evs_batch *batch, uint32_t row, const struct evs_row *const *rows,
                       uint32_t count)
{
    struct evs_trace_span span;
    bool is_begun = false;
    for (uint32_t i = count; op->trace_rows != NULL && i-- > 0;) { /* the newest first */
        const struct memory_entry *entry = find_entry(op->trace_rows, key_of_cause(rows[i]->cause));
        if (entry == NULL) {
            continue;
        }
        if (!is_begun) {
            span = span_of(op, "process", EVS_SPAN_INTERNAL, &entry->of[0].context);
            is_begun = true;
        }
        add_link(&span, &entry->of[0].context);
    }
    if (is_begun) {
        tell_result(op, batch, row, &span);
    }
}

void evs_op_trace_kept(struct evs_op *op, struct evs_batch *batch)
{
    if (op->trace_rows == NULL) {
        return;
    }
    EVS_FOR_ROWS(batch, position, row) {
        const struct memory_entry *entry = find_entry(op->trace_rows, key_of_cause(batch->cause[row]));
        if (entry != NULL) {
            add_mark(batch, row)->context = entry->of[0].context;
        }
    }
}

/* Of the key's traced rows those whose time lies in the window. */
static void trace_window(struct evs_op *op, struct evs_batch *batch, uint32_t row)
{
    const struct memory_entry *entry = find_entry(op->trace_keys, batch->key[row]);
    int64_t start_us = (int64_t)batch->cause[row].major, end_us = (int64_t)batch->cause[row].minor;
    struct evs_trace_span span;
    bool is_begun = false;
    for (uint32_t i = 0; entry != NULL && i < entry->count; i++) {
        uint32_t at = (entry->at + 2 * EVS_TRACE_LINKS_MAX - 1 - i) % EVS_TRACE_LINKS_MAX; /* the newest first */
        int64_t time_us = entry->of[at].event_time_us;
        if (batch->cause_kind == EVS_CAUSE_WINDOW && (time_us < start_us || time_us >= end_us)) {
            continue;
        }
        if (!is_begun) {
            span = span_of(op, "process", EVS_SPAN_INTERNAL, &entry->of[at].context);
            is_begun = true;
        }
        add_link(&span, &entry->of[at].context);
    }
    if (is_begun) {
        tell_result(op, batch, row, &span);
    }
}

/* Rows that were built for rows of the batch at hand have their causes. A few bits of the cause rule most rows out. */
static void carry(struct evs_op *op, struct evs_batch *batch)
{
    const struct evs_batch *from = op->traced;
    uint64_t bloom = 0;
    for (uint32_t i = 0; i < from->traces->count; i++) {
        bloom |= UINT64_C(1) << (from->cause[from->traces->marks[i].row].minor & 63);
    }
    EVS_FOR_ROWS(batch, position, row) {
        if ((bloom >> (batch->cause[row].minor & 63) & 1) == 0) {
            continue;
        }
        for (uint32_t i = 0; i < from->traces->count; i++) {
            const struct evs_trace_mark *mark = &from->traces->marks[i];
            if (from->cause[mark->row].major == batch->cause[row].major &&
                from->cause[mark->row].minor == batch->cause[row].minor) {
                add_mark(batch, row)->context = mark->context;
                break;
            }
        }
    }
}

void evs_trace_emit(struct evs_op *op, struct evs_batch *batch)
{
    if (batch->traces != NULL) {
        return;
    }
    if (op->trace_keys != NULL && batch->key != NULL) {
        EVS_FOR_ROWS(batch, position, row) {
            trace_window(op, batch, row);
        }
    } else if (op->traced != NULL && op->traced->root != batch->root && op->traced->cause_kind == batch->cause_kind) {
        carry(op, batch);
    }
}

/* --- the sink ----------------------------------------------------------------------------------------------------------------------- */

struct evs_trace_span *evs_trace_send(struct evs_op *op, const struct evs_batch *batch, uint32_t row,
                                      struct evs_hash128 id, struct evs_slice address, struct evs_buffer *headers)
{
    const struct evs_trace_mark *mark = evs_trace_mark_of(batch, row);
    char text[EVS_TRACEPARENT_BYTES + 1];
    if (mark == NULL) {
        return NULL;
    }
    struct evs_trace_span *span = evs_alloc(sizeof *span);
    *span = span_of(op, "publish", EVS_SPAN_PRODUCER, &mark->context);
    span->system = op->node->sink->connector->kind;
    snprintf(span->destination, sizeof span->destination, "%.*s", (int)address.count, address.data);
    snprintf(span->message_id, sizeof span->message_id, "%016llx%016llx", (unsigned long long)id.high,
             (unsigned long long)id.low);
    evs_traceparent_put(&span->own, text);
    evs_buffer_printf(headers, "traceparent: %s\r\n", text);
    return span;
}

void evs_trace_sent(struct evs_op *op, struct evs_trace_span *span)
{
    if (span != NULL) {
        span->end_us = wall_us(op);
        tell(op, span);
    }
}
