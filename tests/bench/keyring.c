/* A caller of a desktop keyring through libsecret; the session bus is DBUS_SESSION_BUS_ADDRESS.
 *     keyring fill COUNT BYTES             stores that many items
 *     keyring [LOAD OPTIONS] lookup COUNT BYTES    looks them up; one caller, since libsecret has one connection a process */
#include "load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libsecret/secret.h>

static const char *const USAGE = "keyring [LOAD OPTIONS] fill|lookup COUNT BYTES";

static const SecretSchema *schema(void) {
    static const SecretSchema schema = {.name = "org.tokenvault.Bench",
                                        .flags = SECRET_SCHEMA_NONE,
                                        .attributes = {{"name", SECRET_SCHEMA_ATTRIBUTE_STRING}, {NULL, 0}}};
    return &schema;
}

static void name_of(uint64_t number, char *name, size_t room) {
    snprintf(name, room, "item-%06" PRIu64, number);
}

static int fill(uint64_t count, size_t bytes) {
    char name[64], value[4096] = {0};
    memset(value, 'v', bytes < sizeof value ? bytes : sizeof value - 1);
    for (uint64_t number = 0; number < count; number++) {
        GError *error = NULL;
        name_of(number, name, sizeof name);
        secret_password_store_sync(schema(), SECRET_COLLECTION_DEFAULT, name, value, NULL, &error, "name", name, NULL);
        if (error) {
            fprintf(stderr, "keyring: %s\n", error->message);
            return 1;
        }
    }
    return 0;
}

struct caller {
    uint64_t count;
    size_t bytes;
};

static void *open_caller(const struct load_place *place) {
    struct caller *caller = calloc(1, sizeof *caller);
    if (!caller)
        abort();
    caller->count = strtoull(load_word(place, 1, USAGE), NULL, 10);
    caller->bytes = strtoull(load_word(place, 2, USAGE), NULL, 10);
    return caller;
}

static int lookup(void *argument, uint64_t turn) {
    struct caller *caller = argument;
    char name[64];
    GError *error = NULL;
    name_of(load_pick(turn, 0, caller->count), name, sizeof name);
    gchar *value = secret_password_lookup_sync(schema(), NULL, &error, "name", name, NULL);
    int wrong = error || !value || strlen(value) != caller->bytes;
    if (error && !turn)
        fprintf(stderr, "keyring: %s\n", error->message);
    g_clear_error(&error);
    secret_password_free(value);
    return wrong;
}

int main(int argc, char **argv) {
    static const struct load_calls calls = {open_caller, lookup, free};
    if (argc == 4 && !strcmp(argv[1], "fill"))
        return fill(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
    return load_main(argc, argv, &calls);
}
