/* Status codes and error texts.
 *
 * Three kinds of failure, never mixed:
 *   - a programmer's error asserts (EVS_ASSERT), and the process ends with exit code 70;
 *   - an operating error (a server is down, a disk is full) is an evs_status, handled by the retry policy at the edge;
 *   - a data error (bad JSON, late, overflow) is no status at all: the row goes to the dead letter and is counted.
 *
 * A function that can fail returns evs_status and is marked EVS_MUST_CHECK. Cold paths also fill an optional
 * `struct evs_error *`, which may be NULL; its text is a whole sentence for the user, without a trailing newline. */
#ifndef EVS_STATUS_H
#define EVS_STATUS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVS_MUST_CHECK __attribute__((warn_unused_result))
#define EVS_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))
#define EVS_LIKELY(x) __builtin_expect(!!(x), 1)
#define EVS_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define EVS_COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum evs_status_code {
    EVS_OK = 0,
    EVS_MORE,          /* call again with the same input: output credit is used up */
    EVS_AGAIN,         /* nothing to do now, or no room now; try later */
    EVS_END,           /* a bounded input has ended */
    EVS_E_PIPELINE,    /* the pipeline is wrong (exit 1) */
    EVS_E_USAGE,       /* wrong usage (exit 2) */
    EVS_E_UNREACHABLE, /* a server cannot be reached, or its connection broke (exit 3 after the retry policy) */
    EVS_E_REFUSED,     /* a server refuses: permission, configuration, full (exit 3) */
    EVS_E_STATE,       /* state cannot be restored (exit 4) */
    EVS_E_FINISHED, /* the stored state is of a run that has come to its end: there is nothing to go on with (exit 4) */
    EVS_E_FENCED,   /* another engine owns the group now (exit 6) */
    EVS_E_GAP,      /* the state log is not where we left it: drop memory, restore, replay */
    EVS_E_DATA,     /* `on error fail` met a bad event (exit 7) */
    EVS_E_IO,       /* a local file or device failed (exit 3) */
    EVS_E_CORRUPT,  /* stored bytes do not decode */
    EVS_E_LIMIT,    /* a configured limit is reached */
    EVS_E_CANCELLED, /* asked to stop */
    EVS_E_INTERNAL,  /* a defect of ours (exit 70) */
};
typedef enum evs_status_code evs_status;

#define EVS_ERROR_TEXT_MAX 1024

struct evs_error {
    evs_status code;
    char text[EVS_ERROR_TEXT_MAX];
};

/* Fills `error` (may be NULL) and returns `code`, so that a caller can `return evs_fail(…)`. */
evs_status evs_fail(struct evs_error *error, evs_status code, const char *format, ...) EVS_PRINTF(3, 4);

/* A short stable name, as used in logs: "ok", "unreachable", "fenced", … */
const char *evs_status_name(evs_status status);

/* The process exit code that a status means at the top of a command (docs: cli, exit codes). */
int evs_status_exit_code(evs_status status);

/* An invariant. Stays on in release builds: a wrong count is worse than a stopped engine. */
#define EVS_ASSERT(condition)                                                                                          \
    (EVS_LIKELY(condition) ? (void)0 : evs_assert_failed(#condition, __FILE__, __LINE__, __func__))
_Noreturn void evs_assert_failed(const char *condition, const char *file, int line, const char *function);

#endif
