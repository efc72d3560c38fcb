#include "lease.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "lines.h"

/* What the bucket's value says. */
struct entry {
    char process[EVS_PROCESS_NAME_MAX];
    uint64_t nonce;
    int64_t lease_us;
    bool released;
};

struct evs_lease {
    struct evs_lease_open open;
    struct evs_buffer key, value;
    char process[EVS_PROCESS_NAME_MAX], holder[EVS_PROCESS_NAME_MAX + 32];
    char subject[160]; /* "pipeline carts", "group 1-0 of pipeline carts" */
    uint64_t nonce, revision, beat;
    uint64_t before_nonce, taken_revision; /* whose lease it was before, and the revision that made it ours */
    bool is_held;
    bool is_free;  /* by the last look */
    bool has_met;  /* a lease was there once: when it is gone, the bucket was lost under a living engine */
    bool has_seen; /* a revision, and since when it stands */
    uint64_t seen_revision;
    int64_t seen_us;
    _Atomic int64_t renewed_us;
};

static int64_t boot_us(const struct evs_lease *lease)
{
    const struct evs_clock *clock = &lease->open.os->clock;
    return clock->boot_us(clock->self);
}

/* --- the value ------------------------------------------------------------------------------------------------------------------ */

static struct evs_slice value_of(struct evs_lease *lease, bool released)
{
    struct evs_buffer *out = &lease->value;
    out->count = 0;
    evs_buffer_printf(
        out, "version 1\nstate %s\nholder %s\nnonce %016" PRIx64 "\nlease_us %" PRId64 "\nbeat %" PRIu64 "\n",
        released ? "released" : "held", lease->process, lease->nonce, lease->open.lease_us, ++lease->beat);
    return (struct evs_slice){out->data, out->count};
}

/* Lines that are missing or strange leave an entry of nobody, held for our own lease: it is waited for. An empty value was deleted by hand. */
static void read_value(struct evs_slice text, struct entry *entry)
{
    struct evs_slice name, value;
    *entry = (struct entry){.released = text.count == 0};
    while (evs_lines_next(&text, &name, &value)) {
        if (evs_slice_equal(name, EVS_SLICE("state"))) {
            entry->released = evs_slice_equal(value, EVS_SLICE("released"));
        } else if (evs_slice_equal(name, EVS_SLICE("holder"))) {
            snprintf(entry->process, sizeof entry->process, "%.*s", (int)value.count, value.data);
        } else if (evs_slice_equal(name, EVS_SLICE("nonce"))) {
            (void)evs_lines_hex64(value, &entry->nonce);
        } else if (evs_slice_equal(name, EVS_SLICE("lease_us")) && !evs_lines_int64(value, &entry->lease_us)) {
            entry->lease_us = 0;
        }
    }
}

/* "host/4711/…" for people. */
static void name_holder(struct evs_lease *lease, const char *process)
{
    const char *slash = strchr(process, '/');
    if (slash == NULL) {
        snprintf(lease->holder, sizeof lease->holder, "nobody that is known");
        return;
    }
    snprintf(lease->holder, sizeof lease->holder, "%.*s (process %.*s)", (int)(slash - process), process,
             (int)strcspn(slash + 1, "/"), slash + 1);
}

static evs_status look(struct evs_lease *lease, uint64_t *revision, struct entry *entry, struct evs_error *error)
{
    struct evs_buffer text = {0};
    evs_status status = lease->open.bucket->read(lease->open.instance, lease->key.data, &text, revision, error);
    if (status == EVS_OK) {
        read_value((struct evs_slice){text.data, text.count}, entry);
        name_holder(lease, entry->process);
        lease->is_free = *revision == 0 || entry->released;
    }
    evs_buffer_fini(&text);
    return status;
}

/* --- taking ------------------------------------------------------------------------------------------------------------------- */

/* A look that took long was an outage: the holder could not renew either. */
static void see(struct evs_lease *lease, uint64_t revision, int64_t asked_us, int64_t now_us)
{
    bool was_slow = now_us - asked_us > lease->open.lease_us / 4;
    lease->has_met = lease->has_met || revision > 0;
    if (!lease->has_seen || revision != lease->seen_revision || was_slow) {
        lease->has_seen = true;
        lease->seen_revision = revision;
        lease->seen_us = now_us;
    }
}

static bool has_ended(const struct evs_lease *lease, const struct entry *entry)
{
    const struct evs_processes *processes = &lease->open.os->processes;
    return processes->has_ended != NULL && processes->has_ended(processes->self, entry->process);
}

static bool may_take(const struct evs_lease *lease, uint64_t revision, const struct entry *entry, int64_t now_us)
{
    int64_t wait_us = lease->open.lease_us > entry->lease_us ? lease->open.lease_us : entry->lease_us;
    if (now_us - lease->seen_us >= wait_us) {
        return true;
    }
    if (revision == 0) {
        return !lease->has_met; /* a first start, or one behind a version without leases */
    }
    /* A process runs a pipeline once at a time, so an entry of ours is of a run before, which could not release it: NATS was away with Redis. */
    bool is_ours = lease->process[0] != '\0' && strcmp(entry->process, lease->process) == 0;
    return entry->released || is_ours || entry->nonce == lease->nonce || has_ended(lease, entry);
}

static evs_status write_over(struct evs_lease *lease, uint64_t revision, struct evs_error *error)
{
    int64_t asked_us = boot_us(lease);
    uint64_t written = 0;
    evs_status status = lease->open.bucket->write(lease->open.instance, lease->key.data, value_of(lease, false),
                                                  revision, &written, error);
    if (status == EVS_OK) {
        lease->is_held = true;
        lease->revision = written;
        atomic_store(&lease->renewed_us, asked_us);
    }
    return status;
}

/* EVS_OK: the lease may be taken, over *revision. */
static evs_status measure(struct evs_lease *lease, uint64_t *revision, struct entry *entry, struct evs_error *error)
{
    int64_t asked_us = boot_us(lease);
    evs_status status = look(lease, revision, entry, error);
    if (status != EVS_OK) {
        lease->has_seen = false;
        return status;
    }
    int64_t now_us = boot_us(lease);
    see(lease, *revision, asked_us, now_us);
    return may_take(lease, *revision, entry, now_us) ? EVS_OK : EVS_AGAIN;
}

evs_status evs_lease_watch(struct evs_lease *lease, struct evs_error *error)
{
    uint64_t revision = 0;
    struct entry entry;
    evs_status status = measure(lease, &revision, &entry, error);
    return status == EVS_OK ? EVS_AGAIN : status;
}

evs_status evs_lease_try(struct evs_lease *lease, struct evs_error *error)
{
    EVS_ASSERT(!lease->is_held);
    uint64_t revision = 0;
    struct entry entry;
    evs_status status = measure(lease, &revision, &entry, error);
    if (status != EVS_OK) {
        return status;
    }
    status = write_over(lease, revision, error);
    if (status == EVS_OK) {
        lease->before_nonce = entry.nonce;
        lease->taken_revision = lease->revision;
    }
    lease->has_seen = false;
    return status;
}

/* --- holding -------------------------------------------------------------------------------------------------------------------- */

static evs_status lost(struct evs_lease *lease, struct evs_error *error)
{
    lease->is_held = false;
    return evs_fail(error, EVS_E_FENCED,
                    "The engine on %s runs %s now: this one was stopped, cut off or made no checkpoint for "
                    "longer than its lease of %.3g s. "
                    "It has written nothing since.",
                    lease->holder, lease->subject, (double)lease->open.lease_us / 1e6);
}

/* Another revision than ours: an answer of ours was lost, the broker has lost its newest messages, or another engine was here. */
static evs_status recover(struct evs_lease *lease, struct evs_error *error)
{
    uint64_t revision = 0;
    struct entry entry;
    evs_status status = look(lease, &revision, &entry, error);
    if (status != EVS_OK) {
        return status;
    }
    /* The holder that we came after, under a number below that of our taking: the broker went back in time. Should it be the living one again all
     * the same, the epoch in Redis tells us at the next commit. */
    bool went_back = entry.nonce == lease->before_nonce && revision < lease->taken_revision;
    if (revision > 0 && entry.nonce != lease->nonce && !went_back && !has_ended(lease, &entry)) {
        return lost(lease, error);
    }
    status = write_over(lease, revision, error);
    return status == EVS_AGAIN ? EVS_E_UNREACHABLE : status; /* the next renewal looks again */
}

evs_status evs_lease_renew(struct evs_lease *lease, struct evs_error *error)
{
    EVS_ASSERT(lease->is_held);
    evs_status status = write_over(lease, lease->revision, error);
    return status == EVS_AGAIN ? recover(lease, error) : status;
}

void evs_lease_release(struct evs_lease *lease)
{
    struct evs_error ignored;
    uint64_t written;
    if (lease->is_held) {
        lease->is_held = false;
        evs_status status = lease->open.bucket->write(lease->open.instance, lease->key.data, value_of(lease, true),
                                                      lease->revision, &written, &ignored);
        (void)status;
    }
}

/* --- making ---------------------------------------------------------------------------------------------------------------------- */

static void name_subject(struct evs_lease *lease)
{
    const struct evs_lease_open *open = &lease->open;
    if (strcmp(open->group, "0") == 0) {
        snprintf(lease->subject, sizeof lease->subject, "pipeline %s", open->pipeline);
    } else {
        snprintf(lease->subject, sizeof lease->subject, "group %s of pipeline %s", open->group, open->pipeline);
    }
}

struct evs_lease *evs_lease_new(const struct evs_lease_open *open)
{
    EVS_ASSERT(open->lease_us > 0 && open->bucket != NULL);
    struct evs_lease *lease = evs_alloc_zero(sizeof *lease);
    lease->open = *open;
    lease->nonce = open->os->random.next(open->os->random.self);
    if (open->os->processes.name != NULL) {
        open->os->processes.name(open->os->processes.self, lease->process);
    }
    name_subject(lease);
    evs_buffer_puts(&lease->key, "lease.");
    evs_lines_put_key(&lease->key, open->pipeline);
    evs_buffer_puts(&lease->key, ".");
    evs_lines_put_key(&lease->key, open->group);
    evs_buffer_put(&lease->key, "", 1);
    name_holder(lease, "");
    lease->is_free = true;
    return lease;
}

void evs_lease_free(struct evs_lease *lease)
{
    if (lease != NULL) {
        evs_buffer_fini(&lease->key);
        evs_buffer_fini(&lease->value);
        evs_free(lease);
    }
}

bool evs_lease_is_held(const struct evs_lease *lease)
{
    return lease->is_held;
}

int64_t evs_lease_renewed_us(const struct evs_lease *lease)
{
    return atomic_load(&lease->renewed_us);
}

bool evs_lease_is_free(const struct evs_lease *lease)
{
    return lease->is_free;
}

const char *evs_lease_holder(const struct evs_lease *lease)
{
    return lease->holder;
}

int64_t evs_lease_length_us(const struct evs_lease *lease)
{
    return lease->open.lease_us;
}
