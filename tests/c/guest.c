/* guest.c - what the library leaves in the program it is a guest of: no thread, no signal handler, no descriptor, no word on
 * its streams (the test looks at those), also after calls that failed. */
#include "check.h"

#include <dirent.h>
#include <locale.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIGNALS = 65 };

/* Everything of the process that a library could change behind its back. */
struct state {
    int tasks;
    int files;
    struct sigaction actions[SIGNALS];
    sigset_t mask;
    struct rlimit nofile;
    mode_t umask;
    char locale[64];
    char directory[256];
};

static int entries(const char *path)
{
    int count = 0;
    DIR *directory = opendir(path);
    CHECK(directory != NULL);
    while (readdir(directory) != NULL)
        count++;
    closedir(directory);
    return count;
}

static void look(struct state *state)
{
    int number;
    memset(state, 0, sizeof *state);
    state->tasks = entries("/proc/self/task");
    state->files = entries("/proc/self/fd");
    for (number = 1; number < SIGNALS; number++)
        if (sigaction(number, NULL, &state->actions[number]) != 0)
            state->actions[number].sa_handler = SIG_ERR;
    CHECK(sigprocmask(SIG_BLOCK, NULL, &state->mask) == 0);
    CHECK(getrlimit(RLIMIT_NOFILE, &state->nofile) == 0);
    state->umask = umask(022);
    umask(state->umask);
    strncpy(state->locale, setlocale(LC_ALL, NULL), sizeof state->locale - 1);
    CHECK(getcwd(state->directory, sizeof state->directory) != NULL);
}

static void compare(const struct state *before, const struct state *after)
{
    int number;
    CHECK(after->tasks == before->tasks);
    CHECK(after->files == before->files);
    for (number = 1; number < SIGNALS; number++) {
        CHECK(after->actions[number].sa_handler == before->actions[number].sa_handler);
        CHECK(after->actions[number].sa_flags == before->actions[number].sa_flags);
        CHECK(sigismember(&after->mask, number) == sigismember(&before->mask, number));
    }
    CHECK(after->nofile.rlim_cur == before->nofile.rlim_cur);
    CHECK(after->umask == before->umask);
    CHECK(strcmp(after->locale, before->locale) == 0);
    CHECK(strcmp(after->directory, before->directory) == 0);
}

static void use(void)
{
    tokenvault_value *value = NULL;
    tokenvault_list *list = NULL;
    tokenvault_client *none = NULL;
    CHECK(tokenvault_put(client, "g/one", "value", 5, NULL, NULL) == 0);
    CHECK(tokenvault_get(client, "g/one", NULL, &value) == 0);
    tokenvault_value_free(value);
    CHECK(tokenvault_list_tokens(client, NULL, &list) == 0);
    tokenvault_list_free(list);
    CHECK(tokenvault_get(client, "g/none", NULL, &value) == TOKENVAULT_ERROR_NOT_FOUND);
    CHECK(tokenvault_client_open("unix:path=/nonexistent/bus", &none) == TOKENVAULT_ERROR_UNAVAILABLE);
}

int main(void)
{
    struct state before, during, after;
    int round;
    look(&before);
    for (round = 0; round < 20; round++) {
        CHECK(tokenvault_client_open(NULL, &client) == 0);
        use();
        look(&during);
        tokenvault_client_close(client);
        client = NULL;
        look(&after);
        compare(&before, &after);
        /* Not even for the time of its life. */
        CHECK(during.tasks == before.tasks);
        during.files = before.files;
        compare(&before, &during);
    }
    return 0;
}
