/* The live page's files, as live/page/ has built them: part of the program. */
#ifndef EVS_LIVE_PAGE_H
#define EVS_LIVE_PAGE_H

#include "server.h"

/* Answers with the file of that path, "/" for the page itself. False: there is none of that path. */
bool evs_page_answer(struct evhttp_request *request, const char *path);

#endif
