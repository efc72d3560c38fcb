/* Many records at once: the steps that a record took, laid side by side.
 *
 * Following steps (decode_json_marks.c) asks at each of them whether the gap is the expected one, and of what kind the value behind it is. A producer's
 * records mostly take the same steps as the one before. Then the marks of a record are as many as those of the first, so all records of a text can be lined up before
 * any is read, and a gap can be compared in all of them, one after the other, each at its place, which is counted from a mark: what it is compared with stays in
 * a register, and no look waits for another. What is left are the values that are wanted, and the numbers and literals, whose bytes are
 * looked at in any case: these are taken column by column as well, over all records of the same form that stand behind one another, a **run**.
 *
 *   form     gaps    {"type":"   at mark 0 - 1      values   TEXT behind mark 2, up to mark 3
 *                    ","n":      at mark 3                   a number, two bytes behind mark 5, up to one byte before mark 6
 *                    }           at mark 6 - 1
 *
 * A form that fits says what the same steps, one by one, would have said: every gap is compared in full, a string has no mark within it, and a number or literal
 * ends where its gap begins. A value that is not as usual, one with an escape or a null, is written as following would write it; a run ends before the first
 * record that has one which does not fit, and that one is followed alone. An array or object that nobody wants has any number of marks, so records with
 * one have no form; neither have those in which a wanted column is missing. Some forms are kept, the one that fitted last first; where runs are too short to be
 * worth it, they are left alone for a while, and for longer each time that a few tries have shown no other. */
#include "decode_json_shape.h"

#if defined(__x86_64__)
#include "decode_json_marks.h"

#define FORMS 4u
#define RUN_MAX 64u
#define GAPS_MAX 48u
#define PIECE BLOCK /* bytes of a gap that are compared at once */
#define CREDIT_MAX 64
#define CREDIT_OF_A_MISS 2
#define RUN_WORTH 4u      /* a shorter one costs more than it saves */
#define MISSES_A_FORM 8u  /* so many are drawn anew: it costs as much as following does */
#define CREDIT_OF_A_TRY 8 /* behind a pause */
#define PAUSE_RECORDS 1024u
#define PAUSE_RECORDS_MAX (64 * PAUSE_RECORDS)

/* So many bytes behind a mark, which is counted from the record's first. */
struct at_mark {
    uint16_t mark;
    int16_t bytes;
};

/* A value that must be looked at, `lead` bytes behind a mark and `trail` bytes before the next one. */
struct form_value {
    const struct json_step *step;
    uint16_t mark;
    uint8_t lead, trail;
};

struct json_form {
    uint8_t gaps[GAPS_MAX][PIECE];
    uint64_t masks[GAPS_MAX]; /* a bit for each byte of the gap */
    struct at_mark places[GAPS_MAX];
    struct form_value values[GAPS_MAX];
    uint32_t gap_count, value_count;
    uint32_t mark_count; /* up to the record's end */
    struct at_mark end;  /* behind its last gap */
};

struct json_forms {
    struct json_form *by_use[FORMS]; /* the one that fitted last first */
    uint32_t count, misses;
    int32_t credit;  /* below 0, records are followed one by one … */
    uint32_t paused; /* … so many of them, from now on */
    uint32_t pause;  /* and so many next time: twice as many as the last time, as long as no try was worth it */
};

struct json_forms *evs_json_forms_new(struct evs_arena *memory)
{
    struct json_forms *forms = EVS_ARENA_NEW(memory, struct json_forms);
    forms->credit = CREDIT_MAX;
    forms->pause = PAUSE_RECORDS;
    for (uint32_t i = 0; i < FORMS; i++) {
        forms->by_use[i] = evs_arena_zero(memory, sizeof *forms->by_use[i], 64);
    }
    return forms;
}

/* --- finding a run --------------------------------------------------------------------------------------------------- */

static inline const char *place_of(const char *text, const uint16_t *first, struct at_mark place)
{
    return text + first[place.mark] + place.bytes;
}

/* Whether the first 32 or 64 bytes at `text` are those of the piece, as far as the mask goes. The shorter look lies in two lines of the cache less often. */
static inline MARKING bool is_alike_32(const char *text, __m512i piece, __mmask32 mask)
{
    __m256i bytes = _mm256_loadu_si256((const void *)text);
    return _mm256_mask_cmpneq_epi8_mask(mask, bytes, _mm512_castsi512_si256(piece)) == 0;
}

static inline MARKING bool is_alike_64(const char *text, __m512i piece, __mmask64 mask)
{
    return _mm512_mask_cmpneq_epi8_mask(mask, _mm512_loadu_si512(text), piece) == 0;
}

/* Whether the record in hand, at `record`, has the form. */
static MARKING bool fits(const struct json_form *form, const struct json_marks *marks, const char *record)
{
    if (marks->end - marks->next < (ptrdiff_t)form->mark_count) {
        return false;
    }
    const char *limit = marks->text + marks->count;
    for (uint32_t i = 0; i < form->gap_count; i++) {
        const char *place = place_of(marks->text, marks->next, form->places[i]);
        bool is_within = i == 0 ? place == record : place >= record && place <= limit;
        if (!is_within || !is_alike_64(place, _mm512_load_si512(form->gaps[i]), form->masks[i])) {
            return false;
        }
    }
    return true;
}

/* Records of one form that stand behind one another: the marks of each are as many as those of the first. */
struct run {
    struct json_decoder *decoder;
    const struct json_marks *marks;
    const uint16_t *first; /* of the first record's marks */
    uint32_t stride;       /* from a record's first mark to the next one's */
    uint32_t count;
};

/* The records that would be there if all had the form: each begins behind the one before and ends with its line. Nothing else is looked at. */
static void line_up(struct run *run, const struct json_form *form, uint32_t room, struct evs_slice *raw)
{
    const struct json_marks *marks = run->marks;
    const uint16_t *first = run->first;
    const char *record = raw[0].data, *limit = marks->text + marks->count;
    while (run->count < room && record < limit && marks->end - first >= (ptrdiff_t)form->mark_count &&
           place_of(marks->text, first, form->places[0]) == record) {
        const char *end = place_of(marks->text, first, form->end);
        if (end > limit || (end < limit && *end != '\n') || (size_t)(end - record) > run->decoder->row_bytes_max) {
            return;
        }
        raw[run->count++] = (struct evs_slice){record, (size_t)(end - record)};
        first += run->stride;
        record = end + 1;
    }
}

/* How many of the run's records have the piece of a gap, up to the first that has not. Its place moves on from record to record, so when that in the first one is not
 * before that record, and that in the last one not behind the text, none is read elsewhere. */
static MARKING uint32_t count_piece(const struct run *run, const struct json_form *form, uint32_t number,
                                    const char *record)
{
    const uint16_t *mark = run->first + form->places[number].mark;
    const char *base = run->marks->text + form->places[number].bytes, *limit = run->marks->text + run->marks->count;
    uint32_t count = base + *mark < record ? 0 : run->count;
    while (count > 0 && base + mark[(size_t)(count - 1) * run->stride] > limit) {
        count--;
    }
    const __m512i piece = _mm512_load_si512(form->gaps[number]);
    uint64_t mask = form->masks[number];
    uint32_t alike = 0;
    if (mask <= UINT32_MAX) {
        while (alike < count && is_alike_32(base + mark[(size_t)alike * run->stride], piece, (__mmask32)mask)) {
            alike++;
        }
    } else {
        while (alike < count && is_alike_64(base + mark[(size_t)alike * run->stride], piece, mask)) {
            alike++;
        }
    }
    return alike;
}

/* Piece by piece, each in all records: there is nothing to be asked from one record to the next, and what is compared with stays in a register. */
static void find_run(struct run *run, const struct json_form *form, uint32_t room, struct evs_slice *raw)
{
    line_up(run, form, room, raw);
    for (uint32_t i = 0; i < form->gap_count && run->count > 0; i++) {
        run->count = count_piece(run, form, i, raw[0].data);
    }
}

/* --- values, column by column ------------------------------------------------------------------------------------------ */

static inline struct evs_slice value_of(const struct run *run, const struct form_value *value, uint32_t record)
{
    const uint16_t *mark = run->first + (size_t)record * run->stride + value->mark;
    const char *from = run->marks->text + mark[0] + value->lead;
    return (struct evs_slice){from, (size_t)(run->marks->text + mark[1] - value->trail - from)};
}

/* The value of record `i`, written as by following: an unusual one. False: it does not fit, or is none. */
static WIDE __attribute__((noinline)) bool take_one(const struct run *run, const struct form_value *value, uint32_t i)
{
    struct json_decoder *decoder = run->decoder;
    struct evs_slice text = value_of(run, value, i);
    uint32_t row = decoder->row;
    uint64_t record = decoder->record;
    bool is_good;
    decoder->row = row + i;
    decoder->record = record + 1 + i;
    decoder->unset = decoder->column_count;
    if (value->step->kind == JSON_STEP_OTHER) {
        is_good = evs_json_bytes.begins_scalar[(uint8_t)text.data[0]] &&
                  take_scalar(&(struct scan){.decoder = decoder}, value->step, text.data) == text.count;
    } else {
        struct evs_slice quoted = {text.data - 1, text.count + 2};
        is_good = evs_json_store_string(decoder, value->step->node, quoted,
                                        has_escape(run->marks, text.data, text.data + text.count));
    }
    decoder->row = row;
    decoder->record = record;
    return is_good;
}

/* Each of these takes the value of all records of the run, or up to the first one that is bad, and tells of how many. */

static uint32_t take_texts(const struct run *run, const struct form_value *value)
{
    struct json_column *column = value->step->node->columns;
    uint32_t row = run->decoder->row;
    for (uint32_t i = 0; i < run->count; i++) {
        struct evs_slice text = value_of(run, value, i);
        if (EVS_LIKELY(!has_escape(run->marks, text.data, text.data + text.count))) {
            evs_json_put_str(column, row + i, text);
        } else if (!take_one(run, value, i)) {
            return i;
        }
    }
    return run->count;
}

static uint32_t take_times(const struct run *run, const struct form_value *value)
{
    struct json_column *column = value->step->node->columns;
    int64_t *times = &JSON_VALUE_AT(column, int64_t, run->decoder->row);
    for (uint32_t i = 0; i < run->count; i++) {
        struct evs_slice text = value_of(run, value, i);
        bool is_usual = text.count == JSON_MILLIS_BYTES && evs_json_same_minute(column, text.data, &times[i]);
        if (EVS_UNLIKELY(!is_usual) && !take_one(run, value, i)) {
            return i;
        }
    }
    return run->count;
}

/* Numbers of up to eight bytes, as nearly all are. */
static uint32_t take_numbers(const struct run *run, const struct form_value *value)
{
    const struct json_node *node = value->step->node;
    struct json_column *column = node->columns;
    uint32_t row = run->decoder->row;
    for (uint32_t i = 0; i < run->count; i++) {
        struct evs_slice text = value_of(run, value, i);
        struct json_short number = {.is_valid = false};
        if (EVS_LIKELY(text.count <= 8)) {
            number = evs_json_shortest(text);
        }
        if (EVS_UNLIKELY(!number.is_valid || number.digits == 0)) {
            if (!take_one(run, value, i)) {
                return i;
            }
        } else if (node->plain == JSON_PLAIN_FLOAT64) {
            JSON_VALUE_AT(column, double, row + i) =
                (double)number.digits / (double)evs_json_powers_of_ten[number.places];
        } else {
            JSON_VALUE_AT(column, evs_numeric, row + i) =
                (evs_numeric)number.digits * evs_json_powers_of_ten[JSON_NUMERIC_PLACES - number.places];
        }
    }
    return run->count;
}

/* Numbers and literals that nobody wants. */
static WIDE uint32_t skip_scalars(const struct run *run, const struct form_value *value)
{
    for (uint32_t i = 0; i < run->count; i++) {
        struct evs_slice text = value_of(run, value, i);
        if (EVS_UNLIKELY(!evs_json_bytes.begins_scalar[(uint8_t)text.data[0]] ||
                         scalar_bytes(text.data) != text.count)) {
            return i;
        }
    }
    return run->count;
}

/* Values of other columns. */
static uint32_t take_others(const struct run *run, const struct form_value *value)
{
    uint32_t taken = 0;
    while (taken < run->count && take_one(run, value, taken)) {
        taken++;
    }
    return taken;
}

static uint32_t take_value(const struct run *run, const struct form_value *value)
{
    const struct json_node *node = value->step->node;
    switch (value->step->kind) {
    case JSON_STEP_TEXT:
        return take_texts(run, value);
    case JSON_STEP_TIME:
        return take_times(run, value);
    case JSON_STEP_OTHER:
        if (node == NULL) {
            return skip_scalars(run, value);
        }
        if (node->plain == JSON_PLAIN_FLOAT64 || node->plain == JSON_PLAIN_NUMERIC) {
            return take_numbers(run, value);
        }
        return take_others(run, value);
    default:
        return take_others(run, value);
    }
}

/* The form of the record in hand, brought to the front; NULL: none is known. */
static struct json_form *find_form(struct json_forms *forms, const struct json_marks *marks, const char *record)
{
    for (uint32_t i = 0; i < forms->count; i++) {
        struct json_form *form = forms->by_use[i];
        if (fits(form, marks, record)) {
            for (; i > 0; i--) {
                forms->by_use[i] = forms->by_use[i - 1];
            }
            return forms->by_use[0] = form;
        }
    }
    return NULL;
}

/* Rows of the run that come to nothing here may have left NULLs; whoever writes them finds their bits set. */
static void clear_rows(const struct json_decoder *decoder, uint32_t first, uint32_t end)
{
    for (uint32_t i = 0; i < decoder->column_count; i++) {
        uint64_t *valid = decoder->columns[i].target->valid;
        for (uint32_t row = first; valid != NULL && row < end; row++) {
            valid[row / 64] |= UINT64_C(1) << (row % 64);
        }
    }
}

/* What a run was worth: `taken` of the records that were `found` to fit. One that is short, or comes to nothing, costs more than following does. */
static void settle(struct json_forms *forms, uint32_t found, uint32_t taken)
{
    int32_t worth = (int32_t)taken - (int32_t)(RUN_WORTH + (found - taken) / 4);
    forms->credit += worth < 0 && worth > -CREDIT_OF_A_MISS ? -CREDIT_OF_A_MISS : worth;
    if (forms->credit >= CREDIT_MAX) {
        forms->credit = CREDIT_MAX;
        forms->pause = PAUSE_RECORDS;
    }
}

uint32_t evs_json_take_run(struct json_decoder *decoder, const char *text, uint32_t room, struct evs_slice *raw)
{
    struct json_marks *marks = decoder->marks;
    struct json_forms *forms = marks->forms;
    if (EVS_UNLIKELY(forms->paused > 0 || marks->is_invalid)) {
        forms->paused -= forms->paused > 0;
        return 0;
    }
    evs_json_go_to_mark(marks, text);
    const struct json_form *form = forms->credit < 0 ? NULL : find_form(forms, marks, text);
    if (form == NULL) {
        return 0;
    }
    struct run run = {.decoder = decoder, .marks = marks, .first = marks->next, .stride = form->mark_count + 1};
    raw[0].data = text;
    find_run(&run, form, room < RUN_MAX ? room : RUN_MAX, raw);
    uint32_t found = run.count;
    for (uint32_t i = 0; i < form->value_count && run.count > 0; i++) {
        run.count = take_value(&run, &form->values[i]);
    }
    decoder->record += found; /* none of these numbers comes again */
    if (EVS_UNLIKELY(run.count < found)) {
        clear_rows(decoder, decoder->row + run.count, decoder->row + found);
    }
    marks->next += (size_t)run.count * run.stride; /* or one too far, at the text's end */
    settle(forms, found, run.count);
    return run.count;
}

/* --- learning a form ------------------------------------------------------------------------------------------------- */

/* A record that is drawn, step by step. */
struct drawing {
    struct json_form *form;
    const struct json_marks *marks;
    const uint16_t *first, *mark; /* of the record; the next one */
    const char *text;
    uint32_t gap_count, value_count, column_count;
    uint32_t piece_bytes; /* of the last piece */
};

/* A place that is counted from `mark`. */
static struct at_mark place_at(const struct drawing *drawing, const char *text, const uint16_t *mark)
{
    return (struct at_mark){(uint16_t)(mark - drawing->first), (int16_t)(text - (drawing->marks->text + *mark))};
}

/* Where the gap of `step` is looked for: from a mark of its own, or, at a record's end, from the mark behind it. False: it has none. */
static bool place_gap(struct drawing *drawing, const struct json_step *step)
{
    drawing->form->places[drawing->gap_count] = place_at(drawing, drawing->text, drawing->mark);
    drawing->piece_bytes = 0;
    drawing->gap_count++;
    return step->marks > 0 || step->kind == JSON_STEP_END;
}

/* A gap of several steps goes on, behind `before`, where the one before it ends, so that nothing can stand between them: in the same piece, if there is room. */
static bool go_on(struct drawing *drawing, const struct json_step *before, const struct json_step *step)
{
    if (before->kind != JSON_STEP_GAP) {
        return place_gap(drawing, step);
    }
    if (drawing->piece_bytes + step->bytes > PIECE) {
        struct at_mark *place = &drawing->form->places[drawing->gap_count++];
        *place = place[-1];
        place->bytes = (int16_t)(place->bytes + (int16_t)drawing->piece_bytes);
        drawing->piece_bytes = 0;
    }
    return true;
}

static bool add_gap(struct drawing *drawing, const struct json_step *before, const struct json_step *step)
{
    struct json_form *form = drawing->form;
    if (!go_on(drawing, before, step)) {
        return false;
    }
    uint32_t number = drawing->gap_count - 1;
    EVS_ASSERT(step->bytes > 0);
    memcpy(form->gaps[number] + drawing->piece_bytes, step->gap, step->bytes);
    drawing->piece_bytes += step->bytes;
    form->masks[number] = UINT64_MAX >> (PIECE - drawing->piece_bytes);
    form->end = form->places[number];
    form->end.bytes = (int16_t)(form->end.bytes + (int16_t)drawing->piece_bytes);
    drawing->text += step->bytes;
    drawing->mark += step->marks;
    return true;
}

static uint32_t columns_of(const struct json_step *step)
{
    uint32_t count = 0;
    for (const struct json_column *column = step->node == NULL ? NULL : step->node->columns; column != NULL;) {
        column = column->next;
        count++;
    }
    return count;
}

/* The value behind the gap of `step`; moves behind it. False: it may have any number of marks, or stands too far from them. */
static WIDE bool add_value(struct drawing *drawing, const struct json_step *step)
{
    const char *before = drawing->marks->text + drawing->mark[-1], *next = drawing->marks->text + *drawing->mark;
    const char *end = next;
    if (step->kind == JSON_STEP_OTHER) {
        uint32_t bytes = scalar_bytes(drawing->text);
        end = drawing->text + bytes;
        if (*drawing->text == '[' || *drawing->text == '{' || bytes == 0) {
            return false;
        }
    }
    if (drawing->text - before > UINT8_MAX || next - end > UINT8_MAX) {
        return false;
    }
    if (step->kind != JSON_STEP_SKIP) {
        drawing->form->values[drawing->value_count++] =
            (struct form_value){.step = step,
                                .mark = (uint16_t)(drawing->mark - 1 - drawing->first),
                                .lead = (uint8_t)(drawing->text - before),
                                .trail = (uint8_t)(next - end)};
    }
    drawing->column_count += columns_of(step);
    drawing->text = end;
    return true;
}

/* Goes once more along the steps that the record has just taken, each of which is now the one that came last. False: it can have no form, or one of
 * them was taken twice. */
static WIDE bool draw(struct drawing *drawing, const struct json_step *step)
{
    while (drawing->gap_count < GAPS_MAX) {
        const struct json_step *before = step;
        step = before->next;
        if (!gap_is(step, drawing->text) || !add_gap(drawing, before, step)) {
            return false;
        }
        if (step->kind == JSON_STEP_END) {
            return true;
        }
        if (step->kind != JSON_STEP_GAP && (drawing->mark >= drawing->marks->end || !add_value(drawing, step))) {
            return false;
        }
    }
    return false;
}

void evs_json_learn_form(struct json_decoder *decoder, const uint16_t *first, const char *text)
{
    struct json_forms *forms = decoder->marks->forms;
    forms->credit -= forms->paused > 0 ? 0 : CREDIT_OF_A_MISS;
    if (forms->credit < 0) {
        forms->credit = CREDIT_OF_A_TRY;
        forms->paused = forms->pause;
        forms->pause += forms->pause < PAUSE_RECORDS_MAX ? forms->pause : 0;
    }
    if (forms->paused > 0 || (forms->count == FORMS && ++forms->misses % MISSES_A_FORM != 0)) {
        return;
    }
    uint32_t number = forms->count < FORMS ? forms->count : FORMS - 1;
    struct json_form *form = forms->by_use[number];
    struct drawing drawing = {.form = form, .marks = decoder->marks, .first = first, .mark = first, .text = text};
    forms->count = number; /* it is written over */
    if (draw(&drawing, &decoder->shapes->start) && drawing.column_count == decoder->column_count) {
        form->gap_count = drawing.gap_count;
        form->value_count = drawing.value_count;
        form->mark_count = (uint32_t)(drawing.mark - first);
        forms->count = number + 1;
    }
}

#endif
