/* Callers of the vault through libtokenvault; the address is TOKENVAULT_ADDRESS.
 *     vault [LOAD OPTIONS] get|put PREFIX COUNT BYTES    names are PREFIX and a number below COUNT
 *     vault [LOAD OPTIONS] expire PREFIX COUNT BYTES     the same as put, of what ends a minute later
 *     vault [LOAD OPTIONS] validate PREFIX COUNT BYTES   tokens that it has issued itself, a few; what it says of them is
 *                                                        fetched as well */
#include "load.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <tokenvault.h>

static const char *const USAGE = "vault [LOAD OPTIONS] get|put|expire|validate PREFIX COUNT BYTES";

/* Microseconds until what is put ends. */
#define TTL_USEC 60000000

/* Tokens each caller that validates has issued. */
#define ISSUED 64

struct caller {
    tokenvault_client *client;
    const char *prefix;
    unsigned number;
    uint64_t count, first;
    size_t bytes;
    int puts, validates;
    tokenvault_put_options options;
    char issued[ISSUED][128];
    char value[4096];
};

/* Says what went wrong, once: a thousand callers mostly fail alike. */
static int complain(const tokenvault_client *client) {
    static atomic_flag said = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&said))
        fprintf(stderr, "vault: %s\n", tokenvault_client_error(client));
    return 1;
}

/* Has tokens issued; 0: done. */
static int issue(struct caller *caller) {
    for (unsigned at = 0; at < ISSUED; at++) {
        tokenvault_value *token = NULL;
        if (tokenvault_issue(caller->client, NULL, &token))
            return complain(caller->client);
        size_t len = tokenvault_value_len(token);
        if (len < sizeof caller->issued[at])
            memcpy(caller->issued[at], tokenvault_value_data(token), len);
        tokenvault_value_free(token);
    }
    return 0;
}

static void *open_caller(const struct load_place *place) {
    struct caller *caller = calloc(1, sizeof *caller);
    if (!caller)
        abort();
    int expires = !strcmp(load_word(place, 0, USAGE), "expire");
    caller->puts = expires || !strcmp(load_word(place, 0, USAGE), "put");
    caller->options.size = sizeof caller->options;
    caller->options.ttl_usec = expires ? TTL_USEC : 0;
    caller->validates = !strcmp(load_word(place, 0, USAGE), "validate");
    caller->prefix = load_word(place, 1, USAGE);
    caller->count = strtoull(load_word(place, 2, USAGE), NULL, 10);
    caller->bytes = strtoull(load_word(place, 3, USAGE), NULL, 10);
    caller->number = place->caller;
    /* Each caller puts a part of the names that is its own. */
    caller->first = caller->count / place->callers * place->caller;
    if (caller->bytes > sizeof caller->value)
        caller->bytes = sizeof caller->value;
    memset(caller->value, 'v', sizeof caller->value);
    if (tokenvault_client_open(NULL, &caller->client)) {
        complain(NULL);
        free(caller);
        return NULL;
    }
    if (caller->validates && issue(caller)) {
        tokenvault_client_close(caller->client);
        free(caller);
        return NULL;
    }
    return caller;
}

static int validate(struct caller *caller, uint64_t turn) {
    tokenvault_value *claims = NULL;
    if (tokenvault_validate_claims(caller->client, caller->issued[turn % ISSUED], NULL, &claims))
        return complain(caller->client);
    int wrong = claims == NULL;
    tokenvault_value_free(claims);
    return wrong;
}

static int call(void *argument, uint64_t turn) {
    struct caller *caller = argument;
    if (caller->validates)
        return validate(caller, turn);
    char name[256];
    uint64_t number = caller->puts ? (caller->first + turn) % caller->count : load_pick(turn, caller->number, caller->count);
    snprintf(name, sizeof name, "%s%06" PRIu64, caller->prefix, number);
    if (caller->puts) {
        if (tokenvault_put(caller->client, name, caller->value, caller->bytes, &caller->options, NULL))
            return complain(caller->client);
        return 0;
    }
    tokenvault_value *value = NULL;
    if (tokenvault_get(caller->client, name, NULL, &value))
        return complain(caller->client);
    int wrong = tokenvault_value_len(value) != caller->bytes;
    tokenvault_value_free(value);
    return wrong;
}

static void close_caller(void *argument) {
    struct caller *caller = argument;
    tokenvault_client_close(caller->client);
    free(caller);
}

int main(int argc, char **argv) {
    static const struct load_calls calls = {open_caller, call, close_caller};
    return load_main(argc, argv, &calls);
}
