/* One request: URL, headers, signature, body.
 *
 * Standard Webhooks (standardwebhooks.com): webhook-id names the message at every attempt, webhook-timestamp is the attempt's, the signature is
 * HMAC-SHA256 of "id.timestamp.body" with the secret's bytes; of several secrets each signs, so that a receiver may change over while both are
 * good. The id goes as Idempotency-Key, too.
 *
 * A list of several messages has an id made of theirs. It is the same when the same list is sent again; after a restart the messages may be
 * put together otherwise, so who must tell repeated rows of lists apart puts {_id} into the body. */
#include "webhook.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <strings.h>

#define PREFIX "whsec_"
#define KEY_BYTES_MIN 24
#define KEY_BYTES_MAX 64
#define KEY_TEXT_MAX 96 /* of base64 */

/* --- signing ----------------------------------------------------------------------------------------------------------- */

/* The next word of a list of secrets; count 0: none is left. */
static struct evs_slice next_secret(struct evs_slice *rest)
{
    while (rest->count > 0 && (unsigned char)rest->data[0] <= ' ') {
        *rest = (struct evs_slice){rest->data + 1, rest->count - 1};
    }
    size_t count = 0;
    while (count < rest->count && (unsigned char)rest->data[count] > ' ') {
        count++;
    }
    struct evs_slice word = {rest->data, count};
    *rest = (struct evs_slice){rest->data + count, rest->count - count};
    return word;
}

/* The bytes of "whsec_<base64>"; 0: it is none. */
static int key_of(struct evs_slice secret, uint8_t key[KEY_TEXT_MAX])
{
    size_t prefix = strlen(PREFIX), count = secret.count - prefix;
    if (secret.count <= prefix || memcmp(secret.data, PREFIX, prefix) != 0 || count > KEY_TEXT_MAX || count % 4 != 0) {
        return 0;
    }
    const char *text = secret.data + prefix;
    int bytes = EVP_DecodeBlock(key, (const uint8_t *)text, (int)count);
    bytes -= bytes > 0 ? (text[count - 1] == '=') + (text[count - 2] == '=') : 0;
    return bytes >= KEY_BYTES_MIN && bytes <= KEY_BYTES_MAX ? bytes : 0;
}

evs_status evs_webhook_check_signing(const struct evs_secret *signing, struct evs_error *error)
{
    struct evs_slice rest = {signing->value.data, signing->value.count}, secret;
    uint8_t key[KEY_TEXT_MAX];
    bool is_right = true;
    while (is_right && (secret = next_secret(&rest)).count > 0) {
        is_right = key_of(secret, key) > 0;
    }
    OPENSSL_cleanse(key, sizeof key);
    return is_right ? EVS_OK
                    : evs_fail(error, EVS_E_USAGE,
                               "The secret that `secret_%s` names is not of the form whsec_<base64 of 24 to 64 bytes>. "
                               "`echo whsec_$(head -c 32 /dev/urandom | base64)` makes one.",
                               signing->file != NULL ? "file" : "env");
}

static void put_base64(struct evs_buffer *out, struct evs_slice bytes)
{
    evs_buffer_reserve(out, 4 * ((bytes.count + 2) / 3) + 1);
    out->count +=
        (size_t)EVP_EncodeBlock((uint8_t *)out->data + out->count, (const uint8_t *)bytes.data, (int)bytes.count);
}

void evs_webhook_sign(struct evs_slice secrets, struct evs_slice id, int64_t seconds, struct evs_slice body,
                      struct evs_buffer *out)
{
    struct evs_buffer content = {0};
    evs_buffer_put(&content, id.data, id.count);
    evs_buffer_printf(&content, ".%" PRId64 ".", seconds);
    evs_buffer_put(&content, body.data, body.count);
    struct evs_slice secret;
    for (bool is_first = true; (secret = next_secret(&secrets)).count > 0; is_first = false) {
        uint8_t key[KEY_TEXT_MAX], code[EVP_MAX_MD_SIZE];
        unsigned code_bytes = 0;
        int key_bytes = key_of(secret, key);
        HMAC(EVP_sha256(), key, key_bytes, (const uint8_t *)content.data, content.count, code, &code_bytes);
        evs_buffer_puts(out, is_first ? "v1," : " v1,");
        put_base64(out, (struct evs_slice){(const char *)code, code_bytes});
        OPENSSL_cleanse(key, sizeof key);
    }
    evs_buffer_fini(&content);
}

/* --- parts ------------------------------------------------------------------------------------------------------------- */

static void id_of(const struct evs_webhook_request *request, char out[EVS_ID_DIGITS])
{
    struct evs_hash128 id = request->messages->id;
    if (request->count > 1) {
        struct evs_buffer ids = {0};
        for (const struct evs_webhook_message *at = request->messages; at != NULL; at = at->next) {
            evs_buffer_put(&ids, &at->id, sizeof at->id);
        }
        id = evs_hash128(ids.data, ids.count);
        evs_buffer_fini(&ids);
    }
    evs_id_text(out, id);
}

static void write_body(const struct evs_webhook *webhook, struct evs_webhook_request *request)
{
    struct evs_buffer *body = &request->body;
    struct evs_slice head = webhook->batch_head, tail = webhook->batch_tail;
    bool is_list = webhook->items_max > 1;
    body->count = 0;
    if (is_list) {
        evs_buffer_put(body, head.data, head.count);
        evs_buffer_puts(body, "[");
    }
    for (const struct evs_webhook_message *at = request->messages; at != NULL; at = at->next) {
        struct evs_slice payload = evs_webhook_payload(at);
        evs_buffer_put(body, at == request->messages ? "" : ",", at != request->messages);
        evs_buffer_put(body, payload.data, payload.count);
    }
    if (is_list) {
        evs_buffer_puts(body, "]");
        evs_buffer_put(body, tail.data, tail.count);
    }
}

static bool begins_nocase(struct evs_slice text, const char *word)
{
    size_t count = strlen(word);
    return text.count >= count && strncasecmp(text.data, word, count) == 0;
}

/* What the row brought: a type of the format's, and lines of the user's. */
static void write_row_headers(const struct evs_webhook *webhook, const struct evs_webhook_request *request,
                              struct evs_buffer *out)
{
    const char *own = webhook->body.count == 0        ? NULL
                      : webhook->content_type != NULL ? webhook->content_type
                                                      : "application/json";
    bool has_type = false;
    for (struct evs_slice rest = evs_webhook_headers(request->messages); rest.count > 0;) {
        const char *newline = memchr(rest.data, '\n', rest.count);
        size_t count = newline == NULL ? rest.count : (size_t)(newline - rest.data) + 1;
        struct evs_slice line = {rest.data, count};
        bool is_type = begins_nocase(line, "content-type:");
        if (is_type && webhook->items_max > 1 && begins_nocase(line, "content-type: application/cloudevents+json")) {
            evs_buffer_puts(out, "content-type: application/cloudevents-batch+json\r\n");
        } else if ((!is_type || own == NULL) && !begins_nocase(line, "ce-datacontenttype:")) {
            evs_buffer_put(out, line.data, line.count);
        }
        has_type = has_type || is_type;
        rest = (struct evs_slice){rest.data + count, rest.count - count};
    }
    if (own != NULL || !has_type) {
        evs_buffer_printf(out, "content-type: %s\r\n", own != NULL ? own : "application/json");
    }
}

/* {auth} and {auth|base64} in a line that holds nothing else of the kind. */
static void put_with_auth(struct evs_buffer *out, struct evs_slice value, struct evs_slice auth)
{
    for (size_t i = 0; i < value.count;) {
        struct evs_slice rest = {value.data + i, value.count - i};
        if (begins_nocase(rest, "{auth}")) {
            evs_buffer_put(out, auth.data, auth.count);
            i += strlen("{auth}");
        } else if (begins_nocase(rest, "{auth|base64}")) {
            put_base64(out, auth);
            i += strlen("{auth|base64}");
        } else {
            evs_buffer_put(out, value.data + i++, 1);
        }
    }
}

static void write_own_headers(const struct evs_webhook *webhook, const struct evs_webhook_secrets *secrets,
                              struct evs_buffer *out)
{
    struct evs_slice auth = {secrets->auth.value.data, secrets->auth.value.count};
    for (const struct evs_webhook_header *at = webhook->headers; at != NULL; at = at->next) {
        if (at->kind == EVS_HEADER_OF_ROW) {
            continue;
        }
        evs_buffer_put(out, at->name.data, at->name.count);
        evs_buffer_puts(out, ": ");
        put_with_auth(out, at->value, auth);
        evs_buffer_puts(out, "\r\n");
    }
}

static void write_url(const struct evs_webhook_secrets *secrets, struct evs_webhook_request *request)
{
    struct evs_slice address = evs_webhook_address(request->messages);
    if (evs_secret_is_named(&secrets->url)) {
        address = (struct evs_slice){secrets->url.value.data, secrets->url.value.count};
    }
    request->url.count = 0;
    evs_buffer_put(&request->url, address.data, address.count);
    evs_buffer_put(&request->url, "", 1);
}

void evs_webhook_write(const struct evs_webhook *webhook, const struct evs_webhook_secrets *secrets, int64_t wall_us,
                       struct evs_webhook_request *request)
{
    char id[EVS_ID_DIGITS];
    struct evs_buffer *headers = &request->headers;
    int64_t seconds = wall_us / 1000000;
    id_of(request, id);
    write_url(secrets, request);
    write_body(webhook, request);
    headers->count = 0;
    evs_buffer_printf(headers, "webhook-id: %.*s\r\nwebhook-timestamp: %" PRId64 "\r\nIdempotency-Key: %.*s\r\n",
                      (int)EVS_ID_DIGITS, id, seconds, (int)EVS_ID_DIGITS, id);
    if (evs_secret_is_named(&secrets->signing)) {
        evs_buffer_puts(headers, "webhook-signature: ");
        evs_webhook_sign((struct evs_slice){secrets->signing.value.data, secrets->signing.value.count},
                         (struct evs_slice){id, EVS_ID_DIGITS}, seconds,
                         (struct evs_slice){request->body.data, request->body.count}, headers);
        evs_buffer_puts(headers, "\r\n");
    }
    write_own_headers(webhook, secrets, headers);
    write_row_headers(webhook, request, headers);
}
