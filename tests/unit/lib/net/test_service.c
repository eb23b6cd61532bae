/* A whole daemon's life, in processes of their own: net/service.h. The child is this program, told
 * by its first argument. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/config.h"
#include "net/service.h"

/* ---- The daemon ---- */

struct daemon {
    struct tl_service *service;
    const char *role;
};

static bool is_ready(void *arg, char *reason, size_t size)
{
    const struct daemon *d = arg;

    if (d->role && strcmp(d->role, "unready") == 0) {
        (void)snprintf(reason, size, "the broker is away");
        return false;
    }
    return true;
}

static void on_drain(void *arg)
{
    struct daemon *d = arg;

    if (d->role && strcmp(d->role, "stubborn") == 0)
        return; /* until the deadline */
    tl_service_stop(d->service);
}

static int run_daemon(int argc, char **argv)
{
    struct daemon d = {0};
    const struct tl_service_option options[] = {{"role", "ROLE", "what to be", &d.role}, {0}};
    static const int64_t drain_ms = 200;
    const struct tl_service_program program = {
        .name = "test-daemon",
        .summary = "Tests the service.",
        .section = "test",
        .options = options,
        .arg = &d,
        .is_ready = is_ready,
        .on_drain = on_drain,
        .drain_ms = &drain_ms,
    };
    struct tl_error err;

    if (tl_service_create(&program, argc, argv, &d.service, &err) != TL_OK)
        return 2;
    if (!d.service)
        return 0;
    int status = tl_service_run(d.service);
    tl_service_destroy(d.service);
    return status;
}

/* ---- The tests ---- */

static char self[4096];
static char dir[] = "/tmp/test_service_XXXXXX";

struct child {
    pid_t pid;
    char ready_file[128];
    char output_file[128];
    int port;
};

static char *read_file(const char *path)
{
    static char text[16384];
    FILE *file = fopen(path, "r");
    size_t n = file ? fread(text, 1, sizeof(text) - 1, file) : 0;

    if (file)
        (void)fclose(file);
    text[n] = 0;
    return text;
}

static void spawn(struct child *c, const char *config, const char *const *more)
{
    char *argv[16];
    size_t n = 0;

    (void)snprintf(c->ready_file, sizeof(c->ready_file), "%s/ready", dir);
    (void)snprintf(c->output_file, sizeof(c->output_file), "%s/output", dir);
    (void)unlink(c->ready_file);
    argv[n++] = self;
    argv[n++] = "daemon";
    argv[n++] = "--config";
    argv[n++] = (char *)(uintptr_t)config;
    argv[n++] = "--ready-file";
    argv[n++] = c->ready_file;
    for (; more && *more && n < 15; more++)
        argv[n++] = (char *)(uintptr_t)*more;
    argv[n] = NULL;
    c->pid = fork();
    if (c->pid == 0) {
        FILE *out = freopen(c->output_file, "w", stderr);
        if (out && dup2(fileno(out), STDOUT_FILENO) >= 0)
            execv(self, argv);
        _exit(127);
    }
    assert_true(c->pid > 0);
}

static int wait_exit(struct child *c)
{
    int status;

    assert_int_equal(waitpid(c->pid, &status, 0), c->pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 256 + WTERMSIG(status);
}

static void wait_ready(struct child *c)
{
    const struct timespec pause = {.tv_nsec = 5 * 1000 * 1000};

    for (int i = 0; i < 4000; i++) { /* a condition, asked for again and again */
        int status;
        if (sscanf(read_file(c->ready_file), "admin=%d", &c->port) == 1)
            return;
        if (waitpid(c->pid, &status, WNOHANG) == c->pid)
            fail_msg("died: %s", read_file(c->output_file));
        (void)nanosleep(&pause, NULL);
    }
    fail_msg("not ready: %s", read_file(c->output_file));
}

static const char *get(struct child *c, const char *request)
{
    static char text[65536];
    struct sockaddr_in sa = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)c->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    size_t len = 0;
    ssize_t n;

    assert_int_equal(connect(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    (void)snprintf(text, sizeof(text), "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
                   request);
    assert_int_equal(send(fd, text, strlen(text), 0), (ssize_t)strlen(text));
    while ((n = recv(fd, text + len, sizeof(text) - 1 - len, 0)) > 0)
        len += (size_t)n;
    text[len] = 0;
    (void)close(fd);
    return text;
}

static const char *write_config(const char *text)
{
    static char path[128];

    (void)snprintf(path, sizeof(path), "%s/config.yaml", dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

static const char *good_config(void)
{
    return write_config("admin:\n  listen: 127.0.0.1:0\n");
}

static void the_admin_listener_answers_and_sigterm_drains(void **state)
{
    struct child c;

    (void)state;
    spawn(&c, good_config(), (const char *const[]){"--instance", "3", NULL});
    wait_ready(&c);
    assert_non_null(strstr(get(&c, "GET /healthz"), "200 OK"));
    assert_non_null(strstr(get(&c, "GET /readyz"), "200 OK"));
    assert_non_null(strstr(get(&c, "GET /metrics"), "# TYPE "));
    assert_non_null(strstr(get(&c, "GET /nothing"), "404 Not Found"));
    assert_non_null(strstr(get(&c, "POST /metrics"), "405 Method Not Allowed"));
    assert_int_equal(kill(c.pid, SIGTERM), 0);
    assert_int_equal(wait_exit(&c), 0);
    const char *log = read_file(c.output_file);
    assert_non_null(strstr(log, "\"event\":\"net.listening\""));
    assert_non_null(strstr(log, "\"process\":\"test-3\""));
    assert_non_null(strstr(log, "\"event\":\"service.draining\""));
    assert_non_null(strstr(log, "\"event\":\"service.stopped\""));
}

static void not_ready_is_503_with_the_reason(void **state)
{
    struct child c;

    (void)state;
    spawn(&c, good_config(), (const char *const[]){"--role", "unready", NULL});
    wait_ready(&c);
    const char *answer = get(&c, "GET /readyz");
    assert_non_null(strstr(answer, "503 Service Unavailable"));
    assert_non_null(strstr(answer, "the broker is away"));
    assert_int_equal(kill(c.pid, SIGINT), 0);
    assert_int_equal(wait_exit(&c), 0);
}

static void a_missed_deadline_is_a_failure(void **state)
{
    struct child c;

    (void)state;
    spawn(&c, good_config(), (const char *const[]){"--role", "stubborn", NULL});
    wait_ready(&c);
    assert_int_equal(kill(c.pid, SIGTERM), 0);
    assert_int_equal(wait_exit(&c), 1);
    assert_non_null(strstr(read_file(c.output_file), "service.drain_too_long"));
}

static void wrong_settings_are_named_and_nothing_runs(void **state)
{
    struct child c;

    (void)state;
    spawn(&c, write_config("admin:\n  lisden: x\n"), NULL);
    assert_int_equal(wait_exit(&c), 2);
    assert_non_null(strstr(read_file(c.output_file), "config.yaml:2: admin.lisden"));
}

static void check_config_only_checks(void **state)
{
    struct child c;

    (void)state;
    spawn(&c, good_config(), (const char *const[]){"--check-config", NULL});
    assert_int_equal(wait_exit(&c), 0);
    assert_string_equal(read_file(c.ready_file), "");
    spawn(&c, write_config("admin: [\n"), (const char *const[]){"--check-config", NULL});
    assert_int_equal(wait_exit(&c), 2);
}

static void help_and_wrong_options_are_answered(void **state)
{
    struct child c;

    (void)state;
    spawn(&c, "none", (const char *const[]){"--help", NULL});
    assert_int_equal(wait_exit(&c), 0);
    assert_non_null(strstr(read_file(c.output_file), "--role ROLE"));
    spawn(&c, "none", (const char *const[]){"--version", NULL});
    assert_int_equal(wait_exit(&c), 0);
    assert_non_null(strstr(read_file(c.output_file), "test-daemon " TL_VERSION));
    spawn(&c, "none", (const char *const[]){"--nonsense", NULL});
    assert_int_equal(wait_exit(&c), 2);
    assert_non_null(strstr(read_file(c.output_file), "--nonsense"));
    spawn(&c, "none", (const char *const[]){"stray", NULL});
    assert_int_equal(wait_exit(&c), 2);
}

static int make_dir(void **state)
{
    (void)state;
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    return n > 0 && mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const names[] = {"ready", "output", "config.yaml"};

    (void)state;
    for (size_t i = 0; i < TL_ARRAY_LEN(names); i++) {
        char path[128];
        (void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        (void)unlink(path);
    }
    return rmdir(dir);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_admin_listener_answers_and_sigterm_drains),
        cmocka_unit_test(not_ready_is_503_with_the_reason),
        cmocka_unit_test(a_missed_deadline_is_a_failure),
        cmocka_unit_test(wrong_settings_are_named_and_nothing_runs),
        cmocka_unit_test(check_config_only_checks),
        cmocka_unit_test(help_and_wrong_options_are_answered),
    };

    if (argc > 1 && strcmp(argv[1], "daemon") == 0)
        return run_daemon(argc - 1, argv + 1);
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
