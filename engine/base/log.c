/* The log: one line a call, to standard error, as text for people or as JSON with the field names of the Elastic Common
 * Schema (ECS) for collectors. The JSON follows ECS's rules for loggers: @timestamp, log.level, message and ecs.version come
 * first, in this order; names that hold a dot are written as one key, labels as an object of texts.
 *
 *   log ◄── log of a pipeline (labels.pipeline) ◄── log of its source (labels.source), sink, operator        evs_log_at
 *
 * A broken server or a bad event can produce the same line a million times, so each cause may log EVS_LOG_BURST lines in
 * ten seconds at each place; the rest is counted, and told in one line when the ten seconds are over (at the next line of
 * any cause, or at the end).
 *
 *   causes[]:  cause | place | start of its ten seconds | shown | suppressed
 *
 * The table is fixed; when it is full the cause that began earliest gives its place. Text from outside cannot forge a
 * line: control characters are escaped, bytes that are not UTF-8 are replaced. User and password of a URL are starred out
 * wherever a message has one. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "evstream/memory.h"
#include "evstream/os.h"
#include "evstream/text.h"
#include "utf8.h"

#define WINDOW_US INT64_C(10000000)
#define CAUSES_MAX 64
#define FIRSTS_MAX 256 /* texts that are told once; further ones always */
#define CAUSE_BYTES 48
#define NAME_BYTES 128
#define MESSAGE_BYTES 4096
/* A byte becomes 6 at most: \u001f, or the replacement character escaped. The message may come twice: as the error's, too. */
#define LINE_BYTES (6 * (2 * MESSAGE_BYTES + 2 * NAME_BYTES) + 1024)

struct place {
    char pipeline[NAME_BYTES], name[NAME_BYTES]; /* cut when longer; "": not said */
    char kind[16];
    bool is_shown;
};

struct cause {
    char name[CAUSE_BYTES];
    struct place place;
    int64_t start_us;
    uint32_t shown;
    uint64_t suppressed;
};

/* Where lines go, shared by all places of a log. */
struct journal {
    const struct evs_os *os;
    enum evs_log_level level;
    bool json;
    pthread_mutex_t lock; /* over everything below */
    _Atomic uint64_t lines[EVS_LOG_ERROR + 1];
    struct cause causes[CAUSES_MAX];
    uint32_t cause_count;
    char line[LINE_BYTES];
    size_t line_count;
    uint64_t firsts[FIRSTS_MAX]; /* hashes */
    uint32_t first_count;
};

struct evs_log {
    struct journal *journal;
    struct place place; /* that its lines come from */
    bool is_root;       /* whose journal it is */
};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

const char *evs_log_level_name(enum evs_log_level level)
{
    EVS_ASSERT((size_t)level < EVS_COUNT(level_names));
    return level_names[level];
}

uint64_t evs_log_lines(const struct evs_log *log, enum evs_log_level level)
{
    EVS_ASSERT((size_t)level < EVS_COUNT(level_names));
    return log == NULL ? 0 : atomic_load_explicit(&log->journal->lines[level], memory_order_relaxed);
}

/* --- one line -------------------------------------------------------------------------------------------------------- */

static void put(struct journal *log, const char *text, size_t count)
{
    size_t room = sizeof log->line - log->line_count;
    EVS_ASSERT(count <= room);
    memcpy(log->line + log->line_count, text, count);
    log->line_count += count;
}

static void puts_line(struct journal *log, const char *text)
{
    put(log, text, strlen(text));
}

static void put_control(struct journal *log, unsigned char c)
{
    char text[8];
    if (c == '\n' || c == '\t') {
        puts_line(log, c == '\n' ? "\\n" : "\\t");
        return;
    }
    snprintf(text, sizeof text, log->json ? "\\u%04x" : "\\x%02x", c);
    puts_line(log, text);
}

/* Copies text, escaped so that it cannot end the line or the JSON string. */
static void put_escaped(struct journal *log, const char *text)
{
    size_t count = strlen(text);
    for (size_t at = 0; at < count;) {
        unsigned char c = (unsigned char)text[at];
        uint32_t length = evs_utf8_sequence(text + at, count - at);
        if (length == 0) {
            puts_line(log, "\xEF\xBF\xBD"); /* U+FFFD */
            length = 1;
        } else if (c < 0x20 || c == 0x7F) {
            put_control(log, c);
        } else if (log->json && (c == '"' || c == '\\')) {
            put(log, "\\", 1);
            put(log, text + at, 1);
        } else {
            put(log, text + at, length);
        }
        at += length;
    }
}

/* Logs do not need the data path's calendar, which is a layer above this one. */
static void put_time(struct journal *log)
{
    int64_t now_us = log->os->clock.wall_us(log->os->clock.self);
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm utc;
    char text[96];
    const struct tm *filled = gmtime_r(&seconds, &utc);
    EVS_ASSERT(filled != NULL);
    snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
             utc.tm_hour, utc.tm_min, utc.tm_sec, (int)(now_us % 1000000 / 1000));
    puts_line(log, text);
}

/* A line before it is one. */
struct line {
    enum evs_log_level level;
    const char *cause, *message;
    const struct place *place;
    struct evs_log_about about;
    uint64_t left_out; /* lines of this cause; 0: it is no such line */
};

static void put_text_field(struct journal *log, const char *name, const char *value)
{
    puts_line(log, ",\"");
    puts_line(log, name);
    puts_line(log, "\":\"");
    put_escaped(log, value);
    puts_line(log, "\"");
}

static void put_number_field(struct journal *log, const char *name, uint64_t value)
{
    char text[96];
    snprintf(text, sizeof text, ",\"%s\":%llu", name, (unsigned long long)value);
    puts_line(log, text);
}

static void put_labels(struct journal *log, const struct place *place)
{
    if (place->pipeline[0] == '\0' && place->name[0] == '\0') {
        return;
    }
    puts_line(log, ",\"labels\":{");
    size_t begun = log->line_count;
    if (place->pipeline[0] != '\0') {
        put_text_field(log, "pipeline", place->pipeline);
    }
    if (place->name[0] != '\0') {
        put_text_field(log, place->kind, place->name);
    }
    memmove(log->line + begun, log->line + begun + 1, log->line_count - begun - 1); /* the first comma */
    log->line_count--;
    puts_line(log, "}");
}

static void put_json(struct journal *log, const struct line *line)
{
    puts_line(log, "{\"@timestamp\":\"");
    put_time(log);
    puts_line(log, "\"");
    put_text_field(log, "log.level", level_names[line->level]);
    put_text_field(log, "message", line->message);
    puts_line(log, ",\"ecs.version\":\"8.11.0\",\"service.name\":\"evstream\",\"event.dataset\":\"evstream.log\"");
    put_text_field(log, "event.code", line->cause);
    put_labels(log, line->place);
    if (line->about.error != NULL) {
        put_text_field(log, "error.code", evs_status_name(line->about.error->code));
        put_text_field(log, "error.message", line->about.error->text);
    }
    if (line->about.first != 0) {
        put_number_field(log, "evstream.sequence.first", line->about.first);
        put_number_field(log, "evstream.sequence.last", line->about.last);
    }
    if (line->left_out != 0) {
        put_number_field(log, "evstream.lines_left_out", line->left_out);
    }
    puts_line(log, "}");
}

static void put_text(struct journal *log, const struct line *line)
{
    char padded[8];
    snprintf(padded, sizeof padded, " %-5s ", level_names[line->level]);
    put_time(log);
    puts_line(log, padded);
    put_escaped(log, line->cause);
    if (line->place->is_shown) {
        puts_line(log, " [");
        put_escaped(log, line->place->pipeline);
        puts_line(log, "]");
    }
    puts_line(log, ": ");
    put_escaped(log, line->message);
}

/* One write a line, so that lines of other processes on the same terminal do not cut into ours. */
static void write_line(struct journal *log, const struct line *line)
{
    log->line_count = 0;
    if (log->json) {
        put_json(log, line);
    } else {
        put_text(log, line);
    }
    put(log, "\n", 1);
    log->os->console.write(log->os->console.self, log->line, log->line_count);
}

/* --- the limit ------------------------------------------------------------------------------------------------------- */

static void tell_suppressed(struct journal *log, struct cause *cause)
{
    if (cause->suppressed > 0) {
        char message[128];
        snprintf(message, sizeof message, "%llu more lines of this cause were left out within 10 s.",
                 (unsigned long long)cause->suppressed);
        struct line line = {.level = EVS_LOG_WARN,
                            .cause = cause->name,
                            .message = message,
                            .place = &cause->place,
                            .left_out = cause->suppressed};
        write_line(log, &line);
        cause->suppressed = 0;
    }
}

/* Tells and forgets the causes whose ten seconds are over. */
static void end_windows(struct journal *log, int64_t now_us)
{
    EVS_ASSERT(log->cause_count <= CAUSES_MAX);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < log->cause_count; i++) {
        if (now_us - log->causes[i].start_us >= WINDOW_US) {
            tell_suppressed(log, &log->causes[i]);
        } else {
            log->causes[kept++] = log->causes[i];
        }
    }
    log->cause_count = kept;
}

static bool is_same_place(const struct place *a, const struct place *b)
{
    return strcmp(a->pipeline, b->pipeline) == 0 && strcmp(a->name, b->name) == 0 && strcmp(a->kind, b->kind) == 0;
}

static struct cause *find_cause(struct journal *log, const struct place *place, const char *name, int64_t now_us)
{
    char cut[CAUSE_BYTES];
    snprintf(cut, sizeof cut, "%s", name);
    for (uint32_t i = 0; i < log->cause_count; i++) {
        if (strcmp(log->causes[i].name, cut) == 0 && is_same_place(&log->causes[i].place, place)) {
            return &log->causes[i];
        }
    }
    if (log->cause_count == CAUSES_MAX) { /* the first one began earliest: end_windows keeps the order */
        tell_suppressed(log, &log->causes[0]);
        memmove(&log->causes[0], &log->causes[1], sizeof log->causes[0] * (CAUSES_MAX - 1));
        log->cause_count--;
    }
    EVS_ASSERT(log->cause_count < CAUSES_MAX);
    struct cause *cause = &log->causes[log->cause_count++];
    *cause = (struct cause){.start_us = now_us, .place = *place};
    memcpy(cause->name, cut, sizeof cut);
    return cause;
}

/* The cause's name, cut to its limit, when it may log another line; else NULL, and the line is counted. */
static const char *admit(struct journal *log, const struct place *place, const char *name)
{
    int64_t now_us = evs_monotonic_us(log->os);
    end_windows(log, now_us);
    struct cause *cause = find_cause(log, place, name, now_us);
    if (cause->shown == EVS_LOG_BURST) {
        cause->suppressed++;
        return NULL;
    }
    EVS_ASSERT(cause->shown < EVS_LOG_BURST);
    cause->shown++;
    return cause->name;
}

/* --- the message ----------------------------------------------------------------------------------------------------- */

static bool ends_authority(char c)
{
    return c == '/' || c == '?' || c == '#' || (unsigned char)c <= ' ';
}

/* In "nats://user:secret@host" user and secret become three stars. Works in place: the text does not grow. */
static void hide_credentials(char *text)
{
    for (char *at = strstr(text, "://"); at != NULL; at = strstr(at, "://")) {
        at += 3;
        char *sign = NULL;
        for (char *c = at; !ends_authority(*c); c++) {
            sign = *c == '@' ? c : sign;
        }
        if (sign != NULL) {
            size_t stars = (size_t)(sign - at) < 3 ? (size_t)(sign - at) : 3;
            memset(at, '*', stars);
            memmove(at + stars, sign, strlen(sign) + 1);
        }
    }
}

struct evs_log *evs_log_new(const struct evs_os *os, enum evs_log_level level, bool json)
{
    EVS_ASSERT(os != NULL);
    EVS_ASSERT((size_t)level < EVS_COUNT(level_names));
    struct evs_log *log = evs_alloc_zero(sizeof *log);
    struct journal *journal = log->journal = evs_alloc_zero(sizeof *journal);
    log->is_root = true;
    journal->os = os;
    journal->level = level;
    journal->json = json;
    int result = pthread_mutex_init(&journal->lock, NULL);
    EVS_ASSERT(result == 0);
    return log;
}

static void set_name(char *to, size_t room, const char *name, const char *inherited)
{
    snprintf(to, room, "%s", name == NULL ? inherited : name);
}

struct evs_log *evs_log_at(struct evs_log *parent, struct evs_log_place place)
{
    if (parent == NULL) {
        return NULL;
    }
    struct evs_log *log = evs_alloc_zero(sizeof *log);
    const struct place *from = &parent->place;
    log->journal = parent->journal;
    set_name(log->place.pipeline, sizeof log->place.pipeline, place.pipeline, from->pipeline);
    set_name(log->place.name, sizeof log->place.name, place.name, from->name);
    set_name(log->place.kind, sizeof log->place.kind, place.kind, from->kind);
    log->place.is_shown = place.is_shown || from->is_shown;
    return log;
}

void evs_log_free(struct evs_log *log)
{
    if (log == NULL) {
        return;
    }
    struct journal *journal = log->is_root ? log->journal : NULL;
    evs_free(log);
    if (journal == NULL) {
        return;
    }
    for (uint32_t i = 0; i < journal->cause_count; i++) {
        tell_suppressed(journal, &journal->causes[i]);
    }
    int result = pthread_mutex_destroy(&journal->lock);
    EVS_ASSERT(result == 0); /* EBUSY: another thread is still logging */
    evs_free(journal);
}

static void write_message(struct journal *log, const struct place *place, struct line *line, const char *format,
                          va_list arguments)
{
    atomic_fetch_add_explicit(&log->lines[line->level], 1, memory_order_relaxed);
    pthread_mutex_lock(&log->lock);
    line->cause = admit(log, place, line->cause);
    if (line->cause != NULL) {
        char message[MESSAGE_BYTES];
        struct evs_error error;
        vsnprintf(message, sizeof message, format, arguments);
        hide_credentials(message);
        if (line->about.error != NULL) {
            error = *line->about.error;
            hide_credentials(error.text);
            line->about.error = &error;
        }
        line->message = message;
        line->place = place;
        write_line(log, line);
    }
    pthread_mutex_unlock(&log->lock);
}

static bool is_heard(const struct evs_log *log, enum evs_log_level level, const char *cause)
{
    EVS_ASSERT(cause != NULL);
    EVS_ASSERT((size_t)level < EVS_COUNT(level_names));
    return log != NULL && level >= log->journal->level;
}

bool evs_log_first(struct evs_log *log, const char *text)
{
    if (log == NULL) {
        return false;
    }
    struct journal *journal = log->journal;
    uint64_t hash = evs_hash64(text, strlen(text));
    bool is_first = true;
    pthread_mutex_lock(&journal->lock);
    for (uint32_t i = 0; i < journal->first_count && is_first; i++) {
        is_first = journal->firsts[i] != hash;
    }
    if (is_first && journal->first_count < FIRSTS_MAX) {
        journal->firsts[journal->first_count++] = hash;
    }
    pthread_mutex_unlock(&journal->lock);
    return is_first;
}

void evs_log(struct evs_log *log, enum evs_log_level level, const char *cause, const char *format, ...)
{
    if (is_heard(log, level, cause)) {
        struct line line = {.level = level, .cause = cause};
        va_list arguments;
        va_start(arguments, format);
        write_message(log->journal, &log->place, &line, format, arguments);
        va_end(arguments);
    }
}

void evs_log_about(struct evs_log *log, enum evs_log_level level, const char *cause, struct evs_log_about about,
                   const char *format, ...)
{
    if (is_heard(log, level, cause)) {
        struct line line = {.level = level, .cause = cause, .about = about};
        va_list arguments;
        va_start(arguments, format);
        write_message(log->journal, &log->place, &line, format, arguments);
        va_end(arguments);
    }
}
