/* What a NATS server, or something that is none, may send: frames of the protocol, delivery subjects, header blocks, JSON answers. */
#include <stdlib.h>

#include "nats_api.h"
#include "nats_json.h"
#include "nats_protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_answer(struct evs_slice json)
{
    static const struct evs_nats_consumer consumer = {.stream = "S", .name = "c", .filter = "", .start_sequence = 1};
    struct evs_nats_stream_info info;
    struct evs_nats_mark mark;
    struct evs_nats_api_error failure;
    struct evs_buffer scratch = {0};
    const char *difference;
    (void)evs_nats_api_stream_info(json, &info);
    (void)evs_nats_api_stored(json, &scratch, &mark);
    (void)evs_nats_api_consumer_is(json, &consumer, &difference);
    (void)evs_nats_api_failed(&(struct evs_nats_message){.payload = json}, &failure);
    evs_buffer_fini(&scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* Memory of exactly this size, so that a byte too many is seen. */
    char *bytes = malloc(size + 1);
    memcpy(bytes, data, size);
    bytes = realloc(bytes, size > 0 ? size : 1);
    struct evs_nats_frame frame;
    struct evs_nats_delivery delivery;
    struct evs_slice text;
    for (size_t at = 0; at < size; at += frame.bytes) {
        enum evs_nats_verb verb = evs_nats_frame_parse(bytes + at, size - at, &frame);
        if (verb == EVS_NATS_INCOMPLETE || verb == EVS_NATS_BROKEN) {
            break;
        }
        EVS_ASSERT(frame.bytes > 0 && frame.bytes <= size - at);
        if (verb == EVS_NATS_MSG) {
            (void)evs_nats_delivery_parse(frame.message.reply, &delivery);
            (void)evs_nats_header(frame.message.headers, "Nats-Pending-Messages", &text);
            fuzz_answer(frame.message.payload);
        }
    }
    fuzz_answer((struct evs_slice){bytes, size});
    (void)evs_nats_header_status((struct evs_slice){bytes, size}, &text);
    free(bytes);
    return 0;
}
