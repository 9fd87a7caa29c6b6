/* fork.c - a program that forks with a client open, also while another thread is in the middle of a call. The child is told
 * to open a client of its own, does, and leaves its parent's alone. */
#include "check.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

static tokenvault_value *value;
static atomic_int is_over;
/* Posted for every call of the other thread. */
static sem_t called;

/* Ends at once: what the parent has planned for its own end is not the child's to do. */
#define CHILD_CHECK(condition)                                                                                         \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: in the child: %s\n", __FILE__, __LINE__, #condition);                              \
            _exit(1);                                                                                                  \
        }                                                                                                              \
    } while (0)

static void live_as_the_child(void)
{
    tokenvault_client *own = NULL;
    tokenvault_value *again = NULL;
    uint64_t version = 99;
    CHILD_CHECK(tokenvault_get(client, "f/one", NULL, &again) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHILD_CHECK(strstr(tokenvault_client_error(client), "fork()") != NULL);
    CHILD_CHECK(tokenvault_put(client, "f/one", "no", 2, NULL, &version) == TOKENVAULT_ERROR_UNAVAILABLE);
    CHILD_CHECK(again == NULL && version == 99);
    /* What was fetched before is the child's too. */
    CHILD_CHECK(tokenvault_value_len(value) == 5 && memcmp(tokenvault_value_data(value), "value", 5) == 0);
    tokenvault_value_free(value);
    CHILD_CHECK(tokenvault_client_open(NULL, &own) == 0);
    CHILD_CHECK(tokenvault_get(own, "f/one", NULL, &again) == 0);
    CHILD_CHECK(tokenvault_value_len(again) == 5);
    tokenvault_value_free(again);
    CHILD_CHECK(tokenvault_put(own, "f/child", "c", 1, NULL, NULL) == 0);
    tokenvault_client_close(own);
    tokenvault_client_close(client);
    /* Another program: what closing has left of the parent's client, on purpose, is no leak to look for. */
    execl("/bin/true", "true", (char *)NULL);
    _exit(1);
}

static void fork_once(void)
{
    int status = -1;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        live_as_the_child();
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    CHECK(tokenvault_put(client, "f/parent", "p", 1, NULL, NULL) == 0);
}

static void *call_all_the_time(void *unused)
{
    (void)unused;
    while (!is_over) {
        tokenvault_value *mine = NULL;
        CHECK(tokenvault_get(client, "f/one", NULL, &mine) == 0);
        tokenvault_value_free(mine);
        sem_post(&called);
    }
    return NULL;
}

int main(void)
{
    pthread_t thread;
    int at;
    CHECK(tokenvault_client_open(NULL, &client) == 0);
    CHECK(tokenvault_put(client, "f/one", "value", 5, NULL, NULL) == 0);
    CHECK(tokenvault_get(client, "f/one", NULL, &value) == 0);
    fork_once();

#ifdef __SANITIZE_ADDRESS__
    /* The sanitizer's own allocator does not survive a fork beside a thread that is in it (mended in LLVM 17). */
    const int forks = 0;
#else
    const int forks = 20;
#endif
    CHECK(sem_init(&called, 0, 0) == 0);
    CHECK(pthread_create(&thread, NULL, call_all_the_time, NULL) == 0);
    for (at = 0; at < forks; at++) {
        CHECK(sem_wait(&called) == 0);
        fork_once();
    }
    is_over = 1;
    CHECK(pthread_join(thread, NULL) == 0);
    sem_destroy(&called);
    tokenvault_value_free(value);
    tokenvault_client_close(client);
    return 0;
}
