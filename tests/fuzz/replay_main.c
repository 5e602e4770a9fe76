/* tests/fuzz/replay_main.c - runs a fuzz target over files: every file named, or below a folder
 * named, once, plus the empty input. Turns each corpus into a plain test without libFuzzer. */
#include <stdio.h>
#include <sys/stat.h>

#include "support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay(const char *path, void *user) {
    (void)user;
    struct hr_buf buf;
    test_read_file(path, &buf);
    LLVMFuzzerTestOneInput(buf.ptr, buf.len);
    hr_buf_release(&buf);
}

int main(int argc, char **argv) {
    int count = 1;
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int i = 1; i < argc; i++) {
        struct stat st;
        if (stat(argv[i], &st) == 0 && S_ISREG(st.st_mode)) {
            replay(argv[i], NULL);
            count++;
        } else {
            count += test_each_file(argv[i], replay, NULL);
        }
    }
    printf("replayed %d inputs\n", count);
    return 0;
}
