/* arguments.c - NULL and garbage in every argument of every function, one at a time: refused as such, outputs untouched,
 * and the client lives on. */
#include "check.h"

#include <limits.h>

#define REFUSED(call) CHECK((call) == TOKENVAULT_ERROR_INVALID_ARGS)
/* Seen when an output was written. */
#define MARK(type) ((type *)(void *)&marked)

static const char bad_utf8[] = "\xff\xfe";
static const char *const bad_names[] = {NULL, bad_utf8, "", "a//b", "line\nbreak", "../a"};
#define NAMES (sizeof bad_names / sizeof bad_names[0])

static const char *const odd[] = {"key", NULL, NULL};
static const char *const twice[] = {"key", "1", "key", "2", NULL};
static const char *const bad_key[] = {bad_utf8, "v", NULL};
static const char *const bad_value[] = {"key", bad_utf8, NULL};
static const char *endless[3001];
static const char *const *const bad_attributes[] = {odd, twice, bad_key, bad_value, endless};
#define LISTS (sizeof bad_attributes / sizeof bad_attributes[0])

static int marked;
static tokenvault_value *value;
static tokenvault_list *list;
static tokenvault_info *info;
static tokenvault_client *opened;
static uint64_t version = 99;
static int valid = 99;
static char *long_text;
/* Memory that is none of the library's objects. */
static uint64_t garbage[512];

static void outputs_are_untouched(void)
{
    CHECK(value == MARK(tokenvault_value) && list == MARK(tokenvault_list) && info == MARK(tokenvault_info));
    CHECK(opened == MARK(tokenvault_client) && version == 99 && valid == 99);
}

static void bad_client(tokenvault_client *none)
{
    REFUSED(tokenvault_get(none, "a", NULL, &value));
    REFUSED(tokenvault_put(none, "a", "b", 1, NULL, &version));
    REFUSED(tokenvault_generate(none, "a", NULL, &value));
    REFUSED(tokenvault_describe(none, "a", NULL, &value));
    REFUSED(tokenvault_list_tokens(none, NULL, &list));
    REFUSED(tokenvault_list_versions(none, "a", NULL, &list));
    REFUSED(tokenvault_annotate(none, "a", NULL));
    REFUSED(tokenvault_rename(none, "a", "b", NULL));
    REFUSED(tokenvault_rollback(none, "a", 1, NULL, &version));
    REFUSED(tokenvault_delete(none, "a"));
    REFUSED(tokenvault_delete_with(none, "a", NULL));
    REFUSED(tokenvault_share(none, "a", "unit:a.service", NULL));
    REFUSED(tokenvault_unshare(none, "a", "unit:a.service"));
    REFUSED(tokenvault_unshare_with(none, "a", "unit:a.service", NULL));
    REFUSED(tokenvault_list_shares(none, "a", NULL, &list));
    REFUSED(tokenvault_offer(none, "a", NULL, &value));
    REFUSED(tokenvault_redeem(none, "a", NULL, &value));
    REFUSED(tokenvault_issue(none, NULL, &value));
    REFUSED(tokenvault_validate(none, "a", NULL, &valid));
    REFUSED(tokenvault_validate_claims(none, "a", NULL, &value));
    REFUSED(tokenvault_revoke(none, "a"));
    REFUSED(tokenvault_revoke_all(none, NULL, &version));
    REFUSED(tokenvault_list_issued(none, NULL, &list));
    REFUSED(tokenvault_status(none, &info));
    REFUSED(tokenvault_whoami(none, &info));
    CHECK(strstr(tokenvault_client_error(none), "client") != NULL);
    tokenvault_client_close(none);
    outputs_are_untouched();
}

static void bad_name(const char *name)
{
    REFUSED(tokenvault_get(client, name, NULL, &value));
    CHECK(tokenvault_client_error(client)[0] != 0);
    REFUSED(tokenvault_put(client, name, "b", 1, NULL, &version));
    REFUSED(tokenvault_generate(client, name, NULL, &value));
    REFUSED(tokenvault_describe(client, name, NULL, &value));
    REFUSED(tokenvault_list_versions(client, name, NULL, &list));
    REFUSED(tokenvault_annotate(client, name, NULL));
    REFUSED(tokenvault_rename(client, name, "b", NULL));
    REFUSED(tokenvault_rename(client, "here", name, NULL));
    REFUSED(tokenvault_rollback(client, name, 1, NULL, &version));
    REFUSED(tokenvault_delete(client, name));
    REFUSED(tokenvault_delete_with(client, name, NULL));
    REFUSED(tokenvault_share(client, name, "unit:a.service", NULL));
    REFUSED(tokenvault_unshare(client, name, "unit:a.service"));
    REFUSED(tokenvault_unshare_with(client, name, "unit:a.service", NULL));
    REFUSED(tokenvault_list_shares(client, name, NULL, &list));
    REFUSED(tokenvault_offer(client, name, NULL, &value));
    /* What is no name is no grantee either. */
    REFUSED(tokenvault_share(client, "here", name, NULL));
    REFUSED(tokenvault_unshare(client, "here", name));
    REFUSED(tokenvault_unshare_with(client, "here", name, NULL));
    outputs_are_untouched();
}

/* What no message can carry, where any text is taken. */
static void bad_text(const char *text)
{
    REFUSED(tokenvault_redeem(client, text, NULL, &value));
    REFUSED(tokenvault_validate(client, text, NULL, &valid));
    REFUSED(tokenvault_validate_claims(client, text, NULL, &value));
    REFUSED(tokenvault_revoke(client, text));
    outputs_are_untouched();
}

static void bad_data_and_outputs(void)
{
    bad_text(NULL);
    bad_text(bad_utf8);
    bad_text(long_text);
    REFUSED(tokenvault_offer(client, "here", NULL, NULL));
    REFUSED(tokenvault_redeem(client, "0", NULL, NULL));
    REFUSED(tokenvault_issue(client, NULL, NULL));
    REFUSED(tokenvault_validate(client, "0", NULL, NULL));
    REFUSED(tokenvault_validate_claims(client, "0", NULL, NULL));
    REFUSED(tokenvault_list_issued(client, NULL, NULL));
    REFUSED(tokenvault_put(client, "a", NULL, 0, NULL, &version));
    REFUSED(tokenvault_put(client, "a", NULL, 7, NULL, &version));
    REFUSED(tokenvault_put(client, "a", "", 0, NULL, &version));
    REFUSED(tokenvault_put(client, "a", "b", (size_t)-1, NULL, &version));
    REFUSED(tokenvault_put(client, "a", "b", (size_t)-1 / 2 + 1, NULL, &version));
    REFUSED(tokenvault_get(client, "here", NULL, NULL));
    REFUSED(tokenvault_generate(client, "a", NULL, NULL));
    REFUSED(tokenvault_describe(client, "here", NULL, NULL));
    REFUSED(tokenvault_list_tokens(client, NULL, NULL));
    REFUSED(tokenvault_list_versions(client, "here", NULL, NULL));
    REFUSED(tokenvault_list_shares(client, "here", NULL, NULL));
    REFUSED(tokenvault_status(client, NULL));
    REFUSED(tokenvault_whoami(client, NULL));
    REFUSED(tokenvault_rollback(client, "here", 0, NULL, &version));
    REFUSED(tokenvault_client_open(NULL, NULL));
    REFUSED(tokenvault_client_open("", &opened));
    REFUSED(tokenvault_client_open("/run/x", &opened));
    REFUSED(tokenvault_client_open("unix:path=", &opened));
    REFUSED(tokenvault_client_open(bad_utf8, &opened));
    REFUSED(tokenvault_client_open(long_text, &opened));
    CHECK(tokenvault_client_open("unix:path=/nonexistent/bus", &opened) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(strstr(tokenvault_client_error(NULL), "/nonexistent/bus") != NULL);
    CHECK(tokenvault_client_open("bus:nonsense", &opened) != 0);
    outputs_are_untouched();
}

/* Every call that takes options, with the same ones. */
static void refuse_get(const tokenvault_get_options *options)
{
    REFUSED(tokenvault_get(client, "here", options, &value));
    REFUSED(tokenvault_describe(client, "here", options, &value));
}

static void refuse_put(const tokenvault_put_options *options)
{
    REFUSED(tokenvault_put(client, "a", "b", 1, options, &version));
}

static void refuse_generate(const tokenvault_generate_options *options)
{
    REFUSED(tokenvault_generate(client, "a", options, &value));
}

static void refuse_list(const tokenvault_list_options *options)
{
    REFUSED(tokenvault_list_tokens(client, options, &list));
}

static void refuse_token(const tokenvault_token_options *options)
{
    REFUSED(tokenvault_list_versions(client, "here", options, &list));
    REFUSED(tokenvault_rename(client, "here", "there", options));
    REFUSED(tokenvault_rollback(client, "here", 1, options, &version));
    REFUSED(tokenvault_unshare_with(client, "here", "unit:a.service", options));
    REFUSED(tokenvault_list_shares(client, "here", options, &list));
}

static void refuse_annotate(const tokenvault_annotate_options *options)
{
    REFUSED(tokenvault_annotate(client, "here", options));
}

static void refuse_share(const tokenvault_share_options *options)
{
    REFUSED(tokenvault_share(client, "here", "unit:a.service", options));
}

static void refuse_offer(const tokenvault_offer_options *options)
{
    REFUSED(tokenvault_offer(client, "here", options, &value));
}

static void refuse_redeem(const tokenvault_redeem_options *options)
{
    REFUSED(tokenvault_redeem(client, "0", options, &value));
}

static void refuse_issue(const tokenvault_issue_options *options)
{
    REFUSED(tokenvault_issue(client, options, &value));
}

static void refuse_validate(const tokenvault_validate_options *options)
{
    REFUSED(tokenvault_validate(client, "0", options, &valid));
    REFUSED(tokenvault_validate_claims(client, "0", options, &value));
}

static void refuse_revoke_all(const tokenvault_issued_options *options)
{
    REFUSED(tokenvault_revoke_all(client, options, &version));
}

static void refuse_issued(const tokenvault_issued_options *options)
{
    REFUSED(tokenvault_list_issued(client, options, &list));
    refuse_revoke_all(options);
}

static void refuse_delete(const tokenvault_delete_options *options)
{
    REFUSED(tokenvault_delete_with(client, "here", options));
}

/* Sizes that no structure ever had, and one of the future with something in it that is not known here. */
#define BAD_SIZES(type, refuse)                                                                                        \
    do {                                                                                                               \
        static const size_t sizes[] = {0, 1, sizeof(size_t) - 1, sizeof(type) - 1, 4097, (size_t)-1};                  \
        union {                                                                                                        \
            type options;                                                                                              \
            char room[4200];                                                                                           \
        } memory;                                                                                                      \
        size_t at;                                                                                                     \
        for (at = 0; at < sizeof sizes / sizeof sizes[0]; at++) {                                                      \
            memset(&memory, 0, sizeof memory);                                                                         \
            memory.options.size = sizes[at];                                                                           \
            refuse(&memory.options);                                                                                   \
        }                                                                                                              \
        memset(&memory, 0, sizeof memory);                                                                             \
        memory.options.size = sizeof(type) + 8;                                                                        \
        memory.room[sizeof(type) + 7] = 1;                                                                             \
        refuse(&memory.options);                                                                                       \
        refuse((const type *)(const void *)garbage);                                                                   \
        outputs_are_untouched();                                                                                       \
    } while (0)

/* One field with something that it cannot be. */
#define BAD_FIELD(type, field, what, refuse)                                                                           \
    do {                                                                                                               \
        FRESH(type, options);                                                                                          \
        options.field = (what);                                                                                        \
        refuse(&options);                                                                                              \
        outputs_are_untouched();                                                                                       \
    } while (0)

#define BAD_TEXT(type, field, nonsense, refuse)                                                                        \
    do {                                                                                                               \
        BAD_FIELD(type, field, bad_utf8, refuse);                                                                      \
        BAD_FIELD(type, field, nonsense, refuse);                                                                      \
        BAD_FIELD(type, field, long_text, refuse);                                                                     \
    } while (0)

#define BAD_ATTRIBUTES(type, refuse)                                                                                   \
    do {                                                                                                               \
        size_t which;                                                                                                  \
        for (which = 0; which < LISTS; which++)                                                                        \
            BAD_FIELD(type, attributes, bad_attributes[which], refuse);                                                \
    } while (0)

static void bad_options_for_reading(void)
{
    BAD_SIZES(tokenvault_get_options, refuse_get);
    BAD_TEXT(tokenvault_get_options, owner, "nobody:at all", refuse_get);
    BAD_FIELD(tokenvault_get_options, purpose, bad_utf8, refuse_get);
    BAD_FIELD(tokenvault_get_options, app, bad_utf8, refuse_get);
    {
        FRESH(tokenvault_get_options, options);
        options.purpose = long_text;
        REFUSED(tokenvault_get(client, "here", &options, &value));
        options.purpose = NULL;
        options.app = "line\nbreak";
        REFUSED(tokenvault_get(client, "here", &options, &value));
        options.app = NULL;
        options.version = 1;
        REFUSED(tokenvault_describe(client, "here", &options, &value));
    }
    BAD_SIZES(tokenvault_list_options, refuse_list);
    BAD_TEXT(tokenvault_list_options, prefix, "a//", refuse_list);
    BAD_TEXT(tokenvault_list_options, owner, "nobody:at all", refuse_list);
    BAD_ATTRIBUTES(tokenvault_list_options, refuse_list);
    BAD_SIZES(tokenvault_token_options, refuse_token);
    BAD_TEXT(tokenvault_token_options, owner, "nobody:at all", refuse_token);
}

#define BAD_WRITE(type, refuse)                                                                                        \
    do {                                                                                                               \
        BAD_SIZES(type, refuse);                                                                                       \
        BAD_TEXT(type, mode, "perhaps", refuse);                                                                       \
        BAD_TEXT(type, class_, "first", refuse);                                                                       \
        BAD_TEXT(type, content_type, "text/\x1b", refuse);                                                             \
        BAD_TEXT(type, owner, "nobody:at all", refuse);                                                                \
        BAD_ATTRIBUTES(type, refuse);                                                                                  \
        BAD_FIELD(type, ttl_usec, UINT64_MAX, refuse);                                                                 \
        BAD_FIELD(type, expires_usec, 1, refuse);                                                                      \
        BAD_FIELD(type, keep_versions, UINT_MAX, refuse);                                                              \
        BAD_FIELD(type, require_purpose, 7, refuse);                                                                   \
        BAD_FIELD(type, require_purpose, INT_MIN, refuse);                                                             \
    } while (0)

static void bad_options_for_writing(void)
{
    BAD_WRITE(tokenvault_put_options, refuse_put);
    BAD_WRITE(tokenvault_generate_options, refuse_generate);
    BAD_TEXT(tokenvault_generate_options, charset, "emoji", refuse_generate);
    BAD_TEXT(tokenvault_generate_options, prefix, "line\nbreak", refuse_generate);
    BAD_FIELD(tokenvault_generate_options, length, UINT64_MAX, refuse_generate);
    BAD_FIELD(tokenvault_generate_options, length, UINT_MAX, refuse_generate);
    BAD_SIZES(tokenvault_annotate_options, refuse_annotate);
    BAD_TEXT(tokenvault_annotate_options, owner, "nobody:at all", refuse_annotate);
    BAD_TEXT(tokenvault_annotate_options, content_type, "text/\x1b", refuse_annotate);
    BAD_ATTRIBUTES(tokenvault_annotate_options, refuse_annotate);
    BAD_FIELD(tokenvault_annotate_options, expires_usec, 1, refuse_annotate);
    BAD_FIELD(tokenvault_annotate_options, keep_versions, UINT_MAX, refuse_annotate);
    BAD_FIELD(tokenvault_annotate_options, require_purpose, 7, refuse_annotate);
    BAD_SIZES(tokenvault_share_options, refuse_share);
    BAD_TEXT(tokenvault_share_options, owner, "nobody:at all", refuse_share);
    BAD_TEXT(tokenvault_share_options, permission, "all", refuse_share);
    BAD_FIELD(tokenvault_share_options, expires_usec, 1, refuse_share);
    BAD_SIZES(tokenvault_delete_options, refuse_delete);
    BAD_TEXT(tokenvault_delete_options, owner, "nobody:at all", refuse_delete);
}

#define BAD_SCOPES(type, refuse)                                                                                       \
    do {                                                                                                               \
        BAD_FIELD(type, scopes, bad_key, refuse);                                                                      \
        BAD_FIELD(type, scopes, two_words, refuse);                                                                    \
        BAD_FIELD(type, scopes, endless, refuse);                                                                      \
    } while (0)

static void bad_options_for_issuing(void)
{
    static const char *const two_words[] = {"two words", NULL};
    size_t which;
    BAD_SIZES(tokenvault_offer_options, refuse_offer);
    BAD_TEXT(tokenvault_offer_options, owner, "nobody:at all", refuse_offer);
    BAD_FIELD(tokenvault_offer_options, ttl_usec, UINT64_MAX, refuse_offer);
    BAD_FIELD(tokenvault_offer_options, attempts, UINT_MAX, refuse_offer);
    BAD_SIZES(tokenvault_redeem_options, refuse_redeem);
    BAD_TEXT(tokenvault_redeem_options, purpose, "line\nbreak", refuse_redeem);
    BAD_TEXT(tokenvault_redeem_options, app, "line\nbreak", refuse_redeem);
    BAD_SIZES(tokenvault_issue_options, refuse_issue);
    BAD_TEXT(tokenvault_issue_options, kind, "offer", refuse_issue);
    BAD_TEXT(tokenvault_issue_options, subject, "line\nbreak", refuse_issue);
    BAD_TEXT(tokenvault_issue_options, audience, "line\nbreak", refuse_issue);
    BAD_SCOPES(tokenvault_issue_options, refuse_issue);
    for (which = 0; which < LISTS; which++)
        BAD_FIELD(tokenvault_issue_options, claims, bad_attributes[which], refuse_issue);
    BAD_FIELD(tokenvault_issue_options, ttl_usec, UINT64_MAX, refuse_issue);
    BAD_FIELD(tokenvault_issue_options, length, 6, refuse_issue);
    BAD_FIELD(tokenvault_issue_options, attempts, 6, refuse_issue);
    BAD_SIZES(tokenvault_validate_options, refuse_validate);
    BAD_FIELD(tokenvault_validate_options, id, bad_utf8, refuse_validate);
    BAD_FIELD(tokenvault_validate_options, id, long_text, refuse_validate);
    BAD_TEXT(tokenvault_validate_options, audience, "line\nbreak", refuse_validate);
    BAD_SCOPES(tokenvault_validate_options, refuse_validate);
    BAD_FIELD(tokenvault_validate_options, consume, 7, refuse_validate);
    BAD_SIZES(tokenvault_issued_options, refuse_issued);
    BAD_TEXT(tokenvault_issued_options, kind, "all", refuse_issued);
    BAD_FIELD(tokenvault_issued_options, subject, bad_utf8, refuse_issued);
    BAD_FIELD(tokenvault_issued_options, audience, long_text, refuse_issued);
    BAD_SCOPES(tokenvault_issued_options, refuse_issued);
    BAD_FIELD(tokenvault_issued_options, limit, 1, refuse_revoke_all);
}

/* What takes an object and cannot fail answers with nothing. */
static void bad_objects(void *none)
{
    CHECK(tokenvault_value_data(none) == NULL && tokenvault_value_len(none) == 0 && tokenvault_value_size(none) == 0);
    CHECK(tokenvault_value_version(none) == 0 && tokenvault_value_expires(none) == 0);
    CHECK(tokenvault_value_created(none) == 0 && tokenvault_value_updated(none) == 0);
    CHECK(tokenvault_value_name(none) == NULL && tokenvault_value_owner(none) == NULL);
    CHECK(tokenvault_value_class(none) == NULL && tokenvault_value_content_type(none) == NULL);
    CHECK(tokenvault_value_permission(none) == NULL && tokenvault_value_is_shared(none) == 0);
    CHECK(tokenvault_value_is_current(none) == 0 && tokenvault_value_requires_purpose(none) == 0);
    CHECK(tokenvault_value_note(none) == NULL);
    CHECK(tokenvault_value_grantee(none) == NULL && tokenvault_value_uses_left(none) == -1);
    CHECK(tokenvault_value_id(none) == NULL && tokenvault_value_kind(none) == NULL);
    CHECK(tokenvault_value_subject(none) == NULL && tokenvault_value_audience(none) == NULL);
    CHECK(tokenvault_value_issuer(none) == NULL && tokenvault_value_attempts_left(none) == -1);
    CHECK(tokenvault_value_scope_count(none) == 0 && tokenvault_value_scope(none, 0) == NULL);
    CHECK(tokenvault_value_attribute_count(none) == 0 && tokenvault_value_attribute_key(none, 0) == NULL);
    CHECK(tokenvault_value_attribute(none, NULL) == NULL && tokenvault_value_attribute(none, "a") == NULL);
    CHECK(tokenvault_list_len(none) == 0 && tokenvault_list_name(none, 0) == NULL);
    CHECK(tokenvault_list_value(none, 0) == NULL);
    CHECK(tokenvault_info_text(none, "state") == NULL && tokenvault_info_number(none, "tokens") == 0);
    tokenvault_value_free(none);
    tokenvault_list_free(none);
    tokenvault_info_free(none);
}

static void bad_keys_and_places(void)
{
    tokenvault_value *here = NULL;
    tokenvault_list *all = NULL;
    tokenvault_info *state = NULL;
    CHECK(tokenvault_get(client, "here", NULL, &here) == 0);
    CHECK(tokenvault_list_tokens(client, NULL, &all) == 0);
    CHECK(tokenvault_status(client, &state) == 0);
    CHECK(tokenvault_value_attribute(here, NULL) == NULL && tokenvault_value_attribute(here, bad_utf8) == NULL);
    CHECK(tokenvault_value_attribute(here, long_text) == NULL && tokenvault_value_attribute(here, "") == NULL);
    CHECK(tokenvault_value_attribute_key(here, (size_t)-1) == NULL);
    CHECK(tokenvault_list_name(all, (size_t)-1) == NULL && tokenvault_list_value(all, (size_t)-1) == NULL);
    CHECK(tokenvault_info_text(state, NULL) == NULL && tokenvault_info_number(state, NULL) == 0);
    CHECK(tokenvault_info_text(state, bad_utf8) == NULL && tokenvault_info_number(state, bad_utf8) == 0);
    /* Objects of another kind than the function's, and a row that belongs to its list. */
    bad_objects(client);
    bad_client((tokenvault_client *)(void *)here);
    tokenvault_list_free((tokenvault_list *)(void *)here);
    tokenvault_value_free((tokenvault_value *)(void *)all);
    tokenvault_value_free((tokenvault_value *)(uintptr_t)tokenvault_list_value(all, 0));
    CHECK(tokenvault_value_len(here) == 5 && strcmp(tokenvault_list_name(all, 0), "here") == 0);
    tokenvault_value_free(here);
    tokenvault_list_free(all);
    tokenvault_info_free(state);
}

static void bad_numbers(void)
{
    static const int codes[] = {-1, 19, INT_MIN, INT_MAX};
    size_t at;
    for (at = 0; at < sizeof codes / sizeof codes[0]; at++)
        CHECK(strcmp(tokenvault_strerror(codes[at]), "unknown error") == 0);
}

int main(void)
{
    size_t at;
    value = MARK(tokenvault_value);
    list = MARK(tokenvault_list);
    info = MARK(tokenvault_info);
    opened = MARK(tokenvault_client);
    memset(garbage, 0xaa, sizeof garbage);
    for (at = 0; at < 3000; at++)
        endless[at] = "key";
    long_text = malloc(300000);
    CHECK(long_text != NULL);
    memset(long_text, 'x', 299999);
    long_text[299999] = 0;

    CHECK(tokenvault_client_open(NULL, &client) == 0);
    CHECK(tokenvault_put(client, "here", "value", 5, NULL, NULL) == 0);
    bad_client(NULL);
    bad_client((tokenvault_client *)(void *)garbage);
    for (at = 0; at < NAMES; at++)
        bad_name(bad_names[at]);
    bad_name(long_text);
    bad_data_and_outputs();
    bad_options_for_reading();
    bad_options_for_writing();
    bad_options_for_issuing();
    bad_objects(NULL);
    bad_objects(garbage);
    bad_keys_and_places();
    bad_numbers();
    CHECK(tokenvault_get(client, "here", NULL, &value) == 0);
    CHECK(tokenvault_value_version(value) == 1);
    tokenvault_value_free(value);
    tokenvault_client_close(client);
    free(long_text);
    return 0;
}
