/* `to webhook (url = 'https://…', …)`: rows as HTTP requests. docs/sinks/webhook.md says what is promised. */
#ifndef EVS_SINK_WEBHOOK_H
#define EVS_SINK_WEBHOOK_H

#include "evstream/sink.h"

extern const struct evs_sink evs_sink_webhook;

#endif
