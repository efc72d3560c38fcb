#include "why.h"

#include <stdio.h>
#include <string.h>

#include "behind.h"
#include "json.h"
#include "later.h"

#define WORDS_MAX 60u        /* bytes of an operator's text */
#define SEQUENCES_BACK 5000u /* how far before a record the events of its keys are looked for */

struct why {
    struct evs_live_server *server;
    struct evhttp_request *request;
    const struct evs_plan *plan;
    const struct evs_plan_node *operator_; /* the nearest with state above the sink; NULL: none */
    bool is_window;
    struct evs_buffer row; /* keys point into it */
    struct evs_behind_ask ask;
    struct evs_behind behind;
    const char *computed_key; /* a key that is no column of the source */
    evs_status status;
    struct evs_error error;
};

/* --- what to look for ------------------------------------------------------------------------------------------------------------ */

/* The node in front of this one on the main way. */
static const struct evs_plan_node *above(const struct evs_plan *plan, const struct evs_plan_node *node)
{
    for (uint32_t i = 0; i < plan->edge_count; i++) {
        const struct evs_plan_edge *edge = &plan->edges[i];
        if (&plan->nodes[edge->to] == node && edge->input == 0) {
            return &plan->nodes[edge->from];
        }
    }
    return NULL;
}

static bool find_column(const struct evs_schema *schema, const char *name, uint32_t *column)
{
    for (*column = 0; *column < schema->count; ++*column) {
        if (strcmp(schema->fields[*column].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The text of a member of the row. */
static bool find_member(const struct why *why, const char *name, struct evs_slice *value)
{
    struct evs_json_walk walk = evs_json_walk((struct evs_slice){why->row.data, why->row.count});
    struct evs_slice key;
    while (why->row.count > 0 && evs_json_walk_next(&walk, &key, value)) {
        if (key.count == strlen(name) + 2 && memcmp(key.data + 1, name, key.count - 2) == 0) {
            return true;
        }
    }
    return false;
}

static void add_key(struct why *why, const char *name)
{
    struct evs_behind_ask *ask = &why->ask;
    struct evs_behind_key *key = &ask->keys[ask->key_count];
    bool is_known = find_column(&ask->source->schema, name, &key->column) && find_member(why, name, &key->json);
    if (is_known && ask->key_count < EVS_BEHIND_KEYS_MAX - 1) {
        key->name = name;
        ask->key_count++;
    } else if (!is_known) {
        why->computed_key = name;
    }
}

static void find_keys(struct why *why, const struct evs_plan_node *sink)
{
    const struct evs_plan_node *node = above(why->plan, sink);
    for (; node != NULL; node = above(why->plan, node)) {
        if (why->operator_ == NULL && node->state_bound != NULL) {
            why->operator_ = node;
        }
        if (node->exchange != NULL && !node->exchange->gather && node->exchange->column_count > 0) {
            for (uint32_t i = 0; i < node->exchange->column_count; i++) {
                add_key(why, node->schema.fields[node->exchange->columns[i]].name);
            }
            return;
        }
    }
}

static const struct evs_plan_node *find_source(const struct evs_plan *plan, const char *name)
{
    for (uint32_t i = 0; i < plan->node_count; i++) {
        if (plan->nodes[i].kind == EVS_NODE_SOURCE && strcmp(plan->nodes[i].name, name) == 0) {
            return &plan->nodes[i];
        }
    }
    EVS_ASSERT(!"a row stems from a source of its plan");
    return NULL;
}

/* A window of an aggregate ends before its end; what a sequence waited for may come at its deadline. */
static bool holds_end(const struct why *why)
{
    return why->operator_ == NULL || (strcmp(why->operator_->operator_->kind, "aggregate") != 0 &&
                                      strcmp(why->operator_->operator_->kind, "session") != 0);
}

/* Nothing else became part of the row, or nothing tells it from the rest of the stream. */
static bool shows_itself(const struct why *why)
{
    return !why->is_window && (why->operator_ == NULL || why->ask.key_count == 0);
}

static void set_range(struct why *why, const struct evs_kept_trigger *trigger)
{
    struct evs_behind_ask *ask = &why->ask;
    ask->from_us = INT64_MIN;
    ask->until_us = INT64_MAX;
    if (why->is_window) {
        ask->start = EVS_START_TIME;
        ask->start_value = ask->from_us = (int64_t)trigger->cause.major;
        ask->until_us = (int64_t)trigger->cause.minor - (holds_end(why) ? 0 : 1);
        return;
    }
    uint64_t sequence = evs_cause_sequence(trigger->cause);
    ask->start = EVS_START_SEQUENCE;
    ask->start_value = sequence > SEQUENCES_BACK ? (int64_t)(sequence - SEQUENCES_BACK) : 1;
    ask->end_sequence = ask->sequence = sequence;
    ask->partition = evs_cause_partition(trigger->cause);
    ask->index = (uint32_t)trigger->cause.minor;
    if (shows_itself(why)) {
        ask->start_value = (int64_t)sequence;
        ask->from_us = INT64_MAX;
    }
}

/* --- the answer ----------------------------------------------------------------------------------------------------------------------- */

static void put_keys_text(const struct why *why, struct evs_buffer *out)
{
    for (uint32_t i = 0; i < why->ask.key_count; i++) {
        const struct evs_behind_key *key = &why->ask.keys[i];
        evs_buffer_printf(out, "%s%s %.*s", i == 0 ? " with " : " and ", key->name, (int)key->json.count,
                          key->json.data);
    }
}

/* Its first words, which its author wrote, and where: names that the compiler makes tell nobody anything. A cut is at a blank, so never in a character. */
static void put_operator(const struct evs_plan_node *node, struct evs_buffer *out)
{
    if (node->is_named) {
        evs_buffer_puts(out, node->name);
    } else {
        size_t count = strlen(node->label);
        bool is_cut = count > WORDS_MAX;
        for (count = is_cut ? WORDS_MAX : count; is_cut && count > 0 && node->label[count] != ' ';) {
            count--;
        }
        evs_buffer_printf(out, "`%.*s%s`", (int)count, node->label, is_cut ? " …" : "");
    }
    evs_buffer_printf(out, " (line %u)", node->place.line);
}

static void put_sentence(const struct why *why, struct evs_buffer *out)
{
    struct evs_buffer text = {0}, name = {0};
    if (why->operator_ != NULL) {
        put_operator(why->operator_, &name);
        evs_buffer_put(&name, "", 1);
    }
    if (why->is_window) {
        evs_buffer_printf(&text, "%s made it of the events", name.count == 0 ? "The pipeline" : name.data);
        put_keys_text(why, &text);
        evs_buffer_puts(&text, " between the two times of its cause.");
    } else if (name.count == 0) {
        evs_buffer_puts(&text, "The marked event itself became this row; no operator on the way looks at others.");
    } else if (shows_itself(why)) {
        evs_buffer_printf(&text, "The marked event completed it in %s.", name.data);
    } else {
        evs_buffer_printf(&text, "The marked event completed it in %s. Before it stand the last events", name.data);
        put_keys_text(why, &text);
        evs_buffer_puts(&text, " of its partition.");
    }
    if (why->computed_key != NULL && !shows_itself(why)) {
        evs_buffer_printf(&text,
                          " The key %s is computed or is not in the row, so events of others may stand among them.",
                          why->computed_key);
    }
    evs_json_put_text(out, (struct evs_slice){text.data, text.count});
    evs_buffer_fini(&text);
    evs_buffer_fini(&name);
}

static void put_keys(const struct why *why, struct evs_buffer *out)
{
    evs_put_key(out, ",", "keys");
    evs_buffer_puts(out, "{");
    for (uint32_t i = 0; i < why->ask.key_count; i++) {
        evs_put_key(out, i == 0 ? "" : ",", why->ask.keys[i].name);
        evs_buffer_put(out, why->ask.keys[i].json.data, why->ask.keys[i].json.count);
    }
    evs_buffer_puts(out, "}");
}

static void put_event(struct evs_buffer *out, const char *before, const struct evs_behind_event *event)
{
    evs_put_number(out, before, "partition", event->partition);
    evs_put_number(out, ",", "sequence", (int64_t)event->sequence);
    evs_put_number(out, ",", "index", event->index);
    evs_put_time(out, ",", "stored_us", event->stored_us);
    evs_put_time(out, ",", "event_time_us", event->event_time_us);
    evs_put_bool(out, ",", "is_cause", event->is_cause);
    evs_put_key(out, ",", "text");
    evs_json_put_text(out, (struct evs_slice){event->text.data, event->text.count});
    evs_buffer_puts(out, "}");
}

static void put_answer(const struct why *why, struct evs_buffer *out)
{
    const struct evs_behind *behind = &why->behind;
    uint64_t begin = behind->found > EVS_BEHIND_KEPT ? behind->found - EVS_BEHIND_KEPT : 0;
    evs_put_key(out, "{", "sentence");
    put_sentence(why, out);
    put_keys(why, out);
    evs_put_key(out, ",", "events");
    evs_buffer_puts(out, "[");
    for (uint64_t i = begin; i < behind->found; i++) {
        put_event(out, i == begin ? "{" : ",{", &behind->events[i % EVS_BEHIND_KEPT]);
    }
    evs_buffer_puts(out, "]");
    evs_put_number(out, ",", "found", (int64_t)behind->found);
    evs_put_number(out, ",", "looked_at", (int64_t)behind->looked_at);
    evs_put_bool(out, ",", "is_complete", behind->is_complete);
    evs_buffer_puts(out, "}\n");
}

static void done(void *argument)
{
    struct why *why = argument;
    if (why->status == EVS_OK) {
        struct evs_buffer body = {0};
        put_answer(why, &body);
        evs_live_answer(why->request, HTTP_OK, "application/json", &body);
        evs_buffer_fini(&body);
    } else {
        evs_live_answer_error(why->request, 502, why->error.text);
    }
    evs_behind_fini(&why->behind);
    evs_buffer_fini(&why->row);
    evs_free(why);
}

static void run(void *argument)
{
    struct why *why = argument;
    why->status = evs_behind_read(&why->ask, &why->behind, &why->error);
}

void evs_why_answer(struct evs_live_server *server, struct evhttp_request *request, const struct evs_plan *plan,
                    const struct evs_kept_trigger *trigger)
{
    const struct evs_live_options *options = &server->live->options;
    const struct evs_plan_node *source = find_source(plan, trigger->source);
    if (!source->source->connector->durable) {
        evs_live_answer_error(request, HTTP_NOTFOUND,
                              "Its source is a file, which is not read again: the cause names the line.");
        return;
    }
    struct why *why = evs_alloc_zero(sizeof *why);
    why->server = server;
    why->request = request;
    why->plan = plan;
    why->is_window = trigger->cause_kind == EVS_CAUSE_WINDOW;
    why->status = evs_fail(&why->error, EVS_E_CANCELLED, "evstream is about to end.");
    why->ask = (struct evs_behind_ask){.os = server->live->os,
                                       .log = options->log,
                                       .nats_url = options->nats_url,
                                       .nats_credentials = options->nats_credentials,
                                       .source = source};
    evs_buffer_put(&why->row, trigger->row.data, trigger->row.count);
    find_keys(why, &plan->nodes[trigger->node]);
    set_range(why, trigger);
    if (!evs_later_put(server, (struct evs_later_work){run, done, why})) {
        why->status = evs_fail(&why->error, EVS_E_LIMIT, "Too many questions wait for an answer; ask again.");
        done(why);
    }
}
