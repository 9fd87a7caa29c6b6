/* SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * libtokenvault: the C interface of the vault for tokens. Generated from ffi/src; do not edit.
 *
 *     tokenvault_client *client = NULL;
 *     tokenvault_value *value = NULL;
 *     int error = tokenvault_client_open(NULL, &client);
 *     if (error == 0)
 *         error = tokenvault_get(client, "prod/api-key", NULL, &value);
 *     if (error == 0)
 *         use(tokenvault_value_data(value), tokenvault_value_len(value));
 *     else
 *         fprintf(stderr, "%s\n", tokenvault_client_error(client));
 *     tokenvault_value_free(value);
 *     tokenvault_client_close(client);
 *
 * Compile and link with $(pkg-config --cflags --libs tokenvault).
 *
 * Every call that can fail returns 0, or one of the TOKENVAULT_ERROR_ numbers; outputs come last and are written only on
 * success. tokenvault_client_error() has the text: one line, what happened and what to do.
 *
 * Of a call that changes something (put, generate, annotate, rename, delete, delete_with, rollback, share, unshare,
 * unshare_with, offer, redeem, issue, revoke, revoke_all, and validate where it takes a use or tries a code),
 * TOKENVAULT_ERROR_UNAVAILABLE and TOKENVAULT_ERROR_TIMEOUT can mean that it was made and only its answer did not come.
 * The text says "unknown" then: read the token before you try again.
 *
 * Where the program has no memory left for what a call takes or gives, however large others make it, the call fails with
 * TOKENVAULT_ERROR_LIMITS_EXCEEDED, and the client goes on; of a change the text says if that is unknown. What is small
 * and of a size known beforehand is allocated as everywhere in Rust, which ends a program that has none: a call looks for
 * 16 KiB before it begins and as it goes on, so that this takes other threads that use up all of these in the very moment.
 *
 * Strings are UTF-8 and end with a zero byte. NULL where a pointer is needed, bad UTF-8 and oversize input are
 * TOKENVAULT_ERROR_INVALID_ARGS. What a call gives out is freed with its own free function; those take NULL. It needs its
 * client no more, and any thread may free it. Functions that only look into something take NULL too and give NULL or 0.
 *
 * Every options structure begins with its own size: set it to sizeof and the rest to zero for the defaults. NULL means
 * all defaults. A number that is zero, and a string that is NULL, was not given; an empty string was.
 *
 * One client may be shared between threads, which take turns; a call waits at most 25 seconds, for its turn included. For
 * calls at the same time open a client for each thread; a user has 64 connections. Nobody may be in a call when a client
 * is closed. A value, a list or an info may be read by several threads at once. The library starts no thread, installs no
 * signal handler and prints nothing.
 *
 * A client reconnects by itself after the daemon was restarted, and sends again only what was never sent or changes
 * nothing; while no daemon runs, calls fail at once with TOKENVAULT_ERROR_UNAVAILABLE. After fork() the child opens a
 * client of its own: its parent's answers TOKENVAULT_ERROR_UNAVAILABLE there, and may be closed.
 */
#ifndef TOKENVAULT_H
#define TOKENVAULT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Internal; details are in the journal under the request id in the message.
 */
#define TOKENVAULT_ERROR_FAILED 1

/**
 * Malformed name, unknown option, value over its size, empty value.
 */
#define TOKENVAULT_ERROR_INVALID_ARGS 2

/**
 * Missing, another's, or expired.
 */
#define TOKENVAULT_ERROR_NOT_FOUND 3

/**
 * Something the caller may see but not do.
 */
#define TOKENVAULT_ERROR_ACCESS_DENIED 4

/**
 * Mode create, or the new name of a rename, and the token is there.
 */
#define TOKENVAULT_ERROR_EXISTS 5

/**
 * The token has another version than expect_version.
 */
#define TOKENVAULT_ERROR_CONFLICT 6

/**
 * No slot has opened the vault.
 */
#define TOKENVAULT_ERROR_SEALED 7

/**
 * Login class, and its owner has not unlocked.
 */
#define TOKENVAULT_ERROR_LOCKED 8

/**
 * The store failed verification.
 */
#define TOKENVAULT_ERROR_QUARANTINED 9

/**
 * A quota or a rate is used up, or the memory of the calling program. Of a change for whose answer there is no memory, the
 * text says that it is unknown if it was made.
 */
#define TOKENVAULT_ERROR_LIMITS_EXCEEDED 10

/**
 * Disk full, read-only, directory service down, lockdown, daemon not reachable, connection lost. Of a change, the text says
 * whether it is unknown if it was made.
 */
#define TOKENVAULT_ERROR_UNAVAILABLE 11

/**
 * A deadline passed. Of a change, the text says whether it is unknown if it was made.
 */
#define TOKENVAULT_ERROR_TIMEOUT 12

/**
 * No TPM answers.
 */
#define TOKENVAULT_ERROR_NO_TPM 13

/**
 * Another TPM than the one the vault was sealed to.
 */
#define TOKENVAULT_ERROR_WRONG_TPM 14

/**
 * The TPM is in dictionary-attack lockout.
 */
#define TOKENVAULT_ERROR_TPM_LOCKOUT 15

/**
 * The machine's measured state differs.
 */
#define TOKENVAULT_ERROR_POLICY_MISMATCH 16

/**
 * The slot's data is damaged.
 */
#define TOKENVAULT_ERROR_DAMAGED_SLOT 17

/**
 * polkit would ask and the caller did not allow it.
 */
#define TOKENVAULT_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED 18

/**
 * A client of the vault. It may be shared between threads; calls are made one after the other.
 */
typedef struct tokenvault_client tokenvault_client;

/**
 * Facts by key; a text or a number each. What its functions give out lives as long as it does.
 */
typedef struct tokenvault_info tokenvault_info;

/**
 * Tokens, or versions or shares of one, or what was issued. What its functions give out lives as long as it does.
 */
typedef struct tokenvault_list tokenvault_list;

/**
 * A token. What its functions give out lives as long as it does.
 */
typedef struct tokenvault_value tokenvault_value;

/**
 * Which token is meant, and what for.
 */
typedef struct tokenvault_get_options {
    /**
     * sizeof this structure.
     */
    size_t size;
    /**
     * Whose token: `user:NAME`, `uid:N`, or `machine`, the system's own, kept by uid 0; NULL: the caller's own.
     */
    const char *owner;
    /**
     * What the value is wanted for; written to the audit log.
     */
    const char *purpose;
    /**
     * The program that asks; written to the audit log, grants nothing.
     */
    const char *app;
    /**
     * This version instead of the current one; 0: the current one.
     */
    uint64_t version;
} tokenvault_get_options;

/**
 * How a token is stored.
 */
typedef struct tokenvault_put_options {
    /**
     * sizeof this structure.
     */
    size_t size;
    /**
     * `upsert` (default), `create`, `replace`.
     */
    const char *mode;
    /**
     * `machine` (default), `login`.
     */
    const char *class_;
    /**
     * Media type of the value; NULL: that of the version before, "": none.
     */
    const char *content_type;
    /**
     * Microseconds until the new version expires; 0, with expires_usec 0 too: never. When the newest version of a token
     * expires, the token is gone, with its older versions.
     */
    uint64_t ttl_usec;
    /**
     * The write happens only when the current version has this number; 0: whichever it has.
     */
    uint64_t expect_version;
    /**
     * key, value, key, value, ..., NULL. They replace those of the token; no list at all leaves them.
     */
    const char *const *attributes;
    /**
     * Whose token: `user:NAME` or `uid:N`, where it is shared with the caller for writing; `machine`, the system's own, kept by
     * uid 0; NULL: the caller's own.
     */
    const char *owner;
    /**
     * When the new version expires, microseconds since the epoch; instead of ttl_usec.
     */
    uint64_t expires_usec;
    /**
     * How many versions are kept, the current one included, 1 to 1000; 0: as before, for a new token 10.
     */
    uint32_t keep_versions;
    /**
     * Whether tokenvault_get must name a purpose, and is refused with TOKENVAULT_ERROR_ACCESS_DENIED else: 1 yes, -1 no, 0 as
     * before.
     */
    int require_purpose;
} tokenvault_put_options;

/**
 * How a value is made, and how the token is stored.
 */
typedef struct tokenvault_generate_options {
    /**
     * sizeof this structure.
     */
    size_t size;
    /**
     * Characters of the random part, at most 4096; 0: 32.
     */
    uint64_t length;
    /**
     * `base62` (default), `hex`, `base64url`, `digits`, `ascii`.
     */
    const char *charset;
    /**
     * Put before the random part.
     */
    const char *prefix;
    /**
     * `upsert` (default), `create`, `replace`.
     */
    const char *mode;
    /**
     * `machine` (default), `login`.
     */
    const char *class_;
    /**
     * Media type of the value; NULL: that of the version before, "": none.
     */
    const char *content_type;
    /**
     * Microseconds until the new version expires; 0, with expires_usec 0 too: never. When the newest version of a token
     * expires, the token is gone, with its older versions.
     */
    uint64_t ttl_usec;
    /**
     * The write happens only when the current version has this number; 0: whichever it has.
     */
    uint64_t expect_version;
    /**
     * key, value, key, value, ..., NULL. They replace those of the token; no list at all leaves them.
     */
    const char *const *attributes;
    /**
     * Whose token: `user:NAME` or `uid:N`, where it is shared with the caller for writing; `machine`, the system's own, kept by
     * uid 0; NULL: the caller's own.
     */
    const char *owner;
    /**
     * When the new version expires, microseconds since the epoch; instead of ttl_usec.
     */
    uint64_t expires_usec;
    /**
     * How many versions are kept, the current one included, 1 to 1000; 0: as before, for a new token 10.
     */
    uint32_t keep_versions;
    /**
     * Whether tokenvault_get must name a purpose, and is refused with TOKENVAULT_ERROR_ACCESS_DENIED else: 1 yes, -1 no, 0 as
     * before.
     */
    int require_purpose;
} tokenvault_generate_options;

/**
 * Which tokens are listed.
 */
typedef struct tokenvault_list_options {
    /**
     * sizeof this structure.
     */
    size_t size;
    /**
     * Only names that start with this.
     */
    const char *prefix;
    /**
     * Whose tokens: `user:NAME`, `uid:N`, or `machine`, the system's own, kept by uid 0; NULL: the caller's own.
     */
    const char *owner;
    /**
     * Only tokens that carry all of these: key, value, key, value, ..., NULL.
     */
    const char *const *attributes;
    /**
     * Only tokens that expire before this, microseconds since the epoch.
     */
    uint64_t expires_before_usec;
    /**
     * At most so many; 0: all.
     */
    uint64_t limit;
    /**
     * 1: what is shared with the caller, whoever owns it, instead of the caller's own; owner is NULL then.
     */
    int shared_with_me;
} tokenvault_list_options;

/**
 * Which token is meant.
 */
typedef struct tokenvault_token_options {
    /**
     * sizeof this structure.
     */
    size_t size;
    /**
     * Whose token: `user:NAME`, `uid:N`, or `machine`, the system's own, kept by uid 0; NULL: the caller's own.
     */
    const char *owner;
} tokenvault_token_options;

/**
 * What is changed about a token; what is NULL or 0 stays as it is.
 */
typedef struct tokenvault_annotate_options {
    /**
     * sizeof this structure.
     */
    size_t size;
    /**
     * Whose token: `machine`, the system's own, kept by uid 0; NULL: the caller's own.
     */
    const char *owner;
    /**
     * key, value, key, value, ..., NULL. They replace those of the token.
     */
    const char *const *attributes;
    /**
     * Media type of the value; "": none.
     */
    const char *content_type;
    /**
     * When the current version expires, microseconds since the epoch; UINT64_MAX: never.
     */
    uint64_t expires_usec;
    /**
     * How many versions are kept, the current one included, 1 to 1000; older ones go at once. 0: as before.
     */
    uint32_t keep_versions;
    /**
     * Whether tokenvault_get must name a purpose: 1 yes, -1 no.
     */
    int require_purpose;
} tokenvault_annotate_options;

/**
 * What is deleted.
 */
typedef struct tokenvault_delete_options {
    /**
     * sizeof this structure.
     */
    size_t size;
    /**
     * Whose token: `user:NAME`, `uid:N`, or `machine`, the system's own, kept by uid 0; NULL: the caller's own.
     */
    const char *owner;
    /**
     * Only this version; 0: the token with all its versions.
     */
    uint64_t version;
} tokenvault_delete_options;

/**
 * How a token is shared.
 */
typedef struct tokenvault_share_options {
    /**
     * sizeof this structure.
     */
    size_t size;
    /**
     * Whose token: `machine`, the system's own, kept by uid 0; NULL: the caller's own.
     */
    const char *owner;
    /**
     * `read` (default), `write`, which a unit cannot have.
     */
    const char *permission;
    /**
     * When the share ends, microseconds since the epoch; 0: with the token.
     */
    uint64_t expires_usec;
    /**
     * How often it may be used; 0: without a limit.
     */
    uint32_t uses;
    /**
     * A few words for the grantee, at most 1024 bytes without control characters.
     */
    const char *note;
} tokenvault_share_options;

/**
 * How a token is offered.
 */
typedef struct tokenvault_offer_options {
    /**
     * sizeof this structure.
     */
    size_t size;
    /**
     * Whose token: `machine`, the system's own, kept by uid 0; NULL: the caller's own.
     */
    const char *owner;
    /**
     * Microseconds until the offer ends; 0: a quarter of an hour.
     */
    uint64_t ttl_usec;
    /**
     * How many wrong codes may be tried, at most 100; 0: 5.
     */
    uint32_t attempts;
} tokenvault_offer_options;

/**
 * For what an offered value is fetched.
 */
typedef struct tokenvault_redeem_options {
    /**
     * sizeof this structure.
     */
    size_t size;
    /**
     * What the value is wanted for; written to the audit log.
     */
    const char *purpose;
    /**
     * The program that asks; written to the audit log, grants nothing.
     */
    const char *app;
} tokenvault_redeem_options;

/**
 * What is issued.
 */
typedef struct tokenvault_issue_options {
    /**
     * sizeof this structure.
     */
    size_t size;
    /**
     * `token` (default), `code`.
     */
    const char *kind;
    /**
     * About whom or what it says something.
     */
    const char *subject;
    /**
     * For whom it is: `user:NAME` or `group:NAME`, who may have it validated, or any other text.
     */
    const char *audience;
    /**
     * What it is good for: scope, scope, ..., NULL.
     */
    const char *const *scopes;
    /**
     * What else it says: key, value, key, value, ..., NULL.
     */
    const char *const *claims;
    /**
     * Microseconds until it expires; 0: an hour.
     */
    uint64_t ttl_usec;
    /**
     * How often it may be used; 0: as often as somebody looks, and once by who takes a use.
     */
    uint32_t uses;
    /**
     * Digits of a code, 4 to 32; 0: 6.
     */
    uint32_t length;
    /**
     * How many wrong codes may be tried, at most 100; 0: 5.
     */
    uint32_t attempts;
} tokenvault_issue_options;

/**
 * What a token must be.
 */
typedef struct tokenvault_validate_options {
    /**
     * sizeof this structure.
     */
    size_t size;
    /**
     * The id of a code, which is nothing without it.
     */
    const char *id;
    /**
     * It must be for this audience.
     */
    const char *audience;
    /**
     * It must be good for all of these: scope, scope, ..., NULL.
     */
    const char *const *scopes;
    /**
     * 1: takes one of its uses; of many who want the last one, one gets it.
     */
    int consume;
} tokenvault_validate_options;

/**
 * Which of what was issued is meant; zero and NULL mean all.
 */
typedef struct tokenvault_issued_options {
    /**
     * sizeof this structure.
     */
    size_t size;
    /**
     * `token`, `code`, `offer`.
     */
    const char *kind;
    /**
     * About this subject.
     */
    const char *subject;
    /**
     * For this audience.
     */
    const char *audience;
    /**
     * Good for all of these: scope, scope, ..., NULL.
     */
    const char *const *scopes;
    /**
     * At most so many are listed; 0: all. Not for tokenvault_revoke_all.
     */
    uint64_t limit;
} tokenvault_issued_options;

/**
 * Connects to the vault.
 *
 * address is "unix:path=PATH" (a private socket) or "bus:ADDRESS" (a D-Bus bus). NULL: what the environment variable
 * TOKENVAULT_ADDRESS says (not in a setuid program), else the private socket /run/tokenvault/bus, else the system bus.
 * An address has 1024 bytes at most.
 *
 * When it fails, tokenvault_client_error(NULL) has the text.
 */
int tokenvault_client_open(const char *address,
                           struct tokenvault_client **client);

/**
 * Closes the connection and frees the client. NULL is fine.
 */
void tokenvault_client_close(struct tokenvault_client *client);

/**
 * What went wrong in this thread's last failed call on this client: one line, with the next step; empty when nothing
 * did. NULL: in this thread's last failed tokenvault_client_open.
 *
 * Valid until this thread's next failed call.
 */
const char *tokenvault_client_error(const struct tokenvault_client *client);

/**
 * What an error number means, in general; tokenvault_client_error has the case at hand.
 */
const char *tokenvault_strerror(int code);

/**
 * The version of the library, "MAJOR.MINOR.PATCH".
 */
const char *tokenvault_version(void);

/**
 * Fetches a token with its value. Free it with tokenvault_value_free.
 */
int tokenvault_get(struct tokenvault_client *client,
                   const char *name,
                   const struct tokenvault_get_options *options,
                   struct tokenvault_value **value);

/**
 * Stores len bytes as the newest version of a token, and tells that version's number (version may be NULL).
 */
int tokenvault_put(struct tokenvault_client *client,
                   const char *name,
                   const void *data,
                   size_t len,
                   const struct tokenvault_put_options *options,
                   uint64_t *version);

/**
 * Has the vault make a value, stores it and fetches it. Free it with tokenvault_value_free.
 */
int tokenvault_generate(struct tokenvault_client *client,
                        const char *name,
                        const struct tokenvault_generate_options *options,
                        struct tokenvault_value **value);

/**
 * Fetches a token without its value: its length is 0 and its data NULL. Of the options, owner counts; version
 * must be zero. Free it with tokenvault_value_free.
 */
int tokenvault_describe(struct tokenvault_client *client,
                        const char *name,
                        const struct tokenvault_get_options *options,
                        struct tokenvault_value **metadata_only);

/**
 * Lists tokens in the order in which they were first put. Free the list with tokenvault_list_free.
 */
int tokenvault_list_tokens(struct tokenvault_client *client,
                           const struct tokenvault_list_options *options,
                           struct tokenvault_list **list);

/**
 * Lists the versions of a token, the newest first. Free the list with tokenvault_list_free.
 */
int tokenvault_list_versions(struct tokenvault_client *client,
                             const char *name,
                             const struct tokenvault_token_options *options,
                             struct tokenvault_list **list);

/**
 * Changes what is known about a token beside its name and its value, without a new version.
 */
int tokenvault_annotate(struct tokenvault_client *client,
                        const char *name,
                        const struct tokenvault_annotate_options *options);

/**
 * Gives a token another name, which must be free.
 */
int tokenvault_rename(struct tokenvault_client *client,
                      const char *name,
                      const char *new_name,
                      const struct tokenvault_token_options *options);

/**
 * Makes a new version with the value of an old one, and tells the new version's number (new_version may be NULL).
 */
int tokenvault_rollback(struct tokenvault_client *client,
                        const char *name,
                        uint64_t version,
                        const struct tokenvault_token_options *options,
                        uint64_t *new_version);

/**
 * Deletes a token with all its versions.
 */
int tokenvault_delete(struct tokenvault_client *client, const char *name);

/**
 * Deletes a token with all its versions, or what the options say.
 */
int tokenvault_delete_with(struct tokenvault_client *client,
                           const char *name,
                           const struct tokenvault_delete_options *options);

/**
 * Shares a token with a grantee: "user:NAME", "uid:N", "group:NAME", who get it by tokenvault_get with the owner in its options;
 * or "unit:NAME.service", which is given it by LoadCredential= in its unit file. Only machine tokens are shared with units, by
 * root and administrators; with users and groups root alone shares them. A share the grantee has already is replaced.
 */
int tokenvault_share(struct tokenvault_client *client,
                     const char *name,
                     const char *grantee,
                     const struct tokenvault_share_options *options);

/**
 * Ends a share of one of the caller's own tokens.
 */
int tokenvault_unshare(struct tokenvault_client *client, const char *name, const char *grantee);

/**
 * Ends a share of a token.
 */
int tokenvault_unshare_with(struct tokenvault_client *client,
                            const char *name,
                            const char *grantee,
                            const struct tokenvault_token_options *options);

/**
 * Lists the shares of a token: of each row tokenvault_value_grantee, tokenvault_value_permission, tokenvault_value_created,
 * tokenvault_value_expires, tokenvault_value_uses_left, tokenvault_value_note. Free the list with tokenvault_list_free.
 */
int tokenvault_list_shares(struct tokenvault_client *client,
                           const char *name,
                           const struct tokenvault_token_options *options,
                           struct tokenvault_list **list);

/**
 * For a row of tokenvault_list_shares: with whom the token is shared. Else empty.
 */
const char *tokenvault_value_grantee(const struct tokenvault_value *value);

/**
 * For a token that is shared with the caller, and for a row of tokenvault_list_shares: what its owner says about it to those it
 * is shared with. Else empty.
 */
const char *tokenvault_value_note(const struct tokenvault_value *value);

/**
 * For a row of tokenvault_list_shares, and for what was issued: how often it may still be used, -1: without a limit. Else -1.
 */
int64_t tokenvault_value_uses_left(const struct tokenvault_value *value);

/**
 * Offers a token: whoever has the code gets its value once, by tokenvault_redeem. The code is the data of what is given out, a
 * string; tokenvault_value_id names the offer to tokenvault_revoke, tokenvault_value_expires is its end. Free it with
 * tokenvault_value_free. Machine tokens are offered by root alone.
 */
int tokenvault_offer(struct tokenvault_client *client,
                     const char *name,
                     const struct tokenvault_offer_options *options,
                     struct tokenvault_value **code);

/**
 * Fetches the value of an offered token, which ends the offer. A code that is wrong, was redeemed or has expired is
 * TOKENVAULT_ERROR_NOT_FOUND. Free the value with tokenvault_value_free.
 */
int tokenvault_redeem(struct tokenvault_client *client,
                      const char *code,
                      const struct tokenvault_redeem_options *options,
                      struct tokenvault_value **value);

/**
 * Has the vault issue a token, or a code of digits, that others can have validated. Its text is the data of what is given out, a
 * string that tokenvault_validate takes: the vault does not keep it. tokenvault_value_id names it, tokenvault_value_expires is its
 * end. Free it with tokenvault_value_free.
 */
int tokenvault_issue(struct tokenvault_client *client,
                     const struct tokenvault_issue_options *options,
                     struct tokenvault_value **token);

/**
 * Says whether a token is valid, 1 or 0. Its issuer may ask, its audience, and root; for everyone else it is not.
 */
int tokenvault_validate(struct tokenvault_client *client,
                        const char *token,
                        const struct tokenvault_validate_options *options,
                        int *valid);

/**
 * Gives out what a valid token says, and NULL for one that is not valid. Free it with tokenvault_value_free.
 */
int tokenvault_validate_claims(struct tokenvault_client *client,
                               const char *token,
                               const struct tokenvault_validate_options *options,
                               struct tokenvault_value **claims);

/**
 * Revokes something the caller has issued, or withdraws an offer, by its id.
 */
int tokenvault_revoke(struct tokenvault_client *client, const char *id);

/**
 * Revokes all that the caller has issued and the options mean, and tells how many that were (count may be NULL).
 */
int tokenvault_revoke_all(struct tokenvault_client *client,
                          const struct tokenvault_issued_options *options,
                          uint64_t *count);

/**
 * Lists what the caller has issued and is still good, by the days it expires on. The names of the rows are empty:
 * tokenvault_value_id. Free the list with tokenvault_list_free.
 */
int tokenvault_list_issued(struct tokenvault_client *client,
                           const struct tokenvault_issued_options *options,
                           struct tokenvault_list **list);

/**
 * Of what was issued, and of an offer, its id. Else empty.
 */
const char *tokenvault_value_id(const struct tokenvault_value *value);

/**
 * Of a row of tokenvault_list_issued or of claims: "token", "code", "offer". Else empty.
 */
const char *tokenvault_value_kind(const struct tokenvault_value *value);

/**
 * Of a row of tokenvault_list_issued or of claims: about whom or what it says something; of an offer the name of its token. Else
 * empty.
 */
const char *tokenvault_value_subject(const struct tokenvault_value *value);

/**
 * Of a row of tokenvault_list_issued or of claims: for whom it is. Else empty.
 */
const char *tokenvault_value_audience(const struct tokenvault_value *value);

/**
 * Of a row of tokenvault_list_issued or of claims: who issued it, "uid:N". Else empty.
 */
const char *tokenvault_value_issuer(const struct tokenvault_value *value);

/**
 * How many scopes something issued is good for.
 */
size_t tokenvault_value_scope_count(const struct tokenvault_value *value);

/**
 * One of the scopes; NULL beyond the end.
 */
const char *tokenvault_value_scope(const struct tokenvault_value *value, size_t index);

/**
 * Of a code or an offer: how many wrong codes may still be tried. Else -1.
 */
int64_t tokenvault_value_attempts_left(const struct tokenvault_value *value);

/**
 * The value's bytes. A zero byte follows them, so that text can be taken for a string; a value may have zero bytes of its own:
 * tokenvault_value_len says where it ends. NULL when there is no value.
 */
const void *tokenvault_value_data(const struct tokenvault_value *value);

/**
 * How many bytes tokenvault_value_data points to; 0 when there is no value.
 */
size_t tokenvault_value_len(const struct tokenvault_value *value);

/**
 * The number of the version, from 1.
 */
uint64_t tokenvault_value_version(const struct tokenvault_value *value);

/**
 * When the version expires, or what was issued, microseconds since the epoch; 0: never.
 */
uint64_t tokenvault_value_expires(const struct tokenvault_value *value);

/**
 * One attribute, or of what was issued one claim; NULL when there is none of that name.
 */
const char *tokenvault_value_attribute(const struct tokenvault_value *value, const char *key);

/**
 * Wipes and frees. NULL is fine.
 */
void tokenvault_value_free(struct tokenvault_value *value);

/**
 * The token's name.
 */
const char *tokenvault_value_name(const struct tokenvault_value *value);

/**
 * Whose token it is, "uid:N". Empty for a row of tokenvault_list_versions or tokenvault_list_shares.
 */
const char *tokenvault_value_owner(const struct tokenvault_value *value);

/**
 * "machine" or "login". Empty for a row of tokenvault_list_versions or tokenvault_list_shares.
 */
const char *tokenvault_value_class(const struct tokenvault_value *value);

/**
 * Media type of the value; empty when none was given. Empty for a row of tokenvault_list_versions or tokenvault_list_shares.
 */
const char *tokenvault_value_content_type(const struct tokenvault_value *value);

/**
 * What the caller may do with the token: "owner", "read", "write"; for a row of
 * tokenvault_list_shares: what the grantee may do. Empty for a row of tokenvault_list_versions.
 */
const char *tokenvault_value_permission(const struct tokenvault_value *value);

/**
 * How many bytes the value has in the vault, also where it was not fetched.
 */
uint64_t tokenvault_value_size(const struct tokenvault_value *value);

/**
 * When the token was first put, of a row of tokenvault_list_versions: the version, of one of
 * tokenvault_list_shares: granted, of what was issued: issued; microseconds since the epoch.
 */
uint64_t tokenvault_value_created(const struct tokenvault_value *value);

/**
 * When the token was last changed, microseconds since the epoch. 0 for a row of tokenvault_list_versions.
 */
uint64_t tokenvault_value_updated(const struct tokenvault_value *value);

/**
 * 1 when the token is shared with anyone, else 0.
 */
int tokenvault_value_is_shared(const struct tokenvault_value *value);

/**
 * 1 when tokenvault_get must name a purpose, else 0.
 */
int tokenvault_value_requires_purpose(const struct tokenvault_value *value);

/**
 * For a row of tokenvault_list_versions: 1 when this is the version that tokenvault_get gives. Else 0.
 */
int tokenvault_value_is_current(const struct tokenvault_value *value);

/**
 * How many attributes the token carries, or claims what was issued.
 */
size_t tokenvault_value_attribute_count(const struct tokenvault_value *value);

/**
 * The key of one attribute, in the order of the keys; NULL beyond the end.
 */
const char *tokenvault_value_attribute_key(const struct tokenvault_value *value, size_t index);

/**
 * How many rows there are in the list.
 */
size_t tokenvault_list_len(const struct tokenvault_list *list);

/**
 * The name of a row's token; NULL beyond the end.
 */
const char *tokenvault_list_name(const struct tokenvault_list *list, size_t index);

/**
 * Everything about a row's token but its value; NULL beyond the end. It belongs to the list: do not free it.
 */
const struct tokenvault_value *tokenvault_list_value(const struct tokenvault_list *list, size_t index);

/**
 * Frees the list. NULL is fine.
 */
void tokenvault_list_free(struct tokenvault_list *list);

/**
 * Asks for the state of the vault, also while it is sealed. Texts: "state" ("starting", "uninitialised", "sealed",
 * "serving", "read-only", "quarantined"), "reason", "protection", "vault-id", "anchor" ("held", "pending", "none"), "disk-theft",
 * "machine-theft", "next-step". Numbers: "recovery-confirmed", "lockdown", "anchor-raises", and of the caller "tokens",
 * "bytes", "quota-tokens", "quota-bytes". Free it with tokenvault_info_free.
 */
int tokenvault_status(struct tokenvault_client *client,
                      struct tokenvault_info **info);

/**
 * Asks who the vault takes this program for. Texts: "user", "role" ("consumer", "developer", "auditor", "admin"), "door"
 * ("bus", "socket"). Numbers: "uid", "active", "login-unlocked". Free it with tokenvault_info_free.
 */
int tokenvault_whoami(struct tokenvault_client *client,
                      struct tokenvault_info **info);

/**
 * A text by its key; NULL when there is none of that key.
 */
const char *tokenvault_info_text(const struct tokenvault_info *info, const char *key);

/**
 * A number by its key, for yes and no 1 and 0; 0 when there is none of that key.
 */
uint64_t tokenvault_info_number(const struct tokenvault_info *info, const char *key);

/**
 * Frees the info. NULL is fine.
 */
void tokenvault_info_free(struct tokenvault_info *info);

#ifdef __cplusplus
}
#endif

#endif
