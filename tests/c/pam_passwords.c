/* pam_passwords.c - a PAM module that does with a file what pam_unix does with the system's: asks for passwords, leaves
 * them for the modules after it, and changes them. Its argument is the file, with a line 'user:password' for each user. */
#include <security/pam_ext.h>
#include <security/pam_modules.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int read_password(const char *file, const char *user, char *password, size_t size)
{
    char line[256];
    size_t len = strlen(user);
    FILE *stream = fopen(file, "re");
    if (stream == NULL)
        return PAM_AUTHINFO_UNAVAIL;
    while (fgets(line, sizeof line, stream) != NULL)
        if (strncmp(line, user, len) == 0 && line[len] == ':') {
            line[strcspn(line, "\n")] = 0;
            snprintf(password, size, "%s", line + len + 1);
            fclose(stream);
            return PAM_SUCCESS;
        }
    fclose(stream);
    return PAM_USER_UNKNOWN;
}

/* Asks for a password, as what 'item' says, and compares it. */
static int check(pam_handle_t *handle, int item, const char *file)
{
    const char *user, *given;
    char password[128];
    int status = pam_get_user(handle, &user, NULL);
    if (status == PAM_SUCCESS)
        status = read_password(file, user, password, sizeof password);
    if (status == PAM_SUCCESS)
        status = pam_get_authtok(handle, item, &given, NULL);
    if (status == PAM_SUCCESS && strcmp(given, password) != 0)
        status = PAM_AUTH_ERR;
    return status;
}

int pam_sm_authenticate(pam_handle_t *handle, int flags, int argc, const char **argv)
{
    (void)flags;
    return argc == 1 ? check(handle, PAM_AUTHTOK, argv[0]) : PAM_SERVICE_ERR;
}

int pam_sm_setcred(pam_handle_t *handle, int flags, int argc, const char **argv)
{
    (void)handle, (void)flags, (void)argc, (void)argv;
    return PAM_SUCCESS;
}

/* Of the users other than root the old password is asked for. */
int pam_sm_chauthtok(pam_handle_t *handle, int flags, int argc, const char **argv)
{
    const char *user, *password;
    FILE *stream;
    int status;
    if (argc != 1)
        return PAM_SERVICE_ERR;
    if (flags & PAM_PRELIM_CHECK)
        return getuid() == 0 ? PAM_SUCCESS : check(handle, PAM_OLDAUTHTOK, argv[0]);
    status = pam_get_user(handle, &user, NULL);
    if (status == PAM_SUCCESS)
        status = pam_get_authtok(handle, PAM_AUTHTOK, &password, NULL);
    if (status != PAM_SUCCESS)
        return status;
    stream = fopen(argv[0], "we");
    if (stream == NULL)
        return PAM_AUTHTOK_ERR;
    fprintf(stream, "%s:%s\n", user, password);
    return fclose(stream) == 0 ? PAM_SUCCESS : PAM_AUTHTOK_ERR;
}
