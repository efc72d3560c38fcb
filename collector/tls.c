#include "tls.h"

#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

static evs_status tls_fail(struct evs_error *error, const char *what, const char *file)
{
    char text[200];
    unsigned long code = ERR_get_error();
    ERR_error_string_n(code, text, sizeof text);
    ERR_clear_error();
    return evs_fail(error, EVS_E_USAGE, "Cannot use the %s `%s`: %s.", what, file, text);
}

/* A client that speaks HTTP/2 offers both; one that offers nothing is served all the same. */
static int tls_on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_count, const unsigned char *in,
                       unsigned int in_count, void *argument)
{
    static const unsigned char ours[] = "\x08http/1.1";
    (void)ssl;
    (void)argument;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_count, ours, sizeof ours - 1, in, in_count) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

evs_status evs_tls_open(const char *certificate, const char *key, void **tls, struct evs_error *error)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVS_ASSERT(context != NULL);
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
    SSL_CTX_set_alpn_select_cb(context, tls_on_alpn, NULL);
    evs_status status = EVS_OK;
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1) {
        status = tls_fail(error, "certificate", certificate);
    } else if (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1 ||
               SSL_CTX_check_private_key(context) != 1) {
        status = tls_fail(error, "key", key);
    }
    if (status != EVS_OK) {
        SSL_CTX_free(context);
        return status;
    }
    *tls = context;
    return EVS_OK;
}

void evs_tls_close(void *tls)
{
    SSL_CTX_free(tls);
}

struct bufferevent *evs_tls_bufferevent(void *tls, struct event_base *base)
{
    SSL *ssl = SSL_new(tls);
    if (ssl == NULL) {
        return NULL;
    }
    struct bufferevent *result =
        bufferevent_openssl_socket_new(base, -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    bufferevent_openssl_set_allow_dirty_shutdown(result, 1);
    return result;
}
