/* The same jobs over folders, in processes that die: SIGKILL at every counted place of a load, of
 * the next one and of the recovery between them; a disk that is full from one write on. What the
 * dead left is settled in this process, and the destination is what one undisturbed run makes it.
 *
 * The program itself is killed the same way by tests/integration/test_kill.py, with S3 and two
 * workers; here a place costs milliseconds, so all kinds of jobs go through all of them. */
#include "job_support.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"

static char root[200];
static struct job_place place;

/* A pipeline of its own: files of the same times as every other. */
static void make_world(const struct job_shape *shape) {
    static int number;
    snprintf(root, sizeof(root), "%s/%d", test_tmpdir(), number++);
    snprintf(place.lake, sizeof(place.lake), "file:%s/lake", root);
    snprintf(place.out, sizeof(place.out), "file:%s/out", root);
    snprintf(place.state, sizeof(place.state), "%s/state.json", root);
    assert_int_equal(mkdir(root, 0755), 0);
    for (int file = 0; file < JOB_FILES; file++) {
        job_put_file(&place, shape, file);
    }
}

static void drop_world(void) {
    char command[300];
    snprintf(command, sizeof(command), "rm -rf '%s'", root);
    assert_int_equal(system(command), 0);
}

/* How a process ended that ran one load with this fault armed. */
enum end { ENDED_WELL, ENDED_WITH_AN_ERROR, KILLED };

static enum end load_in_child(const struct job_shape *shape, const char *mode, long at) {
    char text[40];
    int status;
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct hr_error err;
        snprintf(text, sizeof(text), "%s:%ld", mode, at);
        _exit(hr_fault_arm(text) == 0 ? job_sync(&place, shape, &err) != 0 : 99);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        return KILLED;
    }
    assert_true(WEXITSTATUS(status) <= 1);
    return WEXITSTATUS(status) == 0 ? ENDED_WELL : ENDED_WITH_AN_ERROR;
}

/* Nothing of a dead run stays beside the state or hidden at the destination. */
static void expect_clean(const char *folder, const char *what, long at) {
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[600];
        const size_t n = strlen(entry->d_name);
        const char *const left[] = {".tmp", ".journal", ".ledger"};
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        for (size_t i = 0; i < 3; i++) {
            const size_t m = strlen(left[i]);
            if (n > m && strcmp(entry->d_name + n - m, left[i]) == 0) {
                fail_msg("%s at place %ld: '%s' was left", what, at, entry->d_name);
            }
        }
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        if (entry->d_type == DT_DIR) {
            expect_clean(path, what, at);
        }
    }
    if (dir != NULL) {
        closedir(dir);
    }
}

static void go_on(const struct job_shape *shape, int files, const char *what, long at) {
    struct hr_error err;
    assert_rc(job_sync(&place, shape, &err), 0, &err);
    job_expect(&place, shape, files, what, at);
    expect_clean(root, what, at);
}

/* Killed in the first load (`load` 0) or the second, at `at`; with `again` the recovery is killed
 * too. False: the load ended before that place. */
static bool killed(const struct job_shape *shape, int load, long at, long again) {
    make_world(shape);
    struct hr_error err;
    if (load == 1) {
        assert_rc(job_sync(&place, shape, &err), 0, &err);
        job_put_file(&place, shape, JOB_FILES);
    }
    const enum end end = load_in_child(shape, "kill", at);
    assert_true(end != ENDED_WITH_AN_ERROR);
    if (end == KILLED && again > 0) {
        (void)load_in_child(shape, "kill", again);
    }
    go_on(shape, JOB_FILES + load, load == 0 ? "killed in a load" : "killed in the next load", at);
    drop_world();
    return end == KILLED;
}

static long step_of(const struct job_shape *shape) {
    return getenv("HEADRACE_SOAK") ? 1 : shape->workers > 1 ? 23 : 11;
}

static void test_killed(void **state) {
    (void)state;
    for (size_t i = 0; i < job_shape_count; i++) {
        for (int load = 0; load < 2; load++) {
            long at = 1 + (long)i % 3;
            while (killed(&job_shapes[i], load, at, 0)) {
                at += step_of(&job_shapes[i]);
            }
            assert_true(at > 20);
        }
    }
}

static void test_killed_in_recovery(void **state) {
    (void)state;
    for (size_t i = 0; i < 2; i++) { /* append, overwrite */
        long at = 3;
        for (long again = 1; killed(&job_shapes[i], 1, at, again); again += 3) {
            at += step_of(&job_shapes[i]) * 2;
            again = again > 30 ? 1 : again;
        }
        assert_true(at > 20);
    }
}

static void test_disk_is_full(void **state) {
    (void)state;
    for (size_t i = 0; i < job_shape_count; i++) {
        long at = 1 + (long)i % 2;
        bool failed = true;
        while (failed) {
            make_world(&job_shapes[i]);
            const enum end end = load_in_child(&job_shapes[i], "nospace", at);
            assert_true(end != KILLED);
            go_on(&job_shapes[i], JOB_FILES, "the disk is full", at);
            drop_world();
            failed = end == ENDED_WITH_AN_ERROR;
            at += step_of(&job_shapes[i]) / 2 + 1;
        }
        assert_true(at > 5);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_killed_in_recovery),
        cmocka_unit_test(test_disk_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
