/* Secrets by reference (secret.h). A file that is being replaced may be missing or empty for a moment: the value that was read before stays. */
#include "secret.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define LOOK_US 1000000
#define SECRET_BYTES_MAX 65536u

static struct evs_slice trimmed(struct evs_slice text)
{
    while (text.count > 0 && isspace((unsigned char)text.data[0])) {
        text = (struct evs_slice){text.data + 1, text.count - 1};
    }
    while (text.count > 0 && isspace((unsigned char)text.data[text.count - 1])) {
        text.count--;
    }
    return text;
}

static evs_status keep(struct evs_secret *secret, struct evs_slice text, struct evs_error *error)
{
    text = trimmed(text);
    if (text.count == 0) {
        return evs_fail(error, EVS_E_USAGE, "%s, which `%s_%s` names, is empty.",
                        secret->file != NULL ? secret->file : secret->env, secret->option,
                        secret->file != NULL ? "file" : "env");
    }
    if (evs_slice_equal(text, (struct evs_slice){secret->value.data, secret->value.count})) {
        return EVS_AGAIN;
    }
    secret->value.count = 0;
    evs_buffer_put(&secret->value, text.data, text.count);
    secret->version++;
    return EVS_OK;
}

static evs_status read_file(struct evs_secret *secret, struct evs_error *error)
{
    FILE *file = fopen(secret->file, "rbe");
    if (file == NULL) {
        return evs_fail(error, EVS_E_USAGE, "The file of `%s_file` cannot be read: %s: %s.", secret->option,
                        secret->file, strerror(errno));
    }
    char text[SECRET_BYTES_MAX];
    size_t count = fread(text, 1, sizeof text, file);
    bool is_long = count == sizeof text;
    (void)fclose(file);
    evs_status status = is_long ? evs_fail(error, EVS_E_USAGE, "The file of `%s_file`, %s, is too long for a secret.",
                                           secret->option, secret->file)
                                : keep(secret, (struct evs_slice){text, count}, error);
    explicit_bzero(text, sizeof text);
    return status;
}

static bool has_changed(struct evs_secret *secret)
{
    struct stat now;
    if (stat(secret->file, &now) != 0) {
        return true; /* reading it says why */
    }
    int64_t modified_ns = (int64_t)now.st_mtim.tv_sec * 1000000000 + now.st_mtim.tv_nsec;
    bool is_same = secret->seen.modified_ns == modified_ns && secret->seen.bytes == (uint64_t)now.st_size &&
                   secret->seen.inode == (uint64_t)now.st_ino;
    secret->seen.modified_ns = modified_ns;
    secret->seen.bytes = (uint64_t)now.st_size;
    secret->seen.inode = (uint64_t)now.st_ino;
    return !is_same;
}

evs_status evs_secret_open(struct evs_secret *secret, const struct evs_os *os, struct evs_error *error)
{
    secret->looked_us = evs_monotonic_us(os);
    if (secret->file != NULL) {
        has_changed(secret);
        evs_status status = read_file(secret, error);
        return status == EVS_AGAIN ? EVS_OK : status;
    }
    const char *value = secret->env == NULL ? NULL : getenv(secret->env);
    if (secret->env != NULL && value == NULL) {
        return evs_fail(error, EVS_E_USAGE, "The environment variable %s, which `%s_env` names, is not set.",
                        secret->env, secret->option);
    }
    evs_status status = value == NULL ? EVS_OK : keep(secret, evs_slice_of(value), error);
    return status == EVS_AGAIN ? EVS_OK : status;
}

evs_status evs_secret_look(struct evs_secret *secret, const struct evs_os *os, struct evs_error *error)
{
    int64_t now = evs_monotonic_us(os);
    if (secret->file == NULL || now - secret->looked_us < LOOK_US) {
        return EVS_AGAIN;
    }
    secret->looked_us = now;
    return has_changed(secret) ? read_file(secret, error) : EVS_AGAIN;
}

void evs_secret_fini(struct evs_secret *secret)
{
    if (secret->value.data != NULL) {
        explicit_bzero(secret->value.data, secret->value.capacity);
    }
    evs_buffer_fini(&secret->value);
}
