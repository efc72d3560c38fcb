/* One JSON object (RFC 8259) as one token, for the rows of a test. It is checked and kept byte for byte; its meaning
 * is the decoder's.
 *
 * The scan has no recursion: a bit for each open bracket says which one it is. */
#include "lexer.h"

#define JSON_DEPTH_MAX 256

enum json_step {
    JSON_VALUE,     /* a value must follow */
    JSON_FIRST,     /* a value or ] */
    JSON_KEY,       /* a key must follow */
    JSON_FIRST_KEY, /* a key or } */
    JSON_AFTER,     /* , or a closing bracket */
    JSON_DONE,
    JSON_BAD,
};

struct scan {
    struct evs_slice text;
    uint32_t at;
    uint32_t depth;
    uint8_t is_array[JSON_DEPTH_MAX];
    const char *problem;
};

static uint8_t byte_at(const struct scan *scan)
{
    return scan->at < scan->text.count ? (uint8_t)scan->text.data[scan->at] : 0;
}

static enum json_step bad(struct scan *scan, const char *problem)
{
    scan->problem = problem;
    return JSON_BAD;
}

static void skip_space(struct scan *scan)
{
    while (byte_at(scan) == ' ' || byte_at(scan) == '\t' || byte_at(scan) == '\n' || byte_at(scan) == '\r') {
        scan->at++;
    }
}

static bool is_hex(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

static bool scan_escape(struct scan *scan)
{
    scan->at++;
    uint8_t byte = byte_at(scan);
    if (byte == 'u') {
        for (uint32_t i = 0; i < 4; i++) {
            scan->at++;
            if (!is_hex(byte_at(scan))) {
                return false;
            }
        }
    } else if (byte == 0 || strchr("\"\\/bfnrt", byte) == NULL) {
        return false;
    }
    scan->at++;
    return true;
}

/* From the opening quote to behind the closing one. */
static bool scan_string(struct scan *scan)
{
    scan->at++;
    while (byte_at(scan) != '"') {
        uint32_t code_point = 0;
        struct evs_slice rest = {scan->text.data + scan->at, scan->text.count - scan->at};
        uint32_t count = evs_utf8_decode(rest, &code_point);
        if (byte_at(scan) == '\\') {
            if (!scan_escape(scan)) {
                bad(scan, "this is no escape of JSON");
                return false;
            }
        } else if (count == 0 || code_point < 0x20) {
            bad(scan, count == 0 ? "a string is not closed, or not UTF-8" : "a string of JSON ends on its line");
            return false;
        } else {
            scan->at += count;
        }
    }
    scan->at++;
    return true;
}

static uint32_t scan_digits(struct scan *scan)
{
    uint32_t start = scan->at;
    while (byte_at(scan) >= '0' && byte_at(scan) <= '9') {
        scan->at++;
    }
    return scan->at - start;
}

static bool scan_number(struct scan *scan)
{
    scan->at += byte_at(scan) == '-';
    bool starts_with_zero = byte_at(scan) == '0';
    uint32_t digits = scan_digits(scan);
    if (digits == 0 || (starts_with_zero && digits > 1)) {
        return false;
    }
    if (byte_at(scan) == '.') {
        scan->at++;
        if (scan_digits(scan) == 0) {
            return false;
        }
    }
    if ((byte_at(scan) | 0x20) == 'e') {
        scan->at++;
        scan->at += byte_at(scan) == '+' || byte_at(scan) == '-';
        return scan_digits(scan) > 0;
    }
    return true;
}

static bool scan_word(struct scan *scan)
{
    static const char *const words[] = {"true", "false", "null"};
    for (uint32_t i = 0; i < EVS_COUNT(words); i++) {
        size_t count = strlen(words[i]);
        if (scan->text.count - scan->at >= count && memcmp(scan->text.data + scan->at, words[i], count) == 0) {
            scan->at += (uint32_t)count;
            return true;
        }
    }
    return false;
}

static enum json_step open_bracket(struct scan *scan, bool is_array)
{
    EVS_ASSERT(byte_at(scan) == (is_array ? '[' : '{'));
    if (scan->depth == JSON_DEPTH_MAX) {
        return bad(scan, "this object is nested too deeply");
    }
    scan->is_array[scan->depth++] = is_array;
    scan->at++;
    return is_array ? JSON_FIRST : JSON_FIRST_KEY;
}

static enum json_step close_bracket(struct scan *scan)
{
    EVS_ASSERT(scan->depth > 0);
    scan->at++;
    return --scan->depth == 0 ? JSON_DONE : JSON_AFTER;
}

static enum json_step scan_value(struct scan *scan)
{
    uint8_t byte = byte_at(scan);
    if (byte == '{' || byte == '[') {
        return open_bracket(scan, byte == '[');
    }
    if (byte == '"') {
        return scan_string(scan) ? JSON_AFTER : JSON_BAD;
    }
    bool is_number = byte == '-' || (byte >= '0' && byte <= '9');
    if (is_number ? scan_number(scan) : scan_word(scan)) {
        return JSON_AFTER;
    }
    return bad(scan, is_number ? "this is no number of JSON" : "a value of JSON must stand here");
}

static enum json_step scan_key(struct scan *scan)
{
    if (byte_at(scan) != '"') {
        return bad(scan, "a key in double quotes must stand here");
    }
    if (!scan_string(scan)) {
        return JSON_BAD;
    }
    skip_space(scan);
    if (byte_at(scan) != ':') {
        return bad(scan, "`:` must stand between a key and its value");
    }
    scan->at++;
    return JSON_VALUE;
}

static enum json_step scan_after(struct scan *scan)
{
    EVS_ASSERT(scan->depth > 0);
    bool in_array = scan->is_array[scan->depth - 1];
    uint8_t byte = byte_at(scan);
    if (byte == ',') {
        scan->at++;
        return in_array ? JSON_VALUE : JSON_KEY;
    }
    if (byte == (in_array ? ']' : '}')) {
        return close_bracket(scan);
    }
    return bad(scan, in_array ? "`,` or `]` must stand here" : "`,` or `}` must stand here");
}

static enum json_step scan_step(struct scan *scan, enum json_step step)
{
    skip_space(scan);
    if ((step == JSON_FIRST && byte_at(scan) == ']') || (step == JSON_FIRST_KEY && byte_at(scan) == '}')) {
        return close_bracket(scan);
    }
    if (step == JSON_AFTER) {
        return scan_after(scan);
    }
    return step == JSON_VALUE || step == JSON_FIRST ? scan_value(scan) : scan_key(scan);
}

/* Where to go on behind a bad object: the end of the line of the mistake. */
static uint32_t end_of_line(const struct scan *scan)
{
    const char *from = scan->text.data + scan->at;
    const char *end = memchr(from, '\n', scan->text.count - scan->at);
    return (uint32_t)(end != NULL ? (size_t)(end - scan->text.data) : scan->text.count);
}

bool evs_json_object(struct evs_slice text, size_t *bytes)
{
    struct scan scan = {.text = text};
    enum json_step step = text.count > 0 && text.data[0] == '{' ? JSON_VALUE : JSON_BAD;
    while (step != JSON_DONE && step != JSON_BAD) {
        step = scan_step(&scan, step);
    }
    *bytes = scan.at;
    return step == JSON_DONE;
}

void evs_lex_json(struct evs_lexer *lexer, struct evs_token *token)
{
    struct scan scan = {.text = {lexer->source->text.data + lexer->offset, lexer->source->text.count - lexer->offset}};
    enum json_step step = JSON_VALUE;
    while (step != JSON_DONE && step != JSON_BAD) {
        step = scan_step(&scan, step);
    }
    EVS_ASSERT(scan.at <= scan.text.count);
    token->kind = EVS_TOKEN_JSON;
    if (step == JSON_BAD) {
        bool is_end = scan.at == scan.text.count;
        evs_lexer_report(lexer, EVS_E0108, lexer->offset + scan.at, is_end ? 0 : 1, "%s",
                         is_end ? "this JSON object has no end" : scan.problem);
        token->kind = EVS_TOKEN_ERROR;
        scan.at = end_of_line(&scan);
    }
    token->text = (struct evs_slice){scan.text.data, scan.at};
    evs_lexer_advance(lexer, scan.at);
}
