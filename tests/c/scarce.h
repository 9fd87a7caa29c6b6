/* Memory that runs out: by an allocator in the place of glibc's that counts bytes, or by RLIMIT_AS. */
#ifndef SCARCE_H
#define SCARCE_H

#include "check.h"

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

/* What glibc has under the functions that are replaced here. */
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

/* Bytes that may still be taken, where they are counted. */
static int is_counted;
static long left;

static size_t held(void *memory)
{
    return memory == NULL ? 0 : malloc_usable_size(memory) + sizeof(size_t);
}

static int is_refused(size_t bytes)
{
    if (!is_counted || (bytes < PTRDIFF_MAX && (long)bytes + (long)(2 * sizeof(size_t)) <= left))
        return 0;
    errno = ENOMEM;
    return 1;
}

static void *taken(void *memory)
{
    left -= (long)held(memory);
    return memory;
}

void *malloc(size_t bytes)
{
    return is_refused(bytes) ? NULL : taken(__libc_malloc(bytes));
}

void *calloc(size_t count, size_t bytes)
{
    return is_refused(count * bytes) ? NULL : taken(__libc_calloc(count, bytes));
}

void *realloc(void *memory, size_t bytes)
{
    /* Both are there for a moment. */
    long before = (long)held(memory);
    if (is_refused(bytes))
        return NULL;
    memory = __libc_realloc(memory, bytes);
    left += before;
    return taken(memory);
}

int posix_memalign(void **memory, size_t alignment, size_t bytes)
{
    if (is_refused(bytes + alignment))
        return ENOMEM;
    *memory = taken(__libc_memalign(alignment, bytes));
    return *memory == NULL ? ENOMEM : 0;
}

void free(void *memory)
{
    left += (long)held(memory);
    __libc_free(memory);
}

static void begin_budget(size_t bytes)
{
    left = (long)bytes;
    is_counted = 1;
}

static void end_budget(void)
{
    is_counted = 0;
}

static void begin_limit(size_t bytes)
{
    struct rlimit limit;
    char text[64] = "";
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fgets(text, sizeof text, file) != NULL && fclose(file) == 0);
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    malloc_trim(0);
    limit.rlim_cur = (rlim_t)strtoul(text, NULL, 10) * (rlim_t)sysconf(_SC_PAGESIZE) + bytes;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void end_limit(void)
{
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_AS, &limit) == 0);
    limit.rlim_cur = limit.rlim_max;
    CHECK(setrlimit(RLIMIT_AS, &limit) == 0);
}

#endif
