/* Callers of a bare Unix socket that sends back what it gets: the floor under every request and reply.
 *     socket [LOAD OPTIONS] PATH */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MESSAGE_BYTES = 64 };

static void *open_caller(const struct load_place *place) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int *fd = malloc(sizeof *fd);
    if (!fd)
        abort();
    snprintf(address.sun_path, sizeof address.sun_path, "%s", load_word(place, 0, "socket [LOAD OPTIONS] PATH"));
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*fd < 0 || connect(*fd, (struct sockaddr *)&address, sizeof address)) {
        perror("socket");
        free(fd);
        return NULL;
    }
    return fd;
}

static int call(void *caller, uint64_t turn) {
    int fd = *(int *)caller;
    char message[MESSAGE_BYTES] = {0};
    memcpy(message, &turn, sizeof turn);
    if (write(fd, message, sizeof message) != sizeof message)
        return 1;
    for (size_t have = 0; have < sizeof message;) {
        ssize_t more = read(fd, message + have, sizeof message - have);
        if (more <= 0)
            return 1;
        have += (size_t)more;
    }
    return 0;
}

static void close_caller(void *caller) {
    close(*(int *)caller);
    free(caller);
}

int main(int argc, char **argv) {
    static const struct load_calls calls = {open_caller, call, close_caller};
    return load_main(argc, argv, &calls);
}
