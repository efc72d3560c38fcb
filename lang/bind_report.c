/* Reports of the binder and the planner.
 *
 * A plan outlives the texts, and diagnostics outlive a plan that was not finished. So places in the plan name a file by a copy (evs_bind_place),
 * and what is reported names it as the texts do. */
#include "bind.h"

#include <ctype.h>
#include <stdio.h>

#define REPORT_TEXT_MAX (EVS_ERROR_TEXT_MAX + 256)

static struct evs_place place_in_text(const struct evs_binder *binder, struct evs_place place)
{
    for (uint32_t i = 0; i < binder->file_count; i++) {
        if (binder->files[i].copy == place.file) {
            place.file = binder->files[i].original;
            break;
        }
    }
    return place;
}

struct evs_diag *evs_report(struct evs_binder *binder, enum evs_code code, struct evs_place place, const char *format,
                            ...)
{
    char text[REPORT_TEXT_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    return evs_diag(binder->diagnostics, code, place_in_text(binder, place), "%s", text);
}

void evs_report_note(struct evs_binder *binder, struct evs_diag *diag, struct evs_place place, const char *format, ...)
{
    char text[REPORT_TEXT_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    evs_diag_note(diag, place_in_text(binder, place), "%s", text);
}

struct evs_diag *evs_report_error(struct evs_binder *binder, enum evs_code code, struct evs_place place,
                                  const struct evs_error *error)
{
    char text[EVS_ERROR_TEXT_MAX];
    snprintf(text, sizeof text, "%s", error->text);
    size_t count = strlen(text);
    if (count > 0 && text[count - 1] == '.') {
        text[count - 1] = '\0';
    }
    bool is_word = count > 1 && isupper((unsigned char)text[0]) && (islower((unsigned char)text[1]) || text[1] == ' ');
    if (is_word) {
        text[0] = (char)tolower((unsigned char)text[0]);
    }
    return evs_report(binder, code, place, "%s", text);
}
