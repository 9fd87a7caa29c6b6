/* What the C programs of the tests have in common. Each ends with status 0, or with the first line that failed. */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tokenvault.h>

/* The client whose last error is shown when a check fails. */
static tokenvault_client *client;

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, tokenvault_client_error(client));      \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

/* An options structure with everything zero but its size. */
#define FRESH(type, name)                                                                                              \
    type name;                                                                                                         \
    memset(&name, 0, sizeof name);                                                                                     \
    name.size = sizeof name

/* Tells the test how far this is, and waits until it has done its part. */
static inline void meet(const char *word)
{
    char line[64];
    CHECK(printf("%s\n", word) > 0 && fflush(stdout) == 0);
    CHECK(fgets(line, sizeof line, stdin) != NULL);
}

#endif
