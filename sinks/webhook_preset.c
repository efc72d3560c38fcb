/* What campaign tools want, as their public documentation says it; tests check the shapes against a server of their own, not against the services.
 *
 * All four take events about a person. A preset asks for few columns, the names of which are the same for all: `event` (its name), and who it
 * is about; every column of the row goes along as a property. */
#include "webhook.h"

#include <strings.h>

static const struct evs_webhook_preset presets[] = {
    /* POST /users/track: 75 events in a request, 3,000 requests in 3 seconds. The server differs from account to account. */
    {.name = "braze",
     .path = "/users/track",
     .headers = "Authorization: Bearer {auth}",
     .content_type = "application/json",
     .body = "{\"external_id\": {user_id}, \"name\": {event}, \"time\": {_time}, \"properties\": {*}}",
     .batch = "{\"events\": {items}}",
     .items_max = 75,
     .refused_items = "errors.index",
     .rate = "3000 per 3 seconds",
     .needs = "a REST API key with the permission users.track, and rows with the columns user_id and event"},
    /* POST /api/events: 350 a second in bursts, 3,500 a minute. unique_id makes a repeated event one. */
    {.name = "klaviyo",
     .server = "https://a.klaviyo.com",
     .path = "/api/events",
     .headers = "Authorization: Klaviyo-API-Key {auth}\nrevision: 2024-10-15\nAccept: application/vnd.api+json",
     .content_type = "application/vnd.api+json",
     .body = "{\"data\": {\"type\": \"event\", \"attributes\": {\"unique_id\": {_id}, \"time\": {_time}, "
             "\"properties\": {*}, "
             "\"metric\": {\"data\": {\"type\": \"metric\", \"attributes\": {\"name\": {event}}}}, "
             "\"profile\": {\"data\": {\"type\": \"profile\", \"attributes\": {\"email\": {email}}}}}}}",
     .rate = "350 per second, 3500 per minute",
     .needs = "a private API key, and rows with the columns email and event"},
    /* Track API: POST /api/v1/customers/{id}/events, Basic authorization with site_id:api_key. Accounts in the EU have another server. */
    {.name = "customerio",
     .server = "https://track.customer.io",
     .path = "/api/v1/customers/{user_id}/events",
     .headers = "Authorization: Basic {auth|base64}",
     .content_type = "application/json",
     .body = "{\"name\": {event}, \"timestamp\": {_unix}, \"data\": {*}}",
     .rate = "100 per second",
     .needs = "site_id:api_key of the Track API, and rows with the columns user_id and event"},
    /* POST /api/events/track: 2,000 requests a second. An `id` that comes again replaces the event. */
    {.name = "iterable",
     .server = "https://api.iterable.com",
     .path = "/api/events/track",
     .headers = "Api-Key: {auth}",
     .content_type = "application/json",
     .body = "{\"email\": {email}, \"eventName\": {event}, \"id\": {_id}, \"createdAt\": {_unix}, \"dataFields\": {*}}",
     .rate = "2000 per second",
     .needs = "a server-side API key, and rows with the columns email and event"},
};

const struct evs_webhook_preset *evs_webhook_preset(struct evs_slice name)
{
    for (size_t i = 0; i < EVS_COUNT(presets); i++) {
        if (evs_slice_equal_nocase(name, presets[i].name)) {
            return &presets[i];
        }
    }
    return NULL;
}
