/* The webhook sink: what the runtime sees of it. What it is made of stands at the top of webhook.h.
 *
 * Rows go through the checkpoint's outbox always (exactness, 12): a request cannot be taken back, so no row is sent that a restart might derive
 * otherwise. What is written into the outbox holds no secret: URL, headers and body of the row; credentials and signatures are added when a request is
 * sent, and so change with their files.
 *
 * A receiver that is away never fails the run: messages wait, in the outbox, and become dead letters after `give_up_after`. So `retry` of the
 * command line has no say here. */
#include "sink_webhook.h"

#include "webhook.h"

#define LANE_MESSAGES 16384u
#define LANE_BYTES (64u << 20)

/* --- rows -------------------------------------------------------------------------------------------------------------- */

struct row_header {
    struct evs_slice name;
    const struct evs_template *value;
    struct row_header *next;
};

struct templates {
    const struct evs_webhook *webhook;
    const struct evs_template *url, *key; /* NULL: none */
    const struct evs_body_template *body;
    struct row_header *headers;
};

/* Of a preset the column is one that the user has not written. */
static evs_status explain_preset(const struct evs_webhook *webhook, evs_status status, struct evs_error *error)
{
    if (status == EVS_OK || webhook->preset == NULL) {
        return status;
    }
    struct evs_error cause = *error;
    return evs_fail(error, status, "The preset %s takes %s. %s", webhook->preset,
                    evs_webhook_preset(evs_slice_of(webhook->preset))->needs, cause.text);
}

static evs_status bind_headers(const struct evs_webhook *webhook, const struct evs_schema *schema,
                               struct evs_arena *arena, struct row_header **end, struct evs_error *error)
{
    evs_status status = EVS_OK;
    for (const struct evs_webhook_header *at = webhook->headers; at != NULL && status == EVS_OK; at = at->next) {
        if (at->kind == EVS_HEADER_OF_ROW) {
            struct row_header *header = EVS_ARENA_NEW(arena, struct row_header);
            header->name = at->name;
            status = evs_template_bind(at->value, schema, arena, &header->value, error);
            *end = header;
            end = &header->next;
        }
    }
    return status;
}

static evs_status sink_bind(const void *config, const struct evs_schema *schema, struct evs_arena *arena,
                            struct evs_sink_binding *binding, struct evs_error *error)
{
    const struct evs_webhook *webhook = config;
    struct templates *made = EVS_ARENA_NEW(arena, struct templates);
    made->webhook = webhook;
    evs_status status = EVS_OK;
    if (webhook->url.count > 0) {
        status = evs_template_bind(webhook->url, schema, arena, &made->url, error);
    }
    if (status == EVS_OK && webhook->key.count > 0) {
        status = evs_template_bind(webhook->key, schema, arena, &made->key, error);
    }
    if (status == EVS_OK && webhook->body.count > 0) {
        status = evs_body_bind(webhook->body, webhook->body_kind, schema, arena, &made->body, error);
    }
    if (status == EVS_OK) {
        status = bind_headers(webhook, schema, arena, &made->headers, error);
    }
    *binding = (struct evs_sink_binding){.templates = made, .makes_payload = made->body != NULL};
    return explain_preset(webhook, status, error);
}

static bool put_headers(const struct row_header *header, const struct evs_batch *batch, uint32_t row,
                        struct evs_buffer *out)
{
    bool is_whole = true;
    for (; header != NULL && is_whole; header = header->next) {
        evs_buffer_put(out, header->name.data, header->name.count);
        evs_buffer_puts(out, ": ");
        is_whole = evs_template_fill_header(header->value, batch, row, out);
        evs_buffer_puts(out, "\r\n");
    }
    return is_whole;
}

/* 0 means no order, so a hash that is 0 is another number. A key that is NULL or empty has no order. */
static uint64_t order_of(const struct templates *templates, const struct evs_batch *batch, uint32_t row, uint64_t own)
{
    if (!templates->webhook->is_ordered) {
        return 0;
    }
    if (templates->key == NULL) {
        return own;
    }
    struct evs_buffer key = {0};
    uint64_t order = 0;
    if (evs_template_fill(templates->key, batch, row, &key)) {
        order = evs_hash64(key.data, key.count);
        order += order == 0;
    }
    evs_buffer_fini(&key);
    return order;
}

static bool sink_encode(const void *bound, const struct evs_batch *batch, uint32_t row,
                        const struct evs_format_place *place, struct evs_sink_draft *draft)
{
    const struct templates *templates = bound;
    draft->order = order_of(templates, batch, row, draft->order);
    return (templates->url == NULL || evs_template_fill(templates->url, batch, row, draft->address)) &&
           put_headers(templates->headers, batch, row, draft->headers) &&
           (templates->body == NULL || evs_body_fill(templates->body, batch, row, place, draft->payload));
}

/* --- open and close ---------------------------------------------------------------------------------------------------- */

void evs_webhook_message_free(struct evs_webhook_message *message)
{
    if (message != NULL) {
        evs_buffer_fini(&message->answer);
        evs_free(message->text);
        evs_free(message);
    }
}

static void free_list(struct evs_webhook_message *first)
{
    while (first != NULL) {
        struct evs_webhook_message *next = first->next;
        evs_webhook_message_free(first);
        first = next;
    }
}

/* Other lanes' workers have ended, too: nobody takes what is given back. */
static void sink_close(void *instance)
{
    struct evs_webhook_lane *lane = instance;
    if (lane == NULL) {
        return;
    }
    evs_webhook_delivery_leave(lane);
    free_list(atomic_exchange(&lane->done, NULL));
    free_list(lane->acknowledged);
    free_list(lane->refused);
    evs_webhook_message_free(lane->told);
    evs_free(lane);
}

static evs_status sink_open(const struct evs_sink_open *open, void **instance, struct evs_error *error)
{
    struct evs_webhook_lane *lane = evs_alloc_zero(sizeof *lane);
    lane->park = open->park;
    lane->number = open->lane;
    evs_status status = evs_webhook_delivery_join(open, lane, error);
    if (status != EVS_OK) {
        evs_free(lane);
        return status;
    }
    *instance = lane;
    return EVS_OK;
}

/* --- messages ---------------------------------------------------------------------------------------------------------- */

static evs_status sink_send(void *instance, const struct evs_sink_message *message, struct evs_error *error)
{
    (void)error;
    struct evs_webhook_lane *lane = instance;
    size_t bytes = message->address.count + message->headers.count + message->payload.count;
    if (lane->count > 0 && (lane->count >= LANE_MESSAGES || lane->bytes + bytes > LANE_BYTES)) {
        return EVS_AGAIN;
    }
    struct evs_webhook_message *made = evs_alloc_zero(sizeof *made);
    made->lane = lane;
    made->number = message->number;
    made->id = message->id;
    made->order = message->order;
    made->created_us = message->created_us;
    made->address_bytes = (uint32_t)message->address.count;
    made->header_bytes = (uint32_t)message->headers.count;
    made->payload_bytes = (uint32_t)message->payload.count;
    struct evs_buffer text = {0};
    evs_buffer_put(&text, message->address.data, message->address.count);
    evs_buffer_put(&text, message->headers.data, message->headers.count);
    evs_buffer_put(&text, message->payload.data, message->payload.count);
    made->text = text.data;
    lane->count++;
    lane->bytes += bytes;
    evs_webhook_deliver(made);
    return EVS_OK;
}

static size_t text_bytes(const struct evs_webhook_message *message)
{
    return (size_t)message->address_bytes + message->header_bytes + message->payload_bytes;
}

static void take_done(struct evs_webhook_lane *lane)
{
    struct evs_webhook_message *at = atomic_exchange(&lane->done, NULL), *next;
    for (; at != NULL; at = next) {
        next = at->next;
        struct evs_webhook_message **list = at->reason == NULL ? &lane->acknowledged : &lane->refused;
        at->next = *list;
        *list = at;
        lane->count--;
        lane->bytes -= text_bytes(at);
    }
}

static evs_status sink_poll(void *instance, uint64_t *acknowledged, uint32_t max, uint32_t *count,
                            struct evs_error *error)
{
    (void)error;
    struct evs_webhook_lane *lane = instance;
    take_done(lane);
    *count = 0;
    while (lane->acknowledged != NULL && *count < max) {
        struct evs_webhook_message *message = lane->acknowledged;
        lane->acknowledged = message->next;
        acknowledged[(*count)++] = message->number;
        evs_webhook_message_free(message);
    }
    return EVS_OK;
}

static evs_status sink_refused(void *instance, struct evs_sink_refusal *refusal)
{
    struct evs_webhook_lane *lane = instance;
    evs_webhook_message_free(lane->told);
    lane->told = lane->refused;
    if (lane->told == NULL) {
        return EVS_AGAIN;
    }
    lane->refused = lane->told->next;
    *refusal = (struct evs_sink_refusal){.number = lane->told->number,
                                         .reason = lane->told->reason,
                                         .code = lane->told->code,
                                         .answer = {lane->told->answer.data, lane->told->answer.count}};
    return EVS_OK;
}

static bool sink_rest(void *instance, bool tries_first)
{
    struct evs_webhook_lane *lane = instance;
    evs_webhook_delivery_rest(lane->delivery, tries_first);
    return (!tries_first || atomic_load(&lane->untried) == 0) && atomic_load(&lane->under_way) == 0 &&
           atomic_load(&lane->done) == NULL && lane->acknowledged == NULL && lane->refused == NULL;
}

/* The delivery is one for all lanes: the first one tells its figures. */
static void sink_state(void *instance, struct evs_sink_state *state)
{
    struct evs_webhook_lane *lane = instance;
    if (lane->number != 0) {
        return;
    }
    const struct evs_webhook_figures *figures = evs_webhook_figures_of(lane->delivery);
    state->retries = atomic_load(&figures->retries);
    state->reconnects = atomic_load(&figures->connections);
    state->attempts = atomic_load(&figures->attempts);
    state->unanswered = atomic_load(&figures->failures);
    state->under_way = atomic_load(&figures->under_way);
    state->is_open = atomic_load(&figures->is_open) != 0;
    for (uint32_t i = 0; i < EVS_COUNT(state->answers); i++) {
        state->answers[i] = atomic_load(&figures->answers[i]);
    }
}

const struct evs_sink evs_sink_webhook = {
    .kind = "webhook",
    .shape = EVS_SINK_MESSAGES,
    .promise = "at least once, behind the commit that holds the row; every time under the same id, or a dead letter",
    .is_asked = true,
    .through_outbox = true,
    .options = evs_webhook_options,
    .configure = evs_webhook_configure,
    .bind = sink_bind,
    .encode = sink_encode,
    .open = sink_open,
    .send = sink_send,
    .poll = sink_poll,
    .refused = sink_refused,
    .rest = sink_rest,
    .close = sink_close,
    .state = sink_state,
};
