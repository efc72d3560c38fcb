/* The index of names, held against a plain list of them. */
#include <stdio.h>
#include <string.h>

#include "name_index.h"
#include "unit.h"

START_TEST(an_empty_index_finds_nothing)
{
    struct evs_name_index index = {0};
    ck_assert_uint_eq(evs_name_index_find(&index, EVS_SLICE("clicks")), EVS_NO_NAME);
    ck_assert_uint_eq(evs_name_index_find(&index, EVS_SLICE("")), EVS_NO_NAME);
    evs_name_index_fini(&index);
}
END_TEST

START_TEST(case_counts_only_where_it_was_asked_for)
{
    struct evs_name_index plain = {0}, exact = {.is_exact = true};
    evs_name_index_set(&plain, "Clicks", 1);
    evs_name_index_set(&exact, "Clicks", 1);
    evs_name_index_set(&exact, "clicks", 2);
    ck_assert_uint_eq(evs_name_index_find(&plain, EVS_SLICE("cLICKS")), 1);
    ck_assert_uint_eq(evs_name_index_find(&plain, EVS_SLICE("click")), EVS_NO_NAME);
    ck_assert_uint_eq(evs_name_index_find(&exact, EVS_SLICE("Clicks")), 1);
    ck_assert_uint_eq(evs_name_index_find(&exact, EVS_SLICE("clicks")), 2);
    ck_assert_uint_eq(evs_name_index_find(&exact, EVS_SLICE("CLICKS")), EVS_NO_NAME);
    evs_name_index_set(&plain, "CLICKS", 7); /* the same name: its number changes */
    ck_assert_uint_eq(plain.count, 1);
    ck_assert_uint_eq(evs_name_index_find(&plain, EVS_SLICE("clicks")), 7);
    evs_name_index_fini(&plain);
    evs_name_index_fini(&exact);
}
END_TEST

#define MANY 5000

START_TEST(many_names_are_all_found)
{
    struct evs_name_index index = {0};
    static char names[MANY][16];
    for (uint32_t i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof names[i], "name_%u", i * 7);
        evs_name_index_set(&index, names[i], i);
        ck_assert_uint_le(index.count * 2, index.size);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        ck_assert_uint_eq(evs_name_index_find(&index, evs_slice_of(names[i])), i);
        char other[16];
        snprintf(other, sizeof other, "name_%u", i * 7 + 3);
        ck_assert_uint_eq(evs_name_index_find(&index, evs_slice_of(other)), EVS_NO_NAME);
    }
    evs_name_index_fini(&index);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("name_index");
    TCase *tests = tcase_create("name_index");
    tcase_add_test(tests, an_empty_index_finds_nothing);
    tcase_add_test(tests, case_counts_only_where_it_was_asked_for);
    tcase_add_test(tests, many_names_are_all_found);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
