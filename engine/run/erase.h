/* Erasing one person out of the state (exactness, 18).
 *
 *   input log        … event  event  [Evs-Erase: VALUE]  event …
 *                                            │ the source stops behind it
 *                                            ▼
 *   checkpoint       a barrier behind that message; its commit says: to be erased, VALUE
 *                                            │ the run ends (EVS_E_GAP), and begins again from this commit
 *                                            ▼
 *   restore          leaves out what is filed under the person's keys
 *                                            │
 *                                            ▼
 *   first commit     a copy of everything: the log begins with it, and holds the person no more; it says: erased
 *
 * Why it is a message of the input: so it has a place among the events. What came before it is gone, what comes behind it is new; a replay from an older state,
 * such as a savepoint, meets it again and erases again; engines that read the same log do the same. Why the run begins again: to leave records out at a restore is
 * the same for every operator, exact, and done before a row is read, where deleting from living structures would be one more piece of code in each of them, used so
 * rarely that nobody would know whether it works. The price is a restore for each request, or for several that follow each other.
 *
 * Whose keys? A person is named by a value (a user id, an address), not by a column: columns are renamed on their way, and two sources call the same id
 * differently. Whatever is filed under a key one of whose text columns has this value is the person's; a column's name narrows that down where values of different
 * meaning may be equal. Rows that are kept under other keys, and values inside of accumulators, are not found by their keys: `evstream erase` looks for their
 * bytes and tells where they are.
 *
 * A crash anywhere is followed by the same restore, or by none: the commit that says "to be erased" is replaced only by the one that has it no more. */
#ifndef EVS_RUN_ERASE_H
#define EVS_RUN_ERASE_H

#include "state/record.h"
#include "state/snapshot.h"

struct evs_run;
struct evs_message;

/* False: the message asks for no erasure. Texts are borrowed from the message, without a NUL at their end. */
struct evs_erase_request {
    struct evs_slice value, column;
    uint64_t id;
};
bool evs_erase_request_of(const struct evs_message *message, struct evs_erase_request *request);

/* The keys that the last commit wants erased: made before a restore, of the log itself. NULL: none. */
struct evs_erasing;
EVS_MUST_CHECK evs_status evs_erasing_collect(struct evs_run *run, struct evs_erasing **erasing,
                                              struct evs_error *error);
bool evs_erasing_takes(const struct evs_erasing *erasing, struct evs_slice operator_name, uint64_t hash);
void evs_erasing_free(struct evs_erasing *erasing);

#endif
