/* A growable byte string on the heap. */
#include <stdio.h>
#include <string.h>

#include "evstream/memory.h"

#define BUFFER_BYTES_MIN ((size_t)256)

void evs_buffer_reserve(struct evs_buffer *buffer, size_t more_bytes)
{
    EVS_ASSERT(buffer->count <= buffer->capacity);
    EVS_ASSERT(more_bytes <= SIZE_MAX / 4 && buffer->count <= SIZE_MAX / 4);
    size_t needed = buffer->count + more_bytes;
    if (EVS_LIKELY(needed <= buffer->capacity)) {
        return;
    }
    size_t grown = buffer->capacity < BUFFER_BYTES_MIN ? BUFFER_BYTES_MIN : buffer->capacity * 2;
    buffer->capacity = grown < needed ? needed : grown;
    buffer->data = evs_realloc(buffer->data, buffer->capacity);
    EVS_ASSERT(buffer->capacity - buffer->count >= more_bytes);
}

void evs_buffer_put(struct evs_buffer *buffer, const void *bytes, size_t count)
{
    if (count == 0) {
        return;
    }
    EVS_ASSERT(bytes != NULL);
    evs_buffer_reserve(buffer, count);
    memcpy(buffer->data + buffer->count, bytes, count);
    buffer->count += count;
}

void evs_buffer_puts(struct evs_buffer *buffer, const char *text)
{
    EVS_ASSERT(text != NULL);
    evs_buffer_put(buffer, text, strlen(text));
}

void evs_buffer_printf(struct evs_buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    evs_buffer_reserve(buffer, BUFFER_BYTES_MIN / 2);
    size_t room = buffer->capacity - buffer->count;
    int count = vsnprintf(buffer->data + buffer->count, room, format, arguments);
    va_end(arguments);
    EVS_ASSERT(count >= 0);
    if ((size_t)count >= room) {
        evs_buffer_reserve(buffer, (size_t)count + 1); /* vsnprintf wants to write a NUL, which is not counted */
        int written = vsnprintf(buffer->data + buffer->count, (size_t)count + 1, format, again);
        EVS_ASSERT(written == count);
    }
    va_end(again);
    buffer->count += (size_t)count;
    EVS_ASSERT(buffer->count <= buffer->capacity);
}

void evs_buffer_fini(struct evs_buffer *buffer)
{
    EVS_ASSERT(buffer->data != NULL || buffer->count == 0);
    evs_free(buffer->data);
    *buffer = (struct evs_buffer){0};
}
