/* pam_host.c DIRECTORY SERVICE USER ACTION... - a login program as its author would not write it, with the service files of a
 * directory: it does one action after the other, and says of each call to PAM what came of it and how many milliseconds it
 * took.
 *
 * What a module leaves in it is compared between 'look' and 'same': descriptors, threads, children, environment, working
 * directory, umask, limits, and what is done on every signal. */
#include <security/pam_appl.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition, strerror(errno));                      \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

extern char **environ;

enum { SIGNALS = 65, FILES = 128, ANSWERS = 16 };

/* Everything of the process that a module could change behind its back. */
struct state {
    int tasks;
    char files[FILES][256];
    char environment[4096];
    char directory[256];
    struct sigaction actions[SIGNALS];
    sigset_t mask;
    struct rlimit limits[RLIM_NLIMITS];
    mode_t umask;
};

static pam_handle_t *handle;
static struct state before;
static const char *answers[ANSWERS];
static int asked, answered;
static volatile sig_atomic_t children_heard;
static pthread_t burier;
static volatile sig_atomic_t is_burying;

/* Gives the answers in their order, and the last one again and again. */
static int converse(int count, const struct pam_message **messages, struct pam_response **responses, void *data)
{
    int index;
    (void)data;
    *responses = calloc((size_t)count, sizeof **responses);
    CHECK(*responses != NULL);
    for (index = 0; index < count; index++)
        if (messages[index]->msg_style == PAM_PROMPT_ECHO_OFF || messages[index]->msg_style == PAM_PROMPT_ECHO_ON) {
            CHECK(answered > 0);
            (*responses)[index].resp = strdup(answers[asked < answered ? asked : answered - 1]);
            asked++;
        }
    return PAM_SUCCESS;
}

static void look(struct state *state)
{
    DIR *directory;
    int number;
    size_t len = 0;
    char **variable;
    memset(state, 0, sizeof *state);
    CHECK((directory = opendir("/proc/self/task")) != NULL);
    while (readdir(directory) != NULL)
        state->tasks++;
    closedir(directory);
    for (number = 0; number < FILES; number++) {
        char link[64];
        snprintf(link, sizeof link, "/proc/self/fd/%d", number);
        if (readlink(link, state->files[number], sizeof state->files[number] - 1) < 0)
            state->files[number][0] = 0;
    }
    for (variable = environ; *variable != NULL; variable++)
        len += (size_t)snprintf(state->environment + len, sizeof state->environment - len, "%s\n", *variable);
    CHECK(len < sizeof state->environment);
    CHECK(getcwd(state->directory, sizeof state->directory) != NULL);
    for (number = 1; number < SIGNALS; number++)
        if (sigaction(number, NULL, &state->actions[number]) != 0)
            state->actions[number].sa_handler = SIG_ERR;
    CHECK(sigprocmask(SIG_BLOCK, NULL, &state->mask) == 0);
    for (number = 0; number < (int)RLIM_NLIMITS; number++)
        CHECK(getrlimit(number, &state->limits[number]) == 0);
    state->umask = umask(022);
    umask(state->umask);
}

/* Compares with what was seen by 'look'; 'leases' pipes more are there, which are closed on exec. */
static void compare(int leases)
{
    static struct state after;
    int number;
    look(&after);
    CHECK(after.tasks == before.tasks);
    for (number = 0; number < FILES; number++) {
        if (strcmp(after.files[number], before.files[number]) == 0)
            continue;
        CHECK(before.files[number][0] == 0 && strncmp(after.files[number], "pipe:", 5) == 0);
        CHECK(fcntl(number, F_GETFD) == FD_CLOEXEC && number > 2);
        leases--;
    }
    CHECK(leases == 0);
    CHECK(strcmp(after.environment, before.environment) == 0);
    CHECK(strcmp(after.directory, before.directory) == 0);
    for (number = 1; number < SIGNALS; number++) {
        CHECK(after.actions[number].sa_handler == before.actions[number].sa_handler);
        CHECK(after.actions[number].sa_flags == before.actions[number].sa_flags);
    }
    CHECK(memcmp(&after.mask, &before.mask, sizeof after.mask) == 0);
    CHECK(memcmp(after.limits, before.limits, sizeof after.limits) == 0);
    CHECK(after.umask == before.umask);
    errno = 0;
    CHECK(waitpid(-1, NULL, WNOHANG | __WALL) == -1 && errno == ECHILD);
}

static void hear_child(int number)
{
    (void)number;
    children_heard++;
}

/* Buries every child of the process, whoever made it. */
static void *bury(void *unused)
{
    (void)unused;
    while (is_burying)
        if (waitpid(-1, NULL, 0) < 0)
            usleep(1000);
    return NULL;
}

/* How this program treats the end of children. */
static void treat_children(const char *how)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    if (strcmp(how, "ignored") == 0) {
        action.sa_handler = SIG_IGN;
    } else if (strcmp(how, "heard") == 0) {
        action.sa_handler = hear_child;
        action.sa_flags = SA_RESTART | SA_NOCLDWAIT;
    } else {
        CHECK(strcmp(how, "buried") == 0);
        is_burying = 1;
        CHECK(pthread_create(&burier, NULL, bury, NULL) == 0);
        return;
    }
    CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
}

/* No further descriptor can be had. */
static void use_up_files(int spare)
{
    struct rlimit limit;
    int number, highest = 0;
    for (number = 0; number < FILES; number++)
        if (fcntl(number, F_GETFD) >= 0)
            highest = number;
    CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    for (number = 0; number < highest; number++)
        if (fcntl(number, F_GETFD) < 0)
            CHECK(dup2(0, number) == number);
    limit.rlim_cur = (rlim_t)(highest + 1 + spare);
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

/* As a daemon does: closes what it does not know, and goes on opening things of its own. */
static void take_over_files(void)
{
    int number;
    for (number = 3; number < FILES; number++)
        if (fcntl(number, F_GETFD) >= 0 && strcmp(before.files[number], "") == 0) {
            int other = open("/dev/null", O_RDWR | O_CLOEXEC);
            CHECK(other >= 0 && dup2(other, number) == number && close(other) == 0);
        }
}

static void say(const char *name, int status, const struct timespec *begin)
{
    struct timespec end;
    long milliseconds;
    clock_gettime(CLOCK_MONOTONIC, &end);
    milliseconds = (end.tv_sec - begin->tv_sec) * 1000 + (end.tv_nsec - begin->tv_nsec) / 1000000;
    printf("%s %d %ld\n", name, status, milliseconds);
    fflush(stdout);
}

/* A call to PAM of this name; whether there is one. */
static int call(const char *name)
{
    struct timespec begin;
    int status;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (strcmp(name, "authenticate") == 0)
        status = pam_authenticate(handle, 0);
    else if (strcmp(name, "setcred") == 0)
        status = pam_setcred(handle, PAM_ESTABLISH_CRED);
    else if (strcmp(name, "acct_mgmt") == 0)
        status = pam_acct_mgmt(handle, 0);
    else if (strcmp(name, "open_session") == 0)
        status = pam_open_session(handle, 0);
    else if (strcmp(name, "close_session") == 0)
        status = pam_close_session(handle, 0);
    else if (strcmp(name, "chauthtok") == 0)
        status = pam_chauthtok(handle, 0);
    else
        return 0;
    say(name, status, &begin);
    return 1;
}

static int is_loaded(const char *module)
{
    static char maps[1 << 20];
    size_t len;
    FILE *file = fopen("/proc/self/maps", "r");
    CHECK(file != NULL);
    len = fread(maps, 1, sizeof maps - 1, file);
    maps[len] = 0;
    fclose(file);
    return strstr(maps, module) != NULL;
}

/* The rest of the actions is done by a child, whose end is this program's. */
static void go_on_in_a_copy(void)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0)
        return;
    CHECK(waitpid(child, &status, 0) == child);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

static void act(const char *action)
{
    char line[64];
    if (call(action))
        return;
    if (strncmp(action, "answer:", 7) == 0) {
        CHECK(answered < ANSWERS);
        answers[answered++] = action + 7;
    } else if (strncmp(action, "user:", 5) == 0) {
        CHECK(pam_set_item(handle, PAM_USER, action + 5) == PAM_SUCCESS);
    } else if (strncmp(action, "asked-by:", 9) == 0) {
        CHECK(pam_set_item(handle, PAM_RUSER, action + 9) == PAM_SUCCESS);
    } else if (strncmp(action, "from:", 5) == 0) {
        CHECK(pam_set_item(handle, PAM_RHOST, action + 5) == PAM_SUCCESS);
    } else if (strncmp(action, "open:", 5) == 0) {
        CHECK(open(action + 5, O_WRONLY | O_APPEND) >= 0);
    } else if (strncmp(action, "files-max:", 10) == 0) {
        struct rlimit limit;
        CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
        limit.rlim_cur = (rlim_t)atoi(action + 10);
        CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    } else if (strcmp(action, "go-on-in-a-copy") == 0) {
        go_on_in_a_copy();
    } else if (strncmp(action, "children:", 9) == 0) {
        treat_children(action + 9);
    } else if (strncmp(action, "spare-files:", 12) == 0) {
        use_up_files(atoi(action + 12));
    } else if (strncmp(action, "setuid-for:", 11) == 0) {
        CHECK(setresuid((uid_t)atoi(action + 11), 0, 0) == 0);
    } else if (strcmp(action, "look") == 0) {
        look(&before);
    } else if (strcmp(action, "same") == 0) {
        compare(0);
        CHECK(children_heard == 0);
    } else if (strcmp(action, "lease") == 0) {
        compare(1);
        CHECK(children_heard == 0);
    } else if (strcmp(action, "take-over-files") == 0) {
        take_over_files();
        look(&before);
    } else if (strcmp(action, "meet") == 0) {
        CHECK(printf("meet\n") > 0 && fflush(stdout) == 0);
        CHECK(fgets(line, sizeof line, stdin) != NULL);
    } else {
        CHECK(strcmp(action, "end") == 0);
        CHECK(is_loaded("libpam_tokenvault"));
        CHECK(pam_end(handle, PAM_SUCCESS) == PAM_SUCCESS);
        handle = NULL;
            CHECK(!is_loaded("libpam_tokenvault"));
    }
}

int main(int argc, char **argv)
{
    struct pam_conv conversation = {converse, NULL};
    int index;
    CHECK(argc > 3);
    CHECK(pam_start_confdir(argv[2], argv[3], &conversation, argv[1], &handle) == PAM_SUCCESS);
    for (index = 4; index < argc; index++)
        act(argv[index]);
    if (is_burying) {
        is_burying = 0;
        CHECK(pthread_join(burier, NULL) == 0);
    }
    return handle == NULL ? 0 : pam_end(handle, PAM_SUCCESS);
}
