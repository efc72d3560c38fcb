/* What looks like a secret:
 *
 *   postgresql://ann:SECRET@db.example     the password of a URL
 *   host=db password=SECRET                of a connection string, and of a query (?password=…)
 *   Authorization: Bearer SECRET           a header for credentials; {auth} is none
 *   whsec_SECRET                           what signs webhooks
 *
 * Such a pipeline is refused, and the refusal shows its line. Guessing too much costs a word of a line that its writer has before his eyes; guessing
 * too little costs a password. So a comparison such as `password = 'x'` is masked, too. The name of an option that says where a secret is
 * (password_file = …) is not: behind `password` stands no `=`. */
#include "mask.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct span {
    char *at, *end;
};

static void hide(char *from, char *end)
{
    for (; from < end; from++) {
        *from = '*';
    }
}

static bool begins(struct span rest, const char *word)
{
    size_t count = strlen(word);
    return (size_t)(rest.end - rest.at) >= count && strncasecmp(rest.at, word, count) == 0;
}

/* The first of `stops` at or behind `from`. */
static char *until(char *from, const char *end, const char *stops)
{
    while (from < end && (*from == '\0' || strchr(stops, *from) == NULL)) {
        from++;
    }
    return from;
}

/* "://ann:SECRET@": up to the last @ of the authority, since a password may have one that nobody has escaped. A slash or a question mark may stand in
 * it for the same reason, so the end of the text is what ends it. */
static void hide_in_url(struct span rest)
{
    char *begin = rest.at + strlen("://"), *end = until(begin, rest.end, "'\" \t\n");
    char *colon = until(begin, end, ":@"), *at = end;
    while (at > colon && at[-1] != '@') {
        at--;
    }
    if (colon < at && *colon == ':') {
        hide(colon + 1, at - 1);
    }
}

/* "password = 'SECRET'": with the blanks that a quoted one may have. */
static void hide_value(struct span rest)
{
    char *at = rest.at + strlen("password");
    while (at < rest.end && (*at == ' ' || *at == '\t')) {
        at++;
    }
    if (at == rest.end || *at != '=') {
        return;
    }
    at++;
    while (at < rest.end && strchr(" \t'\"\\", *at) != NULL) {
        at++;
    }
    bool is_quoted = strchr("'\"", at[-1]) != NULL;
    hide(at, until(at, rest.end, is_quoted ? "'\"\\" : "'\" \t&"));
}

static bool is_name_byte(char c)
{
    return isalnum((unsigned char)c) || c == '-' || c == '_';
}

/* "X-Api-Key: SECRET"; `rest` begins at the colon. */
static void hide_header(const char *begin, struct span rest)
{
    static const char *const words[] = {"authorization", "cookie", "api-key", "apikey", "token", "secret", "password"};
    char *name = rest.at;
    while (name > begin && is_name_byte(name[-1])) {
        name--;
    }
    bool is_one = false;
    for (struct span at = {name, rest.at}; at.at < at.end && !is_one; at.at++) {
        for (size_t i = 0; i < sizeof words / sizeof words[0] && !is_one; i++) {
            is_one = begins(at, words[i]);
        }
    }
    char *value = rest.at + 1;
    while (value < rest.end && *value == ' ') {
        value++;
    }
    char *end = until(value, rest.end, "'\"{\\\n");
    bool has_hole = end < rest.end && *end == '{';
    if (is_one && !has_hole && !(value < rest.end && *value == ':')) {
        hide(value, end);
    }
}

void evs_mask_secrets(char *text, size_t count)
{
    char *end = text + count;
    for (char *at = text; at < end; at++) {
        struct span rest = {at, end};
        bool is_word = at == text || !is_name_byte(at[-1]);
        if (begins(rest, "://")) {
            hide_in_url(rest);
        } else if (is_word && begins(rest, "password")) {
            hide_value(rest);
        } else if (begins(rest, "whsec_")) {
            hide(at + strlen("whsec_"), until(at, end, "'\" \t\n\\"));
        }
        if (*at == ':' && !begins(rest, "://")) {
            hide_header(text, rest);
        }
    }
}
