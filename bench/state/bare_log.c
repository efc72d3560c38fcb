/* The floor under state in Redis: the same bytes without an engine.
 *
 *   evs_bench_bare_log read PORT KEY            all entries of a stream, in pages of about 2 MB; prints the bytes of their values
 *   evs_bench_bare_log write PORT KEY BYTES     as many bytes in entries of 200 KB, at most a megabyte on its way; then the key is deleted */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_ENTRIES "16"
#define BLOCK_BYTES 200000
#define WINDOW 5

static redisReply *must(redisReply *reply)
{
    if (reply == NULL || reply->type == REDIS_REPLY_ERROR) {
        fprintf(stderr, "Redis: %s\n", reply == NULL ? "the connection is lost" : reply->str);
        exit(1);
    }
    return reply;
}

static unsigned long long bytes_of(const redisReply *entry)
{
    unsigned long long bytes = 0;
    for (size_t i = 0; i < entry->element[1]->elements; i++) {
        bytes += (unsigned long long)entry->element[1]->element[i]->len;
    }
    return bytes;
}

static unsigned long long read_all(redisContext *redis, const char *key)
{
    unsigned long long bytes = 0;
    char from[64] = "-";
    for (;;) {
        redisReply *page = must(redisCommand(redis, "XRANGE %s %s + COUNT " PAGE_ENTRIES, key, from));
        size_t count = page->elements;
        for (size_t i = 0; i < count; i++) {
            bytes += bytes_of(page->element[i]);
        }
        if (count > 0) {
            snprintf(from, sizeof from, "(%s", page->element[count - 1]->element[0]->str);
        }
        freeReplyObject(page);
        if (count == 0) {
            return bytes;
        }
    }
}

static void write_all(redisContext *redis, const char *key, unsigned long long bytes)
{
    static char block[BLOCK_BYTES];
    unsigned long long sent = 0, taken = 0, count = (bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
    for (size_t i = 0; i < sizeof block; i++) {
        block[i] = (char)(i * 2654435761u >> 13);
    }
    while (taken < count) {
        for (; sent < count && sent < taken + WINDOW; sent++) {
            redisAppendCommand(redis, "XADD %s * b %b", key, block, sizeof block);
        }
        void *reply = NULL;
        if (redisGetReply(redis, &reply) != REDIS_OK) {
            reply = NULL;
        }
        freeReplyObject(must(reply));
        taken++;
    }
    freeReplyObject(must(redisCommand(redis, "DEL %s", key)));
}

int main(int count, char **arguments)
{
    if (count < 4 || (strcmp(arguments[1], "read") != 0 && count < 5)) {
        fprintf(stderr, "usage: evs_bench_bare_log read PORT KEY | write PORT KEY BYTES\n");
        return 2;
    }
    redisContext *redis = redisConnect("127.0.0.1", atoi(arguments[2]));
    if (redis == NULL || redis->err != 0) {
        fprintf(stderr, "Redis: no connection\n");
        return 1;
    }
    if (strcmp(arguments[1], "read") == 0) {
        printf("%llu\n", read_all(redis, arguments[3]));
    } else {
        write_all(redis, arguments[3], strtoull(arguments[4], NULL, 10));
    }
    redisFree(redis);
    return 0;
}
