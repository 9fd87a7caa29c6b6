/* How long a program takes from its start to its end, run again and again; its output goes nowhere.
 *     process TIMES PROGRAM ARGUMENTS... */
#define _GNU_SOURCE
#include "load.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int run(char **words, const posix_spawn_file_actions_t *actions) {
    pid_t child;
    int status = posix_spawnp(&child, words[0], actions, NULL, words, environ);
    if (status) {
        fprintf(stderr, "process: %s: %s\n", words[0], strerror(status));
        return 1;
    }
    return waitpid(child, &status, 0) != child || status != 0;
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: process TIMES PROGRAM ARGUMENTS...\n");
        return 2;
    }
    uint64_t times = strtoull(argv[1], NULL, 10), count = 0, errors = 0, began = load_now();
    uint64_t *durations = calloc(times + 1, sizeof *durations);
    if (!durations)
        abort();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    for (uint64_t turn = 0; turn <= times; turn++) {
        uint64_t begun = load_now();
        if (run(argv + 2, &actions))
            errors++;
        else if (turn) /* the first one finds cold caches */
            durations[count++] = load_now() - begun;
    }
    load_print(durations, count, errors, (double)(load_now() - began) / 1e9);
    free(durations);
    return 0;
}
