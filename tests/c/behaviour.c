/* behaviour.c - the main cases of the behavioural suite, through the C library. Prints "ok", or the first line that failed.
 *
 * Run as a user who has no tokens yet, with TOKENVAULT_ADDRESS pointing at a vault.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokenvault.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "behaviour.c:%d: %s (%s)\n", __LINE__, #condition, tokenvault_client_error(client));       \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { INVALID_ARGS = 2, NOT_FOUND = 3, EXISTS = 5, CONFLICT = 6, UNAVAILABLE = 11 };

static tokenvault_client *client;

static void values_come_back(void)
{
    const char value[] = "bytes\0with\xff anything";
    uint64_t version = 0;
    CHECK(tokenvault_put(client, "c/one", value, sizeof value, NULL, &version) == 0);
    CHECK(version == 1);
    tokenvault_value *fetched = NULL;
    CHECK(tokenvault_get(client, "c/one", NULL, &fetched) == 0);
    CHECK(tokenvault_value_len(fetched) == sizeof value);
    CHECK(memcmp(tokenvault_value_data(fetched), value, sizeof value) == 0);
    CHECK(tokenvault_value_version(fetched) == 1);
    CHECK(tokenvault_value_expires(fetched) == 0);
    tokenvault_value_free(fetched);
    CHECK(tokenvault_put(client, "c/one", "2", 1, NULL, NULL) == 0);
    CHECK(tokenvault_get(client, "c/one", NULL, &fetched) == 0);
    CHECK(tokenvault_value_version(fetched) == 2);
    tokenvault_value_free(fetched);
}

static void options_count(void)
{
    const char *attributes[] = {"env", "prod", "team", "a", NULL};
    tokenvault_put_options put = {.size = sizeof put, .mode = "create", .ttl_usec = 3600000000u, .attributes = attributes};
    CHECK(tokenvault_put(client, "c/two", "v", 1, &put, NULL) == 0);
    CHECK(tokenvault_put(client, "c/two", "v", 1, &put, NULL) == EXISTS);
    tokenvault_put_options late = {.size = sizeof late, .expect_version = 7};
    CHECK(tokenvault_put(client, "c/two", "v", 1, &late, NULL) == CONFLICT);
    tokenvault_value *fetched = NULL;
    CHECK(tokenvault_get(client, "c/two", NULL, &fetched) == 0);
    CHECK(tokenvault_value_expires(fetched) > 0);
    CHECK(strcmp(tokenvault_value_attribute(fetched, "env"), "prod") == 0);
    CHECK(tokenvault_value_attribute(fetched, "none") == NULL);
    tokenvault_value_free(fetched);
    tokenvault_get_options get = {.size = sizeof get, .version = 9};
    CHECK(tokenvault_get(client, "c/two", &get, &fetched) == NOT_FOUND);
}

static void refusals_leave_outputs_alone(void)
{
    tokenvault_value *const mark = (tokenvault_value *)&client;
    tokenvault_value *value = mark;
    uint64_t version = 77;
    CHECK(tokenvault_get(client, "c/none", NULL, &value) == NOT_FOUND);
    CHECK(value == mark);
    CHECK(strlen(tokenvault_client_error(client)) > 0);
    CHECK(tokenvault_get(client, "c//none", NULL, &value) == INVALID_ARGS);
    CHECK(tokenvault_get(client, NULL, NULL, &value) == INVALID_ARGS);
    CHECK(tokenvault_get(client, "not \xff utf-8", NULL, &value) == INVALID_ARGS);
    CHECK(tokenvault_get(NULL, "c/one", NULL, &value) == INVALID_ARGS);
    CHECK(tokenvault_put(client, "c/none", "", 0, NULL, &version) == INVALID_ARGS);
    CHECK(tokenvault_put(client, "c/none", NULL, 5, NULL, &version) == INVALID_ARGS);
    CHECK(value == mark && version == 77);
    tokenvault_client *other = NULL;
    CHECK(tokenvault_client_open("unix:path=/nonexistent/bus", &other) == UNAVAILABLE);
    CHECK(tokenvault_client_open("nonsense", &other) == INVALID_ARGS);
    CHECK(other == NULL);
}

int main(void)
{
    CHECK(tokenvault_client_open(NULL, &client) == 0);
    values_come_back();
    options_count();
    refusals_leave_outputs_alone();
    tokenvault_value_free(NULL);
    tokenvault_client_close(NULL);
    tokenvault_client_close(client);
    puts("ok");
    return 0;
}
