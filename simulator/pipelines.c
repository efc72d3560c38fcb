/* The pipelines of the simulation, as text: what a user would write. */
#include <stdio.h>

#include "cmd.h"
#include "simulation.h"

static const char source_text[] =
    "pipeline simulated;\n"
    "create source clicks (event_id string, type string, occurred_at timestamp not null, user_id string%s, n int64,\n"
    "    watermark for occurred_at as occurred_at - interval 3 second)\n"
    "  from nats (stream = 'CLICKS', subject = 'clicks.>', partitions = %u, idle_timeout = %s,\n"
    "             max_future_skew = 'never'%s)\n"
    "  dead letter into broken;\n";

static const char *const sink_texts[] = {
    [EVS_SIM_FAST] = "create sink %s to nats (subject = 'triggers.%s', stream = 'TRIGGERS', delivery = 'fast');\n",
    [EVS_SIM_EXACT] = "create sink %s to nats (subject = 'triggers.%s', stream = 'TRIGGERS', delivery = 'exact');\n",
    [EVS_SIM_TO_REDIS] = "create sink %s to redis (key = 'triggers.%s');\n",
};

static const char *const query_texts[] = {
    [EVS_SIM_WINDOWS] = "from clicks |> where type != 'flush'\n"
                        "|> aggregate count(*) as items, sum(n) as total\n"
                        "   group by user_id, tumble(interval 10 second) late into late\n"
                        "|> insert into result;\n",
    [EVS_SIM_TOTALS] = "from clicks |> where type != 'flush'\n"
                       "|> aggregate count(*) as items, sum(n) as total\n"
                       "   group by type, tumble(interval 10 second) late into late\n"
                       "|> insert into result;\n",
    [EVS_SIM_SESSIONS] = "from clicks |> where type != 'flush'\n"
                         "|> aggregate count(*) as items, sum(n) as total\n"
                         "   group by user_id, session(interval 4 second) late into late\n"
                         "|> insert into result;\n",
    [EVS_SIM_SEQUENCES] = "from clicks |> where type = 'cart' or type = 'buy'\n"
                          "|> sequence by user_id\n"
                          "     cart+ as type = 'cart'\n"
                          "     then no buy as type = 'buy' within interval 6 second\n"
                          "   late into late\n"
                          "   select user_id, count(cart) as items, sum(cart.n) as total,\n"
                          "          last(cart.event_id) as latest\n"
                          "|> insert into result;\n",
    [EVS_SIM_JOINS] = "from clicks |> where type = 'view' |> select event_id, user_id, occurred_at\n"
                      "|> left join (from clicks |> where type = 'buy'\n"
                      "              |> select event_id as buy_id, user_id as buyer, occurred_at as bought) as b\n"
                      "   on user_id = buyer and bought between occurred_at and occurred_at + interval 6 second\n"
                      "   late into late\n"
                      "|> select event_id, buy_id |> insert into result;\n",
    [EVS_SIM_IDENTITY] =
        "set identity_users = 1000000;\n"
        "set identity_aliases = 10000;\n"
        "from clicks |> where type != 'flush'\n"
        "|> resolve identity concat('d', cast(mod(n, 7) as string)) to if(type = 'buy', user_id, null)\n"
        "   alias if(mod(n, 3) = 0, concat(if(mod(n, 2) = 0, 'u', 'd'), cast(mod(n, 5) as string)), null)\n"
        "   within interval 5 second retain interval 8 second\n"
        "|> select event_id, person_id, is_known |> insert into result;\n",
    [EVS_SIM_TRACE] = "from clicks |> where type != 'flush'\n"
                      "|> deduplicate by event_id within interval 1 hour\n"
                      "|> select event_id, n |> insert into result;\n",
};

static void put_sink(const struct evs_sim_choice *choice, const char *name, struct evs_buffer *out)
{
    evs_buffer_printf(out, sink_texts[choice->delivery], name, name);
}

void evs_sim_write_pipeline(const struct evs_sim_choice *choice, struct evs_buffer *out)
{
    evs_buffer_printf(out, source_text, choice->groups > 0 ? " not null" : "", choice->partitions,
                      choice->has_idle ? "'4s'" : "'never'", choice->groups > 0 ? ", partition_key = 'user_id'" : "");
    if (choice->groups > 0) {
        evs_buffer_printf(out, "set groups = %u;\n", choice->groups);
    }
    put_sink(choice, "result", out);
    put_sink(choice, "broken", out);
    if (choice->pipeline != EVS_SIM_TRACE && choice->pipeline != EVS_SIM_IDENTITY) {
        put_sink(choice, "late", out);
    }
    evs_buffer_puts(out, query_texts[choice->pipeline]);
}

const struct evs_plan *evs_sim_compile(const struct evs_buffer *text)
{
    struct evs_sources *texts = evs_sources_new();
    struct evs_diagnostics *diagnostics = evs_diagnostics_new(texts);
    struct evs_error error = {0};
    const struct evs_plan *plan = NULL;
    (void)evs_sources_add(texts, "simulated.evs", (struct evs_slice){text->data, text->count});
    const struct evs_compile_options options = {
        .file = "simulated.evs",
        .texts = texts,
        .registry = &evs_registry,
    };
    evs_status status = evs_compile(&options, diagnostics, &plan, &error);
    if (status != EVS_OK) {
        evs_diagnostics_print(diagnostics, stderr);
        fprintf(stderr, "%s\n", error.text);
    }
    EVS_ASSERT(status == EVS_OK);
    evs_diagnostics_free(diagnostics);
    evs_sources_free(texts);
    return plan;
}
