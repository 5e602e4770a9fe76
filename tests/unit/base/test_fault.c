/* Places counted, processes killed and stopped there, disks that are full; and what the files of
 * base/file.h make of them. */
#include "base/fault.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "support.h"

static struct hr_error err;

/* Pass three places and two writes with this armed; the status waitpid gave. */
static int in_child(const char *armed, FILE *said) {
    int status;
    fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (said != NULL) {
            dup2(fileno(said), STDERR_FILENO);
        }
        if (hr_fault_arm(armed) != 0) {
            _exit(2);
        }
        hr_fault_point();
        const bool first = hr_fault_no_space();
        hr_fault_point();
        const bool second = hr_fault_no_space();
        hr_fault_point();
        if (said != NULL) {
            exit(0); /* what was counted is told then */
        }
        _exit(first ? 4 : second ? 3 : 0);
    }
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    if (WIFSTOPPED(status)) {
        kill(pid, SIGKILL);
        int ended;
        assert_int_equal(waitpid(pid, &ended, 0), pid);
    }
    return status;
}

static void killed_and_stopped(void **state) {
    (void)state;
    assert_int_equal(in_child(NULL, NULL), 0);
    assert_int_equal(in_child("", NULL), 0);
    assert_int_equal(WTERMSIG(in_child("kill:1", NULL)), SIGKILL);
    assert_int_equal(WTERMSIG(in_child("kill:3", NULL)), SIGKILL);
    assert_int_equal(in_child("kill:4", NULL), 0);
    assert_true(WIFSTOPPED(in_child("stop:2", NULL)));
    assert_int_equal(WEXITSTATUS(in_child("nospace:1", NULL)), 4);
    assert_int_equal(WEXITSTATUS(in_child("nospace:2", NULL)), 3);
    assert_int_equal(WEXITSTATUS(in_child("nospace:3", NULL)), 0);
    assert_int_equal(WEXITSTATUS(in_child("kill:0", NULL)), 2);
    assert_int_equal(WEXITSTATUS(in_child("explode", NULL)), 2);
}

static void counted(void **state) {
    (void)state;
    char text[200];
    FILE *said = tmpfile();
    assert_non_null(said);
    assert_int_equal(in_child("count", said), 0);
    rewind(said);
    const size_t n = fread(text, 1, sizeof(text) - 1, said);
    text[n] = '\0';
    fclose(said);
    assert_string_equal(text, "fault points: 3\nfault writes: 2\n");
}

/* A file is replaced whole or not at all, whichever write or sync the disk refuses. */
static void replaced_or_not(void **state) {
    (void)state;
    char folder[] = "/tmp/headrace-fault-XXXXXX";
    char path[100];
    char armed[30];
    struct hr_buf text;
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/f", folder);
    assert_rc(hr_file_replace(path, hr_slice_str("old"), &err), 0, &err);
    int refused = 0;
    for (int at = 1; at < 10; at++) {
        snprintf(armed, sizeof(armed), "nospace:%d", at);
        assert_int_equal(hr_fault_arm(armed), 0);
        const int rc = hr_file_replace(path, hr_slice_str("new"), &err);
        assert_int_equal(hr_fault_arm(NULL), 0);
        hr_buf_init(&text, 0);
        assert_rc(hr_file_read(path, &text, &err), 0, &err);
        /* The third is the folder's: by then the new one stands. */
        assert_string_equal(hr_buf_cstr(&text), at <= 2 ? "old" : "new");
        hr_buf_release(&text);
        refused += rc != 0;
        if (rc != 0) {
            assert_rc(rc, HR_E_NOSPACE, &err);
            assert_rc(hr_file_replace(path, hr_slice_str("old"), &err), 0, &err);
        }
    }
    assert_int_equal(refused, 3);
    const int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    for (int at = 1; at <= 2; at++) {
        snprintf(armed, sizeof(armed), "nospace:%d", at);
        assert_int_equal(hr_fault_arm(armed), 0);
        assert_rc(hr_file_append(fd, hr_slice_str("+"), path, &err), HR_E_NOSPACE, &err);
    }
    assert_int_equal(hr_fault_arm(""), 0);
    close(fd);
    const int reading = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(hr_file_append(reading, hr_slice_str("+"), path, &err) < 0);
    close(reading);
    hr_buf_init(&text, 0);
    assert_true(hr_file_read(folder, &text, &err) < 0); /* a folder cannot be read */
    hr_buf_release(&text);
    assert_true(hr_file_replace(folder, hr_slice_str("x"), &err) < 0); /* nor replaced */
    snprintf(path, sizeof(path), "%s/none/f", folder);
    assert_true(hr_file_replace(path, hr_slice_str("x"), &err) < 0);
    snprintf(path, sizeof(path), "%s/f", folder);
    assert_rc(hr_file_remove(path, &err), 0, &err);
    assert_rc(hr_file_remove(path, &err), 0, &err);
    assert_true(hr_file_remove(folder, &err) < 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(killed_and_stopped),
        cmocka_unit_test(counted),
        cmocka_unit_test(replaced_or_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
