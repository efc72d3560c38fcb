#include "keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "nats_bucket.h"
#include "nats_json.h"
#include "nats_reader.h"

#define KEEPER_BEAT_US INT64_C(1000000)
#define KEEPER_TIMEOUT_US INT64_C(2000000)
#define KEEPER_ID_BYTES 17u
#define KEEPER_DAY_US (INT64_C(86400) * 1000000)
#define KEEPER_EARLY_US (INT64_C(3600) * 1000000)
#define KEEPER_SALTS 2u
#define KEEPER_OLD_DAYS 7 /* days for which salts are looked for that nobody has deleted */
#define KEEPER_WAIT_STEP_US 5000
/* Two that write one key clash at every third beat; a bucket that was made again is one clash. */
#define KEEPER_CLASH 4
#define KEEPER_CLASHES_MAX 10

struct shared_salt {
    int64_t day;
    bool is_set;
    uint8_t bytes[EVS_SALT_BYTES];
};

struct evs_keeper {
    struct evs_keeper_options options;
    struct evs_nats_reader_config how; /* to connect */
    struct evs_thread *thread;
    struct evs_park *park;
    _Atomic bool stop;
    char key[320], process[EVS_PROCESS_NAME_MAX]; /* "": not registered */

    /* told by the loop */
    _Atomic int64_t settled_us;
    _Atomic uint64_t spool_bytes;

    /* the thread's */
    void *bucket; /* NULL: not connected */
    bool is_complained, is_read;
    uint64_t revision; /* of our key; 0: there is none */
    uint64_t previous; /* of the last beat, when its round is known; else 0 */
    int64_t round_us;
    int32_t clashes; /* raised by each, lowered by each beat that goes well */
    int64_t cleaned_day;
    struct evs_buffer value;

    _Atomic bool is_registered;
    _Atomic uint64_t beats;

    pthread_mutex_t lock; /* of the salts */
    struct shared_salt salts[KEEPER_SALTS];
};

/* --- the id -------------------------------------------------------------------------------------------------------------------- */

static bool keeper_read_id(const char *path, char id[KEEPER_ID_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool whole = fd >= 0 && read(fd, id, KEEPER_ID_BYTES - 1) == (ssize_t)(KEEPER_ID_BYTES - 1);
    if (fd >= 0) {
        close(fd);
    }
    id[KEEPER_ID_BYTES - 1] = '\0';
    return whole && strspn(id, "0123456789abcdef") == KEEPER_ID_BYTES - 1;
}

/* The folder is locked by its spool: nobody else draws. */
static evs_status keeper_draw_id(const char *path, char id[KEEPER_ID_BYTES], struct evs_error *error)
{
    uint64_t number;
    evs_random_bytes((uint8_t *)&number, sizeof number);
    snprintf(id, KEEPER_ID_BYTES, "%016" PRIx64, number);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    bool kept = fd >= 0 && write(fd, id, KEEPER_ID_BYTES - 1) == (ssize_t)(KEEPER_ID_BYTES - 1) && fsync(fd) == 0;
    if (!kept) {
        (void)evs_fail(error, EVS_E_IO, "Cannot keep this collector's id in `%s`: %s.", path, strerror(errno));
    }
    if (fd >= 0) {
        close(fd);
    }
    return kept ? EVS_OK : EVS_E_IO;
}

static evs_status keeper_name(struct evs_keeper *keeper, struct evs_error *error)
{
    char path[1024], id[KEEPER_ID_BYTES];
    if (keeper->options.folder == NULL) {
        return EVS_OK;
    }
    snprintf(path, sizeof path, "%s/collector-id", keeper->options.folder);
    evs_status status = keeper_read_id(path, id) ? EVS_OK : keeper_draw_id(path, id, error);
    if (status == EVS_OK) {
        snprintf(keeper->key, sizeof keeper->key, "collector.%s.%s", keeper->options.stream, id);
    }
    return status;
}

/* --- the registration ----------------------------------------------------------------------------------------------------------- */

static void keeper_beat_text(struct evs_keeper *keeper, int64_t now_us)
{
    const struct evs_keeper_options *options = &keeper->options;
    const struct evs_os *os = options->os;
    int64_t behind_us = now_us - atomic_load(&keeper->settled_us);
    struct evs_buffer *out = &keeper->value;
    out->count = 0;
    evs_buffer_puts(out, "{\"version\":1,\"host\":");
    evs_nats_json_quote(out, (struct evs_slice){keeper->process, strcspn(keeper->process, "/")});
    evs_buffer_puts(out, ",\"process\":");
    evs_nats_json_quote(out, evs_slice_of(keeper->process));
    evs_buffer_printf(out,
                      ",\"beat\":%" PRIu64 ",\"at_ms\":%" PRId64 ",\"behind_ms\":%" PRId64 ",\"spool_bytes\":%" PRIu64,
                      atomic_load(&keeper->beats), os->clock.wall_us(os->clock.self) / 1000,
                      behind_us > 0 ? (behind_us + 999) / 1000 : 0, atomic_load(&keeper->spool_bytes));
    evs_buffer_printf(out, ",\"previous\":%" PRIu64 ",\"round_ms\":%" PRId64 ",\"absence_s\":%" PRId64 "}",
                      keeper->previous, (keeper->round_us + 999) / 1000, options->absence_us / 1000000);
}

/* The round begins before we look how far behind we are: the word is older than the server's stamp by that at most. */
static evs_status keeper_beat(struct evs_keeper *keeper, struct evs_error *error)
{
    evs_status status = EVS_OK;
    if (!keeper->is_read) {
        status = evs_nats_bucket.read(keeper->bucket, keeper->key, &keeper->value, &keeper->revision, error);
        keeper->is_read = status == EVS_OK;
        keeper->previous = 0;
    }
    if (status != EVS_OK) {
        return status;
    }
    int64_t begun_us = evs_monotonic_us(keeper->options.os);
    keeper_beat_text(keeper, begun_us);
    struct evs_slice text = {keeper->value.data, keeper->value.count};
    status = evs_nats_bucket.write(keeper->bucket, keeper->key, text, keeper->revision, &keeper->revision, error);
    if (status != EVS_OK) {
        keeper->is_read = false; /* nobody knows what is there now */
    }
    if (status == EVS_AGAIN && (keeper->clashes += KEEPER_CLASH) < KEEPER_CLASHES_MAX) {
        return EVS_E_UNREACHABLE; /* the next beat reads what is there */
    }
    if (status == EVS_AGAIN) {
        return evs_fail(
            error, EVS_E_STATE,
            "Another collector writes the registration %s: give each a spool folder of its own, and copy none "
            "from another machine (the file collector-id in it).",
            keeper->key);
    }
    if (status == EVS_OK) {
        keeper->previous = keeper->revision;
        keeper->clashes -= keeper->clashes > 0;
        keeper->round_us = evs_monotonic_us(keeper->options.os) - begun_us;
        atomic_fetch_add(&keeper->beats, 1);
        atomic_store(&keeper->is_registered, true);
    }
    return status;
}

/* --- salts -------------------------------------------------------------------------------------------------------------------------- */

static bool salt_of_text(struct evs_slice text, uint8_t salt[EVS_SALT_BYTES])
{
    for (size_t i = 0; i < EVS_SALT_BYTES; i++) {
        unsigned byte;
        char pair[3] = {0};
        if (text.count != 2 * EVS_SALT_BYTES) {
            return false;
        }
        memcpy(pair, text.data + 2 * i, 2);
        if (strspn(pair, "0123456789abcdef") != 2 || sscanf(pair, "%2x", &byte) != 1) {
            return false;
        }
        salt[i] = (uint8_t)byte;
    }
    return true;
}

static void salt_to_text(const uint8_t salt[EVS_SALT_BYTES], char text[2 * EVS_SALT_BYTES + 1])
{
    for (size_t i = 0; i < EVS_SALT_BYTES; i++) {
        snprintf(text + 2 * i, 3, "%02x", salt[i]);
    }
}

static struct shared_salt *keeper_place(struct evs_keeper *keeper, int64_t day)
{
    return &keeper->salts[(uint64_t)day % KEEPER_SALTS];
}

static bool keeper_has_salt(struct evs_keeper *keeper, int64_t day)
{
    pthread_mutex_lock(&keeper->lock);
    const struct shared_salt *place = keeper_place(keeper, day);
    bool has = place->is_set && place->day == day;
    pthread_mutex_unlock(&keeper->lock);
    return has;
}

/* The one that is there, or ours when we are the first. */
static evs_status keeper_fetch_salt(struct evs_keeper *keeper, int64_t day, struct evs_error *error)
{
    char key[32], text[2 * EVS_SALT_BYTES + 1];
    uint8_t salt[EVS_SALT_BYTES];
    uint64_t revision = 0;
    snprintf(key, sizeof key, "salt.%" PRId64, day);
    evs_status status = evs_nats_bucket.read(keeper->bucket, key, &keeper->value, &revision, error);
    if (status != EVS_OK) {
        return status;
    }
    if (!salt_of_text((struct evs_slice){keeper->value.data, keeper->value.count}, salt)) {
        evs_random_bytes(salt, sizeof salt);
        salt_to_text(salt, text);
        status = evs_nats_bucket.write(keeper->bucket, key, evs_slice_of(text), revision, &revision, error);
    }
    if (status == EVS_OK) {
        pthread_mutex_lock(&keeper->lock);
        struct shared_salt *place = keeper_place(keeper, day);
        *place = (struct shared_salt){.day = day, .is_set = true};
        memcpy(place->bytes, salt, sizeof salt);
        pthread_mutex_unlock(&keeper->lock);
    }
    return status == EVS_AGAIN ? EVS_OK : status; /* another one was first: its salt is read at the next beat */
}

static evs_status keeper_clean_salts(struct evs_keeper *keeper, int64_t day, struct evs_error *error)
{
    char key[32];
    evs_status status = EVS_OK;
    for (int64_t old = day - 2; old > day - 2 - KEEPER_OLD_DAYS && status == EVS_OK; old--) {
        uint64_t revision = 0;
        snprintf(key, sizeof key, "salt.%" PRId64, old);
        status = evs_nats_bucket.read(keeper->bucket, key, &keeper->value, &revision, error);
        if (status == EVS_OK && keeper->value.count > 0) {
            status = evs_nats_bucket_remove(keeper->bucket, key, error);
        }
    }
    keeper->cleaned_day = status == EVS_OK ? day : keeper->cleaned_day;
    return status;
}

static evs_status keeper_salts(struct evs_keeper *keeper, struct evs_error *error)
{
    const struct evs_os *os = keeper->options.os;
    int64_t now_us = os->clock.wall_us(os->clock.self);
    int64_t day = now_us / KEEPER_DAY_US, soon = (now_us + KEEPER_EARLY_US) / KEEPER_DAY_US;
    evs_status status = keeper_has_salt(keeper, day) ? EVS_OK : keeper_fetch_salt(keeper, day, error);
    if (status == EVS_OK && soon != day && !keeper_has_salt(keeper, soon)) {
        status = keeper_fetch_salt(keeper, soon, error);
    }
    return status == EVS_OK && keeper->cleaned_day != day ? keeper_clean_salts(keeper, day, error) : status;
}

bool evs_keeper_salt(struct evs_keeper *keeper, int64_t day, int64_t wait_us, uint8_t salt[EVS_SALT_BYTES])
{
    const struct evs_os *os = keeper->options.os;
    int64_t deadline_us = evs_monotonic_us(os) + wait_us;
    while (!keeper_has_salt(keeper, day) && evs_monotonic_us(os) < deadline_us) {
        os->clock.sleep_us(os->clock.self, KEEPER_WAIT_STEP_US);
    }
    pthread_mutex_lock(&keeper->lock);
    const struct shared_salt *place = keeper_place(keeper, day);
    bool has = place->is_set && place->day == day;
    if (has) {
        memcpy(salt, place->bytes, EVS_SALT_BYTES);
    }
    pthread_mutex_unlock(&keeper->lock);
    return has;
}

/* --- the thread --------------------------------------------------------------------------------------------------------------------- */

static void keeper_disconnect(struct evs_keeper *keeper)
{
    if (keeper->bucket != NULL) {
        evs_nats_bucket.close(keeper->bucket);
        keeper->bucket = NULL;
    }
    keeper->is_read = false;
}

static evs_status keeper_connect(struct evs_keeper *keeper, struct evs_error *error)
{
    const struct evs_keeper_options *options = &keeper->options;
    struct evs_bucket_open open = {.os = options->os,
                                   .log = options->log,
                                   .park = keeper->park,
                                   .name = options->bucket,
                                   .source_config = &keeper->how,
                                   .nats_url = options->nats_url,
                                   .nats_credentials = options->credentials,
                                   .timeout_us = KEEPER_TIMEOUT_US};
    return evs_nats_bucket.open(&open, &keeper->bucket, error);
}

/* An outage is told by the delivery; what somebody must mend is told here, once until it works again. */
static void keeper_complain(struct evs_keeper *keeper, evs_status status, const struct evs_error *error)
{
    bool is_new = !keeper->is_complained && status != EVS_E_UNREACHABLE;
    if (is_new) {
        keeper->is_complained = true;
        evs_log(
            keeper->options.log, EVS_LOG_WARN, "not_registered",
            "%s Pipelines do not wait for what this collector's spool holds until it is registered in the bucket %s.",
            error->text, keeper->options.bucket);
    }
}

static void keeper_turn(struct evs_keeper *keeper)
{
    struct evs_error error = {0};
    evs_status status = keeper->bucket != NULL ? EVS_OK : keeper_connect(keeper, &error);
    if (status == EVS_OK && keeper->options.shares_salts) {
        status = keeper_salts(keeper, &error);
    }
    if (status == EVS_OK && keeper->key[0] != '\0') {
        status = keeper_beat(keeper, &error);
    }
    if (status != EVS_OK) {
        keeper_complain(keeper, status, &error);
        atomic_store(&keeper->is_registered, false);
    } else {
        keeper->is_complained = false;
    }
    if (status == EVS_E_REFUSED) {
        keeper_disconnect(keeper); /* the bucket may be another one by now */
    }
}

static void keeper_main(void *argument)
{
    struct evs_keeper *keeper = argument;
    const struct evs_os *os = keeper->options.os;
    while (!atomic_load(&keeper->stop)) {
        int64_t begun_us = evs_monotonic_us(os);
        keeper_turn(keeper);
        int64_t left_us = begun_us + KEEPER_BEAT_US - evs_monotonic_us(os);
        while (left_us > 0 && !atomic_load(&keeper->stop)) {
            (void)os->sockets.wait(os->sockets.self, keeper->park, NULL, 0, left_us);
            left_us = begun_us + KEEPER_BEAT_US - evs_monotonic_us(os);
        }
    }
}

/* --- open and close ------------------------------------------------------------------------------------------------------------------ */

evs_status evs_keeper_open(const struct evs_keeper_options *options, struct evs_keeper **result,
                           struct evs_error *error)
{
    struct evs_keeper *keeper = evs_alloc_zero(sizeof *keeper);
    const struct evs_threads *threads = &options->os->threads;
    keeper->options = *options;
    keeper->cleaned_day = -1;
    keeper->how = (struct evs_nats_reader_config){.stream = options->stream,
                                                  .domain = "",
                                                  .inbox_prefix = "_INBOX",
                                                  .tls_ca = options->tls_ca != NULL ? options->tls_ca : "",
                                                  .tls_cert = "",
                                                  .tls_key = "",
                                                  .transport = EVS_NATS_AUTO};
    pthread_mutex_init(&keeper->lock, NULL);
    options->os->processes.name(options->os->processes.self, keeper->process);
    keeper->park = threads->park_new(threads->self);
    evs_status status = keeper_name(keeper, error);
    if (status == EVS_OK) {
        status = threads->spawn(threads->self, "evs-keeper", keeper_main, keeper, &keeper->thread);
    }
    if (status != EVS_OK) {
        evs_keeper_close(keeper, false);
        return status;
    }
    *result = keeper;
    return EVS_OK;
}

void evs_keeper_close(struct evs_keeper *keeper, bool leaves)
{
    const struct evs_threads *threads = &keeper->options.os->threads;
    struct evs_error error;
    atomic_store(&keeper->stop, true);
    if (keeper->thread != NULL) {
        threads->wake(keeper->park);
        threads->join(keeper->thread);
    }
    if (leaves && keeper->bucket != NULL && keeper->key[0] != '\0' &&
        evs_nats_bucket_remove(keeper->bucket, keeper->key, &error) != EVS_OK) {
        evs_log(
            keeper->options.log, EVS_LOG_WARN, "still_registered",
            "This collector is still registered, although its spool is empty (%s); pipelines wait for it for a while. "
            "To end that: nats kv del %s %s.",
            error.text, keeper->options.bucket, keeper->key);
    }
    keeper_disconnect(keeper);
    threads->park_free(keeper->park);
    pthread_mutex_destroy(&keeper->lock);
    evs_buffer_fini(&keeper->value);
    evs_free(keeper);
}

void evs_keeper_tell(struct evs_keeper *keeper, int64_t settled_us, uint64_t spool_bytes)
{
    atomic_store(&keeper->settled_us, settled_us);
    atomic_store(&keeper->spool_bytes, spool_bytes);
}

void evs_keeper_state(const struct evs_keeper *keeper, struct evs_keeper_state *state)
{
    *state = (struct evs_keeper_state){.is_registered = atomic_load(&keeper->is_registered),
                                       .beats = atomic_load(&keeper->beats)};
}
