/* evstream dlq: dead letters of a pipeline, listed, shown, and sent back to where they came from. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "evstream/json_value.h"
#include "evstream/memory.h"
#include "evstream/option.h"
#include "evstream/type.h"
#include "letters.h"

#define NATS_URL_DEFAULT "nats://127.0.0.1:4222"
#define REDIS_URL_DEFAULT "redis://127.0.0.1:6379"
#define NEWEST_DEFAULT 10000
#define NEWEST_MAX 1000000
#define SHOWN_DEFAULT 10
#define TEXT_BYTES_MAX ((size_t)1 << 20)

enum {
    ARG_REASON = 1,
    ARG_OF,
    ARG_ID,
    ARG_ALL,
    ARG_AGAIN,
    ARG_WITH,
    ARG_NEWEST,
    ARG_LIMIT,
    ARG_JSON,
    ARG_NATS,
    ARG_NATS_CREDS,
    ARG_REDIS
};
static const struct evs_arg options[] = {
    {ARG_REASON, "--reason", "REASON", "only letters with this reason", NULL},
    {ARG_OF, "--of", "SOURCE", "only letters of this source", NULL},
    {ARG_ID, "--id", "ID", "only this letter", NULL},
    {ARG_ALL, "--all", NULL, "resend: all letters", NULL},
    {ARG_AGAIN, "--again", NULL, "resend: also those that were sent back before", NULL},
    {ARG_WITH, "--with", "FILE", "resend: this text instead of the original one (with --id; -: standard input)", NULL},
    {ARG_LIMIT, "--limit", "N", "show: how many letters, the newest first (10)", NULL},
    {ARG_NEWEST, "--newest", "N", "how many letters are looked at, the newest first (10000)", NULL},
    {ARG_JSON, "--json", NULL, "one JSON object a line", NULL},
    EVS_COMPILE_ARGS,
    {ARG_NATS, "--nats", "URL[,URL]", "NATS servers (EVSTREAM_NATS_URL; " NATS_URL_DEFAULT ")", NULL},
    {ARG_NATS_CREDS, "--nats-creds", "FILE", "credentials file for NATS", NULL},
    {ARG_REDIS, "--redis", "URL", "Redis server (EVSTREAM_REDIS_URL; " REDIS_URL_DEFAULT ")", NULL},
    {0},
};

struct request {
    struct evs_compile_args compile;
    const char *what, *with;
    const char *nats_url, *nats_credentials, *redis_url;
    struct evs_letters_query query;
    int64_t newest, limit;
    bool all, again, as_json;
    struct evs_buffer text; /* of --with */
};

static const char *first_of(const char *option, const char *environment, const char *fallback)
{
    const char *set = option != NULL ? option : getenv(environment);
    return set != NULL && set[0] != '\0' ? set : fallback;
}

static const char *time_text(char out[EVS_FORMAT_MAX + 1], int64_t us)
{
    if (us == EVS_TIME_MIN) {
        return "-";
    }
    out[evs_format_timestamp(out, us / 1000000 * 1000000)] = '\0';
    return out;
}

/* --- ls -------------------------------------------------------------------------------------------------------------------- */

struct group {
    const char *source, *reason, *code;
    uint64_t count, may_go;
    int64_t newest_us;
};

static struct group *group_of(struct group *groups, uint32_t *count, const struct evs_letter *letter)
{
    const char *source = letter->source == NULL ? "" : letter->source;
    for (uint32_t i = 0; i < *count; i++) {
        if (strcmp(groups[i].source, source) == 0 && strcmp(groups[i].reason, letter->reason) == 0) {
            return &groups[i];
        }
    }
    groups[*count] =
        (struct group){.source = source, .reason = letter->reason, .code = letter->code, .newest_us = EVS_TIME_MIN};
    return &groups[(*count)++];
}

static int more_first(const void *left, const void *right)
{
    const struct group *a = left, *b = right;
    return a->count > b->count ? -1 : a->count < b->count ? 1 : strcmp(a->reason, b->reason);
}

static void print_group(const struct group *group, bool as_json)
{
    char time[EVS_FORMAT_MAX + 1];
    if (!as_json) {
        printf("%9" PRIu64 "  %-16s %-24s %9" PRIu64 "  %s\n", group->count, group->source, group->reason,
               group->may_go, time_text(time, group->newest_us));
        return;
    }
    struct evs_buffer line = {0};
    evs_buffer_printf(&line, "{\"count\":%" PRIu64 ",\"source\":", group->count);
    evs_json_put_text(&line, evs_slice_of(group->source));
    evs_buffer_puts(&line, ",\"reason\":");
    evs_json_put_text(&line, evs_slice_of(group->reason));
    evs_buffer_printf(&line, ",\"can_be_resent\":%" PRIu64, group->may_go);
    if (group->newest_us != EVS_TIME_MIN) {
        evs_buffer_printf(&line, ",\"newest_us\":%" PRId64, group->newest_us);
    }
    printf("%.*s}\n", (int)line.count, line.data);
    evs_buffer_fini(&line);
}

static void tell_incomplete(const struct evs_letter_list *list)
{
    if (!list->is_complete) {
        fprintf(stderr, "evstream dlq: there are older letters, which were not looked at; --newest looks at more.\n");
    }
}

static evs_status list_letters(const struct request *request, const struct evs_letter_list *list)
{
    struct group *groups = evs_alloc_zero((list->count + 1u) * sizeof *groups);
    uint32_t count = 0;
    for (uint32_t i = 0; i < list->count; i++) {
        const struct evs_letter *letter = &list->letters[i];
        struct group *group = group_of(groups, &count, letter);
        group->count++;
        group->may_go += letter->kept == NULL;
        group->newest_us = letter->time_us > group->newest_us ? letter->time_us : group->newest_us;
    }
    qsort(groups, count, sizeof *groups, more_first);
    if (!request->as_json && count > 0) {
        printf("%9s  %-16s %-24s %9s  %s\n", "letters", "source", "reason", "resendable", "newest");
    }
    for (uint32_t i = 0; i < count; i++) {
        print_group(&groups[i], request->as_json);
    }
    evs_free(groups);
    tell_incomplete(list);
    return EVS_OK;
}

/* --- show ------------------------------------------------------------------------------------------------------------------ */

static void print_bytes(const char *name, struct evs_slice bytes)
{
    if (evs_utf8_valid(bytes.data, bytes.count)) {
        printf("  %-9s %.*s\n", name, (int)bytes.count, bytes.data);
    } else {
        printf("  %-9s %zu bytes that are no text; --json has them in base64\n", name, bytes.count);
    }
}

static void print_letter(const struct evs_letter *letter)
{
    char time[EVS_FORMAT_MAX + 1];
    printf("%s  %s%s%s%s\n", letter->id, letter->reason, letter->code == NULL ? "" : " (",
           letter->code == NULL ? "" : letter->code, letter->code == NULL ? "" : ")");
    printf("  %-9s %s", "from", letter->source == NULL ? "?" : letter->source);
    if (letter->subject != NULL) {
        printf(", subject %s", letter->subject);
    }
    if (letter->sequence != 0) {
        printf(", message %" PRId64, letter->sequence);
    }
    printf("\n  %-9s %s\n", "stored", time_text(time, letter->time_us));
    if (letter->expression != NULL) {
        printf("  %-9s %s\n", "because", letter->expression);
    }
    if (letter->file != NULL) {
        printf("  %-9s %s:%" PRId64 "\n", "at", letter->file, letter->line);
    }
    if (letter->row.count > 0) {
        print_bytes("row", letter->row);
    }
    if (letter->has_raw) {
        print_bytes("original", letter->raw);
    }
    if (letter->kept != NULL) {
        printf("  %-9s no: %s\n", "resend", letter->kept);
    } else if (letter->resent > 0 || letter->is_unsure) {
        printf("  %-9s %s %s\n", "resent", time_text(time, letter->resent_us),
               letter->is_unsure    ? "begun, and its end is not known"
               : letter->resent > 1 ? "several times"
                                    : "once");
    }
}

static evs_status show_letters(const struct request *request, const struct evs_letter_list *list)
{
    for (uint32_t i = 0; i < list->count && i < (uint64_t)request->limit; i++) {
        if (request->as_json) {
            struct evs_buffer line = {0};
            evs_letter_put_json(&line, &list->letters[i]);
            printf("%.*s\n", (int)line.count, line.data);
            evs_buffer_fini(&line);
        } else {
            fputs(i == 0 ? "" : "\n", stdout);
            print_letter(&list->letters[i]);
        }
    }
    if (list->count > (uint64_t)request->limit) {
        fprintf(stderr, "evstream dlq: %u more letters; --limit shows them.\n", list->count - (uint32_t)request->limit);
    } else {
        tell_incomplete(list);
    }
    return EVS_OK;
}

/* --- resend ------------------------------------------------------------------------------------------------------------------ */

static evs_status read_text(struct request *request, struct evs_error *error)
{
    FILE *file = strcmp(request->with, "-") == 0 ? stdin : fopen(request->with, "rb");
    if (file == NULL) {
        return evs_fail(error, EVS_E_USAGE, "%s cannot be read.", request->with);
    }
    size_t count;
    do {
        evs_buffer_reserve(&request->text, 65536);
        count = fread(request->text.data + request->text.count, 1, 65536, file);
        request->text.count += count;
    } while (count > 0 && request->text.count <= TEXT_BYTES_MAX);
    if (file != stdin) {
        fclose(file);
    }
    while (request->text.count > 0 && request->text.data[request->text.count - 1] == '\n') {
        request->text.count--; /* one record: the end of its line is not part of it */
    }
    return request->text.count > 0 && request->text.count <= TEXT_BYTES_MAX
               ? EVS_OK
               : evs_fail(error, EVS_E_USAGE, "%s is empty, or longer than a megabyte.", request->with);
}

/* Oldest first, as they came. What may not go, or was sent before, is passed over and counted; asked for by its id it is an error. */
static evs_status resend_letters(const struct request *request, struct evs_letters *letters,
                                 const struct evs_letter_list *list, struct evs_error *error)
{
    struct evs_letters_resend how = {.again = request->again};
    struct evs_letters_resent resent;
    uint64_t sent = 0, kept = 0;
    if (request->with != NULL) {
        how.text = (struct evs_slice){request->text.data, request->text.count};
    }
    for (uint32_t i = list->count; i-- > 0;) {
        evs_status status = evs_letters_resend(letters, &list->letters[i], &how, &resent, error);
        if (status == EVS_E_USAGE && request->query.id == NULL) {
            kept++;
            continue;
        }
        if (status != EVS_OK) {
            return status;
        }
        sent++;
        printf("%s  sent back as message %" PRIu64 " of %s%s\n", list->letters[i].id, resent.sequence,
               list->letters[i].subject, resent.was_there ? ", which it had been already" : "");
    }
    printf("%" PRIu64 " sent back, %" PRIu64 " passed over%s\n", sent, kept,
           kept > 0 ? " (sent before, or not to be sent back; `dlq show` says why)" : "");
    tell_incomplete(list);
    return EVS_OK;
}

/* --- the command ------------------------------------------------------------------------------------------------------------ */

static evs_status carry_out(struct request *request, struct evs_letters *letters, struct evs_error *error)
{
    struct evs_arena arena = {0};
    struct evs_letter_list list;
    evs_status status = request->with == NULL ? EVS_OK : read_text(request, error);
    request->query.newest = (uint32_t)request->newest;
    request->query.marks = strcmp(request->what, "show") == 0;
    if (status == EVS_OK) {
        status = evs_letters_list(letters, &request->query, &arena, &list, error);
    }
    if (status == EVS_OK && list.count == 0 && request->query.id != NULL) {
        status = evs_fail(error, EVS_E_USAGE, "There is no letter %s among the newest %u of each sink.",
                          request->query.id, request->query.newest);
    }
    if (status == EVS_OK) {
        status = strcmp(request->what, "ls") == 0     ? list_letters(request, &list)
                 : strcmp(request->what, "show") == 0 ? show_letters(request, &list)
                                                      : resend_letters(request, letters, &list, error);
    }
    fflush(stdout);
    evs_arena_fini(&arena);
    return status;
}

static int answer(struct request *request)
{
    const struct evs_plan *plan = NULL;
    struct evs_letters *letters = NULL;
    struct evs_error error = {0};
    request->compile.is_quiet = true;
    int exit_code = evs_compile_file(&request->compile, request->compile.files[0], &plan);
    if (exit_code != EVS_EXIT_DONE) {
        return exit_code;
    }
    struct evs_log *log = evs_log_new(evs_os_system(), EVS_LOG_WARN, false);
    struct evs_letters_open open = {
        .os = evs_os_system(),
        .log = log,
        .plan = plan,
        .nats_url = first_of(request->nats_url, "EVSTREAM_NATS_URL", NATS_URL_DEFAULT),
        .nats_credentials = request->nats_credentials,
        .redis_url = first_of(request->redis_url, "EVSTREAM_REDIS_URL", REDIS_URL_DEFAULT),
    };
    evs_status status = evs_letters_open(&open, &letters, &error);
    if (status == EVS_OK) {
        status = carry_out(request, letters, &error);
    }
    if (status != EVS_OK) {
        fprintf(stderr, "evstream dlq: %s\n", error.text);
    }
    evs_letters_close(letters);
    evs_log_free(log);
    evs_plan_free(plan);
    return status == EVS_OK ? EVS_EXIT_DONE : evs_status_exit_code(status);
}

static bool is_what(const char *word)
{
    return strcmp(word, "ls") == 0 || strcmp(word, "show") == 0 || strcmp(word, "resend") == 0;
}

/* NULL, or what is wrong. */
static const char *take_option(struct request *request, int id, const char *value)
{
    struct evs_slice text = value == NULL ? (struct evs_slice){0} : evs_slice_of(value);
    switch (id) {
    case ARG_NEWEST:
        return evs_parse_int64(text, &request->newest) && request->newest > 0 && request->newest <= NEWEST_MAX
                   ? NULL
                   : "--newest takes a number from 1 to 1000000.";
    case ARG_LIMIT:
        return evs_parse_int64(text, &request->limit) && request->limit > 0 ? NULL
                                                                            : "--limit takes a number of letters.";
    case ARG_REASON:
        request->query.reason = value;
        return NULL;
    case ARG_OF:
        request->query.source = value;
        return NULL;
    case ARG_ID:
        request->query.id = value;
        return NULL;
    case ARG_WITH:
        request->with = value;
        return NULL;
    case ARG_NATS:
        request->nats_url = value;
        return NULL;
    case ARG_NATS_CREDS:
        request->nats_credentials = value;
        return NULL;
    case ARG_REDIS:
        request->redis_url = value;
        return NULL;
    default:
        request->all |= id == ARG_ALL;
        request->again |= id == ARG_AGAIN;
        request->as_json |= id == ARG_JSON;
        return NULL;
    }
}

static const char *check(const struct request *request)
{
    bool resends = request->what != NULL && strcmp(request->what, "resend") == 0;
    bool chooses = request->query.reason != NULL || request->query.id != NULL;
    if (request->what == NULL || request->compile.file_count != 1) {
        return "write `dlq ls|show|resend FILE`.";
    }
    if (resends && !chooses && !request->all) {
        return "say which letters go back: --id, --reason or --all.";
    }
    if (!resends && (request->all || request->again || request->with != NULL)) {
        return "--all, --again and --with belong to `dlq resend`.";
    }
    return request->with != NULL && request->query.id == NULL
               ? "--with replaces the text of one letter: name it with --id."
               : NULL;
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_dlq, argc, argv);
    struct request request = {.newest = NEWEST_DEFAULT, .limit = SHOWN_DEFAULT};
    const char *wrong = NULL;
    int id, exit_code = -1;
    while (exit_code < 0 && (id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == EVS_ARG_HELP || id == EVS_ARG_BAD) {
            exit_code = id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        } else if (id == EVS_ARG_OPERAND && request.what == NULL) {
            request.what = is_what(args.value) ? args.value : NULL;
            exit_code =
                request.what == NULL ? evs_args_refuse(&args, "`%s` is none of ls, show and resend.", args.value) : -1;
        } else if (!evs_compile_args_take(&request.compile, id, args.value)) {
            wrong = take_option(&request, id, args.value);
            exit_code = wrong != NULL ? evs_args_refuse(&args, "%s", wrong) : -1;
        }
    }
    wrong = exit_code < 0 ? check(&request) : NULL;
    if (exit_code < 0) {
        exit_code = wrong != NULL ? evs_args_refuse(&args, "%s", wrong) : answer(&request);
    }
    evs_buffer_fini(&request.text);
    evs_compile_args_fini(&request.compile);
    return exit_code;
}

const struct evs_command evs_command_dlq = {
    .name = "dlq",
    .summary = "dead letters of a pipeline: counted, shown, sent back",
    .group = EVS_GROUP_RUN,
    .operands = "*.evs",
    .words = "ls|show|resend",
    .options = options,
    .usage = "evstream dlq ls|show|resend [OPTION]… FILE",
    .description =
        "ls: how many letters there are, by source and reason. show: letters with their reason, where they came from, "
        "and\n"
        "their original text. resend: sends the original text back to the subject that it came from, as a message of "
        "its\n"
        "own; a letter that was sent back once is not sent again unless --again says so. Rows that died behind their\n"
        "source are not sent back, for other branches may have taken them. FILE is the pipeline; it need not run.",
    .run = run_command,
};
