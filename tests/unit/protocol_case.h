/* One request after another through the collector's translation, and looks into what came out. */
#ifndef PROTOCOL_CASE_H
#define PROTOCOL_CASE_H

#include "json_tree.h"
#include "protocol.h"
#include "unit.h"

#define CASE_HEADERS_MAX 16
/* 2026-11-23T04:37:10Z: when every request is received that does not say otherwise. */
#define CASE_RECEIVED_US INT64_C(1795408630000000)

struct protocol_case {
    struct evs_protocol_config config;
    struct evs_protocol *protocol;
    struct evs_arena arena;
    struct evs_json_reader *reader;
    struct evs_request request;
    const char *headers[CASE_HEADERS_MAX][2];
    struct evs_translation out;
};

/* One key, "KEY", of the source "web"; 16 partitions; e-commerce names. Change config and call case_open. */
void case_init(struct protocol_case *one);
void case_open(struct protocol_case *one);
void case_fini(struct protocol_case *one);
/* For the requests that follow; NULL takes it away. `name` in small letters. */
void case_header(struct protocol_case *one, const char *name, const char *value);
/* `target` is a path and, behind "?", a query. */
void case_send_bytes(struct protocol_case *one, const char *method, const char *target, const char *body, size_t bytes);
void case_send(struct protocol_case *one, const char *method, const char *target, const char *body);
/* The value at a dotted path: a scalar's text, a container as written, "" of what is absent. */
const char *case_look(struct protocol_case *one, struct evs_slice json, const char *path);
/* The same of the n-th event, of the answer's body, of the n-th bad row. */
const char *case_event(struct protocol_case *one, uint32_t n, const char *path);
const char *case_answer(struct protocol_case *one, const char *path);
const char *case_bad_row(struct protocol_case *one, uint32_t n, const char *path);

#define CASE_EVENT(one, n, path, expected) ck_assert_str_eq(case_event((one), (n), (path)), (expected))
#define CASE_COUNTS(one, wanted_status, events, bad)                                                                   \
    do {                                                                                                               \
        ck_assert_uint_eq((one)->out.answer.status, (wanted_status));                                                  \
        ck_assert_uint_eq((one)->out.event_count, (events));                                                           \
        ck_assert_uint_eq((one)->out.bad_row_count, (bad));                                                            \
    } while (0)

#endif
