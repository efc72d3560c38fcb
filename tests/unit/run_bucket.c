/* The bucket of run_fakes.h: a few keys in memory, each with its revision, shared by all engines of the test. */
#include "run_fakes.h"

#include <pthread.h>

#define KEYS_MAX 16u

static struct entry {
    char key[128], value[4096];
    size_t bytes;
    uint64_t revision;
} entries[KEYS_MAX];
static uint32_t entry_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct entry *entry_of(const char *key)
{
    for (uint32_t i = 0; i < entry_count; i++) {
        if (strcmp(entries[i].key, key) == 0) {
            return &entries[i];
        }
    }
    EVS_ASSERT(entry_count < KEYS_MAX && strlen(key) < sizeof entries[0].key);
    struct entry *entry = &entries[entry_count++];
    *entry = (struct entry){.revision = 0};
    memcpy(entry->key, key, strlen(key) + 1);
    return entry;
}

static evs_status bucket_open(const struct evs_bucket_open *open, void **instance, struct evs_error *error)
{
    (void)open, (void)error;
    *instance = entries;
    return EVS_OK;
}

static evs_status bucket_read(void *instance, const char *key, struct evs_buffer *value, uint64_t *revision,
                              struct evs_error *error)
{
    (void)instance, (void)error;
    pthread_mutex_lock(&lock);
    const struct entry *entry = entry_of(key);
    value->count = 0;
    evs_buffer_put(value, entry->value, entry->bytes);
    *revision = entry->revision;
    pthread_mutex_unlock(&lock);
    return EVS_OK;
}

static evs_status bucket_write(void *instance, const char *key, struct evs_slice value, uint64_t expected,
                               uint64_t *revision, struct evs_error *error)
{
    (void)instance, (void)error;
    pthread_mutex_lock(&lock);
    struct entry *entry = entry_of(key);
    bool fits = entry->revision == expected;
    EVS_ASSERT(value.count <= sizeof entry->value);
    if (fits) {
        memcpy(entry->value, value.data, value.count);
        entry->bytes = value.count;
        *revision = ++entry->revision;
    }
    pthread_mutex_unlock(&lock);
    return fits ? EVS_OK : EVS_AGAIN;
}

static void bucket_close(void *instance)
{
    (void)instance;
}

const struct evs_bucket fake_bucket = {
    .open = bucket_open, .read = bucket_read, .write = bucket_write, .close = bucket_close};

bool fake_bucket_has(const char *begin)
{
    bool has = false;
    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < entry_count; i++) {
        has |= entries[i].bytes > 0 && strncmp(entries[i].key, begin, strlen(begin)) == 0;
    }
    pthread_mutex_unlock(&lock);
    return has;
}

void fake_bucket_clear(void)
{
    pthread_mutex_lock(&lock);
    entry_count = 0;
    pthread_mutex_unlock(&lock);
}
