/* restart.c - the daemon is killed and started again under a client, in whose middle of what. The test does the killing,
 * when it is told to. */
#include "check.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

enum { THREADS = 4 };

static atomic_int is_over;
/* Posted for every value that came. */
static sem_t got;

static void a_client_goes_on(void)
{
    tokenvault_value *value = NULL;
    uint64_t version = 0;
    CHECK(tokenvault_put(client, "r/one", "1", 1, NULL, NULL) == 0);
    meet("kill and start");
    CHECK(tokenvault_get(client, "r/one", NULL, &value) == 0);
    CHECK(tokenvault_value_len(value) == 1);
    meet("kill and start");
    /* A write is sent again only because it never was. */
    CHECK(tokenvault_put(client, "r/one", "22", 2, NULL, &version) == 0);
    CHECK(version == 2);
    /* What was fetched does not need the daemon. */
    CHECK(memcmp(tokenvault_value_data(value), "1", 1) == 0);
    tokenvault_value_free(value);
}

static void without_a_daemon_every_call_says_so(void)
{
    tokenvault_value *value = NULL;
    tokenvault_list *list = NULL;
    tokenvault_info *info = NULL;
    uint64_t version = 99;
    meet("kill");
    CHECK(tokenvault_get(client, "r/one", NULL, &value) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(strstr(tokenvault_client_error(client), "vault") != NULL);
    CHECK(tokenvault_put(client, "r/one", "3", 1, NULL, &version) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(tokenvault_generate(client, "r/one", NULL, &value) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(tokenvault_describe(client, "r/one", NULL, &value) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(tokenvault_list_tokens(client, NULL, &list) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(tokenvault_list_versions(client, "r/one", NULL, &list) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(tokenvault_annotate(client, "r/one", NULL) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(tokenvault_rename(client, "r/one", "r/two", NULL) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(tokenvault_rollback(client, "r/one", 1, NULL, &version) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(tokenvault_delete(client, "r/one") == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(tokenvault_delete_with(client, "r/one", NULL) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(tokenvault_status(client, &info) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(tokenvault_whoami(client, &info) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHECK(value == NULL && list == NULL && info == NULL && version == 99);
    meet("start");
    CHECK(tokenvault_get(client, "r/one", NULL, &value) == 0);
    CHECK(tokenvault_value_version(value) == 2);
    tokenvault_value_free(value);
}

/* What a call may answer while the daemon goes and comes. */
static int is_expected(int error)
{
    return error == 0 || error == TOKENVAULT_ERROR_UNAVAILABLE || error == TOKENVAULT_ERROR_SEALED;
}

/* Writes ever higher numbers, and knows the highest that was acknowledged. */
static void *work(void *number)
{
    char name[32];
    unsigned tried = 0, acknowledged = 0, found = 0;
    tokenvault_value *value = NULL;
    sprintf(name, "r/load/%d", *(const int *)number);
    while (!is_over) {
        tried++;
        if (tokenvault_put(client, name, &tried, sizeof tried, NULL, NULL) == 0)
            acknowledged = tried;
        else
            CHECK(tokenvault_client_error(client)[0] != 0);
        int error = tokenvault_get(client, name, NULL, &value);
        CHECK(is_expected(error) || (error == TOKENVAULT_ERROR_NOT_FOUND && acknowledged == 0));
        if (error == 0) {
            CHECK(tokenvault_value_len(value) == sizeof found);
            memcpy(&found, tokenvault_value_data(value), sizeof found);
            CHECK(found >= acknowledged && found <= tried);
            tokenvault_value_free(value);
            sem_post(&got);
        }
    }
    CHECK(tokenvault_get(client, name, NULL, &value) == 0);
    memcpy(&found, tokenvault_value_data(value), sizeof found);
    CHECK(found >= acknowledged);
    tokenvault_value_free(value);
    return NULL;
}

static void nothing_acknowledged_is_lost_under_load(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS], at, values;
    CHECK(sem_init(&got, 0, 0) == 0);
    for (at = 0; at < THREADS; at++) {
        numbers[at] = at;
        CHECK(pthread_create(&threads[at], NULL, work, &numbers[at]) == 0);
    }
    for (at = 0; at < 3; at++) {
        /* Not before the threads are at work. */
        for (values = 0; values < 4 * THREADS; values++)
            CHECK(sem_wait(&got) == 0);
        meet("kill and start");
    }
    is_over = 1;
    for (at = 0; at < THREADS; at++)
        CHECK(pthread_join(threads[at], NULL) == 0);
    sem_destroy(&got);
}

int main(void)
{
    CHECK(tokenvault_client_open(NULL, &client) == 0);
    a_client_goes_on();
    without_a_daemon_every_call_says_so();
    nothing_acknowledged_is_lost_under_load();
    tokenvault_client_close(client);
    return 0;
}
