/* memory.c budget|limit - D6: every call fails cleanly when there is no memory for it, wherever that shows, and the client
 * goes on. Each call is made with no memory left, with a little more, and so on until there is enough for it: with 'budget'
 * by an allocator that counts bytes, with 'limit' by RLIMIT_AS. Writes "FAILURES CLEAN ABORTS". */
#include "check.h"
#include "scarce.h"

#include <sys/wait.h>
#include <time.h>

/* A new version of a few bytes, and of more than fits a pipe. */
enum { LONG = 100 * 1024, PAIRS = 24 };

/* The calls. What they give out must be as it was when they fail. */

static char data[LONG], text[100], keys[PAIRS][8];
static const char *pairs[2 * PAIRS + 1];
static const char *token;

static int value_of(int error, tokenvault_value *value)
{
    CHECK((error == 0) == (value != NULL));
    tokenvault_value_free(value);
    return error;
}

static int list_of(int error, tokenvault_list *list)
{
    CHECK((error == 0) == (list != NULL));
    CHECK(error != 0 || tokenvault_list_len(list) > 0);
    tokenvault_list_free(list);
    return error;
}

static int info_of(int error, tokenvault_info *info)
{
    CHECK((error == 0) == (info != NULL));
    tokenvault_info_free(info);
    return error;
}

static int get(const char *name)
{
    tokenvault_value *value = NULL;
    int error = tokenvault_get(client, name, NULL, &value);
    return value_of(error, value);
}

static int get_short(void)
{
    return get("m/short");
}

static int get_value(void)
{
    return get("m/value");
}

static int get_long(void)
{
    return get("m/long");
}

static int describe(void)
{
    tokenvault_value *value = NULL;
    int error = tokenvault_describe(client, "m/short", NULL, &value);
    return value_of(error, value);
}

static int list_tokens(void)
{
    tokenvault_list *list = NULL;
    int error = tokenvault_list_tokens(client, NULL, &list);
    return list_of(error, list);
}

static int list_versions(void)
{
    tokenvault_list *list = NULL;
    int error = tokenvault_list_versions(client, "m/versions", NULL, &list);
    return list_of(error, list);
}

static int list_shares(void)
{
    tokenvault_list *list = NULL;
    int error = tokenvault_list_shares(client, "m/short", NULL, &list);
    return list_of(error, list);
}

static int list_issued(void)
{
    FRESH(tokenvault_issued_options, options);
    tokenvault_list *list = NULL;
    options.limit = 100;
    int error = tokenvault_list_issued(client, &options, &list);
    return list_of(error, list);
}

static int status(void)
{
    tokenvault_info *info = NULL;
    int error = tokenvault_status(client, &info);
    return info_of(error, info);
}

static int whoami(void)
{
    tokenvault_info *info = NULL;
    int error = tokenvault_whoami(client, &info);
    return info_of(error, info);
}

static int validate(void)
{
    tokenvault_value *claims = NULL;
    int error = tokenvault_validate_claims(client, token, NULL, &claims);
    return value_of(error, claims);
}

static int put(size_t len)
{
    FRESH(tokenvault_put_options, options);
    uint64_t version = 0;
    options.attributes = pairs;
    int error = tokenvault_put(client, "m/put", data, len, &options, &version);
    CHECK((error == 0) == (version != 0));
    return error;
}

static int put_short(void)
{
    return put(16);
}

/* The version of a token, 0 when there is none. */
static uint64_t version_of(const char *name)
{
    tokenvault_value *value = NULL;
    uint64_t version = 0;
    if (tokenvault_describe(client, name, NULL, &value) == 0)
        version = tokenvault_value_version(value);
    tokenvault_value_free(value);
    return version;
}

static int put_long(void)
{
    return put(LONG);
}

static int generate(void)
{
    tokenvault_value *value = NULL;
    int error = tokenvault_generate(client, "m/generated", NULL, &value);
    return value_of(error, value);
}

static int issue(void)
{
    FRESH(tokenvault_issue_options, options);
    tokenvault_value *value = NULL;
    options.claims = pairs;
    options.subject = "somebody";
    int error = tokenvault_issue(client, &options, &value);
    return value_of(error, value);
}

static int open_another(void)
{
    tokenvault_client *other = NULL;
    int error = tokenvault_client_open(NULL, &other);
    CHECK((error == 0) == (other != NULL));
    tokenvault_client_close(other);
    return error;
}

/* A list of the caller's that no message can hold; it is refused for its size where there is memory for it. */
static int put_too_much(void)
{
    static char huge[4 * 1024 * 1024];
    const char *attributes[] = {"key", huge, NULL};
    FRESH(tokenvault_put_options, options);
    memset(huge, 'x', sizeof huge - 1);
    options.attributes = attributes;
    int error = tokenvault_put(client, "m/put", "v", 1, &options, NULL);
    CHECK(error != 0);
    return error == TOKENVAULT_ERROR_INVALID_ARGS ? 0 : error;
}

/* The same of one text. */
static int put_long_type(void)
{
    static char type[512 * 1024];
    FRESH(tokenvault_put_options, options);
    memset(type, 'x', sizeof type - 1);
    options.content_type = type;
    int error = tokenvault_put(client, "m/put", "v", 1, &options, NULL);
    CHECK(error != 0);
    return error == TOKENVAULT_ERROR_INVALID_ARGS ? 0 : error;
}

enum kind { READS, CHANGES, OPENS };

static const struct call {
    const char *name;
    int (*make)(void);
    enum kind kind;
    /* The token whose version a change raises, where it raises one. */
    const char *raises;
} calls[] = {
    {"get a short value", get_short, READS, NULL},
    {"get a value", get_value, READS, NULL},
    {"get a long value", get_long, READS, NULL},
    {"describe", describe, READS, NULL},
    {"list tokens", list_tokens, READS, NULL},
    {"list versions", list_versions, READS, NULL},
    {"list shares", list_shares, READS, NULL},
    {"list what was issued", list_issued, READS, NULL},
    {"status", status, READS, NULL},
    {"who am I", whoami, READS, NULL},
    {"validate", validate, READS, NULL},
    {"put a short value", put_short, CHANGES, "m/put"},
    {"put a long value", put_long, CHANGES, "m/put"},
    {"put too much", put_too_much, CHANGES, "m/put"},
    {"put a long type", put_long_type, CHANGES, "m/put"},
    {"generate", generate, CHANGES, "m/generated"},
    {"issue", issue, CHANGES, NULL},
    {"open", open_another, OPENS, NULL},
};

enum { CALLS = sizeof calls / sizeof calls[0] };

struct count {
    unsigned long failures, clean;
};

/* A call that failed says what it failed of, and of a change what has become of it: never that nothing was done when
 * it was. */
static int is_clean(const struct call *call, int error, const char *said, uint64_t version)
{
    if (error != TOKENVAULT_ERROR_LIMITS_EXCEEDED || strstr(said, "memory") == NULL)
        return 0;
    if (call->kind != CHANGES || strstr(said, "unknown") != NULL)
        return 1;
    return strstr(said, "nothing was done") != NULL && (call->raises == NULL || version_of(call->raises) == version);
}

/* Whether the same client describes and fetches again. Values whose reader had no memory for them are the vault's to let go of first;
 * until it has, it says so. */
static int goes_on(void)
{
    const struct timespec pause = {0, 10 * 1000 * 1000};
    int tries;
    for (tries = 0; tries < 1000; tries++) {
        int error = describe();
        if (error == 0)
            error = get_short();
        if (error == 0)
            return 1;
        if (error != TOKENVAULT_ERROR_LIMITS_EXCEEDED || strstr(tokenvault_client_error(client), "'secret-memory'") == NULL)
            return 0;
        nanosleep(&pause, NULL);
    }
    return 0;
}

/* Makes a call with ever more memory until it succeeds. */
static struct count sweep(const struct call *call, int by_limit)
{
    struct count count = {0, 0};
    size_t step = by_limit ? 4096 : 61, bytes;
    for (bytes = 0;; bytes += step + bytes / 64) {
        uint64_t version = call->raises == NULL ? 0 : version_of(call->raises);
        (by_limit ? begin_limit : begin_budget)(bytes);
        int error = call->make();
        (by_limit ? end_limit : end_budget)();
        if (error == 0)
            return count;
        /* A copy: later calls fail too. */
        char said[1024];
        snprintf(said, sizeof said, "%s", tokenvault_client_error(call->kind == OPENS ? NULL : client));
        CHECK(bytes < 256 * 1024 * 1024);
        count.failures++;
        if (!is_clean(call, error, said, version))
            fprintf(stderr, "%s with %zu bytes: %d, %s\n", call->name, bytes, error, said);
        else if (!goes_on())
            fprintf(stderr, "after %s with %zu bytes: %s\n", call->name, bytes, tokenvault_client_error(client));
        else
            count.clean++;
    }
}

static void prepare(int by_limit)
{
    FRESH(tokenvault_issue_options, options);
    tokenvault_value *issued = NULL;
    int at;
    memset(data, 'd', sizeof data);
    memset(text, 't', sizeof text - 1);
    for (at = 0; at < PAIRS; at++) {
        snprintf(keys[at], sizeof keys[at], "key%d", at);
        pairs[2 * at] = keys[at];
        pairs[2 * at + 1] = text + at;
    }
    if (by_limit) {
        /* What is freed goes back at once, so that each limit is what it says. */
        CHECK(mallopt(M_MMAP_THRESHOLD, 128 * 1024) && mallopt(M_TRIM_THRESHOLD, 0) && mallopt(M_TOP_PAD, 0));
    }
    CHECK(tokenvault_client_open(NULL, &client) == 0);
    options.claims = pairs;
    CHECK(tokenvault_issue(client, &options, &issued) == 0);
    token = tokenvault_value_data(issued);
    CHECK(get_short() == 0 && get_value() == 0 && get_long() == 0);
}

int main(int argc, char **argv)
{
    int by_limit = argc > 1 && strcmp(argv[1], "limit") == 0, at;
    unsigned long failures = 0, clean = 0, aborts = 0;
    for (at = 0; at < CALLS; at++) {
        /* Each in a process of its own: should one be ended, that is counted too. */
        struct count count = {0, 0};
        int ends[2], ended;
        CHECK(pipe(ends) == 0);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            prepare(by_limit);
            count = sweep(&calls[at], by_limit);
            CHECK(write(ends[1], &count, sizeof count) == sizeof count);
            _exit(0);
        }
        close(ends[1]);
        if (read(ends[0], &count, sizeof count) != sizeof count)
            fprintf(stderr, "%s has ended the program\n", calls[at].name);
        close(ends[0]);
        CHECK(waitpid(child, &ended, 0) == child);
        aborts += !WIFEXITED(ended) || WEXITSTATUS(ended) != 0;
        failures += count.failures;
        clean += count.clean;
        fprintf(stderr, "%s: %lu failures, %lu clean\n", calls[at].name, count.failures, count.clean);
    }
    printf("%lu %lu %lu\n", failures, clean, aborts);
    return 0;
}
