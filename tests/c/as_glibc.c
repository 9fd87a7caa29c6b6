/* as_glibc.c - preloaded before libnss_wrapper, so that programs under test see what glibc says. That there is no such entry
 * the wrapper says with ENOENT, as POSIX lets it; glibc says it without an error, and with ENOENT that a service is down. */
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>

#define AS_GLIBC(function, key_type, entry_type)                                                                     \
    int function(key_type key, entry_type *entry, char *buffer, size_t length, entry_type **found)                   \
    {                                                                                                                \
        int (*next)(key_type, entry_type *, char *, size_t, entry_type **);                                          \
        *(void **)&next = dlsym(RTLD_NEXT, #function);                                                               \
        int error = next(key, entry, buffer, length, found);                                                         \
        if (error != ENOENT)                                                                                         \
            return error;                                                                                            \
        *found = NULL;                                                                                               \
        return 0;                                                                                                    \
    }

AS_GLIBC(getpwuid_r, uid_t, struct passwd)
AS_GLIBC(getpwnam_r, const char *, struct passwd)
AS_GLIBC(getgrgid_r, gid_t, struct group)
AS_GLIBC(getgrnam_r, const char *, struct group)
