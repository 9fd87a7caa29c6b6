/* functions.c - every function of the library, used as it is meant to be. Run as a user who has no tokens yet. */
#include "check.h"

static const char bytes[] = "bytes\0with\xff anything";

static void values_come_back(void)
{
    tokenvault_value *value = NULL;
    uint64_t version = 0;
    CHECK(tokenvault_put(client, "c/one", bytes, sizeof bytes, NULL, &version) == 0);
    CHECK(version == 1);
    CHECK(tokenvault_get(client, "c/one", NULL, &value) == 0);
    CHECK(tokenvault_value_len(value) == sizeof bytes);
    CHECK(memcmp(tokenvault_value_data(value), bytes, sizeof bytes) == 0);
    CHECK(tokenvault_value_version(value) == 1);
    CHECK(tokenvault_value_expires(value) == 0);
    tokenvault_value_free(value);
    CHECK(tokenvault_put(client, "c/one", "2", 1, NULL, NULL) == 0);
    CHECK(tokenvault_get(client, "c/one", NULL, &value) == 0);
    CHECK(tokenvault_value_version(value) == 2);
    tokenvault_value_free(value);
}

static void metadata_is_told(void)
{
    const char *attributes[] = {"env", "prod", "team", "p\xc3\xa8re", NULL};
    tokenvault_value *value = NULL;
    FRESH(tokenvault_put_options, put);
    put.mode = "create";
    put.content_type = "text/plain";
    put.ttl_usec = 3600000000u;
    put.attributes = attributes;
    put.require_purpose = 1;
    CHECK(tokenvault_put(client, "c/two", "v", 1, &put, NULL) == 0);
    CHECK(tokenvault_put(client, "c/two", "v", 1, &put, NULL) == TOKENVAULT_ERROR_EXISTS);

    CHECK(tokenvault_describe(client, "c/two", NULL, &value) == 0);
    CHECK(tokenvault_value_data(value) == NULL && tokenvault_value_len(value) == 0);
    CHECK(tokenvault_value_size(value) == 1);
    CHECK(strcmp(tokenvault_value_name(value), "c/two") == 0);
    CHECK(strncmp(tokenvault_value_owner(value), "uid:", 4) == 0);
    CHECK(strcmp(tokenvault_value_class(value), "machine") == 0);
    CHECK(strcmp(tokenvault_value_content_type(value), "text/plain") == 0);
    CHECK(strcmp(tokenvault_value_permission(value), "owner") == 0);
    CHECK(tokenvault_value_created(value) > 0);
    CHECK(tokenvault_value_updated(value) >= tokenvault_value_created(value));
    CHECK(tokenvault_value_expires(value) > tokenvault_value_created(value));
    CHECK(tokenvault_value_is_shared(value) == 0);
    CHECK(tokenvault_value_is_current(value) == 0);
    CHECK(tokenvault_value_requires_purpose(value) == 1);
    CHECK(tokenvault_value_attribute_count(value) == 2);
    CHECK(strcmp(tokenvault_value_attribute_key(value, 0), "env") == 0);
    CHECK(strcmp(tokenvault_value_attribute_key(value, 1), "team") == 0);
    CHECK(strcmp(tokenvault_value_attribute(value, "env"), "prod") == 0);
    CHECK(strcmp(tokenvault_value_attribute(value, "team"), "p\xc3\xa8re") == 0);
    /* A value of an attribute is no key. */
    CHECK(tokenvault_value_attribute(value, "prod") == NULL);
    tokenvault_value_free(value);
}

static void options_count(void)
{
    tokenvault_value *value = NULL;
    FRESH(tokenvault_put_options, late);
    FRESH(tokenvault_get_options, get);
    FRESH(tokenvault_annotate_options, annotate);
    late.expect_version = 7;
    CHECK(tokenvault_put(client, "c/two", "v", 1, &late, NULL) == TOKENVAULT_ERROR_CONFLICT);
    CHECK(tokenvault_get(client, "c/two", NULL, &value) == TOKENVAULT_ERROR_ACCESS_DENIED);
    get.purpose = "a test";
    get.app = "functions.c";
    CHECK(tokenvault_get(client, "c/two", &get, &value) == 0);
    tokenvault_value_free(value);
    get.version = 9;
    CHECK(tokenvault_get(client, "c/two", &get, &value) == TOKENVAULT_ERROR_NOT_FOUND);

    annotate.expires_usec = UINT64_MAX;
    annotate.require_purpose = -1;
    annotate.content_type = "";
    CHECK(tokenvault_annotate(client, "c/two", &annotate) == 0);
    CHECK(tokenvault_get(client, "c/two", NULL, &value) == 0);
    CHECK(tokenvault_value_expires(value) == 0);
    CHECK(tokenvault_value_content_type(value)[0] == 0);
    CHECK(tokenvault_value_attribute_count(value) == 2);
    tokenvault_value_free(value);
}

static void values_are_made(void)
{
    tokenvault_value *value = NULL;
    FRESH(tokenvault_generate_options, options);
    options.length = 20;
    options.charset = "hex";
    options.prefix = "tv_";
    options.keep_versions = 2;
    CHECK(tokenvault_generate(client, "c/made", &options, &value) == 0);
    CHECK(tokenvault_value_len(value) == 23);
    CHECK(memcmp(tokenvault_value_data(value), "tv_", 3) == 0);
    tokenvault_value_free(value);
}

static void versions_are_kept(void)
{
    tokenvault_list *list = NULL;
    uint64_t version = 0;
    FRESH(tokenvault_delete_options, first);
    CHECK(tokenvault_rollback(client, "c/one", 1, NULL, &version) == 0);
    CHECK(version == 3);
    first.version = 1;
    CHECK(tokenvault_delete_with(client, "c/one", &first) == 0);
    CHECK(tokenvault_list_versions(client, "c/one", NULL, &list) == 0);
    CHECK(tokenvault_list_len(list) == 2);
    CHECK(tokenvault_value_version(tokenvault_list_value(list, 0)) == 3);
    CHECK(tokenvault_value_is_current(tokenvault_list_value(list, 0)) == 1);
    CHECK(tokenvault_value_size(tokenvault_list_value(list, 0)) == sizeof bytes);
    CHECK(tokenvault_value_created(tokenvault_list_value(list, 0)) > 0);
    CHECK(tokenvault_value_version(tokenvault_list_value(list, 1)) == 2);
    CHECK(tokenvault_value_is_current(tokenvault_list_value(list, 1)) == 0);
    CHECK(strcmp(tokenvault_list_name(list, 1), "c/one") == 0);
    tokenvault_list_free(list);
}

/* The row of a token; NULL when it is not in the list. */
static const tokenvault_value *row(const tokenvault_list *list, const char *name)
{
    size_t at;
    for (at = 0; at < tokenvault_list_len(list); at++)
        if (strcmp(tokenvault_list_name(list, at), name) == 0)
            return tokenvault_list_value(list, at);
    return NULL;
}

static void tokens_are_listed_renamed_and_deleted(void)
{
    const char *attributes[] = {"env", "prod", NULL};
    tokenvault_list *list = NULL;
    FRESH(tokenvault_list_options, options);
    FRESH(tokenvault_token_options, own);
    own.owner = NULL;
    CHECK(tokenvault_rename(client, "c/made", "c/three", &own) == 0);
    options.prefix = "c/";
    CHECK(tokenvault_list_tokens(client, &options, &list) == 0);
    CHECK(tokenvault_list_len(list) == 3);
    CHECK(row(list, "c/one") != NULL && row(list, "c/two") != NULL && row(list, "c/made") == NULL);
    CHECK(tokenvault_list_name(list, 3) == NULL && tokenvault_list_value(list, 3) == NULL);
    CHECK(tokenvault_value_size(row(list, "c/three")) == 23);
    CHECK(tokenvault_value_data(row(list, "c/three")) == NULL);
    tokenvault_list_free(list);
    options.attributes = attributes;
    CHECK(tokenvault_list_tokens(client, &options, &list) == 0);
    CHECK(tokenvault_list_len(list) == 1 && strcmp(tokenvault_list_name(list, 0), "c/two") == 0);
    tokenvault_list_free(list);
    CHECK(tokenvault_delete(client, "c/three") == 0);
    CHECK(tokenvault_delete(client, "c/three") == TOKENVAULT_ERROR_NOT_FOUND);
    CHECK(strstr(tokenvault_client_error(client), "no such token") != NULL);
}

static void a_token_is_shared_and_no_longer(void)
{
    tokenvault_list *list = NULL;
    tokenvault_value *value = NULL;
    FRESH(tokenvault_share_options, options);
    options.uses = 1;
    CHECK(tokenvault_share(client, "c/one", "unit:app.service", &options) == TOKENVAULT_ERROR_ACCESS_DENIED);
    CHECK(tokenvault_share(client, "c/one", "user:nobody-of-this-machine", NULL) == TOKENVAULT_ERROR_INVALID_ARGS);
    options.note = "for a moment";
    CHECK(tokenvault_share(client, "c/one", "user:root", &options) == 0);
    CHECK(tokenvault_list_shares(client, "c/one", NULL, &list) == 0);
    CHECK(tokenvault_list_len(list) == 1);
    tokenvault_list_free(list);
    CHECK(tokenvault_unshare(client, "c/one", "user:root") == 0);
    CHECK(tokenvault_unshare(client, "c/one", "unit:app.service") == TOKENVAULT_ERROR_NOT_FOUND);
    CHECK(tokenvault_unshare_with(client, "c/one", "unit:app.service", NULL) == TOKENVAULT_ERROR_NOT_FOUND);
    CHECK(tokenvault_list_shares(client, "c/one", NULL, &list) == 0);
    CHECK(tokenvault_list_len(list) == 0);
    tokenvault_list_free(list);
    CHECK(tokenvault_describe(client, "c/one", NULL, &value) == 0);
    CHECK(tokenvault_value_note(value)[0] == 0);
    CHECK(tokenvault_value_grantee(value)[0] == 0 && tokenvault_value_uses_left(value) == -1);
    tokenvault_value_free(value);
}

static void tokens_are_issued_and_validated(void)
{
    const char *scopes[] = {"read", "write", NULL}, *claims[] = {"team", "one", NULL}, *wanted[] = {"read", NULL};
    tokenvault_value *token = NULL, *said = NULL;
    tokenvault_list *list = NULL;
    const char *text;
    uint64_t count = 0;
    int valid = -1;
    FRESH(tokenvault_issue_options, options);
    FRESH(tokenvault_validate_options, validate);
    FRESH(tokenvault_issued_options, issued);
    options.subject = "build 7";
    options.audience = "web";
    options.scopes = scopes;
    options.claims = claims;
    options.ttl_usec = 60000000u;
    options.uses = 1;
    CHECK(tokenvault_issue(client, &options, &token) == 0);
    CHECK(tokenvault_value_len(token) == 76 && memcmp(tokenvault_value_data(token), "tvt_", 4) == 0);
    CHECK(strlen(tokenvault_value_id(token)) == 22 && tokenvault_value_expires(token) > 0);
    text = tokenvault_value_data(token);
    CHECK(strlen(text) == 76);
    validate.audience = "web";
    validate.scopes = wanted;
    CHECK(tokenvault_validate(client, text, &validate, &valid) == 0 && valid == 1);
    CHECK(tokenvault_validate_claims(client, text, NULL, &said) == 0 && said != NULL);
    CHECK(strcmp(tokenvault_value_id(said), tokenvault_value_id(token)) == 0);
    CHECK(strcmp(tokenvault_value_kind(said), "token") == 0 && strcmp(tokenvault_value_subject(said), "build 7") == 0);
    CHECK(strcmp(tokenvault_value_audience(said), "web") == 0 && strncmp(tokenvault_value_issuer(said), "uid:", 4) == 0);
    CHECK(tokenvault_value_scope_count(said) == 2 && strcmp(tokenvault_value_scope(said, 1), "write") == 0);
    CHECK(tokenvault_value_scope(said, 2) == NULL && strcmp(tokenvault_value_attribute(said, "team"), "one") == 0);
    CHECK(tokenvault_value_attribute_count(said) == 1 && tokenvault_value_uses_left(said) == 1);
    CHECK(tokenvault_value_attempts_left(said) == -1 && tokenvault_value_created(said) > 0);
    tokenvault_value_free(said);
    CHECK(tokenvault_list_issued(client, &issued, &list) == 0 && tokenvault_list_len(list) == 1);
    CHECK(strcmp(tokenvault_value_id(tokenvault_list_value(list, 0)), tokenvault_value_id(token)) == 0);
    tokenvault_list_free(list);
    validate.consume = 1;
    CHECK(tokenvault_validate(client, text, &validate, &valid) == 0 && valid == 1);
    CHECK(tokenvault_validate(client, text, NULL, &valid) == 0 && valid == 0);
    CHECK(tokenvault_validate_claims(client, text, NULL, &said) == 0 && said == NULL);
    tokenvault_value_free(token);
    CHECK(tokenvault_issue(client, NULL, &token) == 0);
    CHECK(tokenvault_revoke(client, tokenvault_value_id(token)) == 0);
    CHECK(tokenvault_revoke(client, tokenvault_value_id(token)) == TOKENVAULT_ERROR_NOT_FOUND);
    tokenvault_value_free(token);
    options.kind = "code";
    options.length = 8;
    CHECK(tokenvault_issue(client, &options, &token) == 0 && tokenvault_value_len(token) == 8);
    tokenvault_value_free(token);
    CHECK(tokenvault_revoke_all(client, NULL, &count) == 0 && count == 1);
    CHECK(tokenvault_revoke_all(client, NULL, NULL) == 0);
}

static void an_offer_is_redeemed_once(void)
{
    tokenvault_value *code = NULL, *value = NULL;
    const char *text;
    FRESH(tokenvault_offer_options, options);
    FRESH(tokenvault_redeem_options, redeem);
    options.attempts = 3;
    options.ttl_usec = 60000000u;
    redeem.purpose = "a test";
    redeem.app = "functions.c";
    CHECK(tokenvault_offer(client, "c/one", &options, &code) == 0);
    CHECK(tokenvault_value_len(code) == 19 && strlen(tokenvault_value_id(code)) == 6);
    CHECK(tokenvault_value_attempts_left(code) == 3 && tokenvault_value_expires(code) > 0);
    text = tokenvault_value_data(code);
    CHECK(strlen(text) == 19);
    CHECK(tokenvault_redeem(client, text, &redeem, &value) == 0);
    CHECK(tokenvault_value_len(value) == sizeof bytes && strcmp(tokenvault_value_name(value), "c/one") == 0);
    CHECK(((const char *)tokenvault_value_data(value))[sizeof bytes] == 0);
    tokenvault_value_free(value);
    CHECK(tokenvault_redeem(client, text, &redeem, &value) == TOKENVAULT_ERROR_NOT_FOUND);
    tokenvault_value_free(code);
}

static void the_vault_says_how_it_is(void)
{
    tokenvault_info *info = NULL;
    CHECK(tokenvault_status(client, &info) == 0);
    CHECK(strcmp(tokenvault_info_text(info, "state"), "serving") == 0);
    CHECK(tokenvault_info_number(info, "tokens") == 2);
    CHECK(tokenvault_info_text(info, "tokens") == NULL && tokenvault_info_number(info, "state") == 0);
    tokenvault_info_free(info);
    CHECK(tokenvault_whoami(client, &info) == 0);
    CHECK(strcmp(tokenvault_info_text(info, "role"), "developer") == 0);
    CHECK(tokenvault_info_number(info, "active") == 1);
    tokenvault_info_free(info);
}

int main(void)
{
    CHECK(tokenvault_client_open(NULL, &client) == 0);
    CHECK(tokenvault_client_error(client)[0] == 0);
    values_come_back();
    metadata_is_told();
    options_count();
    values_are_made();
    versions_are_kept();
    tokens_are_listed_renamed_and_deleted();
    a_token_is_shared_and_no_longer();
    tokens_are_issued_and_validated();
    an_offer_is_redeemed_once();
    the_vault_says_how_it_is();
    tokenvault_client_close(client);
    client = NULL;
    CHECK(strcmp(tokenvault_strerror(0), "success") == 0);
    CHECK(tokenvault_strerror(TOKENVAULT_ERROR_SEALED)[0] != 0);
    CHECK(strchr(tokenvault_version(), '.') != NULL);
    return 0;
}
