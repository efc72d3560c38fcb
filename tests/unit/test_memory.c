/* The allocator's door, arenas and buffers. */
#include <signal.h>
#include <string.h>

#include "evstream/memory.h"
#include "unit.h"

#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define UNDER_ASAN 1
#else
#define UNDER_ASAN 0
#endif
#if UNDER_ASAN || defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define SANITIZER_OWNS_MALLOC 1
#else
#define SANITIZER_OWNS_MALLOC 0
#endif

static bool is_aligned(const void *memory, size_t align)
{
    return (uintptr_t)memory % align == 0;
}

/* --- the general allocator ------------------------------------------------------------------------------------------- */

START_TEST(allocation_counts_and_never_returns_null)
{
    uint64_t before = evs_alloc_count();
    void *memory[] = {evs_alloc(0), evs_alloc(100), evs_alloc_zero(0), evs_alloc_zero(100), evs_alloc_aligned(64, 0)};
    ck_assert_uint_eq(evs_alloc_count() - before, EVS_COUNT(memory));
    for (size_t i = 0; i < EVS_COUNT(memory); i++) {
        ck_assert_ptr_nonnull(memory[i]);
        evs_free(memory[i]);
    }
    evs_free(NULL);
    ck_assert_uint_eq(evs_alloc_count() - before, EVS_COUNT(memory));
}
END_TEST

START_TEST(zeroed_memory_is_zero)
{
    uint8_t *memory = evs_alloc_zero(10000);
    for (size_t i = 0; i < 10000; i++) {
        UNIT_CHECK(memory[i] == 0, "byte %zu", i);
    }
    evs_free(memory);
}
END_TEST

START_TEST(aligned_memory_is_aligned_at_any_size)
{
    for (size_t align = sizeof(void *); align <= 4096; align *= 2) {
        for (size_t bytes = 1; bytes < 300; bytes += 37) {
            uint8_t *memory = evs_alloc_aligned(align, bytes);
            ck_assert(is_aligned(memory, align));
            memset(memory, 0xAB, bytes);
            evs_free(memory);
        }
    }
}
END_TEST

START_TEST(an_alignment_must_be_a_power_of_two)
{
    evs_free(evs_alloc_aligned(48, 1));
}
END_TEST

START_TEST(realloc_keeps_the_content)
{
    char *memory = evs_realloc(NULL, 4);
    memcpy(memory, "abc", 4);
    memory = evs_realloc(memory, 100000);
    ck_assert_str_eq(memory, "abc");
    evs_free(memory);
}
END_TEST

START_TEST(copies_of_text)
{
    char *whole = evs_strdup("a text"), *part = evs_strndup("a text", 1), *none = evs_strndup(NULL, 0);
    ck_assert_str_eq(whole, "a text");
    ck_assert_str_eq(part, "a");
    ck_assert_str_eq(none, "");
    char *with_nul = evs_strndup("a\0b", 3);
    ck_assert_mem_eq(with_nul, "a\0b", 4);
    evs_free(whole);
    evs_free(part);
    evs_free(none);
    evs_free(with_nul);
}
END_TEST

START_TEST(grow_keeps_items_and_allocates_rarely)
{
    uint32_t *items = NULL, count = 0, capacity = 0;
    uint64_t before = evs_alloc_count();
    for (uint32_t i = 0; i < 100000; i++) {
        EVS_GROW(items, count, capacity);
        items[count++] = i;
    }
    ck_assert_uint_le(evs_alloc_count() - before, 20); /* doubling: log2(100000 / 8) + 1 */
    for (uint32_t i = 0; i < count; i++) {
        UNIT_CHECK(items[i] == i, "item %u", i);
    }
    evs_free(items);
}
END_TEST

START_TEST(grow_can_jump_to_what_is_needed)
{
    uint32_t capacity = 0;
    uint16_t *items = evs_grow(NULL, &capacity, sizeof *items, 1000);
    ck_assert_uint_ge(capacity, 1000);
    items[999] = 1;
    evs_free(items);
}
END_TEST

START_TEST(memory_used_up_aborts)
{
    volatile size_t bytes = (size_t)1 << 62;
    evs_free(evs_alloc(bytes));
}
END_TEST

/* --- the arena ------------------------------------------------------------------------------------------------------- */

struct piece {
    uint8_t *data;
    size_t bytes;
    uint8_t mark;
};

static void check_pieces(const struct piece *pieces, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (size_t at = 0; at < pieces[i].bytes; at++) {
            UNIT_CHECK(pieces[i].data[at] == pieces[i].mark, "byte %zu of piece %u was overwritten", at, i);
        }
    }
}

/* Any mix of sizes and alignments: aligned, and no piece overlaps another (each keeps its mark). */
START_TEST(pieces_of_an_arena_do_not_overlap)
{
    enum { PIECES = 400 };
    uint64_t seed = 1;
    struct evs_arena arena = {0};
    for (int round = 0; round < 20; round++) {
        struct piece pieces[PIECES];
        size_t used = 0;
        for (uint32_t i = 0; i < PIECES; i++) {
            uint64_t r = unit_random(&seed);
            size_t align = (size_t)1 << (r % 7);
            size_t bytes = (r >> 8) % 100 == 0 ? (r >> 16) % 200000 : (r >> 16) % 300;
            pieces[i] = (struct piece){evs_arena_alloc(&arena, bytes, align), bytes, (uint8_t)(r >> 56)};
            ck_assert(is_aligned(pieces[i].data, align));
            memset(pieces[i].data, pieces[i].mark, bytes);
            used += bytes;
        }
        check_pieces(pieces, PIECES);
        ck_assert_uint_eq(arena.used_bytes, used);
        evs_arena_reset(&arena);
        ck_assert_uint_eq(arena.used_bytes, 0);
    }
    evs_arena_fini(&arena);
}
END_TEST

static void note_release(void *argument)
{
    char *notes = argument;
    notes[0]++;
    notes[(int)notes[0]] = 'r';
}
static void note_first(void *argument)
{
    ck_assert_str_eq((char *)argument + 1, ""); /* it was asked for last, so it is called first */
    note_release(argument);
}

START_TEST(what_was_deferred_is_called_once_at_the_reset_or_the_end)
{
    struct evs_arena arena = {0};
    char notes[8] = {0};
    evs_arena_defer(&arena, note_release, notes);
    evs_arena_defer(&arena, note_first, notes);
    evs_arena_reset(&arena);
    ck_assert_str_eq(notes + 1, "rr");
    evs_arena_reset(&arena);
    ck_assert_int_eq(notes[0], 2);
    evs_arena_defer(&arena, note_release, notes);
    evs_arena_fini(&arena);
    ck_assert_str_eq(notes + 1, "rrr");
    evs_arena_fini(&arena);
    ck_assert_int_eq(notes[0], 3);
}
END_TEST

static void use_like_a_batch(struct evs_arena *arena, uint64_t seed)
{
    for (int i = 0; i < 30; i++) {
        uint64_t r = unit_random(&seed);
        uint8_t *column = EVS_ARENA_COLUMN(arena, r % 16384);
        column[r % 16384 + 63] = 1; /* the bytes behind a column may be touched */
    }
    (void)evs_arena_alloc(arena, 100000 + seed % 100000, 1);
}

START_TEST(a_reset_arena_needs_no_new_memory)
{
    struct evs_arena arena = {0};
    use_like_a_batch(&arena, 5);
    evs_arena_reset(&arena);
    uint64_t before = evs_alloc_count();
    for (int i = 0; i < 100; i++) {
        use_like_a_batch(&arena, 5);
        evs_arena_reset(&arena);
    }
    ck_assert_uint_eq(evs_alloc_count() - before, 0);
    evs_arena_fini(&arena);
}
END_TEST

/* Large pieces in another order than before find the chunks that fit them. */
START_TEST(kept_chunks_are_found_whatever_the_order)
{
    struct evs_arena arena = {0};
    for (size_t kib = 100; kib <= 500; kib += 100) {
        (void)evs_arena_alloc(&arena, kib << 10, 8);
    }
    evs_arena_reset(&arena);
    uint64_t before = evs_alloc_count();
    for (size_t kib = 500; kib >= 100; kib -= 100) {
        (void)evs_arena_alloc(&arena, kib << 10, 8);
    }
    ck_assert_uint_eq(evs_alloc_count() - before, 0);
    evs_arena_fini(&arena);
}
END_TEST

/* A kept chunk is taken when it is just large enough, and not when one byte is missing. */
START_TEST(a_kept_chunk_must_fit)
{
    struct evs_arena arena = {0};
    (void)evs_arena_alloc(&arena, 100000, 1);
    evs_arena_reset(&arena);
    uint64_t before = evs_alloc_count();
    (void)evs_arena_alloc(&arena, 100000, 1);
    ck_assert_uint_eq(evs_alloc_count() - before, 0);
    evs_arena_reset(&arena);
    memset(evs_arena_alloc(&arena, 100001, 1), 'x', 100001);
    ck_assert_uint_eq(evs_alloc_count() - before, 1);
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(an_arena_is_usable_again_after_fini)
{
    struct evs_arena arena = {0};
    evs_arena_fini(&arena); /* an empty one */
    evs_arena_reset(&arena);
    (void)evs_arena_alloc(&arena, 10, 1);
    evs_arena_fini(&arena);
    ck_assert_ptr_null(arena.first);
    ck_assert_ptr_nonnull(evs_arena_alloc(&arena, 0, 1));
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(typed_and_textual_pieces)
{
    struct evs_arena arena = {0};
    (void)evs_arena_alloc(&arena, 1, 1);
    double *one = EVS_ARENA_NEW(&arena, double);
    ck_assert(is_aligned(one, _Alignof(double)) && *one == 0);
    uint64_t *many = EVS_ARENA_ARRAY(&arena, uint64_t, 1000);
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(many[i], 0);
    }
    ck_assert(is_aligned(EVS_ARENA_COLUMN(&arena, 1), 64));
    ck_assert_mem_eq(evs_arena_copy(&arena, "a\0b", 3), "a\0b", 3);
    ck_assert_ptr_nonnull(evs_arena_copy(&arena, NULL, 0));
    ck_assert_str_eq(evs_arena_strndup(&arena, "campaign", 4), "camp");
    ck_assert_str_eq(evs_arena_strndup(&arena, NULL, 0), "");
    ck_assert_str_eq(evs_arena_printf(&arena, "%s-%d", "x", 12), "x-12");
    char *wide = evs_arena_printf(&arena, "%100000d", 7);
    ck_assert_uint_eq(strlen(wide), 100000);
    evs_arena_fini(&arena);
}
END_TEST

START_TEST(an_arena_refuses_odd_alignments)
{
    struct evs_arena arena = {0};
    (void)evs_arena_alloc(&arena, 1, 3);
}
END_TEST

#if UNDER_ASAN
START_TEST(what_an_arena_has_not_handed_out_is_poisoned)
{
    struct evs_arena arena = {0};
    char *piece = evs_arena_alloc(&arena, 13, 1);
    ck_assert(!__asan_address_is_poisoned(piece + 12));
    ck_assert(__asan_address_is_poisoned(piece + 13));
    char *after = evs_arena_alloc(&arena, 13, 1);
    ck_assert(!__asan_address_is_poisoned(after) && __asan_address_is_poisoned(piece + 13));
    evs_arena_reset(&arena);
    ck_assert(__asan_address_is_poisoned(piece) && __asan_address_is_poisoned(after));
    evs_arena_fini(&arena);
}
END_TEST
#endif

/* --- the buffer ------------------------------------------------------------------------------------------------------ */

START_TEST(a_buffer_grows_and_keeps_its_bytes)
{
    struct evs_buffer buffer = {0};
    for (int i = 0; i < 10000; i++) {
        uint8_t byte = (uint8_t)i;
        evs_buffer_put(&buffer, &byte, 1);
    }
    ck_assert_uint_eq(buffer.count, 10000);
    for (int i = 0; i < 10000; i++) {
        UNIT_CHECK((uint8_t)buffer.data[i] == (uint8_t)i, "byte %d", i);
    }
    evs_buffer_put(&buffer, NULL, 0);
    ck_assert_uint_eq(buffer.count, 10000);
    evs_buffer_fini(&buffer);
    ck_assert_ptr_null(buffer.data);
    evs_buffer_fini(&buffer);
}
END_TEST

START_TEST(reserved_room_is_there)
{
    struct evs_buffer buffer = {0};
    evs_buffer_puts(&buffer, "head");
    evs_buffer_reserve(&buffer, 100000);
    uint64_t before = evs_alloc_count();
    memset(buffer.data + buffer.count, 'x', 100000);
    buffer.count += 100000;
    ck_assert_uint_eq(evs_alloc_count(), before);
    ck_assert_mem_eq(buffer.data, "headx", 5);
    evs_buffer_fini(&buffer);
}
END_TEST

/* Every length around the first guess of the room that a printed text needs. */
START_TEST(printing_into_a_buffer_needs_no_guess)
{
    for (int width = 1; width < 600; width++) {
        struct evs_buffer buffer = {0};
        evs_buffer_printf(&buffer, "%s:", "a");
        evs_buffer_printf(&buffer, "%*d", width, 7);
        ck_assert_uint_eq(buffer.count, 2 + (size_t)width);
        ck_assert_mem_eq(buffer.data, "a:", 2);
        ck_assert_int_eq(buffer.data[buffer.count - 1], '7');
        evs_buffer_fini(&buffer);
    }
}
END_TEST

static TCase *general_tests(void)
{
    TCase *tests = tcase_create("general");
    tcase_add_test(tests, allocation_counts_and_never_returns_null);
    tcase_add_test(tests, zeroed_memory_is_zero);
    tcase_add_test(tests, aligned_memory_is_aligned_at_any_size);
    tcase_add_exit_test(tests, an_alignment_must_be_a_power_of_two, 70);
    tcase_add_test(tests, realloc_keeps_the_content);
    tcase_add_test(tests, copies_of_text);
    tcase_add_test(tests, grow_keeps_items_and_allocates_rarely);
    tcase_add_test(tests, grow_can_jump_to_what_is_needed);
    if (!SANITIZER_OWNS_MALLOC) { /* which ends the process in its own way */
        tcase_add_test_raise_signal(tests, memory_used_up_aborts, SIGABRT);
    }
    return tests;
}

static TCase *arena_tests(void)
{
    TCase *tests = tcase_create("arena");
    tcase_add_test(tests, pieces_of_an_arena_do_not_overlap);
    tcase_add_test(tests, a_reset_arena_needs_no_new_memory);
    tcase_add_test(tests, kept_chunks_are_found_whatever_the_order);
    tcase_add_test(tests, a_kept_chunk_must_fit);
    tcase_add_test(tests, an_arena_is_usable_again_after_fini);
    tcase_add_test(tests, what_was_deferred_is_called_once_at_the_reset_or_the_end);
    tcase_add_test(tests, typed_and_textual_pieces);
    tcase_add_exit_test(tests, an_arena_refuses_odd_alignments, 70);
#if UNDER_ASAN
    tcase_add_test(tests, what_an_arena_has_not_handed_out_is_poisoned);
#endif
    return tests;
}

static TCase *buffer_tests(void)
{
    TCase *tests = tcase_create("buffer");
    tcase_add_test(tests, a_buffer_grows_and_keeps_its_bytes);
    tcase_add_test(tests, reserved_room_is_there);
    tcase_add_test(tests, printing_into_a_buffer_needs_no_guess);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("memory");
    suite_add_tcase(suite, general_tests());
    suite_add_tcase(suite, arena_tests());
    suite_add_tcase(suite, buffer_tests());
    return unit_run(suite);
}
