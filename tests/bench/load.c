/* The closed loop of load.h. */
#define _GNU_SOURCE
#include "load.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { WARMING, MEASURING, OVER };
enum { STACK_BYTES = 256 * 1024, ERRORS_MAX = 1000, FIRST_ROOM = 1 << 14 };

struct run {
    const struct load_calls *calls;
    char **words;
    unsigned callers;
    uint64_t calls_each; /* 0: for a time */
    double warming, seconds;
    atomic_int phase;
    pthread_barrier_t opened, begin;
};

struct worker {
    struct run *run;
    unsigned number;
    pthread_t thread;
    uint64_t *durations, count, room, errors;
    int failed;
};

uint64_t load_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t load_pick(uint64_t turn, unsigned caller, uint64_t count) {
    /* The finaliser of MurmurHash3 mixes well enough for an order. */
    uint64_t mixed = turn + ((uint64_t)caller << 40);
    mixed ^= mixed >> 33;
    mixed *= 0xff51afd7ed558ccdu;
    mixed ^= mixed >> 33;
    mixed *= 0xc4ceb9fe1a85ec53u;
    mixed ^= mixed >> 33;
    return mixed % count;
}

const char *load_word(const struct load_place *place, unsigned index, const char *usage) {
    for (unsigned at = 0; at <= index; at++) {
        if (!place->words[at]) {
            fprintf(stderr, "usage: %s\n", usage);
            exit(2);
        }
    }
    return place->words[index];
}

static void note(struct worker *worker, uint64_t duration) {
    if (worker->count == worker->room) {
        worker->room = worker->room ? worker->room * 2 : FIRST_ROOM;
        worker->durations = realloc(worker->durations, worker->room * sizeof *worker->durations);
        if (!worker->durations)
            abort();
    }
    worker->durations[worker->count++] = duration;
}

static void call_again(struct worker *worker, void *caller) {
    struct run *run = worker->run;
    for (uint64_t turn = 0; !run->calls_each || turn < run->calls_each; turn++) {
        int phase = atomic_load_explicit(&run->phase, memory_order_relaxed);
        if (phase == OVER)
            return;
        uint64_t begun = load_now();
        int failed = run->calls->call(caller, turn);
        uint64_t ended = load_now();
        if (failed && ++worker->errors > ERRORS_MAX)
            return;
        if (!failed && (phase == MEASURING || run->calls_each))
            note(worker, ended - begun);
    }
}

static void *work(void *argument) {
    struct worker *worker = argument;
    struct run *run = worker->run;
    struct load_place place = {run->words, worker->number, run->callers};
    void *caller = run->calls->open(&place);
    worker->failed = !caller;
    pthread_barrier_wait(&run->opened);
    pthread_barrier_wait(&run->begin);
    if (!caller)
        return NULL;
    call_again(worker, caller);
    run->calls->close(caller);
    return NULL;
}

static int by_size(const void *left, const void *right) {
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

void load_print(uint64_t *durations, uint64_t count, uint64_t errors, double seconds) {
    uint64_t p50 = 0, p99 = 0;
    if (count) {
        qsort(durations, count, sizeof *durations, by_size);
        p50 = durations[(count - 1) / 2];
        p99 = durations[(count - 1) * 99 / 100];
    }
    printf("%" PRIu64 " %" PRIu64 " %.6f %" PRIu64 " %" PRIu64 "\n", count, errors, seconds, p50, p99);
}

static void take_time(struct run *run) {
    if (run->calls_each)
        return;
    usleep((useconds_t)(run->warming * 1e6));
    atomic_store(&run->phase, MEASURING);
    usleep((useconds_t)(run->seconds * 1e6));
    atomic_store(&run->phase, OVER);
}

static int report(struct run *run, struct worker *workers, uint64_t begun) {
    uint64_t count = 0, errors = 0, failed = 0, at = 0, ended = load_now();
    for (unsigned number = 0; number < run->callers; number++) {
        pthread_join(workers[number].thread, NULL);
        count += workers[number].count;
        errors += workers[number].errors;
        failed += (uint64_t)workers[number].failed;
    }
    if (run->calls_each)
        ended = load_now();
    uint64_t *all = malloc((count + 1) * sizeof *all);
    if (!all)
        abort();
    for (unsigned number = 0; number < run->callers; number++)
        for (uint64_t own = 0; own < workers[number].count; own++)
            all[at++] = workers[number].durations[own];
    double seconds = run->calls_each ? (double)(ended - begun) / 1e9 : run->seconds;
    load_print(all, count, errors + failed, seconds);
    free(all);
    return 0;
}

static void read_options(int argc, char **argv, struct run *run) {
    for (int option; (option = getopt(argc, argv, "+n:w:s:c:")) != -1;) {
        switch (option) {
        case 'n': run->callers = (unsigned)strtoul(optarg, NULL, 10); break;
        case 'w': run->warming = strtod(optarg, NULL); break;
        case 's': run->seconds = strtod(optarg, NULL); break;
        case 'c': run->calls_each = strtoull(optarg, NULL, 10); break;
        default: exit(2);
        }
    }
    run->words = argv + optind;
}

int load_main(int argc, char **argv, const struct load_calls *calls) {
    struct run run = {.calls = calls, .callers = 1, .warming = 0.1, .seconds = 0.5};
    read_options(argc, argv, &run);
    pthread_barrier_init(&run.opened, NULL, run.callers + 1);
    pthread_barrier_init(&run.begin, NULL, run.callers + 1);
    pthread_attr_t small;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, STACK_BYTES);
    struct worker *workers = calloc(run.callers, sizeof *workers);
    if (!workers)
        abort();
    for (unsigned number = 0; number < run.callers; number++) {
        workers[number].run = &run;
        workers[number].number = number;
        if (pthread_create(&workers[number].thread, &small, work, &workers[number]))
            abort();
    }
    pthread_barrier_wait(&run.opened);
    uint64_t begun = load_now();
    pthread_barrier_wait(&run.begin);
    take_time(&run);
    int status = report(&run, workers, begun);
    free(workers);
    return status;
}
