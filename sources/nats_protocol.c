#include "nats_protocol.h"

#include <strings.h>

/* The words of a line, split at spaces and tabs. */
#define PROTOCOL_WORDS_MAX 6

static uint32_t protocol_split(const char *at, const char *end, struct evs_slice *words)
{
    uint32_t count = 0;
    while (at < end) {
        while (at < end && (*at == ' ' || *at == '\t')) {
            at++;
        }
        const char *start = at;
        while (at < end && *at != ' ' && *at != '\t') {
            at++;
        }
        if (at > start) {
            if (count == PROTOCOL_WORDS_MAX) {
                return PROTOCOL_WORDS_MAX + 1;
            }
            words[count++] = (struct evs_slice){start, (size_t)(at - start)};
        }
    }
    return count;
}

static bool protocol_number(struct evs_slice word, uint64_t max, uint64_t *number)
{
    *number = 0;
    for (size_t i = 0; i < word.count; i++) {
        uint32_t digit = (uint32_t)(word.data[i] - '0');
        if (digit > 9 || digit > max || *number > (max - digit) / 10) {
            return false;
        }
        *number = *number * 10 + digit;
    }
    return word.count > 0;
}

/* The line of a message: `sizes` numbers stand at its end, 1 for MSG and 2 for HMSG. */
static bool protocol_message_line(const char *at, const char *line_end, uint32_t sizes,
                                  struct evs_nats_message *message, uint64_t *header_bytes, uint64_t *all_bytes)
{
    struct evs_slice words[PROTOCOL_WORDS_MAX];
    uint32_t count = protocol_split(at, line_end, words);
    if (count != 2 + sizes && count != 3 + sizes) {
        return false;
    }
    message->subject = words[0];
    message->reply = count == 3 + sizes ? words[2] : (struct evs_slice){line_end, 0};
    *header_bytes = 0;
    return protocol_number(words[1], UINT64_MAX / 16, &message->sid) &&
           protocol_number(words[count - 1], EVS_NATS_FRAME_MAX, all_bytes) &&
           (sizes == 1 || protocol_number(words[count - 2], *all_bytes, header_bytes));
}

static enum evs_nats_verb protocol_message(const char *data, size_t count, const char *line_end, size_t line_bytes,
                                           struct evs_nats_frame *frame)
{
    bool has_headers = (data[0] | 32) == 'h';
    uint64_t header_bytes, all_bytes;
    struct evs_nats_message *message = &frame->message;
    if (!protocol_message_line(data + (has_headers ? 5 : 4), line_end, has_headers ? 2 : 1, message, &header_bytes,
                               &all_bytes)) {
        return EVS_NATS_BROKEN;
    }
    frame->bytes = line_bytes + all_bytes + 2;
    if (count < frame->bytes) {
        return EVS_NATS_INCOMPLETE;
    }
    const char *body = data + line_bytes;
    if (body[all_bytes] != '\r' || body[all_bytes + 1] != '\n') {
        return EVS_NATS_BROKEN;
    }
    message->headers = (struct evs_slice){body, header_bytes};
    message->payload = (struct evs_slice){body + header_bytes, all_bytes - header_bytes};
    struct evs_slice text;
    message->status = message->payload.count == 0 ? evs_nats_header_status(message->headers, &text) : 0;
    return EVS_NATS_MSG;
}

/* The server writes verbs in capitals, but the protocol takes any case. */
static bool protocol_verb(const char *data, size_t count, const char *verb)
{
    size_t bytes = strlen(verb);
    return count >= bytes && strncasecmp(data, verb, bytes) == 0;
}

static struct evs_slice protocol_text(const char *at, const char *end)
{
    while (at < end && (*at == ' ' || *at == '\t' || *at == '\'')) {
        at++;
    }
    while (end > at && (end[-1] == ' ' || end[-1] == '\'')) {
        end--;
    }
    return (struct evs_slice){at, (size_t)(end - at)};
}

enum evs_nats_verb evs_nats_frame_parse(const char *data, size_t count, struct evs_nats_frame *frame)
{
    frame->bytes = 0;
    const char *newline = memchr(data, '\n', count < EVS_NATS_LINE_MAX ? count : EVS_NATS_LINE_MAX);
    if (newline == NULL) {
        return count >= EVS_NATS_LINE_MAX ? EVS_NATS_BROKEN : EVS_NATS_INCOMPLETE;
    }
    size_t line_bytes = (size_t)(newline - data) + 1;
    const char *line_end = newline > data && newline[-1] == '\r' ? newline - 1 : newline;
    size_t text_bytes = (size_t)(line_end - data);
    if (protocol_verb(data, text_bytes, "MSG ") || protocol_verb(data, text_bytes, "HMSG ")) {
        return protocol_message(data, count, line_end, line_bytes, frame);
    }
    frame->bytes = line_bytes;
    if (protocol_verb(data, text_bytes, "PING")) {
        return EVS_NATS_PING;
    }
    if (protocol_verb(data, text_bytes, "PONG")) {
        return EVS_NATS_PONG;
    }
    if (protocol_verb(data, text_bytes, "+OK")) {
        return EVS_NATS_ACCEPTED;
    }
    if (protocol_verb(data, text_bytes, "-ERR")) {
        frame->text = protocol_text(data + 4, line_end);
        return EVS_NATS_REFUSED;
    }
    if (protocol_verb(data, text_bytes, "INFO")) {
        frame->text = protocol_text(data + 4, line_end);
        return EVS_NATS_INFO;
    }
    return EVS_NATS_BROKEN;
}

#define DELIVERY_TOKENS_MAX 16

bool evs_nats_delivery_parse(struct evs_slice reply, struct evs_nats_delivery *delivery)
{
    struct evs_slice tokens[DELIVERY_TOKENS_MAX];
    uint32_t count = 0;
    if (reply.count < 8 || memcmp(reply.data, "$JS.ACK.", 8) != 0) {
        return false;
    }
    const char *at = reply.data, *end = reply.data + reply.count;
    for (const char *start = at; at <= end && count < DELIVERY_TOKENS_MAX; at++) {
        if (at == end || *at == '.') {
            tokens[count++] = (struct evs_slice){start, (size_t)(at - start)};
            start = at + 1;
        }
    }
    if (count != 9 && count < 11) {
        return false;
    }
    const struct evs_slice *numbers = tokens + (count == 9 ? 5 : 7);
    uint64_t time_ns;
    bool understood = protocol_number(numbers[0], UINT64_MAX / 16, &delivery->stream_sequence) &&
                      protocol_number(numbers[1], UINT64_MAX / 16, &delivery->consumer_sequence) &&
                      protocol_number(numbers[2], INT64_MAX, &time_ns) &&
                      protocol_number(numbers[3], UINT64_MAX / 16, &delivery->pending);
    delivery->time_us = understood ? (int64_t)(time_ns / 1000) : 0;
    return understood;
}

bool evs_nats_answer_parse(struct evs_slice subject, size_t prefix_bytes, uint64_t *first, uint64_t *second)
{
    if (subject.count <= prefix_bytes) {
        return false;
    }
    const char *at = subject.data + prefix_bytes, *end = subject.data + subject.count;
    const char *dot = memchr(at, '.', (size_t)(end - at));
    return dot != NULL && protocol_number((struct evs_slice){at, (size_t)(dot - at)}, UINT64_MAX / 16, first) &&
           protocol_number((struct evs_slice){dot + 1, (size_t)(end - dot - 1)}, UINT64_MAX / 16, second);
}
