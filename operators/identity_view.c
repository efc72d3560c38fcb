#include "identity_view.h"

#include "evstream/json_value.h"
#include "identity_stored.h"

static void put_until(struct evs_buffer *out, int64_t forget_us)
{
    struct evs_value until = {.kind = EVS_TIMESTAMP, .int64 = forget_us};
    if (forget_us != EVS_TIME_MAX) {
        evs_buffer_puts(out, ",\"until\":");
        evs_json_put_value(out, &until, evs_type_of(EVS_TIMESTAMP), 0);
    }
}

bool evs_identity_view(const struct evs_snapshot_record *record, uint32_t key_bytes, struct evs_slice rest,
                       struct evs_buffer *out)
{
    bool is_device = record->section == SECTION_DEVICES, is_alias = record->section == SECTION_ALIASES;
    struct stored_device device;
    int64_t forget_us;
    if ((!is_device && !is_alias) || record->fixed.count < STORED_DEVICE_HEAD + key_bytes ||
        (is_device && record->fixed.count != sizeof device + key_bytes)) {
        return false;
    }
    memcpy(&forget_us, record->fixed.data, sizeof forget_us); /* of both */
    if (rest.count > 0) {
        evs_buffer_puts(out, is_device ? ",\"person\":" : ",\"known_as\":");
        evs_json_put_text(out, rest);
    }
    if (is_device) {
        memcpy((char *)&device + STORED_DEVICE_HEAD, record->fixed.data + STORED_DEVICE_HEAD + key_bytes,
               sizeof device - STORED_DEVICE_HEAD);
        evs_buffer_puts(out, device.is_shared ? ",\"shared\":true" : "");
    }
    put_until(out, forget_us);
    return true;
}
