/* Byte strings: slices, 16-byte views, hashes, UTF-8. */
#include <xxhash.h>

#include "base/crc32c.h"
#include "evstream/text.h"
#include "unit.h"

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

/* --- slices and views ------------------------------------------------------------------------------------------------ */

START_TEST(slices_compare_by_bytes)
{
    ck_assert(evs_slice_equal(EVS_SLICE("abc"), evs_slice_of("abc")));
    ck_assert(!evs_slice_equal(EVS_SLICE("abc"), EVS_SLICE("abC")));
    ck_assert(!evs_slice_equal(EVS_SLICE("abc"), EVS_SLICE("ab")));
    ck_assert(evs_slice_equal((struct evs_slice){NULL, 0}, EVS_SLICE("")));
}
END_TEST

START_TEST(keywords_compare_without_case)
{
    ck_assert(evs_slice_equal_nocase(EVS_SLICE("Int64"), "INT64"));
    ck_assert(evs_slice_equal_nocase(EVS_SLICE("za"), "ZA"));
    ck_assert(!evs_slice_equal_nocase(EVS_SLICE("int64"), "int6"));
    ck_assert(!evs_slice_equal_nocase(EVS_SLICE("int6"), "int64"));
    ck_assert(!evs_slice_equal_nocase(EVS_SLICE("@"), "`")); /* 32 apart, but no letters */
    ck_assert(!evs_slice_equal_nocase(EVS_SLICE("["), "{"));
    ck_assert(!evs_slice_equal_nocase(EVS_SLICE("a\0b"), "a"));
    ck_assert(evs_slice_equal_nocase((struct evs_slice){NULL, 0}, ""));
}
END_TEST

/* Views of random short-alphabet texts around the inline limit, held against memcmp. */
START_TEST(views_equal_and_order_like_their_bytes)
{
    enum { TEXTS = 300 };
    static char storage[TEXTS][20];
    struct evs_str views[TEXTS];
    uint64_t seed = 7;
    for (int i = 0; i < TEXTS; i++) {
        uint32_t count = (uint32_t)(unit_random(&seed) % 17);
        for (uint32_t at = 0; at < count; at++) {
            uint64_t r = unit_random(&seed);
            storage[i][at] = r % 4 != 0 ? 'a' : (char)(r >> 8); /* long common beginnings, and bytes above 127 */
        }
        views[i] = evs_str_make(storage[i], count);
        ck_assert_mem_eq(evs_str_data(&views[i]), storage[i], count);
        ck_assert_uint_eq(evs_str_slice(&views[i]).count, count);
    }
    for (int a = 0; a < TEXTS; a++) {
        for (int b = 0; b < TEXTS; b++) {
            uint32_t na = views[a].count, nb = views[b].count;
            int order = memcmp(storage[a], storage[b], na < nb ? na : nb);
            int expected = order != 0 ? sign(order) : (na > nb) - (na < nb);
            UNIT_CHECK(evs_str_compare(&views[a], &views[b]) == expected, "order of %d and %d", a, b);
            UNIT_CHECK(evs_str_equal(&views[a], &views[b]) == (expected == 0), "equality of %d and %d", a, b);
        }
    }
}
END_TEST

START_TEST(long_views_equal_by_content_not_by_address)
{
    char one[] = "a text that is longer than twelve", two[] = "a text that is longer than twelve";
    struct evs_str a = evs_str_make(one, sizeof one - 1), b = evs_str_make(two, sizeof two - 1);
    ck_assert(evs_str_equal(&a, &b));
    two[sizeof two - 2] = 'E';
    ck_assert(!evs_str_equal(&a, &b));
    ck_assert_int_eq(evs_str_compare(&a, &b), 1);
}
END_TEST

START_TEST(unused_inline_bytes_are_zero)
{
    char dirty[16];
    memset(dirty, 'z', sizeof dirty);
    for (uint32_t count = 0; count <= EVS_STR_INLINE_MAX; count++) {
        struct evs_str view = evs_str_make(dirty, count);
        for (uint32_t at = count; at < EVS_STR_INLINE_MAX; at++) {
            ck_assert_int_eq(view.text[at], 0);
        }
    }
}
END_TEST

/* --- hashes ---------------------------------------------------------------------------------------------------------- */

/* The state format depends on these: a change of them is a change of the format. */
START_TEST(hashes_are_pinned)
{
    static const uint64_t seed = UINT64_C(0x657673747265616D);
    char text[5000]; /* also what is long, which another kernel hashes */
    for (size_t i = 0; i < sizeof text; i++) {
        text[i] = (char)(i * 7);
    }
    for (size_t count = 0; count <= sizeof text; count += count < 300 ? 1 : 47) {
        XXH128_hash_t wide = XXH3_128bits_withSeed(text, count, seed);
        ck_assert_uint_eq(evs_hash64(text, count), XXH3_64bits_withSeed(text, count, seed));
        ck_assert_uint_eq(evs_hash128(text, count).low, wide.low64);
        ck_assert_uint_eq(evs_hash128(text, count).high, wide.high64);
    }
    ck_assert_uint_eq(evs_hash64("", 0), UINT64_C(0x229D06917B71D0BD));
    ck_assert_uint_eq(evs_hash64("ann", 3), UINT64_C(0x028F5333F29F2D8A));
    ck_assert_uint_eq(evs_hash128("ann", 3).low, UINT64_C(0x028F5333F29F2D8A));
    ck_assert_uint_eq(evs_hash128("ann", 3).high, UINT64_C(0x7E7EF5CF873CEAC4));
}
END_TEST

/* Vectors of the FNV authors (draft-eastlake-fnv, appendix C). */
START_TEST(fnv1a32_is_the_published_function)
{
    ck_assert_uint_eq(evs_fnv1a32("", 0), 0x811c9dc5u);
    ck_assert_uint_eq(evs_fnv1a32("a", 1), 0xe40c292cu);
    ck_assert_uint_eq(evs_fnv1a32("foobar", 6), 0xbf9cf968u);
}
END_TEST

/* Vectors of RFC 3720, B.4, and the check value of the CRC catalogue. */
START_TEST(crc32c_is_the_published_function)
{
    uint8_t zeros[32] = {0}, ones[32], rising[32];
    memset(ones, 0xFF, sizeof ones);
    for (uint8_t i = 0; i < 32; i++) {
        rising[i] = i;
    }
    ck_assert_uint_eq(evs_crc32c(0, "123456789", 9), 0xE3069283u);
    ck_assert_uint_eq(evs_crc32c(0, zeros, 32), 0x8A9136AAu);
    ck_assert_uint_eq(evs_crc32c(0, ones, 32), 0x62A8AB43u);
    ck_assert_uint_eq(evs_crc32c(0, rising, 32), 0x46DD794Eu);
    ck_assert_uint_eq(evs_crc32c(0, NULL, 0), 0);
    ck_assert_uint_eq(evs_crc32c(evs_crc32c(0, "1234", 4), "56789", 5), 0xE3069283u);
}
END_TEST

static uint32_t crc32c_bit_by_bit(const uint8_t *bytes, size_t count)
{
    uint32_t state = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        state ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            state = (state >> 1) ^ (state & 1 ? 0x82F63B78u : 0);
        }
    }
    return ~state;
}

/* The table and the instruction against the definition, at all alignments and cut anywhere. */
START_TEST(crc32c_is_the_same_whichever_way)
{
    uint8_t bytes[300];
    uint64_t seed = 3;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)unit_random(&seed);
    }
    for (size_t start = 0; start < 16; start++) {
        for (size_t count = 0; start + count <= sizeof bytes; count++) {
            const uint8_t *at = bytes + start;
            uint32_t expected = crc32c_bit_by_bit(at, count);
            size_t cut = count / 3;
            UNIT_CHECK(evs_crc32c_table(0, at, count) == expected, "%zu bytes at %zu", count, start);
            UNIT_CHECK(evs_crc32c_table(evs_crc32c_table(0, at, cut), at + cut, count - cut) == expected,
                       "%zu bytes at %zu", count, start);
            if (evs_crc32c_has_instruction()) {
                UNIT_CHECK(evs_crc32c_instruction(0, at, count) == expected, "%zu bytes at %zu", count, start);
                uint32_t part = evs_crc32c_instruction(0, at, cut);
                UNIT_CHECK(evs_crc32c_instruction(part, at + cut, count - cut) == expected, "%zu bytes at %zu", count,
                           start);
            }
        }
    }
}
END_TEST

/* --- UTF-8 ----------------------------------------------------------------------------------------------------------- */

/* The reference decodes to a code point and asks whether that, encoded again, is what was read. */
static uint32_t encode(uint32_t point, uint8_t out[4])
{
    if (point < 0x80) {
        out[0] = (uint8_t)point;
        return 1;
    }
    uint32_t count = point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    for (uint32_t i = count - 1; i > 0; i--, point >>= 6) {
        out[i] = (uint8_t)(0x80 | (point & 0x3F));
    }
    static const uint8_t marks[] = {0, 0, 0xC0, 0xE0, 0xF0};
    out[0] = (uint8_t)(marks[count] | point);
    return count;
}

static uint32_t naive_sequence(const uint8_t *bytes, size_t count)
{
    for (uint32_t length = 1; length <= 4 && length <= count; length++) {
        static const uint8_t payload[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
        uint32_t point = bytes[0] & payload[length];
        for (uint32_t i = 1; i < length; i++) {
            point = point << 6 | (bytes[i] & 0x3F);
        }
        uint8_t again[4];
        bool is_character = point <= 0x10FFFF && !(point >= 0xD800 && point <= 0xDFFF);
        if (is_character && encode(point, again) == length && memcmp(again, bytes, length) == 0) {
            return length;
        }
    }
    return 0;
}

static bool naive_valid(const uint8_t *bytes, size_t count)
{
    while (count > 0) {
        uint32_t length = naive_sequence(bytes, count);
        if (length == 0) {
            return false;
        }
        bytes += length;
        count -= length;
    }
    return true;
}

START_TEST(every_code_point_is_valid_and_surrogates_are_not)
{
    for (uint32_t point = 0; point <= 0x110FFF; point++) {
        uint8_t bytes[4];
        uint32_t count = encode(point, bytes);
        bool expected = point <= 0x10FFFF && !(point >= 0xD800 && point <= 0xDFFF);
        UNIT_CHECK(evs_utf8_valid((const char *)bytes, count) == expected, "U+%04X", point);
    }
}
END_TEST

/* All sequences of two bytes, and of four out of the bytes at which the rules change. */
START_TEST(short_sequences_match_the_reference)
{
    static const uint8_t edges[] = {0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0,
                                    0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFE, 0xFF};
    uint8_t bytes[4];
    for (uint32_t pair = 0; pair < 65536; pair++) {
        bytes[0] = (uint8_t)(pair >> 8);
        bytes[1] = (uint8_t)pair;
        UNIT_CHECK(evs_utf8_valid((const char *)bytes, 2) == naive_valid(bytes, 2), "%04X", pair);
    }
    uint32_t n = EVS_COUNT(edges);
    for (uint32_t i = 0; i < n * n * n * n; i++) {
        bytes[0] = edges[i % n];
        bytes[1] = edges[i / n % n];
        bytes[2] = edges[i / n / n % n];
        bytes[3] = edges[i / n / n / n];
        for (size_t count = 3; count <= 4; count++) {
            UNIT_CHECK(evs_utf8_valid((const char *)bytes, count) == naive_valid(bytes, count), "%02X %02X %02X %02X",
                       bytes[0], bytes[1], bytes[2], bytes[3]);
        }
    }
}
END_TEST

/* A wrong byte, or a cut character, anywhere in a long text: the quick way over ASCII must not jump over it. */
START_TEST(a_fault_is_found_at_any_place)
{
    char text[130];
    for (size_t count = 1; count <= sizeof text; count++) {
        memset(text, 'a', count);
        ck_assert(evs_utf8_valid(text, count));
        for (size_t at = 0; at < count; at++) {
            text[at] = (char)0xFF;
            UNIT_CHECK(!evs_utf8_valid(text, count), "byte %zu of %zu", at, count);
            text[at] = (char)0xC3; /* wants one more, and gets an `a` or the end */
            UNIT_CHECK(!evs_utf8_valid(text, count), "byte %zu of %zu", at, count);
            if (at + 1 < count) {
                text[at + 1] = (char)0xA4;
                UNIT_CHECK(evs_utf8_valid(text, count), "byte %zu of %zu", at, count);
                text[at + 1] = 'a';
            }
            text[at] = 'a';
        }
    }
    ck_assert(evs_utf8_valid(NULL, 0));
}
END_TEST

static TCase *view_tests(void)
{
    TCase *tests = tcase_create("views");
    tcase_add_test(tests, slices_compare_by_bytes);
    tcase_add_test(tests, keywords_compare_without_case);
    tcase_add_test(tests, views_equal_and_order_like_their_bytes);
    tcase_add_test(tests, long_views_equal_by_content_not_by_address);
    tcase_add_test(tests, unused_inline_bytes_are_zero);
    return tests;
}

static TCase *hash_tests(void)
{
    TCase *tests = tcase_create("hashes");
    tcase_add_test(tests, hashes_are_pinned);
    tcase_add_test(tests, fnv1a32_is_the_published_function);
    tcase_add_test(tests, crc32c_is_the_published_function);
    tcase_add_test(tests, crc32c_is_the_same_whichever_way);
    return tests;
}

static TCase *utf8_tests(void)
{
    TCase *tests = tcase_create("utf8");
    tcase_add_test(tests, every_code_point_is_valid_and_surrogates_are_not);
    tcase_add_test(tests, short_sequences_match_the_reference);
    tcase_add_test(tests, a_fault_is_found_at_any_place);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("text");
    suite_add_tcase(suite, view_tests());
    suite_add_tcase(suite, hash_tests());
    suite_add_tcase(suite, utf8_tests());
    return unit_run(suite);
}
