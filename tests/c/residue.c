/* residue.c [plant] - puts and fetches one value again and again, wipes its own copies, and waits to be searched. With
 * 'plant' it forgets to wipe one. The value comes in on stdin, so that it stands nowhere else. */
#include "check.h"

#include <unistd.h>

enum { SIZE = 32, ROUNDS = 2500, NAMES = 16 };

static void read_value(unsigned char *value)
{
    size_t have = 0;
    while (have < SIZE) {
        ssize_t count = read(STDIN_FILENO, value + have, SIZE - have);
        CHECK(count > 0);
        have += (size_t)count;
    }
}

int main(int argc, char **argv)
{
    unsigned char value[SIZE];
    unsigned char *planted = NULL;
    char end;
    (void)argv;

    read_value(value);
    CHECK(tokenvault_client_open(NULL, &client) == 0);
    for (int round = 0; round < ROUNDS; round++) {
        char name[32];
        tokenvault_value *fetched = NULL;
        snprintf(name, sizeof name, "residue/%d", round % NAMES);
        CHECK(tokenvault_put(client, name, value, SIZE, NULL, NULL) == 0);
        CHECK(tokenvault_get(client, name, NULL, &fetched) == 0);
        CHECK(tokenvault_value_len(fetched) == SIZE);
        CHECK(memcmp(tokenvault_value_data(fetched), value, SIZE) == 0);
        tokenvault_value_free(fetched);
    }
    if (argc > 1) {
        planted = malloc(SIZE);
        CHECK(planted != NULL);
        memcpy(planted, value, SIZE);
    }
    explicit_bzero(value, sizeof value);
    CHECK(write(STDOUT_FILENO, "done\n", 5) == 5);
    /* The client stays open while the process is searched. */
    CHECK(read(STDIN_FILENO, &end, 1) == 0);
    tokenvault_client_close(client);
    free(planted);
    return 0;
}
