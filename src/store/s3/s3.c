/* store/s3/s3.c - the S3 driver's row. */
#include "store/store.h"

static const char *const s3_schemes[] = {"s3", "s3a", "s3n", NULL};

const struct hr_store_driver hr_store_s3 = {
    .name = "s3",
    .schemes = s3_schemes,
    .missing = "S3 is not in this build yet",
};
