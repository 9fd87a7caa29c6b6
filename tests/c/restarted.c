/* restarted.c - one client, and a service that is restarted between its calls. The test does the restarting, when it is
 * told to. */
#include "check.h"

static void fetch(const char *expected)
{
    tokenvault_value *value = NULL;
    CHECK(tokenvault_get(client, "restarted", NULL, &value) == 0);
    CHECK(tokenvault_value_len(value) == strlen(expected));
    CHECK(memcmp(tokenvault_value_data(value), expected, strlen(expected)) == 0);
    tokenvault_value_free(value);
}

int main(void)
{
    CHECK(tokenvault_client_open(NULL, &client) == 0);
    CHECK(tokenvault_put(client, "restarted", "before", 6, NULL, NULL) == 0);
    fetch("before");
    meet("restart");
    fetch("before");
    meet("restart");
    CHECK(tokenvault_put(client, "restarted", "after", 5, NULL, NULL) == 0);
    fetch("after");
    tokenvault_client_close(client);
    return 0;
}
