#include "otlp_http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "evstream/text.h"

#define TIMEOUT_MS 10000L
#define CONNECT_MS 5000L
#define BODY_BYTES_MAX 4096u

struct evs_otlp_http {
    CURL *curl;
    struct curl_slist *headers;
    char error[CURL_ERROR_SIZE];
};

static size_t take_body(char *data, size_t size, size_t count, void *argument)
{
    struct evs_buffer *body = argument;
    size_t room = BODY_BYTES_MAX - body->count, bytes = size * count;
    evs_buffer_put(body, data, bytes < room ? bytes : room);
    return bytes;
}

/* Seconds alone; a date would need our clock and theirs to agree. */
static size_t take_header(char *data, size_t size, size_t count, void *argument)
{
    static const char name[] = "retry-after:";
    struct evs_otlp_answer *answer = argument;
    size_t bytes = size * count;
    if (bytes > sizeof name && strncasecmp(data, name, sizeof name - 1) == 0) {
        int64_t seconds = 0;
        for (size_t i = sizeof name - 1; i < bytes && seconds < 3600; i++) {
            seconds = data[i] >= '0' && data[i] <= '9' ? seconds * 10 + (data[i] - '0') : seconds;
        }
        answer->retry_us = seconds * 1000000;
    }
    return bytes;
}

static int goes_on(void *argument, curl_off_t down_total, curl_off_t down, curl_off_t up_total, curl_off_t up)
{
    const _Atomic bool *ends = argument;
    (void)down_total;
    (void)down;
    (void)up_total;
    (void)up;
    return atomic_load_explicit(ends, memory_order_relaxed) ? 1 : 0;
}

/* "name=value,name=value"; blanks round them do not count. */
static void add_headers(struct evs_otlp_http *http, const char *list)
{
    while (list != NULL && *(list += strspn(list, " ")) != '\0') {
        const char *end = strchr(list, ',');
        size_t count = end == NULL ? strlen(list) : (size_t)(end - list);
        const char *sign = memchr(list, '=', count);
        if (sign != NULL) {
            struct evs_buffer line = {0};
            evs_buffer_printf(&line, "%.*s: %.*s", (int)(sign - list), list, (int)(list + count - sign - 1), sign + 1);
            http->headers = curl_slist_append(http->headers, line.data);
            evs_buffer_fini(&line);
        }
        list += count + (end != NULL);
    }
}

struct evs_otlp_http *evs_otlp_http_new(const char *url, const char *headers, struct evs_error *error)
{
    bool is_url = strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
    CURL *curl = is_url ? curl_easy_init() : NULL;
    if (curl == NULL || curl_easy_setopt(curl, CURLOPT_URL, url) != CURLE_OK) {
        curl_easy_cleanup(curl);
        evs_fail(error, EVS_E_USAGE, "`%s` is no address of a trace collector; write http://HOST:4318.", url);
        return NULL;
    }
    struct evs_otlp_http *http = evs_alloc_zero(sizeof *http);
    http->curl = curl;
    http->headers = curl_slist_append(NULL, "Content-Type: application/json");
    http->headers = curl_slist_append(http->headers, "Expect:");
    add_headers(http, headers);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, http->headers);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->error);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "evstream");
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, goes_on);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    return http;
}

void evs_otlp_http_post(struct evs_otlp_http *http, struct evs_slice body, const _Atomic bool *ends,
                        struct evs_otlp_answer *answer)
{
    CURL *curl = http->curl;
    answer->status = 0;
    answer->retry_us = 0;
    answer->body.count = 0;
    http->error[0] = '\0';
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.data);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.count);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer->body);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, (void *)(uintptr_t)ends);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    }
    snprintf(answer->error, sizeof answer->error, "%s",
             http->error[0] != '\0' ? http->error : curl_easy_strerror(code));
}

void evs_otlp_http_free(struct evs_otlp_http *http)
{
    if (http != NULL) {
        curl_slist_free_all(http->headers);
        curl_easy_cleanup(http->curl);
        evs_free(http);
    }
}
