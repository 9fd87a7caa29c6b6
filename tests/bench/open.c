/* How long the first open of libtokenvault takes in a process that has done nothing yet; the address is
 * TOKENVAULT_ADDRESS. The second line is the first tokenvault_get() after it.
 *     open NAME */
#include "load.h"

#include <stdio.h>

#include <tokenvault.h>

int main(int argc, char **argv) {
    tokenvault_client *client = NULL;
    tokenvault_value *value = NULL;
    uint64_t begun = load_now();
    if (argc != 2 || tokenvault_client_open(NULL, &client)) {
        fprintf(stderr, "open: %s\n", tokenvault_client_error(NULL));
        return 1;
    }
    uint64_t opened = load_now();
    int failed = tokenvault_get(client, argv[1], NULL, &value);
    uint64_t got = load_now();
    if (failed)
        fprintf(stderr, "open: %s\n", tokenvault_client_error(client));
    uint64_t open = opened - begun, first = got - opened;
    load_print(&open, 1, 0, (double)open / 1e9);
    load_print(&first, 1, (uint64_t)failed, (double)first / 1e9);
    tokenvault_value_free(value);
    tokenvault_client_close(client);
    return 0;
}
