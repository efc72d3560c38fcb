/* Comparing what a stream holds with what it must hold: both sorted, then side by side. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "recount.h"

static void *must(void *memory)
{
    if (memory == NULL) {
        perror("evs_recount");
        exit(1);
    }
    return memory;
}

void *evs_recount_grow(void *items, size_t *capacity, size_t count, size_t item_bytes)
{
    if (count < *capacity) {
        return items;
    }
    *capacity = *capacity == 0 ? 1024 : 2 * *capacity;
    return must(realloc(items, *capacity * item_bytes));
}

void evs_lines_add(struct lines *lines, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    lines->items = evs_recount_grow(lines->items, &lines->capacity, lines->count, sizeof *lines->items);
    if (vasprintf(&lines->items[lines->count], format, list) < 0) {
        must(NULL);
    }
    lines->count++;
    va_end(list);
}

void evs_lines_free(struct lines *lines)
{
    for (size_t i = 0; i < lines->count; i++) {
        free(lines->items[i]);
    }
    free(lines->items);
    *lines = (struct lines){0};
}

char *evs_read_whole(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = NULL;
    size_t count = 0, capacity = 0;
    if (file == NULL) {
        return NULL;
    }
    do {
        text = evs_recount_grow(text, &capacity, count + 1, 1);
        count += fread(text + count, 1, capacity - count - 1, file);
    } while (!feof(file) && !ferror(file));
    text[count] = '\0';
    bool good = !ferror(file);
    fclose(file);
    if (!good) {
        free(text);
        return NULL;
    }
    return text;
}

/* --- what is there ----------------------------------------------------------------------------------------------------------- */

/* A dead letter's reason and the number of its message. The rest (when the broker got it, its bytes) the record does not have. */
static void add_dead(struct lines *lines, const char *payload)
{
    const char *reason = strstr(payload, "\"_reason\":\""), *sequence = strstr(payload, "\"_sequence\":");
    if (reason == NULL || sequence == NULL) {
        evs_lines_add(lines, "not a dead letter: %s", payload);
        return;
    }
    reason += strlen("\"_reason\":\"");
    evs_lines_add(lines, "%.*s %llu", (int)strcspn(reason, "\""), reason,
                  strtoull(sequence + strlen("\"_sequence\":"), NULL, 10));
}

static bool read_messages(const char *path, bool has_ids, bool is_dead, struct lines *payloads, struct lines *ids)
{
    char *text = evs_read_whole(path), *rest = text;
    if (text == NULL) {
        return false;
    }
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *tab = has_ids ? strchr(line, '\t') : NULL;
        if (*line == '\0') {
            continue;
        }
        if (has_ids) {
            evs_lines_add(ids, "%.*s", tab == NULL ? 0 : (int)(tab - line), line);
        }
        if (is_dead) {
            add_dead(payloads, tab == NULL ? line : tab + 1);
        } else {
            evs_lines_add(payloads, "%s", tab == NULL ? line : tab + 1);
        }
    }
    free(text);
    return true;
}

/* --- side by side ------------------------------------------------------------------------------------------------------------ */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort(struct lines *lines)
{
    if (lines->count > 0) {
        qsort(lines->items, lines->count, sizeof *lines->items, by_text);
    }
}

static void keep_first(char **kept, const char *line)
{
    if (*kept == NULL) {
        *kept = must(strdup(line));
    }
}

static void merge(const struct lines *expected, const struct lines *found, struct agreement *agreement)
{
    size_t e = 0, f = 0;
    while (e < expected->count || f < found->count) {
        int order = e == expected->count ? 1 : f == found->count ? -1 : strcmp(expected->items[e], found->items[f]);
        if (order < 0) {
            agreement->missing++;
            keep_first(&agreement->a_missing, expected->items[e]);
        }
        if (order > 0) {
            agreement->extra++;
            keep_first(&agreement->an_extra, found->items[f]);
        }
        e += order <= 0;
        f += order >= 0;
    }
}

static size_t count_bad_ids(struct lines *ids)
{
    size_t bad = 0;
    sort(ids);
    for (size_t i = 0; i < ids->count; i++) {
        bad += ids->items[i][0] == '\0' || (i > 0 && strcmp(ids->items[i - 1], ids->items[i]) == 0);
    }
    return bad;
}

bool evs_recount_compare(const char *path, bool has_ids, bool is_dead, struct lines *expected,
                         struct agreement *agreement)
{
    struct lines payloads = {0}, ids = {0};
    bool good = read_messages(path, has_ids, is_dead, &payloads, &ids);
    *agreement = (struct agreement){.expected = expected->count, .found = payloads.count};
    sort(expected);
    sort(&payloads);
    merge(expected, &payloads, agreement);
    agreement->twice = count_bad_ids(&ids);
    evs_lines_free(&payloads);
    evs_lines_free(&ids);
    return good;
}
