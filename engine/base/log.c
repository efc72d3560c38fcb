/* The log: one line a call, to standard error, as text for people or as JSON with the field names of the Elastic Common
 * Schema for collectors.
 *
 * A broken server or a bad event can produce the same line a million times, so each cause may log EVS_LOG_BURST lines in
 * ten seconds; the rest is counted, and told in one line when the ten seconds are over (at the next line of any cause, or
 * at the end).
 *
 *   causes[]:  cause | start of its ten seconds | shown | suppressed
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
#include "utf8.h"

#define WINDOW_US INT64_C(10000000)
#define CAUSES_MAX 64
#define CAUSE_BYTES 48
#define MESSAGE_BYTES 4096
#define LINE_BYTES                                                                                                     \
    (6 * MESSAGE_BYTES + 512) /* a byte becomes 6 at most: \u001f, or the replacement character escaped */

struct cause {
    char name[CAUSE_BYTES];
    int64_t start_us;
    uint32_t shown;
    uint64_t suppressed;
};

struct evs_log {
    const struct evs_os *os;
    enum evs_log_level level;
    bool json;
    pthread_mutex_t lock; /* over everything below */
    _Atomic uint64_t lines[EVS_LOG_ERROR + 1];
    struct cause causes[CAUSES_MAX];
    uint32_t cause_count;
    char line[LINE_BYTES];
    size_t line_count;
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
    return log == NULL ? 0 : atomic_load_explicit(&log->lines[level], memory_order_relaxed);
}

/* --- one line -------------------------------------------------------------------------------------------------------- */

static void put(struct evs_log *log, const char *text, size_t count)
{
    size_t room = sizeof log->line - log->line_count;
    EVS_ASSERT(count <= room);
    memcpy(log->line + log->line_count, text, count);
    log->line_count += count;
}

static void puts_line(struct evs_log *log, const char *text)
{
    put(log, text, strlen(text));
}

static void put_control(struct evs_log *log, unsigned char c)
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
static void put_escaped(struct evs_log *log, const char *text)
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
static void put_time(struct evs_log *log)
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

static void put_json(struct evs_log *log, enum evs_log_level level, const char *cause, const char *message)
{
    puts_line(log, "{\"@timestamp\":\"");
    put_time(log);
    puts_line(log, "\",\"log.level\":\"");
    puts_line(log, level_names[level]);
    puts_line(log, "\",\"message\":\"");
    put_escaped(log, message);
    puts_line(log, "\",\"event.code\":\"");
    put_escaped(log, cause);
    puts_line(log, "\",\"service.name\":\"evstream\",\"ecs.version\":\"8.11.0\"}");
}

static void put_text(struct evs_log *log, enum evs_log_level level, const char *cause, const char *message)
{
    char padded[8];
    snprintf(padded, sizeof padded, " %-5s ", level_names[level]);
    put_time(log);
    puts_line(log, padded);
    put_escaped(log, cause);
    puts_line(log, ": ");
    put_escaped(log, message);
}

/* One write a line, so that lines of other processes on the same terminal do not cut into ours. */
static void write_line(struct evs_log *log, enum evs_log_level level, const char *cause, const char *message)
{
    log->line_count = 0;
    if (log->json) {
        put_json(log, level, cause, message);
    } else {
        put_text(log, level, cause, message);
    }
    put(log, "\n", 1);
    log->os->console.write(log->os->console.self, log->line, log->line_count);
}

/* --- the limit ------------------------------------------------------------------------------------------------------- */

static void tell_suppressed(struct evs_log *log, struct cause *cause)
{
    if (cause->suppressed > 0) {
        char message[128];
        snprintf(message, sizeof message, "%llu more lines of this cause were left out within 10 s.",
                 (unsigned long long)cause->suppressed);
        write_line(log, EVS_LOG_WARN, cause->name, message);
        cause->suppressed = 0;
    }
}

/* Tells and forgets the causes whose ten seconds are over. */
static void end_windows(struct evs_log *log, int64_t now_us)
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

static struct cause *find_cause(struct evs_log *log, const char *name, int64_t now_us)
{
    char cut[CAUSE_BYTES];
    snprintf(cut, sizeof cut, "%s", name);
    for (uint32_t i = 0; i < log->cause_count; i++) {
        if (strcmp(log->causes[i].name, cut) == 0) {
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
    *cause = (struct cause){.start_us = now_us};
    memcpy(cause->name, cut, sizeof cut);
    return cause;
}

/* The cause's name, cut to its limit, when it may log another line; else NULL, and the line is counted. */
static const char *admit(struct evs_log *log, const char *name)
{
    int64_t now_us = evs_monotonic_us(log->os);
    end_windows(log, now_us);
    struct cause *cause = find_cause(log, name, now_us);
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
    log->os = os;
    log->level = level;
    log->json = json;
    int result = pthread_mutex_init(&log->lock, NULL);
    EVS_ASSERT(result == 0);
    return log;
}

void evs_log_free(struct evs_log *log)
{
    if (log == NULL) {
        return;
    }
    for (uint32_t i = 0; i < log->cause_count; i++) {
        tell_suppressed(log, &log->causes[i]);
    }
    int result = pthread_mutex_destroy(&log->lock);
    EVS_ASSERT(result == 0); /* EBUSY: another thread is still logging */
    evs_free(log);
}

void evs_log(struct evs_log *log, enum evs_log_level level, const char *cause, const char *format, ...)
{
    EVS_ASSERT(cause != NULL);
    EVS_ASSERT((size_t)level < EVS_COUNT(level_names));
    if (log == NULL || level < log->level) {
        return;
    }
    atomic_fetch_add_explicit(&log->lines[level], 1, memory_order_relaxed);
    pthread_mutex_lock(&log->lock);
    const char *admitted = admit(log, cause);
    if (admitted != NULL) {
        char message[MESSAGE_BYTES];
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(message, sizeof message, format, arguments);
        va_end(arguments);
        hide_credentials(message);
        write_line(log, level, admitted, message);
    }
    pthread_mutex_unlock(&log->lock);
}
