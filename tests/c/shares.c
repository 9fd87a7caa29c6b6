/* shares.c - machine tokens shared with units and users, as root. */
#include "check.h"

#define APP "unit:app.service"
#define WEB "unit:web@1.service"
#define USER "user:alice"

static const tokenvault_value *row(const tokenvault_list *list, const char *grantee)
{
    size_t at;
    for (at = 0; at < tokenvault_list_len(list); at++)
        if (strcmp(tokenvault_value_grantee(tokenvault_list_value(list, at)), grantee) == 0)
            return tokenvault_list_value(list, at);
    return NULL;
}

int main(void)
{
    tokenvault_list *list = NULL;
    tokenvault_value *value = NULL;
    FRESH(tokenvault_share_options, options);
    FRESH(tokenvault_token_options, machine);
    FRESH(tokenvault_list_options, filter);
    machine.owner = "machine";
    CHECK(tokenvault_client_open(NULL, &client) == 0);
    CHECK(tokenvault_put(client, "key", "secret", 6, NULL, NULL) == 0);
    CHECK(tokenvault_share(client, "key", APP, NULL) == 0);
    options.owner = "machine";
    options.permission = "read";
    options.expires_usec = 4102444800000000u;
    options.uses = 7;
    CHECK(tokenvault_share(client, "key", WEB, &options) == 0);
    CHECK(tokenvault_list_shares(client, "key", &machine, &list) == 0);
    CHECK(tokenvault_list_len(list) == 2 && strcmp(tokenvault_list_name(list, 1), "key") == 0);
    CHECK(tokenvault_value_uses_left(row(list, APP)) == -1 && tokenvault_value_expires(row(list, APP)) == 0);
    CHECK(tokenvault_value_uses_left(row(list, WEB)) == 7);
    CHECK(tokenvault_value_expires(row(list, WEB)) == 4102444800000000u);
    CHECK(strcmp(tokenvault_value_permission(row(list, WEB)), "read") == 0);
    CHECK(tokenvault_value_created(row(list, WEB)) > 0 && tokenvault_value_is_shared(row(list, WEB)) == 1);
    CHECK(tokenvault_value_data(row(list, WEB)) == NULL && tokenvault_value_owner(row(list, WEB))[0] == 0);
    tokenvault_list_free(list);
    CHECK(tokenvault_describe(client, "key", NULL, &value) == 0);
    CHECK(tokenvault_value_is_shared(value) == 1);
    tokenvault_value_free(value);
    CHECK(tokenvault_unshare(client, "key", APP) == 0);
    CHECK(tokenvault_unshare_with(client, "key", WEB, &machine) == 0);
    CHECK(tokenvault_unshare(client, "key", APP) == TOKENVAULT_ERROR_NOT_FOUND);
    CHECK(strstr(tokenvault_client_error(client), "not shared") != NULL);
    CHECK(tokenvault_list_shares(client, "key", NULL, &list) == 0);
    CHECK(tokenvault_list_len(list) == 0);
    tokenvault_list_free(list);
    options.permission = "write";
    options.note = "for the night run";
    CHECK(tokenvault_share(client, "key", USER, &options) == 0);
    CHECK(tokenvault_list_shares(client, "key", NULL, &list) == 0);
    CHECK(strcmp(tokenvault_value_note(row(list, USER)), "for the night run") == 0);
    CHECK(strcmp(tokenvault_value_permission(row(list, USER)), "write") == 0);
    tokenvault_list_free(list);
    options.note = "two\nlines";
    CHECK(tokenvault_share(client, "key", USER, &options) == TOKENVAULT_ERROR_INVALID_ARGS);
    CHECK(tokenvault_share(client, "key", "user:root", NULL) == TOKENVAULT_ERROR_INVALID_ARGS);
    CHECK(tokenvault_unshare(client, "key", USER) == 0);
    filter.shared_with_me = 1;
    CHECK(tokenvault_list_tokens(client, &filter, &list) == 0 && tokenvault_list_len(list) == 0);
    tokenvault_list_free(list);
    filter.shared_with_me = 2;
    CHECK(tokenvault_list_tokens(client, &filter, &list) == TOKENVAULT_ERROR_INVALID_ARGS);
    tokenvault_client_close(client);
    client = NULL;
    return 0;
}
