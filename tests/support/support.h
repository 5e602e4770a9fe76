/* tests/support - what every C test may use: corpus paths, files, temporary folders. */
#ifndef HR_TEST_SUPPORT_H
#define HR_TEST_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/slice.h"
#include "headrace/error.h"

/* Path below the corpus folder (HEADRACE_CORPUS, default ../shared/corpus), or NULL when the corpus
 * is absent; then the test calls test_skip_corpus and passes. The string lives until the next call.
 */
const char *test_corpus(const char *relative);
/* Prints "SKIPPED n cases: corpus NAME is absent". */
void test_skip_corpus(const char *name, int cases);

/* Whole file into buf (initialised here). Fails the test when it cannot be read. */
void test_read_file(const char *path, struct hr_buf *buf);
void test_write_file(const char *path, const void *ptr, size_t len);
/* Call for every regular file below dir, sorted by path. Returns how many. */
int test_each_file(const char *dir, void (*fn)(const char *path, void *user), void *user);
/* A fresh folder, removed at exit. */
const char *test_tmpdir(void);

/* Small deterministic generator for property tests (SplitMix64). */
uint64_t test_rand(uint64_t *state);

/* Print the whole error when rc is not what was wanted, then fail. */
#define assert_rc(rc, want, err) test_assert_rc((rc), (want), (err), __FILE__, __LINE__)
void test_assert_rc(int rc, int want, const struct hr_error *err, const char *file, int line);

#endif
