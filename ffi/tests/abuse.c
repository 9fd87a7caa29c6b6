/* Every call with what it must refuse, then one honest round trip. Needs a vault at TOKENVAULT_ADDRESS. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokenvault.h>

static int line_of_failure = 0;

#define CHECK(condition) \
    do { \
        if (!(condition) && line_of_failure == 0) \
            line_of_failure = __LINE__; \
    } while (0)
#define REFUSED(call) CHECK((call) == TOKENVAULT_ERROR_INVALID_ARGS)

static const char bad_utf8[] = "\xff\xfe";

static void without_a_client(void)
{
    tokenvault_client *client = (tokenvault_client *)&line_of_failure;
    tokenvault_value *value = (tokenvault_value *)&line_of_failure;
    tokenvault_list *list = NULL;

    REFUSED(tokenvault_client_open(NULL, NULL));
    REFUSED(tokenvault_client_open("", &client));
    REFUSED(tokenvault_client_open("/run/x", &client));
    REFUSED(tokenvault_client_open(bad_utf8, &client));
    CHECK(client == (tokenvault_client *)&line_of_failure);
    CHECK(tokenvault_client_open("unix:path=/nonexistent/bus", &client) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(client == (tokenvault_client *)&line_of_failure);
    CHECK(strstr(tokenvault_client_error(NULL), "/nonexistent/bus") != NULL);

    REFUSED(tokenvault_get(NULL, "a", NULL, &value));
    REFUSED(tokenvault_put(NULL, "a", "b", 1, NULL, NULL));
    REFUSED(tokenvault_generate(NULL, "a", NULL, &value));
    REFUSED(tokenvault_delete(NULL, "a"));
    REFUSED(tokenvault_describe(NULL, "a", NULL, &value));
    REFUSED(tokenvault_list_tokens(NULL, NULL, &list));
    CHECK(value == (tokenvault_value *)&line_of_failure);

    tokenvault_client_close(NULL);
    tokenvault_value_free(NULL);
    tokenvault_list_free(NULL);
    CHECK(tokenvault_value_data(NULL) == NULL && tokenvault_value_len(NULL) == 0);
    CHECK(tokenvault_value_version(NULL) == 0 && tokenvault_value_expires(NULL) == 0);
    CHECK(tokenvault_value_attribute(NULL, NULL) == NULL && tokenvault_value_attribute(NULL, "a") == NULL);
    CHECK(tokenvault_list_len(NULL) == 0 && tokenvault_list_name(NULL, 0) == NULL);
}

static void bad_input(tokenvault_client *client)
{
    static const char *const odd[] = {"key", NULL, NULL};
    static const char *const twice[] = {"key", "1", "key", "2", NULL};
    tokenvault_get_options get;
    tokenvault_put_options put;
    tokenvault_value *value = NULL;
    tokenvault_list *list = NULL;
    uint64_t version = 99;
    char *name = malloc(300000);

    CHECK(name != NULL);
    memset(name, 'x', 299999);
    name[299999] = 0;
    memset(&get, 0, sizeof get);
    memset(&put, 0, sizeof put);

    REFUSED(tokenvault_get(client, NULL, NULL, &value));
    REFUSED(tokenvault_get(client, "a", NULL, NULL));
    REFUSED(tokenvault_get(client, bad_utf8, NULL, &value));
    REFUSED(tokenvault_get(client, name, NULL, &value));
    REFUSED(tokenvault_get(client, "a", &get, &value)); /* size 0 */
    get.size = (size_t)-1;
    REFUSED(tokenvault_get(client, "a", &get, &value));
    get.size = sizeof get - 1;
    REFUSED(tokenvault_get(client, "a", &get, &value));
    get.size = sizeof get;
    get.purpose = bad_utf8;
    REFUSED(tokenvault_get(client, "a", &get, &value));
    get.purpose = NULL;
    get.version = 1;
    REFUSED(tokenvault_describe(client, "a", &get, &value));

    REFUSED(tokenvault_put(client, "a", NULL, 0, NULL, &version));
    REFUSED(tokenvault_put(client, "a", NULL, 7, NULL, &version));
    REFUSED(tokenvault_put(client, "a", "b", (size_t)-1, NULL, &version));
    REFUSED(tokenvault_put(client, NULL, "b", 1, NULL, &version));
    put.size = sizeof put;
    put.attributes = odd;
    REFUSED(tokenvault_put(client, "a", "b", 1, &put, &version));
    put.attributes = twice;
    REFUSED(tokenvault_put(client, "a", "b", 1, &put, &version));
    CHECK(strstr(tokenvault_client_error(client), "given twice") != NULL);

    REFUSED(tokenvault_generate(client, NULL, NULL, &value));
    REFUSED(tokenvault_generate(client, "a", NULL, NULL));
    REFUSED(tokenvault_delete(client, NULL));
    REFUSED(tokenvault_describe(client, "a", NULL, NULL));
    REFUSED(tokenvault_list_tokens(client, NULL, NULL));
    CHECK(value == NULL && list == NULL && version == 99);
    free(name);
}

static void round_trip(tokenvault_client *client)
{
    tokenvault_value *value = NULL;
    uint64_t version = 0;

    CHECK(tokenvault_put(client, "from-c", "s3cret\0!", 8, NULL, &version) == 0);
    CHECK(version == 7);
    CHECK(tokenvault_put(client, "from-c", "s3cret\0!", 8, NULL, NULL) == 0);
    CHECK(tokenvault_get(client, "from-c", NULL, &value) == 0);
    CHECK(tokenvault_value_len(value) == 8);
    CHECK(memcmp(tokenvault_value_data(value), "s3cret\0!", 8) == 0);
    CHECK(tokenvault_value_version(value) == 1 && tokenvault_value_expires(value) == 0);
    CHECK(tokenvault_value_attribute(value, "none") == NULL);
    tokenvault_value_free(value);

    value = NULL;
    CHECK(tokenvault_get(client, "error/org.tokenvault1.Error.NotFound", NULL, &value) == TOKENVAULT_ERROR_NOT_FOUND);
    CHECK(value == NULL);
    CHECK(strcmp(tokenvault_client_error(client), "what happened; what to do") == 0);
}

int main(void)
{
    tokenvault_client *client = NULL;

    without_a_client();
    CHECK(tokenvault_client_open(NULL, &client) == 0);
    CHECK(tokenvault_client_error(client)[0] == 0);
    if (client != NULL) {
        bad_input(client);
        round_trip(client);
    }
    tokenvault_client_close(client);
    CHECK(strcmp(tokenvault_strerror(0), "success") == 0);
    CHECK(tokenvault_version()[0] != 0);
    if (line_of_failure != 0)
        fprintf(stderr, "abuse.c:%d: check failed\n", line_of_failure);
    return line_of_failure != 0;
}
