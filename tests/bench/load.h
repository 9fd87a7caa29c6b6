/* A closed loop: so many callers, each a thread with a connection of its own, each making one call after the other.
 *
 * Every program of this directory prints one line when it is done:
 *     CALLS ERRORS SECONDS P50 P99
 * with both percentiles in nanoseconds; the bench reads it.
 */
#ifndef TOKENVAULT_BENCH_LOAD_H
#define TOKENVAULT_BENCH_LOAD_H

#include <stdint.h>

/* What a caller is told when it opens. */
struct load_place {
    char **words;    /* the arguments behind the options, NULL at the end */
    unsigned caller; /* number of this caller, from 0 */
    unsigned callers;
};

struct load_calls {
    void *(*open)(const struct load_place *place);     /* NULL: failed, and said why on stderr */
    int (*call)(void *caller, uint64_t turn);          /* 0: answered as it should */
    void (*close)(void *caller);
};

/* Runs what the arguments say and prints the line. The status for main.
 *     [-n CALLERS] [-w SECONDS of warming up] [-s SECONDS] WORDS...    for a time
 *     [-n CALLERS] -c CALLS WORDS...                                   so many calls each, all beginning together */
int load_main(int argc, char **argv, const struct load_calls *calls);

/* Prints the line for `count` durations, which are put in order. */
void load_print(uint64_t *durations, uint64_t count, uint64_t errors, double seconds);

/* Nanoseconds of a clock that only goes forward. */
uint64_t load_now(void);

/* Numbers below `count` in an order that looks like chance, the same in every run, another one for every caller. */
uint64_t load_pick(uint64_t turn, unsigned caller, uint64_t count);

/* The word at `index`; dies with the usage line when it is not there. */
const char *load_word(const struct load_place *place, unsigned index, const char *usage);

#endif
