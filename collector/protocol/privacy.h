/* What is left out of an event before it is written anywhere: wishes of the visitor, policies of the source. */
#ifndef EVS_PRIVACY_H
#define EVS_PRIVACY_H

#include "call.h"

/* Applies wishes (Do Not Track, Global Privacy Control, consent) and the bot filter. False when the event is dropped: it
 * has been counted then. In cookieless mode it replaces the ids of the device. */
bool evs_privacy_apply(struct evs_call *call, struct evs_draft *draft);

/* The canonical context: the sender's, with address and user agent as the policy has them, what was wished, and `origin`. */
struct evs_tree *evs_privacy_context(struct evs_call *call, const struct evs_draft *draft,
                                     const struct evs_tree *origin);

/* What the visitor wishes: by the request's headers and what the event's context says (NULL: an event that cannot be read). */
struct evs_wishes evs_privacy_wishes(const struct evs_call *call, const struct evs_tree *context);

/* Whether a cookie may be set or read: not in cookieless mode, and not against a wish that is honoured. */
bool evs_privacy_allows_cookie(const struct evs_call *call);

/* The address as the policy has it: "203.0.113.0", "2001:db8:1::", or empty. Text that is no address is dropped. */
struct evs_slice evs_privacy_address(struct evs_arena *arena, struct evs_slice address, enum evs_ip_policy policy);

/* Programs that say who they are, and drivers of browsers. Case does not count. (docs/events.md explains the list.) */
extern const char evs_privacy_bots[];

#endif
