/* Quoted texts: strings, bytes and names in backticks, with GoogleSQL's escapes.
 *
 * A text in one quote ends on its line; one in three quotes may hold newlines, of which \r\n and \r become \n. An r
 * before it takes backslashes as they are (yet \' does not end it), a b makes bytes, both may stand together in
 * either order. */
#include "lexer.h"

uint32_t evs_utf8_decode(struct evs_slice text, uint32_t *code_point)
{
    if (text.count == 0) {
        return 0;
    }
    uint8_t first = (uint8_t)text.data[0];
    if (first < 0x80) {
        *code_point = first;
        return 1;
    }
    uint32_t count = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || text.count < count) {
        return 0;
    }
    uint32_t value = first & (0x7Fu >> count);
    for (uint32_t i = 1; i < count; i++) {
        if (((uint8_t)text.data[i] & 0xC0) != 0x80) {
            return 0;
        }
        value = value << 6 | ((uint8_t)text.data[i] & 0x3F);
    }
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    if (value < smallest[count] || value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) {
        return 0;
    }
    *code_point = value;
    return count;
}

uint32_t evs_utf8_encode(uint32_t code_point, char *out)
{
    EVS_ASSERT(code_point <= 0x10FFFF);
    if (code_point < 0x80) {
        out[0] = (char)code_point;
        return 1;
    }
    uint32_t count = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
    static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (uint32_t i = count; i-- > 1;) {
        out[i] = (char)(0x80 | (code_point & 0x3F));
        code_point >>= 6;
    }
    out[0] = (char)(leads[count] | code_point);
    return count;
}

bool evs_lex_quote_starts(const struct evs_lexer *lexer, struct evs_quote *quote)
{
    *quote = (struct evs_quote){0};
    for (;; quote->prefix++) {
        uint8_t byte = evs_lexer_byte(lexer, quote->prefix);
        if ((byte | 0x20) == 'r' && !quote->raw) {
            quote->raw = true;
        } else if ((byte | 0x20) == 'b' && !quote->bytes) {
            quote->bytes = true;
        } else {
            quote->mark = (char)byte;
            break;
        }
    }
    bool is_string = quote->mark == '\'' || quote->mark == '"';
    if (!is_string && (quote->mark != '`' || quote->prefix > 0)) {
        return false;
    }
    bool three = is_string && evs_lexer_byte(lexer, quote->prefix + 1) == (uint8_t)quote->mark &&
                 evs_lexer_byte(lexer, quote->prefix + 2) == (uint8_t)quote->mark;
    quote->marks = three ? 3 : 1;
    return true;
}

/* One pass over the text between the marks. `in` moves over the source, `out` over the arena; an escape is never
 * longer than what it stands for in the source. */
struct decoding {
    struct evs_lexer *lexer;
    const struct evs_quote *quote;
    struct evs_slice rest; /* of the source, from the token's start */
    uint32_t in;
    char *out;
    uint32_t out_count, room;
    bool is_bad; /* reported: the first mistake of a text is enough */
};

static struct evs_diag *report_bad(struct decoding *decoding, enum evs_code code, uint32_t count, const char *message)
{
    bool is_first = !decoding->is_bad;
    decoding->is_bad = true;
    return is_first
               ? evs_lexer_report(decoding->lexer, code, decoding->lexer->offset + decoding->in, count, "%s", message)
               : NULL;
}

static uint8_t byte_at(const struct decoding *decoding, uint32_t ahead)
{
    size_t at = (size_t)decoding->in + ahead;
    return at < decoding->rest.count ? (uint8_t)decoding->rest.data[at] : 0;
}

static bool is_closed(const struct decoding *decoding)
{
    for (uint32_t i = 0; i < decoding->quote->marks; i++) {
        if (byte_at(decoding, i) != (uint8_t)decoding->quote->mark) {
            return false;
        }
    }
    return true;
}

static void put(struct decoding *decoding, const char *bytes, uint32_t count)
{
    EVS_ASSERT(decoding->out_count + count <= decoding->room);
    memcpy(decoding->out + decoding->out_count, bytes, count);
    decoding->out_count += count;
}

static int32_t digit_value(uint8_t byte, uint32_t base)
{
    int32_t value = byte >= '0' && byte <= '9' ? byte - '0' : (byte | 0x20) >= 'a' ? (byte | 0x20) - 'a' + 10 : -1;
    return value < (int32_t)base ? value : -1;
}

/* An escape with `digits` digits from `start` bytes behind the backslash on: \101 \x41 \u00e9 \U0001F600. */
static void decode_code(struct decoding *decoding, uint32_t start, uint32_t digits, uint32_t base)
{
    uint64_t value = 0;
    EVS_ASSERT(digits <= 8);
    for (uint32_t i = 0; i < digits; i++) {
        int32_t digit = digit_value(byte_at(decoding, start + i), base);
        if (digit < 0) {
            struct evs_diag *diag = report_bad(decoding, EVS_E0106, start, "this escape needs more digits");
            evs_diag_hint(diag, "exactly %u %s digits", digits, base == 8 ? "octal" : "hexadecimal");
            decoding->in += start;
            return;
        }
        value = value * base + (uint64_t)digit;
    }
    bool is_byte = decoding->quote->bytes;
    if (value > (is_byte || base == 8 ? 0xFF : 0x10FFFF) || (!is_byte && value >= 0xD800 && value < 0xE000)) {
        report_bad(decoding, EVS_E0106, start + digits,
                   is_byte || base == 8 ? "this escape is beyond one byte" : "this escape is no Unicode character");
    } else if (is_byte) {
        put(decoding, &(char){(char)value}, 1);
    } else {
        char encoded[4];
        put(decoding, encoded, evs_utf8_encode((uint32_t)value, encoded));
    }
    decoding->in += start + digits;
}

static void decode_escape(struct decoding *decoding)
{
    static const char letters[] = "abfnrtv\\?\"'`";
    static const char meanings[] = "\a\b\f\n\r\t\v\\?\"'`";
    uint8_t byte = byte_at(decoding, 1);
    const char *letter = byte != 0 ? strchr(letters, byte) : NULL;
    bool is_unicode = byte == 'u' || byte == 'U';
    if (letter != NULL) {
        put(decoding, &meanings[letter - letters], 1);
        decoding->in += 2;
    } else if ((byte | 0x20) == 'x') {
        decode_code(decoding, 2, 2, 16);
    } else if (is_unicode && !decoding->quote->bytes) {
        decode_code(decoding, 2, byte == 'u' ? 4 : 8, 16);
    } else if (byte >= '0' && byte <= '7') {
        decode_code(decoding, 1, 3, 8);
    } else {
        struct evs_diag *diag =
            report_bad(decoding, EVS_E0106, byte > 0x20 && byte < 0x7F ? 2 : 1,
                       is_unicode ? "bytes have no Unicode escapes" : "this backslash begins no escape");
        evs_diag_hint(diag,
                      is_unicode ? "write the bytes as \\xhh" : "write `\\\\` for a backslash, or a raw string r'…'");
        decoding->in++;
    }
}

/* One character of the source that is no escape. */
static void decode_plain(struct decoding *decoding)
{
    uint8_t byte = byte_at(decoding, 0);
    uint32_t code_point = 0;
    if (byte == '\r') {
        decoding->in += byte_at(decoding, 1) == '\n' ? 2 : 1;
        put(decoding, "\n", 1);
        return;
    }
    struct evs_slice rest = {decoding->rest.data + decoding->in, decoding->rest.count - decoding->in};
    uint32_t count = byte < 0x80 ? 1 : evs_utf8_decode(rest, &code_point);
    if (count == 0) {
        evs_diag_hint(report_bad(decoding, EVS_E0102, 1, "this text is not valid UTF-8"), "save the file as UTF-8");
        count = 1;
    }
    put(decoding, rest.data, count);
    decoding->in += count;
}

static bool decode_raw_escape(struct decoding *decoding)
{
    if (decoding->in + 1 >= decoding->rest.count || byte_at(decoding, 1) == '\n' || byte_at(decoding, 1) == '\r') {
        return false;
    }
    put(decoding, "\\", 1);
    decoding->in++;
    decode_plain(decoding);
    return true;
}

/* Decodes up to the closing marks; false when there are none. */
static bool decode(struct decoding *decoding)
{
    decoding->in = decoding->quote->prefix + decoding->quote->marks;
    while (decoding->in < decoding->rest.count) {
        uint8_t byte = byte_at(decoding, 0);
        if (is_closed(decoding)) {
            decoding->in += decoding->quote->marks;
            return true;
        }
        bool is_escape = byte == '\\' && !decoding->quote->raw;
        uint8_t next = byte_at(decoding, is_escape); /* a backslash hides no line end */
        if ((next == '\n' || next == '\r') && decoding->quote->marks == 1) {
            decoding->in += is_escape;
            return false;
        }
        if (is_escape) {
            decode_escape(decoding);
        } else if (byte != '\\' || !decode_raw_escape(decoding)) {
            decode_plain(decoding);
        }
    }
    return false;
}

/* Bytes that decoding can write at most: up to the closing marks, or the end of the line. */
static uint32_t room_for(const struct evs_quote *quote, struct evs_slice rest)
{
    uint32_t at = quote->prefix + quote->marks;
    for (; at < rest.count; at++) {
        char byte = rest.data[at];
        if (byte == '\\') {
            at++;
        } else if (quote->marks == 1 && (byte == '\n' || byte == quote->mark)) {
            break;
        } else if (quote->marks == 3 && byte == quote->mark && rest.count - at >= 3 &&
                   memcmp(rest.data + at, rest.data + quote->prefix, 3) == 0) {
            break;
        }
    }
    return at < rest.count ? at : (uint32_t)rest.count;
}

static void report_unterminated(struct evs_lexer *lexer, const struct evs_quote *quote, uint32_t count)
{
    if (quote->mark == '`') {
        evs_diag_hint(evs_lexer_report(lexer, EVS_E0105, lexer->offset, count, "this name in backticks has no end"),
                      "close it with a backtick");
    } else if (quote->marks == 3) {
        evs_diag_hint(evs_lexer_report(lexer, EVS_E0103, lexer->offset, quote->prefix + 3, "this string has no end"),
                      "close it with %c%c%c", quote->mark, quote->mark, quote->mark);
    } else {
        evs_diag_hint(evs_lexer_report(lexer, EVS_E0103, lexer->offset, count, "this string has no end on its line"),
                      "close it with %c, or use three quotes for several lines", quote->mark);
    }
}

void evs_lex_quoted(struct evs_lexer *lexer, const struct evs_quote *quote, struct evs_token *token)
{
    struct evs_slice rest = {lexer->source->text.data + lexer->offset, lexer->source->text.count - lexer->offset};
    uint32_t room = room_for(quote, rest);
    struct decoding decoding = {.lexer = lexer, .quote = quote, .rest = rest, .room = room};
    decoding.out = evs_arena_alloc(lexer->arena, (size_t)room + 1, 1);
    bool is_closed_text = decode(&decoding);
    decoding.out[decoding.out_count] = '\0';
    token->text = (struct evs_slice){decoding.out, decoding.out_count};
    token->kind = quote->mark == '`' ? EVS_TOKEN_QUOTED : quote->bytes ? EVS_TOKEN_BYTES : EVS_TOKEN_STRING;
    if (!is_closed_text) {
        report_unterminated(lexer, quote, decoding.in);
    } else if (quote->mark == '`' && decoding.out_count == 0) {
        evs_lexer_report(lexer, EVS_E0105, lexer->offset, 2, "a name in backticks cannot be empty");
        decoding.is_bad = true;
    }
    if (decoding.is_bad || !is_closed_text) {
        token->kind = EVS_TOKEN_ERROR;
    }
    evs_lexer_advance(lexer, decoding.in);
}
