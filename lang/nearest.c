/* Did-you-mean by edit distance (optimal string alignment: insert, delete, replace, swap neighbours). */
#include "diag.h"

#define NAME_BYTES_MAX 64 /* longer names are not compared */

static uint8_t lower(char c)
{
    return (uint8_t)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

static uint32_t min3(uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Distance of two names of at most NAME_BYTES_MAX bytes. Three rows of the table are enough: this one and the two
 * before. */
static uint32_t distance(struct evs_slice a, struct evs_slice b)
{
    uint32_t rows[3][NAME_BYTES_MAX + 1];
    EVS_ASSERT(a.count <= NAME_BYTES_MAX && b.count <= NAME_BYTES_MAX);
    for (uint32_t j = 0; j <= b.count; j++) {
        rows[0][j] = j;
    }
    for (uint32_t i = 1; i <= a.count; i++) {
        uint32_t *row = rows[i % 3], *before = rows[(i + 2) % 3], *two_before = rows[(i + 1) % 3];
        row[0] = i;
        for (uint32_t j = 1; j <= b.count; j++) {
            bool same = lower(a.data[i - 1]) == lower(b.data[j - 1]);
            row[j] = min3(before[j] + 1, row[j - 1] + 1, before[j - 1] + !same);
            bool swapped = i > 1 && j > 1 && lower(a.data[i - 1]) == lower(b.data[j - 2]) &&
                           lower(a.data[i - 2]) == lower(b.data[j - 1]);
            if (swapped && two_before[j - 2] + 1 < row[j]) {
                row[j] = two_before[j - 2] + 1;
            }
        }
    }
    return rows[a.count % 3][b.count];
}

/* A slip of the fingers: one in a short name, about one in three letters of a longer one. */
static uint32_t tolerance(size_t count)
{
    return count <= 2 ? 0 : count <= 5 ? 1 : count <= 8 ? 2 : 3;
}

struct evs_nearest evs_nearest_begin(struct evs_slice wanted)
{
    return (struct evs_nearest){.wanted = wanted, .best = {NULL, 0}, .distance = tolerance(wanted.count) + 1};
}

void evs_nearest_offer(struct evs_nearest *nearest, struct evs_slice candidate)
{
    bool is_long = nearest->wanted.count > NAME_BYTES_MAX || candidate.count > NAME_BYTES_MAX;
    if (is_long || candidate.count == 0 || nearest->distance == 0) {
        return;
    }
    uint32_t found = distance(nearest->wanted, candidate);
    if (found < nearest->distance) {
        nearest->distance = found;
        nearest->best = candidate;
    }
}

void evs_diag_did_you_mean(struct evs_diag *diag, const struct evs_nearest *nearest)
{
    if (nearest->best.count > 0) {
        evs_diag_hint(diag, "did you mean `%.*s`?", (int)nearest->best.count, nearest->best.data);
    }
}
