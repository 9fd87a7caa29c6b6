/* threads.c - eight threads share one client: each gets its own values and its own error texts. */
#include "check.h"

#include <pthread.h>

enum { THREADS = 8, ROUNDS = 40 };

static pthread_barrier_t start;

static void *work(void *argument)
{
    const int number = *(const int *)argument;
    char name[32], missing[32], text[64];
    int round;
    sprintf(name, "t/%d", number);
    sprintf(missing, "t//%d", number);
    pthread_barrier_wait(&start);
    for (round = 0; round < ROUNDS; round++) {
        tokenvault_value *value = NULL;
        uint64_t version = 0;
        const int len = sprintf(text, "value %d of thread %d", round, number);
        CHECK(tokenvault_put(client, name, text, (size_t)len, NULL, &version) == 0);
        CHECK(version == (uint64_t)round + 1);
        CHECK(tokenvault_get(client, name, NULL, &value) == 0);
        CHECK(tokenvault_value_len(value) == (size_t)len && memcmp(tokenvault_value_data(value), text, len) == 0);
        tokenvault_value_free(value);
        /* Half of the threads fail in one way, half in another; each sees its own. */
        if (number % 2 == 0) {
            CHECK(tokenvault_get(client, "t/none", NULL, &value) == TOKENVAULT_ERROR_NOT_FOUND);
            CHECK(strstr(tokenvault_client_error(client), "no such token") != NULL);
        } else {
            CHECK(tokenvault_get(client, missing, NULL, &value) == TOKENVAULT_ERROR_INVALID_ARGS);
            CHECK(strstr(tokenvault_client_error(client), "name") != NULL);
        }
    }
    return NULL;
}

int main(void)
{
    pthread_t threads[THREADS];
    int numbers[THREADS], at;
    tokenvault_list *list = NULL;
    CHECK(tokenvault_client_open(NULL, &client) == 0);
    CHECK(pthread_barrier_init(&start, NULL, THREADS) == 0);
    for (at = 0; at < THREADS; at++) {
        numbers[at] = at;
        CHECK(pthread_create(&threads[at], NULL, work, &numbers[at]) == 0);
    }
    for (at = 0; at < THREADS; at++)
        CHECK(pthread_join(threads[at], NULL) == 0);
    /* The failures were the threads'; this one has had none. */
    CHECK(tokenvault_client_error(client)[0] == 0);
    CHECK(tokenvault_list_tokens(client, NULL, &list) == 0 && tokenvault_list_len(list) == THREADS);
    tokenvault_list_free(list);
    tokenvault_client_close(client);
    pthread_barrier_destroy(&start);
    return 0;
}
