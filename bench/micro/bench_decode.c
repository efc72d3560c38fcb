/* Nanoseconds a record of decoding alone: `bench_decode FILE…` prints a line for each file of clicks (yardstick/generate.c), of which the four columns of the
 * yardstick's question are read, as the file connector gives them: 256 KiB at a time. Of many rounds the one below which a tenth of them is, in processor
 * time: other work on the machine shows little in it, and a clock of a guest that jumps does not make it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "decode_json.h"
#include "evstream/source.h"

#define PIECE_BYTES (256u << 10)
#define FILE_BYTES_MAX (512u << 10) /* stays in the second cache, as what a connector has just read does */
#define ROUNDS 401
#define COLUMNS 4u
#define BAD_MAX 16u

static const char *event_path[] = {"event"}, *timestamp_path[] = {"timestamp"}, *user_path[] = {"user_id"},
                  *price_path[] = {"properties", "price"};

struct decoding {
    void *decoder;
    struct evs_batch_pool *pool;
    struct evs_decode_column columns[COLUMNS];
    uint32_t record_index[EVS_BATCH_ROWS];
    struct evs_slice raw[EVS_BATCH_ROWS];
    struct evs_decode_bad bad[BAD_MAX];
    uint64_t rows, bad_count;
};

static void open_decoding(struct decoding *decoding)
{
    static const enum evs_kind kinds[COLUMNS] = {EVS_STRING, EVS_TIMESTAMP, EVS_STRING, EVS_FLOAT64};
    const char **const paths[COLUMNS] = {event_path, timestamp_path, user_path, price_path};
    for (uint32_t i = 0; i < COLUMNS; i++) {
        decoding->columns[i] = (struct evs_decode_column){.name = paths[i][0],
                                                          .kind = kinds[i],
                                                          .type = evs_type_of(kinds[i]),
                                                          .path = paths[i],
                                                          .path_count = i == 3 ? 2 : 1};
    }
    decoding->pool = evs_batch_pool_new();
    decoding->decoder = evs_decode_json.open(decoding->columns, COLUMNS, 1u << 20);
}

static bool decode_batch(struct decoding *decoding, struct evs_slice piece, size_t *consumed, uint32_t *next_index)
{
    struct evs_batch *batch = evs_batch_new(decoding->pool, COLUMNS);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        evs_column_init(&batch->columns[i], batch, decoding->columns[i].kind, EVS_BATCH_ROWS, true);
    }
    struct evs_decode_out out = {.batch = batch,
                                 .row_max = EVS_BATCH_ROWS,
                                 .record_index = decoding->record_index,
                                 .raw = decoding->raw,
                                 .bad = decoding->bad,
                                 .bad_max = BAD_MAX};
    bool done = evs_decode_json.decode(decoding->decoder, piece, consumed, next_index, true, &out);
    decoding->rows += batch->row_count;
    decoding->bad_count += out.bad_count;
    evs_batch_unref(batch);
    return done;
}

static void decode_all(struct decoding *decoding, struct evs_slice text)
{
    uint32_t next_index = 0;
    for (size_t at = 0; at < text.count;) {
        size_t left = text.count - at, count = left;
        if (left > PIECE_BYTES) {
            count = (size_t)((const char *)memrchr(text.data + at, '\n', PIECE_BYTES) + 1 - (text.data + at));
        }
        size_t consumed = 0;
        while (!decode_batch(decoding, (struct evs_slice){text.data + at, count}, &consumed, &next_index)) {
        }
        at += count;
    }
}

static double processor_seconds(void)
{
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct evs_slice read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    char *data = evs_alloc(FILE_BYTES_MAX + EVS_PADDING);
    size_t count = file == NULL ? 0 : fread(data, 1, FILE_BYTES_MAX, file);
    while (count > 0 && data[count - 1] != '\n') {
        count--;
    }
    if (count == 0) {
        fprintf(stderr, "bench_decode: there are no lines in `%s`\n", path);
        exit(1);
    }
    fclose(file);
    memset(data + count, 0, EVS_PADDING);
    return (struct evs_slice){data, count};
}

static int by_value(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

static double measure(const char *path)
{
    struct evs_slice text = read_file(path);
    struct decoding decoding = {0};
    open_decoding(&decoding);
    decode_all(&decoding, text); /* it learns */
    double rounds[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        decoding.rows = decoding.bad_count = 0;
        double begun = processor_seconds();
        decode_all(&decoding, text);
        rounds[round] = processor_seconds() - begun;
    }
    qsort(rounds, ROUNDS, sizeof *rounds, by_value);
    double low = rounds[ROUNDS / 10];
    double records = (double)(decoding.rows + decoding.bad_count);
    printf("%-40s %7.1f ns a record %6.2f GB/s %8llu bad\n", path, low / records * 1e9, (double)text.count / low / 1e9,
           (unsigned long long)decoding.bad_count);
    evs_decode_json.close(decoding.decoder);
    evs_batch_pool_free(decoding.pool);
    evs_free((void *)text.data);
    return low / records;
}

int main(int argc, char **argv)
{
    double first = 0;
    for (int i = 1; i < argc; i++) {
        double seconds = measure(argv[i]);
        first = i == 1 ? seconds : first;
        if (i > 1) {
            printf("%-40s %7.2f times the first\n", "", seconds / first);
        }
    }
    return argc > 1 ? 0 : 2;
}
