/* A letter as JSON, for `dlq --json` and the page. */
#include <inttypes.h>
#include <string.h>

#include "evstream/json_value.h"
#include "letters.h"

static void put_text(struct evs_buffer *out, const char *name, const char *value)
{
    evs_buffer_printf(out, ",\"%s\":", name);
    if (value == NULL) {
        evs_buffer_puts(out, "null");
    } else {
        evs_json_put_text(out, evs_slice_of(value));
    }
}

static void put_number(struct evs_buffer *out, const char *name, int64_t value, bool is_known)
{
    if (is_known) {
        evs_buffer_printf(out, ",\"%s\":%" PRId64, name, value);
    } else {
        evs_buffer_printf(out, ",\"%s\":null", name);
    }
}

/* Bytes that are no text are shown as base64, beside it. */
static void put_raw(struct evs_buffer *out, const struct evs_letter *letter)
{
    bool is_text = letter->has_raw && evs_utf8_valid(letter->raw.data, letter->raw.count);
    evs_buffer_puts(out, ",\"raw\":");
    if (is_text) {
        evs_json_put_text(out, letter->raw);
        return;
    }
    evs_buffer_puts(out, "null");
    if (letter->has_raw) {
        struct evs_value value = {.kind = EVS_BYTES,
                                  .str = evs_str_make(letter->raw.data, (uint32_t)letter->raw.count)};
        evs_buffer_puts(out, ",\"raw_base64\":");
        evs_json_put_value(out, &value, evs_type_of(EVS_BYTES), 0);
    }
}

void evs_letter_put_json(struct evs_buffer *out, const struct evs_letter *letter)
{
    evs_buffer_puts(out, "{\"id\":");
    evs_json_put_text(out, evs_slice_of(letter->id));
    put_text(out, "reason", letter->reason);
    put_text(out, "code", letter->code);
    put_text(out, "detail", letter->expression);
    put_text(out, "file", letter->file);
    put_number(out, "line", letter->line, letter->line != 0);
    put_text(out, "source", letter->source);
    put_text(out, "sink", letter->sink);
    put_text(out, "subject", letter->subject);
    put_number(out, "sequence", letter->sequence, letter->sequence != 0);
    put_number(out, "time_us", letter->time_us, letter->time_us != EVS_TIME_MIN);
    evs_buffer_puts(out, ",\"row\":");
    evs_buffer_put(out, letter->row.count > 0 ? letter->row.data : "null",
                   letter->row.count > 0 ? letter->row.count : 4);
    put_raw(out, letter);
    put_text(out, "kept", letter->kept);
    evs_buffer_printf(out, ",\"resent\":%u,\"unsure\":%s", letter->resent, letter->is_unsure ? "true" : "false");
    put_number(out, "resent_us", letter->resent_us, letter->resent > 0 || letter->is_unsure);
    evs_buffer_puts(out, "}");
}
