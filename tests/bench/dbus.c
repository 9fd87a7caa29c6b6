/* Callers that speak D-Bus themselves, with sd-bus.
 *     dbus [LOAD OPTIONS] ADDRESS DESTINATION ping PATH            Peer.Ping of an object
 *     dbus [LOAD OPTIONS] ADDRESS DESTINATION pipe PATH BYTES      Pipe of the bench's own service
 *     dbus [LOAD OPTIONS] ADDRESS DESTINATION get PREFIX COUNT BYTES   Get of the vault
 * DESTINATION '-' is a peer without a bus between. */
#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <systemd/sd-bus.h>

static const char *const USAGE = "dbus [LOAD OPTIONS] ADDRESS DESTINATION ping|pipe|get ...";

struct caller {
    sd_bus *bus;
    const char *destination, *path;
    int (*call)(struct caller *, uint64_t turn, sd_bus_error *, sd_bus_message **);
    const char *prefix;
    unsigned number;
    uint64_t count;
    size_t bytes;
};

/* Reads exactly the value out of its pipe, as whoever asked for it does. */
static int take_value(int fd, size_t bytes) {
    char value[4096];
    size_t have = 0;
    while (have < bytes) {
        ssize_t more = read(fd, value + have, bytes - have);
        if (more < 0 && errno == EINTR)
            continue;
        if (more <= 0)
            return -EIO;
        have += (size_t)more;
    }
    return value[0] == 'v' ? 0 : -EBADMSG;
}

static int ping(struct caller *caller, uint64_t turn, sd_bus_error *error, sd_bus_message **reply) {
    (void)turn;
    return sd_bus_call_method(caller->bus, caller->destination, caller->path, "org.freedesktop.DBus.Peer", "Ping", error,
                              reply, "");
}

static int ask_for_pipe(struct caller *caller, uint64_t turn, sd_bus_error *error, sd_bus_message **reply) {
    (void)turn;
    int fd = -1;
    int status = sd_bus_call_method(caller->bus, caller->destination, caller->path, "org.tokenvault.Bench", "Pipe", error,
                                    reply, "");
    if (status >= 0)
        status = sd_bus_message_read(*reply, "h", &fd);
    return status < 0 ? status : take_value(fd, caller->bytes);
}

/* The size among what the reply says of the token. */
static int read_size(sd_bus_message *reply, uint64_t *size) {
    int status = sd_bus_message_enter_container(reply, 'a', "{sv}");
    while (status >= 0 && (status = sd_bus_message_enter_container(reply, 'e', "sv")) > 0) {
        const char *key;
        status = sd_bus_message_read(reply, "s", &key);
        if (status >= 0)
            status = strcmp(key, "size") ? sd_bus_message_skip(reply, "v") : sd_bus_message_read(reply, "v", "t", size);
        if (status >= 0)
            status = sd_bus_message_exit_container(reply);
    }
    return status;
}

static int get(struct caller *caller, uint64_t turn, sd_bus_error *error, sd_bus_message **reply) {
    char name[256];
    uint64_t size = 0;
    int fd = -1;
    snprintf(name, sizeof name, "%s%06" PRIu64, caller->prefix, load_pick(turn, caller->number, caller->count));
    int status = sd_bus_call_method(caller->bus, caller->destination, "/org/tokenvault1", "org.tokenvault1.Tokens", "Get",
                                    error, reply, "sa{sv}", name, 0);
    if (status >= 0)
        status = sd_bus_message_read(*reply, "h", &fd);
    if (status >= 0)
        status = read_size(*reply, &size);
    if (status >= 0 && size != caller->bytes)
        status = -EBADMSG;
    return status < 0 ? status : take_value(fd, caller->bytes);
}

static int call(void *argument, uint64_t turn) {
    struct caller *caller = argument;
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *reply = NULL;
    int status = caller->call(caller, turn, &error, &reply);
    if (status < 0 && !caller->number)
        fprintf(stderr, "dbus: %s\n", error.message ? error.message : strerror(-status));
    sd_bus_message_unref(reply);
    sd_bus_error_free(&error);
    return status < 0;
}

static sd_bus *connect_to(const char *address, int is_bus) {
    sd_bus *bus = NULL;
    int status = sd_bus_new(&bus);
    if (status >= 0)
        status = sd_bus_set_address(bus, address);
    if (status >= 0)
        status = sd_bus_set_bus_client(bus, is_bus);
    if (status >= 0)
        status = sd_bus_negotiate_fds(bus, 1);
    if (status >= 0)
        status = sd_bus_start(bus);
    if (status < 0) {
        fprintf(stderr, "dbus: %s: %s\n", address, strerror(-status));
        return sd_bus_unref(bus);
    }
    return bus;
}

static void *open_caller(const struct load_place *place) {
    struct caller *caller = calloc(1, sizeof *caller);
    if (!caller)
        abort();
    const char *destination = load_word(place, 1, USAGE), *kind = load_word(place, 2, USAGE);
    int is_bus = strcmp(destination, "-") != 0;
    caller->number = place->caller;
    caller->destination = is_bus ? destination : NULL;
    caller->path = caller->prefix = load_word(place, 3, USAGE);
    if (!strcmp(kind, "ping")) {
        caller->call = ping;
    } else if (!strcmp(kind, "pipe")) {
        caller->call = ask_for_pipe;
        caller->bytes = strtoull(load_word(place, 4, USAGE), NULL, 10);
    } else {
        caller->call = get;
        caller->count = strtoull(load_word(place, 4, USAGE), NULL, 10);
        caller->bytes = strtoull(load_word(place, 5, USAGE), NULL, 10);
    }
    caller->bus = connect_to(load_word(place, 0, USAGE), is_bus);
    if (!caller->bus || caller->bytes > 4096) {
        free(caller);
        return NULL;
    }
    return caller;
}

static void close_caller(void *argument) {
    struct caller *caller = argument;
    sd_bus_flush_close_unref(caller->bus);
    free(caller);
}

int main(int argc, char **argv) {
    static const struct load_calls calls = {open_caller, call, close_caller};
    return load_main(argc, argv, &calls);
}
