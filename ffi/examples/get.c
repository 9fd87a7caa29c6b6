/* Writes a token to standard output: cc get.c $(pkg-config --cflags --libs tokenvault) */
#include <stdio.h>
#include <tokenvault.h>

int main(int argc, char **argv)
{
    tokenvault_client *client = NULL;
    tokenvault_value *value = NULL;
    int error = tokenvault_client_open(NULL, &client);

    if (error == 0)
        error = tokenvault_get(client, argc > 1 ? argv[1] : NULL, NULL, &value);
    if (error == 0)
        fwrite(tokenvault_value_data(value), 1, tokenvault_value_len(value), stdout);
    else
        fprintf(stderr, "get: %s\n", tokenvault_client_error(client));

    tokenvault_value_free(value);
    tokenvault_client_close(client);
    return error;
}
