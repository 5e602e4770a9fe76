/* store/store_table.c - every store there is, and those known but not built.
 *
 * The one place that lists the leaves of this seam. A row with `missing` answers with a sentence,
 * so that a user of another cloud reads what to do instead of "unknown scheme". */
#include "store/store_table.h"

static const char *const gs_schemes[] = {"gs", "gcs", NULL};
static const char *const az_schemes[] = {"az", "abfs", "abfss", "wasb", "wasbs", NULL};
static const char *const hdfs_schemes[] = {"hdfs", "viewfs", NULL};
static const char *const http_schemes[] = {"http", "https", "ftp", NULL};

static const struct hr_store_driver store_gcs = {
    .name = "gcs",
    .schemes = gs_schemes,
    .missing = "Google Cloud Storage is reached through its S3-compatible interface: use "
               "s3://BUCKET with endpoint_url https://storage.googleapis.com and HMAC keys",
};
static const struct hr_store_driver store_azure = {
    .name = "azure",
    .schemes = az_schemes,
    .missing = "Azure Blob Storage has no S3-compatible interface and no client is built in",
};
static const struct hr_store_driver store_hdfs = {
    .name = "hdfs",
    .schemes = hdfs_schemes,
    .missing =
        "HDFS has no client built in; an S3 gateway in front of it can be reached with s3:// "
        "and endpoint_url",
};
static const struct hr_store_driver store_http = {
    .name = "http",
    .schemes = http_schemes,
    .missing = "plain web addresses are not a store; for an S3-compatible server use s3://BUCKET "
               "with endpoint_url set to that address",
};

static const struct hr_store_driver *const table[] = {
    &hr_store_s3, &hr_store_local, &hr_store_mem, &hr_store_stdio,
    &store_gcs,   &store_azure,    &store_hdfs,   &store_http,
};

const struct hr_store_driver *hr_store_driver_find(const char *scheme, size_t len) {
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        for (const char *const *s = table[i]->schemes; *s != NULL; s++) {
            if (strlen(*s) == len && memcmp(*s, scheme, len) == 0) {
                return table[i];
            }
        }
    }
    return NULL;
}
