#include "shop.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "evstream/json_value.h"

#define TOLD_MAX 50              /* triggers that a page sees when it opens */
#define WAITING_MAX (1u << 20)   /* bytes that a page may be behind; one that does not read is let go */
#define FILE_BYTES_MAX (4 << 20) /* of a page's file */

/* A page that listens to triggers. */
struct page {
    struct evhttp_request *request;
    struct evhttp_connection *connection;
};

struct evs_dev_shop {
    struct evs_dev_shop_options options;
    struct evhttp *http;
    struct page *pages;
    uint32_t page_count, page_capacity;
    struct evs_buffer told[TOLD_MAX]; /* a ring of messages, as they were sent */
    uint64_t told_count;
};

/* --- files ----------------------------------------------------------------------------------------------------------------- */

static const char *type_of(const char *name)
{
    static const struct {
        const char *suffix, *type;
    } types[] = {{".html", "text/html; charset=utf-8"},
                 {".js", "text/javascript; charset=utf-8"},
                 {".css", "text/css; charset=utf-8"},
                 {".svg", "image/svg+xml"}};
    const char *suffix = strrchr(name, '.');
    for (size_t i = 0; suffix != NULL && i < EVS_COUNT(types); i++) {
        if (strcmp(suffix, types[i].suffix) == 0) {
            return types[i].type;
        }
    }
    return "application/octet-stream";
}

/* The file behind a path; a path without a dot is one of the shop's own routes. NULL: none of ours. */
static const char *file_of(const char *path)
{
    if (strchr(path, '.') == NULL) {
        return "index.html";
    }
    return path[0] == '/' && path[1] != '.' && strchr(path + 1, '/') == NULL ? path + 1 : NULL;
}

static bool read_file(const struct evs_dev_shop *shop, const char *name, struct evs_buffer *text)
{
    char path[PATH_MAX];
    struct stat status;
    int written = snprintf(path, sizeof path, "%s/%s", shop->options.folder, name);
    int fd = written > 0 && written < (int)sizeof path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW) : -1;
    bool is_good = fd >= 0 && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size <= FILE_BYTES_MAX;
    if (is_good) {
        evs_buffer_reserve(text, (size_t)status.st_size + 1);
        ssize_t got = read(fd, text->data, (size_t)status.st_size);
        is_good = got == status.st_size;
        text->count = is_good ? (size_t)got : 0;
    }
    if (fd >= 0) {
        close(fd);
    }
    return is_good;
}

/* {{name}} by its value; what has no value stays as it is. */
static void put_filled(const struct evs_dev_shop *shop, struct evs_slice text, struct evbuffer *out)
{
    const struct {
        struct evs_slice name;
        const char *value;
    } values[] = {{EVS_SLICE("{{collector}}"), shop->options.collector_url}, {EVS_SLICE("{{key}}"), shop->options.key}};
    for (size_t at = 0; at < text.count;) {
        const char *begin = text.data + at;
        size_t plain = 1;
        for (size_t i = 0; i < EVS_COUNT(values); i++) {
            if (text.count - at >= values[i].name.count &&
                memcmp(begin, values[i].name.data, values[i].name.count) == 0) {
                evbuffer_add(out, values[i].value, strlen(values[i].value));
                at += values[i].name.count;
                plain = 0;
                break;
            }
        }
        evbuffer_add(out, begin, plain);
        at += plain;
    }
}

static void reply(struct evhttp_request *request, int code, const char *reason, const char *type, struct evbuffer *body)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_send_reply(request, code, reason, body);
}

static void on_file(struct evhttp_request *request, void *argument)
{
    const struct evs_dev_shop *shop = argument;
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    const char *name = path == NULL ? NULL : file_of(path);
    struct evs_buffer text = {0};
    struct evbuffer *body = evbuffer_new();
    EVS_ASSERT(body != NULL);
    if (name != NULL && read_file(shop, name, &text)) {
        if (strcmp(type_of(name), "text/html; charset=utf-8") == 0) {
            put_filled(shop, (struct evs_slice){text.data, text.count}, body);
        } else {
            evbuffer_add(body, text.data, text.count);
        }
        reply(request, HTTP_OK, "OK", type_of(name), body);
    } else {
        evbuffer_add_printf(body, "There is no such page in the demo shop.\n");
        reply(request, HTTP_NOTFOUND, "Not Found", "text/plain", body);
    }
    evbuffer_free(body);
    evs_buffer_fini(&text);
}

/* --- triggers -------------------------------------------------------------------------------------------------------------- */

/* libevent takes a request that is still answered off its connection before it frees that; it is then ours to end. */
static void on_page_closed(struct evhttp_connection *connection, void *argument)
{
    struct evs_dev_shop *shop = argument;
    for (uint32_t i = 0; i < shop->page_count; i++) {
        if (shop->pages[i].connection == connection) {
            if (evhttp_request_get_connection(shop->pages[i].request) == NULL) {
                evhttp_send_reply_end(shop->pages[i].request);
            }
            shop->pages[i] = shop->pages[--shop->page_count];
            return;
        }
    }
}

static void send_message(struct evhttp_request *page, const struct evs_buffer *message)
{
    struct evbuffer *chunk = evbuffer_new();
    EVS_ASSERT(chunk != NULL);
    evbuffer_add(chunk, message->data, message->count);
    evhttp_send_reply_chunk(page, chunk);
    evbuffer_free(chunk);
}

static void on_triggers(struct evhttp_request *request, void *argument)
{
    struct evs_dev_shop *shop = argument;
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    uint64_t first = shop->told_count > TOLD_MAX ? shop->told_count - TOLD_MAX : 0;
    evhttp_add_header(headers, "Content-Type", "text/event-stream");
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_send_reply_start(request, HTTP_OK, "OK");
    for (uint64_t i = first; i < shop->told_count; i++) {
        send_message(request, &shop->told[i % TOLD_MAX]);
    }
    struct page page = {.request = request, .connection = evhttp_request_get_connection(request)};
    evhttp_connection_set_closecb(page.connection, on_page_closed, shop);
    EVS_GROW(shop->pages, shop->page_count, shop->page_capacity);
    shop->pages[shop->page_count++] = page;
}

static bool is_behind(const struct page *page)
{
    struct bufferevent *link = evhttp_connection_get_bufferevent(page->connection);
    return evbuffer_get_length(bufferevent_get_output(link)) > WAITING_MAX;
}

void evs_dev_shop_tell(struct evs_dev_shop *shop, struct evs_slice subject, struct evs_slice payload)
{
    struct evs_buffer *message = &shop->told[shop->told_count++ % TOLD_MAX];
    message->count = 0;
    evs_buffer_puts(message, "data: {\"subject\":");
    evs_json_put_text(message, subject);
    evs_buffer_puts(message, ",\"text\":");
    evs_json_put_text(message, payload);
    evs_buffer_puts(message, "}\n\n");
    for (uint32_t i = 0; i < shop->page_count; i++) {
        if (!is_behind(&shop->pages[i])) {
            send_message(shop->pages[i].request, message);
        }
    }
}

/* --- its life -------------------------------------------------------------------------------------------------------------- */

evs_status evs_dev_shop_new(struct event_base *loop, const struct evs_dev_shop_options *options,
                            struct evs_dev_shop **shop, struct evs_error *error)
{
    struct evs_dev_shop *made = evs_alloc_zero(sizeof *made);
    *shop = NULL;
    made->options = *options;
    made->http = evhttp_new(loop);
    EVS_ASSERT(made->http != NULL);
    evhttp_set_allowed_methods(made->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
    evhttp_set_max_headers_size(made->http, 16384);
    evhttp_set_max_body_size(made->http, 0);
    evhttp_set_cb(made->http, "/triggers", on_triggers, made);
    evhttp_set_gencb(made->http, on_file, made);
    if (evhttp_bind_socket(made->http, options->host, options->port) != 0) {
        evs_status status = evs_fail(error, EVS_E_USAGE, "The shop's page cannot listen on %s:%u: %s.", options->host,
                                     options->port, strerror(errno));
        evs_dev_shop_free(made);
        return status;
    }
    *shop = made;
    return EVS_OK;
}

void evs_dev_shop_free(struct evs_dev_shop *shop)
{
    if (shop == NULL) {
        return;
    }
    for (uint32_t i = 0; i < shop->page_count; i++) {
        evhttp_connection_set_closecb(shop->pages[i].connection, NULL, NULL);
    }
    evhttp_free(shop->http); /* and the requests that are under way */
    for (uint32_t i = 0; i < TOLD_MAX; i++) {
        evs_buffer_fini(&shop->told[i]);
    }
    evs_free(shop->pages);
    evs_free(shop);
}
