/* Answers that have taken a list and still refuse rows of it.
 *
 *   201 {"message": "success", "events_processed": 73, "errors": [{"type": "…", "index": 4}, {"type": "…", "index": 9}]}
 *   207 {"errors": [{"batch_index": 2, "reason": "invalid", "message": "…"}]}
 *
 * So do services that take events in bulk, each in words of its own; `refused_items` says where it stands: an array, and the member of its elements
 * that is the place of a row in the list, from 0. Those rows become dead letters, with what was said of them; the others are delivered. They are not sent
 * again: the service has judged the row, not the moment.
 *
 * Without `refused_items` 207 (Multi-Status) still says that its body decides about each row, and nobody has read it. To take all of them for delivered could
 * lose rows in silence, to send all again could write to people twice: they become dead letters, where the answer can be read. The same holds of an
 * answer that is too long, or no JSON where 207 promises one. Other answers of 2xx have taken what they do not name. */
#include "webhook.h"

#include "evstream/type.h"
#include "nats_json.h"

#define MULTI_STATUS 207u

static bool place_of(const struct evs_webhook *webhook, struct evs_slice element, int64_t *place)
{
    struct evs_slice value;
    return evs_nats_json_find(element, webhook->refused_member, &value) && evs_parse_int64(value, place);
}

evs_status evs_webhook_read_items(const struct evs_webhook *webhook, const struct evs_http_answer *answer,
                                  uint32_t count, struct evs_slice *refused)
{
    struct evs_slice rest, element;
    bool is_multi = answer->status == MULTI_STATUS;
    if (webhook->refused_items == NULL || answer->is_cut) {
        return is_multi || (webhook->refused_items != NULL && answer->is_cut) ? EVS_E_CORRUPT : EVS_OK;
    }
    if (!evs_nats_json_find(answer->body, webhook->refused_items, &rest) || rest.data[0] != '[') {
        return is_multi ? EVS_E_CORRUPT : EVS_OK;
    }
    while (evs_nats_json_next(&rest, &element)) {
        int64_t place;
        if (place_of(webhook, element, &place) && place >= 0 && place < count && refused[place].count == 0) {
            refused[place] = element;
        }
    }
    return EVS_OK;
}
