/* The files are put into the program by the assembler: nothing to install, nothing to find at run time. */
#include "page.h"

#include <string.h>

#include "evstream/text.h"

#define EMBED(symbol, name)                                                                                            \
    __asm__(".section .rodata,\"a\",%progbits\n"                                                                       \
            ".balign 16\n" #symbol "_begin:\n"                                                                         \
            ".incbin \"" EVS_PAGE_FOLDER "/" name "\"\n" #symbol "_end:\n"                                             \
            ".byte 0\n"                                                                                                \
            ".previous\n");                                                                                            \
    extern const char symbol##_begin[] __attribute__((visibility("hidden")));                                          \
    extern const char symbol##_end[] __attribute__((visibility("hidden")))

EMBED(evs_page_html, "index.html");
EMBED(evs_page_js, "page.js");
EMBED(evs_page_css, "page.css");
EMBED(evs_page_licences, "licences.txt");

bool evs_page_answer(struct evhttp_request *request, const char *path)
{
    const struct {
        const char *path, *type, *begin, *end;
    } files[] = {
        {"/", "text/html; charset=utf-8", evs_page_html_begin, evs_page_html_end},
        {"/page.js", "text/javascript; charset=utf-8", evs_page_js_begin, evs_page_js_end},
        {"/page.css", "text/css; charset=utf-8", evs_page_css_begin, evs_page_css_end},
        {"/licences.txt", "text/plain; charset=utf-8", evs_page_licences_begin, evs_page_licences_end},
    };
    for (size_t i = 0; i < EVS_COUNT(files); i++) {
        if (strcmp(files[i].path, path) == 0) {
            struct evs_buffer body = {0};
            evs_buffer_put(&body, files[i].begin, (size_t)(files[i].end - files[i].begin));
            evs_live_answer(request, HTTP_OK, files[i].type, &body);
            evs_buffer_fini(&body);
            return true;
        }
    }
    return false;
}
