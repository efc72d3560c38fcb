/* evstream schema: `infer` writes a source from examples, `check` holds events against the source of a pipeline. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "decode_json.h"
#include "evstream/plan.h"
#include "file_bytes.h"
#include "schema_sample.h"

#define READ_BYTES (256u << 10)
#define LINE_BYTES_MAX (16u << 20)
#define COMPLAINTS_MAX 20

enum { ARG_NAME = 1 };
static const struct evs_arg options[] = {
    {ARG_NAME, "--name", "NAME", "infer: the name of the source (the file's); check: which source of the pipeline",
     NULL},
    {0},
};

/* --- lines -------------------------------------------------------------------------------------------------------------------- */

/* Takes the lines of a file; EVS_PADDING readable bytes stand behind each. */
typedef void (*line_taker)(void *self, struct evs_slice line, uint64_t number);

static size_t give_lines(struct evs_buffer *text, bool is_end, line_taker take, void *self, uint64_t *number)
{
    size_t at = 0;
    evs_buffer_reserve(text, EVS_PADDING);
    memset(text->data + text->count, 0, EVS_PADDING);
    while (at < text->count) {
        const char *end = memchr(text->data + at, '\n', text->count - at);
        if (end == NULL && !is_end) {
            break;
        }
        size_t count = end != NULL ? (size_t)(end - text->data) - at : text->count - at;
        take(self, (struct evs_slice){text->data + at, count}, ++*number);
        at += count + (end != NULL);
    }
    return at;
}

static evs_status read_lines(struct evs_file_bytes *bytes, const char *file, line_taker take, void *self,
                             struct evs_error *error)
{
    struct evs_buffer text = {0};
    uint64_t number = 0;
    evs_status status = EVS_OK;
    for (bool is_end = false; status == EVS_OK && !is_end;) {
        size_t got = 0;
        evs_buffer_reserve(&text, READ_BYTES);
        status = evs_file_bytes_read(bytes, text.data + text.count, READ_BYTES, &got, error);
        text.count += got;
        is_end = status == EVS_OK && got == 0;
        size_t used = status == EVS_OK ? give_lines(&text, is_end, take, self, &number) : 0;
        memmove(text.data, text.data + used, text.count - used);
        text.count -= used;
        if (text.count > LINE_BYTES_MAX) {
            status = evs_fail(error, EVS_E_IO, "%s: line %" PRIu64 " is longer than 16 MiB.", file, number + 1);
        }
    }
    evs_buffer_fini(&text);
    return status;
}

/* An exit code; what went wrong is told. */
static int each_line(const char *file, line_taker take, void *self)
{
    struct evs_file_bytes *bytes = NULL;
    struct evs_error error = {0};
    evs_status status = evs_file_bytes_open(evs_os_system(), file, &bytes, &error);
    if (status == EVS_OK) {
        status = read_lines(bytes, file, take, self, &error);
    }
    evs_file_bytes_close(bytes);
    if (status != EVS_OK) {
        fprintf(stderr, "evstream schema: %s\n", error.text);
    }
    return evs_status_exit_code(status);
}

/* --- infer -------------------------------------------------------------------------------------------------------------------- */

static void take_sample(void *self, struct evs_slice line, uint64_t number)
{
    evs_sample_add(self, line, number);
}

/* The file's name without its folders and endings. */
static const char *stem_of(struct evs_arena *arena, const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *base = slash != NULL ? slash + 1 : file;
    size_t count = strcspn(base, ".");
    return strcmp(file, "-") == 0 || count == 0 ? "events" : evs_arena_strndup(arena, base, count);
}

static int print_schema(const struct evs_sample *sample, const char *name, const char *file)
{
    if (sample->rows == 0) {
        fprintf(stderr, "evstream schema: %s: there is no event: one JSON object a line is expected.\n", file);
        return EVS_EXIT_PIPELINE;
    }
    struct evs_buffer out = {0};
    evs_schema_infer(sample, name, file, &out);
    bool is_written = fwrite(out.data, 1, out.count, stdout) == out.count && fflush(stdout) == 0;
    evs_buffer_fini(&out);
    return is_written ? EVS_EXIT_DONE : EVS_EXIT_UNREACHABLE;
}

static int infer(struct evs_args *args, const char *const *files, uint32_t count, const char *name)
{
    if (count == 0) {
        return evs_args_refuse(args, "name at least one file of events, or `-`.");
    }
    struct evs_sample sample;
    evs_sample_init(&sample);
    int code = EVS_EXIT_DONE;
    for (uint32_t i = 0; i < count && code == EVS_EXIT_DONE; i++) {
        code = each_line(files[i], take_sample, &sample);
    }
    if (code == EVS_EXIT_DONE) {
        code = print_schema(&sample, name != NULL ? name : stem_of(&sample.arena, files[0]), files[0]);
    }
    evs_sample_fini(&sample);
    return code;
}

/* --- check -------------------------------------------------------------------------------------------------------------------- */

struct checker {
    const char *file;
    const struct evs_plan_source *source;
    struct evs_batch_pool *pool;
    void *decoder;
    uint64_t rows, bad_rows;
};

static struct evs_batch *row_batch(const struct checker *checker)
{
    const struct evs_plan_source *source = checker->source;
    struct evs_batch *batch = evs_batch_new(checker->pool, source->column_count);
    evs_batch_init_rows(batch, EVS_BATCH_ROWS);
    for (uint32_t i = 0; i < source->column_count; i++) {
        evs_column_init(&batch->columns[i], batch, source->columns[i].kind, EVS_BATCH_ROWS, true);
    }
    return batch;
}

static void check_line(void *self, struct evs_slice line, uint64_t number)
{
    struct checker *checker = self;
    struct evs_batch *batch = row_batch(checker);
    uint32_t record_index[EVS_BATCH_ROWS], next_index = 0;
    struct evs_slice raw[EVS_BATCH_ROWS];
    struct evs_decode_bad bad[1];
    struct evs_decode_out out = {
        .batch = batch, .row_max = 1, .record_index = record_index, .raw = raw, .bad = bad, .bad_max = 1};
    size_t consumed = 0;
    checker->source->format->decode(checker->decoder, line, &consumed, &next_index, true, &out);
    checker->rows += batch->row_count;
    if (out.bad_count > 0 && ++checker->bad_rows <= COMPLAINTS_MAX) {
        printf("%s:%" PRIu64 ": %s\n", checker->file, number, bad[0].detail);
    }
    evs_batch_unref(batch);
}

/* The named source, or the only one. */
static const struct evs_plan_node *find_source(const struct evs_plan *plan, const char *name, uint32_t *count)
{
    const struct evs_plan_node *found = NULL;
    *count = 0;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        const struct evs_plan_node *node = &plan->nodes[i];
        if (node->kind == EVS_NODE_SOURCE && (name == NULL || strcmp(node->name, name) == 0)) {
            found = node;
            (*count)++;
        }
    }
    return found;
}

static int check_file(const struct evs_plan_source *source, const char *file)
{
    struct checker checker = {.file = file, .source = source, .pool = evs_batch_pool_new()};
    checker.decoder = source->format->open(source->columns, source->column_count, source->row_bytes_max);
    int code = each_line(file, check_line, &checker);
    if (checker.bad_rows > COMPLAINTS_MAX) {
        printf("… and %" PRIu64 " more\n", checker.bad_rows - COMPLAINTS_MAX);
    }
    printf("%s: %" PRIu64 " event%s, %" PRIu64 " do%s not\n", file, checker.rows, checker.rows == 1 ? " fits" : "s fit",
           checker.bad_rows, checker.bad_rows == 1 ? "es" : "");
    source->format->close(checker.decoder);
    evs_batch_pool_free(checker.pool);
    return code != EVS_EXIT_DONE ? code : checker.bad_rows > 0 ? EVS_EXIT_PIPELINE : EVS_EXIT_DONE;
}

static int check(struct evs_args *args, const char *const *files, uint32_t count, const char *name)
{
    if (count < 2) {
        return evs_args_refuse(args, "name a pipeline file and at least one file of events.");
    }
    const struct evs_compile_args compile = {0};
    const struct evs_plan *plan = NULL;
    int code = evs_compile_file(&compile, files[0], &plan);
    if (code != EVS_EXIT_DONE) {
        return code;
    }
    uint32_t source_count;
    const struct evs_plan_node *source = find_source(plan, name, &source_count);
    if (source_count == 0) {
        code = evs_args_refuse(args, "no query of %s reads a source `%s`.", files[0], name != NULL ? name : "");
    } else if (source_count > 1) {
        code = evs_args_refuse(args, "%s has several sources; name one with --name.", files[0]);
    }
    for (uint32_t i = 1; i < count && source_count == 1; i++) {
        int result = check_file(source->source, files[i]);
        code = result > code ? result : code;
    }
    evs_plan_free(plan);
    return code;
}

/* --- the command -------------------------------------------------------------------------------------------------------------- */

static int run_words(struct evs_args *args, const char *const *words, uint32_t count, const char *name)
{
    if (count == 0) {
        return evs_args_refuse(args, "say `infer` or `check`.");
    }
    if (strcmp(words[0], "infer") == 0) {
        return infer(args, words + 1, count - 1, name);
    }
    if (strcmp(words[0], "check") == 0) {
        return check(args, words + 1, count - 1, name);
    }
    return evs_args_refuse(args, "`%s` is none of infer and check.", words[0]);
}

static int run_command(int argc, char **argv)
{
    struct evs_args args = evs_args_of(&evs_command_schema, argc, argv);
    const char **words = evs_alloc((size_t)(argc + 1) * sizeof *words), *name = NULL;
    uint32_t count = 0;
    int id, code = -1;
    while (code < 0 && (id = evs_args_next(&args)) != EVS_ARG_END) {
        if (id == ARG_NAME) {
            name = args.value;
        } else if (id == EVS_ARG_OPERAND) {
            words[count++] = args.value;
        } else {
            code = id == EVS_ARG_HELP ? EVS_EXIT_DONE : EVS_EXIT_USAGE;
        }
    }
    code = code < 0 ? run_words(&args, words, count, name) : code;
    evs_free(words);
    return code;
}

const struct evs_command evs_command_schema = {
    .name = "schema",
    .summary = "writes a source from examples; holds events against a source",
    .group = EVS_GROUP_WRITE,
    .operands = "*",
    .words = "infer|check",
    .options = options,
    .usage = "evstream schema infer EVENTS… | evstream schema check PIPELINE EVENTS…",
    .description =
        "infer: reads events, one JSON object a line (.gz and .zst are unpacked, `-` is standard input), and "
        "prints a\n"
        "`create source` with columns, types and a watermark, to be looked over.\n"
        "check: tells which events a pipeline's source would not take, and why; exit code 1 when there are "
        "some. Only\n"
        "columns that the pipeline uses are looked at, as in a run.",
    .run = run_command,
};
