/* The function library on the server, and how it is called.
 *
 * Every function makes at most ONE write. Redis logs such a call as that bare command, so a torn append-only file
 * can only lose it as a whole; a call with two writes is logged as a transaction, whose beginning an unlucky crash
 * brings back to life one restart later (README.md). Bulk bytes never go through a function:
 * blocks are plain XADDs.
 *
 *   function      keys    arguments                does                                           answers
 *   evs1_acquire  log ob  nonce                    the epoch is above both streams and not below  epoch
 *                                                  the server's time; log gets <epoch>-0 F
 *   evs1_raise    stream  epoch                    last id at least <epoch>-0, without an entry   last id
 *   evs1_newest   stream                           looks at the newest entry                      {id, kind, owner}
 *   evs1_commit   log ob  nonce this expect        log gets C under the id `this`, if both        OK, DUP
 *                         expect_ob header record  streams end where they must
 *   evs1_append   stream  id after maxlen          stream gets the message, once and in order     OK, DUP
 *                         trigger data n
 *
 * `n` is "<16 hexadecimal digits that name the writer>-<checksum>"; `after` is the id that must be the stream's last
 * one, or empty.
 *
 * Errors of their own: EVSFENCED, EVSGAP, EVSDIVERGED (redis_error.h). The library's name carries its version: a
 * change of behaviour is a new name, so that two versions of the engine can share a server. */
#ifndef EVS_REDIS_FUNCTION_H
#define EVS_REDIS_FUNCTION_H

#include "redis_link.h"

#define EVS_REDIS_ACQUIRE "evs1_acquire"
#define EVS_REDIS_RAISE "evs1_raise"
#define EVS_REDIS_NEWEST "evs1_newest"
#define EVS_REDIS_COMMIT "evs1_commit"
#define EVS_REDIS_APPEND "evs1_append"

/* The library's text, for FUNCTION LOAD. */
struct evs_slice evs_redis_function_text(void);

/* Loads the library, replacing it. Blocking. */
EVS_MUST_CHECK evs_status evs_redis_function_load(struct evs_redis_link *link, struct evs_error *error);

/* Calls a function: `arguments` is the whole command ("FCALL" or "FCALL_RO", name, number of keys, …). A missing
 * library is loaded and the call repeated once; any other error reply fails with its classification, `doing`
 * completing "refused to". Blocking. */
EVS_MUST_CHECK evs_status evs_redis_function_call(struct evs_redis_link *link, const struct evs_slice *arguments,
                                                  uint32_t count, const char *doing, redisReply **reply,
                                                  struct evs_error *error);

#endif
