/* Four rounds of interleaving turn a tile of 16 by 16: each round puts the first half of the rows between the second half. */
#include "transpose.h"

#include <stddef.h>
#include <string.h>

#define TILE 16u

typedef uint8_t row __attribute__((vector_size(TILE)));

static inline void interleave(row to[TILE], const row from[TILE])
{
    for (uint32_t i = 0; i < TILE / 2; i++) {
        row a = from[i], b = from[i + TILE / 2];
        to[2 * i] = __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
        to[2 * i + 1] = __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    }
}

/* A tile of `rows` by `columns`, constants at each call. */
static inline __attribute__((always_inline)) void turn_tile(char *to, size_t to_stride, const char *from,
                                                            size_t from_stride, uint32_t rows, uint32_t columns)
{
    row a[TILE] = {0}, b[TILE];
    for (uint32_t i = 0; i < rows; i++) {
        memcpy(&a[i], from + i * from_stride, columns);
    }
    interleave(b, a);
    interleave(a, b);
    interleave(b, a);
    interleave(a, b);
    for (uint32_t i = 0; i < columns; i++) {
        memcpy(to + i * to_stride, &a[i], rows);
    }
}

static void turn_bytes(char *to, const char *from, uint32_t rows, uint32_t columns)
{
    for (uint32_t column = 0; column < columns; column++) {
        for (uint32_t i = 0; i < rows; i++) {
            *to++ = from[(size_t)i * columns + column];
        }
    }
}

/* The side of a tile: 16, or the matrix's own where it is narrow; 0: it fits none. */
static uint32_t side_of(uint32_t length)
{
    return length >= TILE ? TILE : length == 8 || length == 4 ? length : 0;
}

/* Where the next tile begins; the last one may begin inside the one before it. */
static uint32_t next(uint32_t at, uint32_t side, uint32_t length)
{
    return at + 2 * side <= length || at + side == length ? at + side : length - side;
}

void evs_transpose(char *to, const char *from, uint32_t rows, uint32_t columns)
{
    uint32_t height = side_of(rows), width = side_of(columns);
    if (height == 0 || width == 0 || (height < TILE && width < TILE)) {
        turn_bytes(to, from, rows, columns);
        return;
    }
    for (uint32_t r = 0; r < rows; r = next(r, height, rows)) {
        for (uint32_t c = 0; c < columns; c = next(c, width, columns)) {
            char *at = to + (size_t)c * rows + r;
            const char *tile = from + (size_t)r * columns + c;
            switch (height * TILE + width) {
            case TILE *TILE + TILE:
                turn_tile(at, rows, tile, columns, TILE, TILE);
                break;
            case TILE *TILE + 8:
                turn_tile(at, rows, tile, columns, TILE, 8);
                break;
            case TILE *TILE + 4:
                turn_tile(at, rows, tile, columns, TILE, 4);
                break;
            case 8 * TILE + TILE:
                turn_tile(at, rows, tile, columns, 8, TILE);
                break;
            default:
                turn_tile(at, rows, tile, columns, 4, TILE);
            }
        }
    }
}
