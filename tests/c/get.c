/* get.c - prints the value of one token: the shortest useful program over libtokenvault.
 *
 *     cc get.c -ltokenvault -o get && ./get NAME
 */
#include <stdio.h>
#include <tokenvault.h>

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: get NAME\n");
        return 2;
    }
    tokenvault_client *client = NULL;
    int status = tokenvault_client_open(NULL, &client);
    if (status != 0) {
        fprintf(stderr, "get: %s\n", tokenvault_strerror(status));
        return status;
    }
    tokenvault_value *value = NULL;
    status = tokenvault_get(client, argv[1], NULL, &value);
    if (status == 0)
        fwrite(tokenvault_value_data(value), 1, tokenvault_value_len(value), stdout);
    else
        fprintf(stderr, "get: %s\n", tokenvault_client_error(client));
    tokenvault_value_free(value);
    tokenvault_client_close(client);
    return status;
}
