/* Hashes: farm_fingerprint for joining with what other systems have stored, MD5 and SHA for what a protocol asks for, and
 * hmac_sha256 for pseudonyms (the family of privacy functions has it: func_privacy.c).
 *
 * A string is hashed as its UTF-8. The digests are OpenSSL's; one context serves a whole batch, since finding an algorithm costs
 * more than hashing a short text. */
#include <openssl/evp.h>

#include "fingerprint.h"
#include "kernel.h"
#include "text_tools.h"

static inline enum evs_row fingerprint_row(struct evs_call *call, const struct evs_str *a, int64_t *out)
{
    (void)call;
    *out = (int64_t)evs_fingerprint64(evs_str_data(a), a->count);
    return EVS_ROW_OK;
}
EVS_ROW_KERNEL_1(fingerprint, fingerprint_row, struct evs_str, int64_t)

/* --- digests ------------------------------------------------------------------------------------------------------ */

enum algorithm { MD5, SHA1, SHA256, SHA512 };
static const char *const algorithm_names[] = {"MD5", "SHA1", "SHA256", "SHA512"};

/* Fails only when the system's policy forbids the algorithm (MD5 in a FIPS mode). */
static enum evs_row digest(struct evs_call *call, EVP_MD_CTX *context, const EVP_MD *algorithm,
                           const struct evs_str *text, struct evs_str *out)
{
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned int count = 0;
    if (algorithm == NULL || EVP_DigestInit_ex(context, algorithm, NULL) != 1 ||
        EVP_DigestUpdate(context, evs_str_data(text), text->count) != 1 ||
        EVP_DigestFinal_ex(context, bytes, &count) != 1) {
        return EVS_ROW_ARGUMENT;
    }
    *out = evs_call_str(call, (const char *)bytes, count);
    return EVS_ROW_OK;
}

static void digest_kernel(struct evs_call *call)
{
    EVP_MD *algorithm = EVP_MD_fetch(NULL, algorithm_names[call->step->overload->variant], NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    EVS_ASSERT(context != NULL);
    struct evs_str *out = call->result->data;
    EVS_EACH_ROW(&call->rows, row)
    {
        const struct evs_str *text = EVS_COLUMN_AT(call->arguments[0], struct evs_str, row);
        EVS_ROW_DONE(call, row, digest(call, context, algorithm, text, &out[row]));
    }
    EVP_MD_CTX_free(context);
    EVP_MD_free(algorithm);
}

/* --- tables ------------------------------------------------------------------------------------------------------- */

#define DIGEST(name_, from, algorithm_)                                                                                \
    {                                                                                                                  \
        .name = (name_), .kernel = digest_kernel, .result = EVS_BYTES, .arguments = {(from)}, .required = 1,           \
        .flags = EVS_CALL_FALLIBLE, .variant = (algorithm_)                                                            \
    }
#define FINGERPRINT(from)                                                                                              \
    {                                                                                                                  \
        .name = "farm_fingerprint", .kernel = fingerprint, .result = EVS_INT64, .arguments = {(from)}, .required = 1   \
    }
static const struct evs_overload overloads[] = {
    FINGERPRINT(EVS_STRING),
    FINGERPRINT(EVS_BYTES),
    DIGEST("md5", EVS_STRING, MD5),
    DIGEST("md5", EVS_BYTES, MD5),
    DIGEST("sha1", EVS_STRING, SHA1),
    DIGEST("sha1", EVS_BYTES, SHA1),
    DIGEST("sha256", EVS_STRING, SHA256),
    DIGEST("sha256", EVS_BYTES, SHA256),
    DIGEST("sha512", EVS_STRING, SHA512),
    DIGEST("sha512", EVS_BYTES, SHA512),
};

#define ENTRY(name_, signature_, meaning_, example_, result_)                                                          \
    {                                                                                                                  \
        .name = (name_), .family = EVS_FAMILY_HASH, .signature = (signature_), .meaning = (meaning_),                  \
        .example = (example_), .result = (result_)                                                                     \
    }
static const struct evs_function functions[] = {
    ENTRY("farm_fingerprint", "farm_fingerprint(string or bytes) → int64",
          "FarmHash's Fingerprint64: fast, the same everywhere and for ever, no secret.", "farm_fingerprint('foo')",
          "6150913649986995171"),
    ENTRY("md5", "md5(string or bytes) → bytes", "MD5, 16 bytes; broken as a signature.", "to_hex(md5('a'))",
          "0cc175b9c0f1b6a831c399e269772661"),
    ENTRY("sha1", "sha1(string or bytes) → bytes", "SHA-1, 20 bytes; broken as a signature.", "to_hex(sha1('a'))",
          "86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"),
    ENTRY("sha256", "sha256(string or bytes) → bytes", "SHA-256, 32 bytes.", "to_hex(sha256('a'))",
          "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"),
    ENTRY("sha512", "sha512(string or bytes) → bytes", "SHA-512, 64 bytes.", "length(sha512('a'))", "64"),
};

const struct evs_family evs_family_hash = {overloads, EVS_COUNT(overloads), functions, EVS_COUNT(functions)};
