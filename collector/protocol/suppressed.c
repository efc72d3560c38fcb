#include "suppressed.h"

#include <errno.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evstream/memory.h"

#define LINE_BYTES 512

struct hash {
    uint8_t bytes[SHA256_DIGEST_LENGTH];
};

struct evs_suppressed {
    struct hash *hashes; /* ascending */
    uint32_t count, capacity;
};

static int compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct hash));
}

static int digit_of(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c != '\0' ? strchr(digits, c >= 'A' && c <= 'F' ? c + ('a' - 'A') : c) : NULL;
    return at != NULL ? (int)(at - digits) : -1;
}

/* `text` ends with a NUL. */
static bool parse_hash(const char *text, struct hash *hash)
{
    for (size_t i = 0; i < sizeof hash->bytes; i++) {
        int high = digit_of(text[2 * i]);
        int low = high >= 0 ? digit_of(text[2 * i + 1]) : -1;
        if (low < 0) {
            return false;
        }
        hash->bytes[i] = (uint8_t)(high * 16 + low);
    }
    return text[2 * sizeof hash->bytes] == '\0';
}

static evs_status read_lines(FILE *file, const char *path, struct evs_suppressed *set, struct evs_error *error)
{
    char line[LINE_BYTES];
    for (uint32_t number = 1; fgets(line, sizeof line, file) != NULL; number++) {
        size_t count = strlen(line);
        while (count > 0 && strchr(" \t\r\n", line[count - 1]) != NULL) {
            line[--count] = '\0';
        }
        if (count == 0 || line[0] == '#') {
            continue;
        }
        EVS_GROW(set->hashes, set->count, set->capacity);
        if (!parse_hash(line, &set->hashes[set->count++])) {
            return evs_fail(error, EVS_E_USAGE,
                            "%s:%u: this is no SHA-256 of an id: 64 hexadecimal digits, as `printf %%s ID | sha256sum` "
                            "prints them.",
                            path, number);
        }
    }
    return ferror(file) == 0 ? EVS_OK
                             : evs_fail(error, EVS_E_IO, "The list `%s` cannot be read: %s.", path, strerror(errno));
}

evs_status evs_suppressed_read(const char *path, struct evs_suppressed **result, struct evs_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return evs_fail(error, EVS_E_IO, "The list `%s` of persons to leave out cannot be read: %s.", path,
                        strerror(errno));
    }
    struct evs_suppressed *set = evs_alloc_zero(sizeof *set);
    evs_status status = read_lines(file, path, set, error);
    fclose(file);
    if (status != EVS_OK) {
        evs_suppressed_free(set);
        return status;
    }
    if (set->count > 0) {
        qsort(set->hashes, set->count, sizeof *set->hashes, compare);
    }
    *result = set;
    return EVS_OK;
}

void evs_suppressed_free(struct evs_suppressed *set)
{
    if (set != NULL) {
        evs_free(set->hashes);
        evs_free(set);
    }
}

bool evs_suppressed_has(const struct evs_suppressed *set, struct evs_slice id)
{
    struct hash hash;
    if (set == NULL || set->count == 0 || id.count == 0) {
        return false;
    }
    (void)SHA256((const unsigned char *)id.data, id.count, hash.bytes);
    return bsearch(&hash, set->hashes, set->count, sizeof hash, compare) != NULL;
}
