/* tests/support/minio.h - a real S3 server for tests, on a free loopback port. */
#ifndef HR_TEST_MINIO_H
#define HR_TEST_MINIO_H

#include "store/store.h"

struct test_minio;

/* Starts MinIO with one empty bucket; NULL when no binary is there (environment HEADRACE_MINIO,
 * else the newest minio* in the cache folder tools/get-minio fills). It dies with this program. */
struct test_minio *test_minio_start(void);
void test_minio_stop(struct test_minio *minio);
/* Configuration of its bucket; the strings live as long as the server. */
struct hr_store_conf test_minio_conf(const struct test_minio *minio);
int test_minio_port(const struct test_minio *minio);
/* One more bucket. */
void test_minio_bucket(const struct test_minio *minio, const char *name);

/* A port of 127.0.0.1 that refuses connections as long as *fd is open: it is taken, nobody
 * listens. */
int test_refusing_port(int *fd);

#endif
