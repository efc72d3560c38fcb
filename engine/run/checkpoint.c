/* The checkpointer: one background thread that makes checkpoints, and ends the run.
 *
 *   ask for barrier k ──► workers pass it (each op copies what changed) ──► encode blocks and record ──► commit ──► committed = k
 *                                                                                                        │ durability delay
 *                                                                                                        └──► confirmed = k
 *
 * Workers go on with the events behind the barrier while a checkpoint is encoded and stored; the next barrier waits for the commit.
 *
 * Beside the changes a checkpoint holds a copy of a part of the state, round and round, so that the log's beginning can be forgotten and no checkpoint
 * is much larger than the others (state/sweep.h). What a commit is in the log beside its blocks counts as changes: so the log of a pipeline in
 * which nothing happens is bounded, too.
 *
 * The end of a run: when the sources of all workers have ended (or were told to stop), a last barrier; when its commit is confirmed and the
 * sinks have delivered everything, one more commit, which says so; then the workers end. */
#include "runtime.h"

#define STATE_BYTES_MIN (UINT64_C(8) << 20) /* a smaller state is copied as slowly as one of this size */
#define STATE_BYTES_MIN_TESTS 4096          /* where tests count batches: a part of the state in each checkpoint */
#define COMMIT_BYTES 300                    /* of a commit in the log, beside its blocks and its record, roughly */
#define OUTBOX_BYTES_MIN (UINT64_C(1) << 20)
#define OWNER_MAX_US (INT64_C(5) * 1000 * 1000) /* half of a lease of 10 s (exactness, 15) */
#define OWNER_ASK_US (INT64_C(2) * 1000 * 1000)
#define TICK_US 20000

struct unconfirmed {
    uint64_t checkpoint;
    int64_t ready_us; /* monotonic */
};

struct checkpointer {
    struct evs_run *run;
    uint64_t next;
    int64_t due_us;
    uint64_t batches_due;
    bool first; /* the first of this term: everything undelivered is written again, under the new numbers */
    struct evs_arena arena;
    struct evs_buffer record;
    struct unconfirmed *unconfirmed;
    uint32_t unconfirmed_count, unconfirmed_capacity;
    bool has_erasures; /* in the last record */
    struct evs_sweep sweep;
    uint64_t state_bytes_min;
    struct evs_marker_maker marker;
};

static int64_t boot_us(const struct evs_run *run)
{
    return run->options.os->clock.boot_us(run->options.os->clock.self);
}

/* Trigger ids hang on the incarnation. While a crash of the store may still take the only commit that names it, nothing goes out: the life after would
 * tell the same under other ids. */
static bool incarnation_lasts(const struct evs_run *run)
{
    bool is_marked = run->marker.is_there && run->marker.incarnation.low == run->incarnation.low &&
                     run->marker.incarnation.high == run->incarnation.high;
    return run->store == NULL || run->terms.confirm_delay_us == 0 || is_marked || atomic_load(&run->confirmed) > 0;
}

bool evs_run_may_send(struct evs_run *run)
{
    if (!evs_standby_may_send(run) || !incarnation_lasts(run)) {
        return false;
    }
    if (run->store == NULL || boot_us(run) - atomic_load(&run->owner_us) < OWNER_MAX_US) {
        return true;
    }
    run->options.os->threads.wake(run->checkpointer_park);
    return false;
}

/* Waits until woken, or for at most `us`. False when the run has failed. */
static bool pause_for(struct evs_run *run, int64_t us)
{
    const struct evs_os *os = run->options.os;
    os->sockets.wait(os->sockets.self, run->checkpointer_park, NULL, 0, us < 0 ? 0 : us);
    return !atomic_load(&run->failed);
}

/* --- between checkpoints ----------------------------------------------------------------------------------------------------------- */

static void await_confirmation(struct checkpointer *c, uint64_t checkpoint)
{
    const struct evs_run *run = c->run;
    EVS_GROW(c->unconfirmed, c->unconfirmed_count, c->unconfirmed_capacity);
    c->unconfirmed[c->unconfirmed_count++] =
        (struct unconfirmed){checkpoint, evs_monotonic_us(run->options.os) + run->terms.confirm_delay_us};
}

static void tell_confirmed(struct checkpointer *c)
{
    struct evs_run *run = c->run;
    int64_t now = evs_monotonic_us(run->options.os);
    uint32_t done = 0;
    while (done < c->unconfirmed_count && c->unconfirmed[done].ready_us <= now) {
        atomic_store(&run->confirmed, c->unconfirmed[done].checkpoint);
        done++;
    }
    if (done > 0) {
        c->unconfirmed_count -= done;
        memmove(c->unconfirmed, c->unconfirmed + done, c->unconfirmed_count * sizeof *c->unconfirmed);
        evs_marker_confirmed(&c->marker, run, atomic_load(&run->confirmed));
        evs_run_wake_all(run);
    }
}

/* Asks the store whether the group is still ours when the last commit is a while ago; a process that was stopped learns here that another one
 * has taken over, before it sends anything. */
static void ask_owner(struct checkpointer *c)
{
    struct evs_run *run = c->run;
    struct evs_error error = {0};
    int64_t asked_us = boot_us(run);
    if (run->store == NULL || asked_us - atomic_load(&run->owner_us) < OWNER_ASK_US) {
        return;
    }
    evs_status status = run->options.store->confirm(run->store, &error);
    if (status != EVS_OK) {
        evs_run_fail(run, status, &error);
        return;
    }
    atomic_store(&run->owner_us, asked_us);
    evs_run_wake_all(run);
}

static bool housekeeping(struct checkpointer *c, int64_t us)
{
    if (!pause_for(c->run, us)) {
        return false;
    }
    tell_confirmed(c);
    ask_owner(c);
    return !atomic_load(&c->run->failed);
}

/* --- one checkpoint ----------------------------------------------------------------------------------------------------------- */

/* The first commit of all is a copy of everything: of nothing yet. So is the first one behind a change of the pipeline: the log holds records under names and
 * with columns that only this start knows how to read, and begins anew with that copy. */
static struct evs_ranges ranges_due(const struct checkpointer *c)
{
    return c->next == 1 || (c->first && (c->run->options.copies_all || c->run->match.is_changed ||
                                         c->run->restored.erasure_count > 0))
               ? (struct evs_ranges){c->sweep.next, EVS_RANGES}
               : evs_sweep_next(&c->sweep, c->state_bytes_min);
}

static bool pass_barrier(struct checkpointer *c, bool final)
{
    struct evs_run *run = c->run;
    uint64_t needed = atomic_load(&run->outbox_bytes) + atomic_load(&run->kept_bytes);
    uint64_t stored = atomic_load(&run->stored_bytes);
    bool rewrite = c->first || (stored > OUTBOX_BYTES_MIN && stored > 2 * needed) || (needed == 0 && stored > 0);
    rewrite = atomic_exchange(&run->wants_rewrite, false) || rewrite;
    if (rewrite) {
        atomic_store(&run->stored_bytes, 0);
    }
    atomic_store(&run->workers_at_barrier, 0);
    atomic_store(&run->workers_idle, 0);
    run->barrier_ranges = ranges_due(c);
    atomic_store(&run->barrier_rewrite, rewrite);
    atomic_store(&run->barrier_final, final);
    atomic_store(&run->barrier, c->next);
    evs_run_wake_all(run);
    while (atomic_load(&run->workers_at_barrier) < run->options.worker_count) {
        if (!housekeeping(c, TICK_US)) {
            return false;
        }
    }
    return true;
}

static struct evs_record_source *record_source(struct evs_record *record, struct evs_arena *arena, const char *name,
                                               uint32_t max)
{
    for (uint32_t i = 0; i < record->source_count; i++) {
        if (strcmp(record->sources[i].name, name) == 0) {
            return &record->sources[i];
        }
    }
    if (record->sources == NULL) {
        record->sources = EVS_ARENA_ARRAY(arena, struct evs_record_source, max);
    }
    record->sources[record->source_count].name = name;
    return &record->sources[record->source_count++];
}

static struct evs_record_sink *record_sink(struct evs_record *record, struct evs_arena *arena, const char *name,
                                           uint32_t max, uint32_t lanes)
{
    for (uint32_t i = 0; i < record->sink_count; i++) {
        if (strcmp(record->sinks[i].name, name) == 0) {
            return &record->sinks[i];
        }
    }
    if (record->sinks == NULL) {
        record->sinks = EVS_ARENA_ARRAY(arena, struct evs_record_sink, max);
    }
    struct evs_record_sink *sink = &record->sinks[record->sink_count++];
    sink->name = name;
    sink->lanes = EVS_ARENA_ARRAY(arena, struct evs_record_lane, lanes);
    return sink;
}

/* All workers have the same watermark at a keyed operator when a barrier passes: every source told it to all of them before. */
static void record_node(struct evs_record *record, struct evs_arena *arena, const struct evs_op *op, uint32_t max)
{
    for (uint32_t i = 0; i < record->node_count; i++) {
        if (strcmp(record->nodes[i].name, op->node->name) == 0) {
            EVS_ASSERT(record->nodes[i].watermark_us == op->barrier_watermark_us);
            return;
        }
    }
    if (record->nodes == NULL) {
        record->nodes = EVS_ARENA_ARRAY(arena, struct evs_record_node, max);
    }
    record->nodes[record->node_count++] = (struct evs_record_node){
        .name = op->node->name,
        .identity = op->node->state_identity,
        .version = op->operator_->snapshot_version,
        .watermark_us = op->barrier_watermark_us,
        .shape = op->node->shape,
    };
}

static void record_op(struct checkpointer *c, struct evs_record *record, const struct evs_op *op)
{
    record->late += (uint64_t)op->barrier_counters[EVS_COUNT_LATE];
    record->dead += (uint64_t)op->barrier_counters[EVS_COUNT_DEAD];
    uint32_t nodes = c->run->plan->node_count;
    if (op->class == &evs_class_source) {
        record->events += (uint64_t)op->barrier_counters[EVS_COUNT_ROWS_IN];
        evs_source_node_record(op, record_source(record, &c->arena, op->node->name, nodes), &c->arena);
    } else if (op->class == &evs_class_sink) {
        record->rows_out += op->node->sink->is_dead_letter ? 0 : (uint64_t)op->barrier_counters[EVS_COUNT_ROWS_OUT];
        struct evs_record_sink *sink =
            record_sink(record, &c->arena, op->node->name, nodes, c->run->options.worker_count);
        evs_sink_node_record(op, &sink->lanes[sink->lane_count++]);
    } else if (op->operator_ != NULL && op->operator_->snapshot != NULL) {
        record_node(record, &c->arena, op, nodes);
    }
}

/* Erasures that a source has met and no restore has carried out yet. */
static void record_met(struct checkpointer *c, struct evs_record *record, const struct evs_op *op)
{
    const struct evs_record_erasure *met;
    uint32_t count = op->class == &evs_class_source ? evs_source_node_erasures(op, &met) : 0;
    if (count == 0) {
        return;
    }
    struct evs_record_erasure *all =
        EVS_ARENA_ARRAY(&c->arena, struct evs_record_erasure, record->erasure_count + count);
    for (uint32_t i = 0; i < record->erasure_count; i++) {
        all[i] = record->erasures[i];
    }
    memcpy(all + record->erasure_count, met, count * sizeof *all);
    record->erasures = all;
    record->erasure_count += count;
}

/* Those that were done before, and those that the restore of this run has carried out; the last ones of them. */
static void record_done(struct checkpointer *c, struct evs_record *record)
{
    const struct evs_run *run = c->run;
    const struct evs_record *before = &run->restored;
    uint32_t count = 0;
    struct evs_record_erased *done =
        EVS_ARENA_ARRAY(&c->arena, struct evs_record_erased, before->erased_count + before->erasure_count + 1u);
    for (uint32_t i = 0; i < before->erased_count; i++) {
        done[count++] = before->erased[i];
    }
    for (uint32_t i = 0; i < before->erasure_count; i++) {
        done[count++] =
            (struct evs_record_erased){before->erasures[i].id, run->terms.checkpoint + 1, run->erased_records};
    }
    uint32_t skipped = count > EVS_RECORD_ERASED_MAX ? count - EVS_RECORD_ERASED_MAX : 0;
    record->erased = done + skipped;
    record->erased_count = count - skipped;
}

static void record_build(struct checkpointer *c, bool finished)
{
    struct evs_run *run = c->run;
    evs_arena_reset(&c->arena);
    struct evs_record record = {
        .checkpoint = c->next,
        .plan_hash = run->plan->hash,
        .incarnation = run->incarnation,
        .finished = finished,
        .split_version = EVS_SPLIT_VERSION,
        .key_version = EVS_KEY_VERSION,
        .events = run->base.events,
        .rows_out = run->base.rows_out,
        .late = run->base.late,
        .dead = run->base.dead,
        .sweep = c->sweep,
    };
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        struct worker *worker = &run->workers[i];
        for (uint32_t j = 0; j < worker->op_count; j++) {
            record_op(c, &record, &worker->ops[j]);
            record_met(c, &record, &worker->ops[j]);
        }
    }
    record_done(c, &record);
    c->has_erasures = record.erasure_count > 0;
    c->record.count = 0;
    evs_record_encode(&record, &c->record);
    evs_marker_note(&c->marker, run, &record);
}

static void encode_writer(const struct evs_op *op, struct evs_snapshot_writer *writer, struct evs_block_list *list)
{
    uint32_t version = op->operator_ != NULL ? op->operator_->snapshot_version : 1;
    evs_blocks_add(list, op->node->name, version, writer);
    evs_snapshot_writer_clear(writer);
}

/* Encodes what the ops wrote, changes before copies; the bytes of the changes. From here on their writers are theirs again. */
static uint64_t encode_blocks(struct evs_run *run, struct evs_block_list *state, struct evs_block_list *outbox)
{
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        for (uint32_t j = 0; j < run->workers[i].op_count; j++) {
            struct evs_op *op = &run->workers[i].ops[j];
            encode_writer(op, &op->writer, op->class == &evs_class_sink ? outbox : state);
        }
    }
    evs_blocks_finish(state);
    evs_blocks_finish(outbox);
    uint64_t changed_bytes = state->bytes;
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        for (uint32_t j = 0; j < run->workers[i].op_count; j++) {
            encode_writer(&run->workers[i].ops[j], &run->workers[i].ops[j].copy, state);
        }
    }
    evs_blocks_finish(state);
    return changed_bytes;
}

/* `asked_us` is the boot time before the store was asked: its answer may have waited while the process was stopped. */
static void committed(struct checkpointer *c, int64_t asked_us)
{
    struct evs_run *run = c->run;
    await_confirmation(c, c->next);
    atomic_store(&run->owner_us, asked_us);
    atomic_store(&run->committed_us, asked_us);
    atomic_store(&run->committed, c->next);
    c->next++;
    c->first = false;
    evs_run_wake_all(run);
}

static bool commit(struct checkpointer *c, bool finished)
{
    struct evs_run *run = c->run;
    struct evs_block_list state = {0}, outbox = {0};
    uint64_t changed_bytes = encode_blocks(run, &state, &outbox);
    evs_sweep_committed(&c->sweep, c->next, run->barrier_ranges, state.bytes - changed_bytes,
                        changed_bytes + c->record.count + COMMIT_BYTES, c->state_bytes_min);
    record_build(c, finished);
    struct evs_store_commit request = {
        .checkpoint = c->next,
        .state_from = evs_sweep_begins(&c->sweep),
        .blocks = state.blocks,
        .block_count = state.block_count,
        .outbox = outbox.blocks,
        .outbox_count = outbox.block_count,
        .outbox_restart = atomic_load(&run->barrier_rewrite),
        .record = {c->record.data, c->record.count},
        .retries = &evs_run_notes_of(run)->commit_failures,
    };
    struct evs_error error = {0};
    int64_t asked_us = boot_us(run);
    evs_status status = run->options.store->commit(run->store, &request, &error);
    evs_view_commit(run, state.bytes + outbox.bytes + c->record.count);
    evs_blocks_fini(&state);
    evs_blocks_fini(&outbox);
    if (status != EVS_OK) {
        atomic_fetch_add(request.retries, 1);
        evs_run_fail(run, status, &error);
        return false;
    }
    committed(c, asked_us);
    if (c->has_erasures && !atomic_load(&run->stop)) {
        struct evs_error why;
        (void)!evs_fail(&why, EVS_E_GAP, "an erasure was asked for: the state is read again without the person");
        evs_run_fail(run, EVS_E_GAP, &why);
        return false;
    }
    return true;
}

static bool checkpoint(struct checkpointer *c, bool final, bool finished)
{
    struct evs_run *run = c->run;
    int64_t begun_us = evs_monotonic_us(run->options.os);
    if (!pass_barrier(c, final)) {
        return false;
    }
    int64_t aligned_us = evs_monotonic_us(run->options.os);
    if (run->store == NULL) {
        c->next++;
        return true;
    }
    bool is_done = commit(c, finished);
    if (is_done) {
        evs_view_checkpoint(run, begun_us, aligned_us);
    }
    return is_done;
}

/* --- when ------------------------------------------------------------------------------------------------------------------------ */

static bool is_due(struct checkpointer *c)
{
    const struct evs_run_options *options = &c->run->options;
    if (c->run->store == NULL) {
        return false;
    }
    if (atomic_load(&c->run->erases)) {
        return true;
    }
    if (options->checkpoint_batches > 0) {
        uint64_t done = c->next - 1 - c->run->terms.checkpoint;
        return atomic_load(&c->run->source_batches) >= options->checkpoint_batches * (done + 1);
    }
    return evs_monotonic_us(options->os) >= c->due_us;
}

static void schedule(struct checkpointer *c)
{
    c->due_us = evs_monotonic_us(c->run->options.os) + c->run->options.checkpoint_interval_us;
}

/* --- the end --------------------------------------------------------------------------------------------------------------------- */

/* One more commit moves the cursors, so that the next start sends nothing again. What is left is in the outbox already. */
static bool closing_commit(struct checkpointer *c, bool finished)
{
    struct evs_run *run = c->run;
    bool is_empty = true;
    for (uint32_t i = 0; i < run->options.worker_count; i++) {
        for (uint32_t j = 0; j < run->workers[i].op_count; j++) {
            struct evs_op *op = &run->workers[i].ops[j];
            is_empty = (op->class != &evs_class_sink || evs_sink_node_settle(op)) && is_empty;
        }
    }
    EVS_ASSERT(is_empty || !finished);
    bool keeps = !finished && atomic_load(&run->kept_bytes) > 0;
    run->barrier_ranges = (struct evs_ranges){c->sweep.next, 0};
    atomic_store(&run->barrier_rewrite, is_empty && !keeps);
    return commit(c, finished);
}

static bool is_finished(const struct evs_run *run)
{
    return !atomic_load(&run->stop) && !run->options.at_end_stop;
}

/* The dead row of a refused message may wait for a commit of its own. */
static bool needs_another_barrier(const struct checkpointer *c, uint64_t refusals)
{
    const struct evs_run *run = c->run;
    return run->store != NULL && atomic_load(&run->refusals) != refusals &&
           evs_monotonic_us(run->options.os) >= c->due_us;
}

/* Not finished yet: rows may still have to be delivered. A restart from here finds its sources ended, and only delivers. */
static bool pass_last_barrier(struct checkpointer *c, uint64_t refusals)
{
    struct evs_run *run = c->run;
    schedule(c);
    bool alive = checkpoint(c, true, false);
    while (alive && atomic_load(&run->workers_idle) < run->options.worker_count &&
           !needs_another_barrier(c, refusals)) {
        alive = housekeeping(c, TICK_US);
    }
    return alive;
}

static void end_run(struct checkpointer *c)
{
    struct evs_run *run = c->run;
    bool finished = is_finished(run);
    uint64_t refusals;
    do { /* what is delivered behind the last barrier may be refused, and is a row more for another sink */
        refusals = atomic_load(&run->refusals);
        if (!pass_last_barrier(c, refusals)) {
            return;
        }
    } while (atomic_load(&run->refusals) != refusals);
    if (run->store != NULL && !closing_commit(c, finished)) {
        return;
    }
    atomic_store(&run->finish, true);
    evs_run_wake_all(run);
}

void evs_checkpointer_main(void *argument)
{
    struct evs_run *run = argument;
    struct checkpointer c = {
        .run = run, .next = run->terms.checkpoint + 1, .first = true, .sweep = run->restored.sweep};
    c.state_bytes_min = run->options.full_bytes_min > 0       ? run->options.full_bytes_min
                        : run->options.checkpoint_batches > 0 ? STATE_BYTES_MIN_TESTS
                                                              : STATE_BYTES_MIN;
    if (run->store != NULL && run->terms.has_commit) { /* by whomever: a crash of the store may still take it */
        await_confirmation(&c, run->terms.checkpoint);
    }
    schedule(&c);
    bool alive = !atomic_load(&run->failed);
    /* The place where reading begins is committed before anything is read (exactness, 14). */
    if (alive && run->store != NULL && !run->terms.has_commit) {
        alive = checkpoint(&c, false, false);
    }
    while (alive && atomic_load(&run->workers_ended) < run->options.worker_count) {
        if (is_due(&c)) {
            schedule(&c);
            alive = checkpoint(&c, false, false) && housekeeping(&c, 0); /* also when the next one is due already */
            continue;
        }
        int64_t wait = c.due_us - evs_monotonic_us(run->options.os);
        alive = housekeeping(&c, wait < TICK_US && run->store != NULL ? wait : TICK_US);
    }
    if (alive) {
        end_run(&c);
    }
    evs_arena_fini(&c.arena);
    evs_buffer_fini(&c.record);
    evs_marker_maker_fini(&c.marker);
    evs_free(c.unconfirmed);
}
