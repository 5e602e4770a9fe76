/* plan/price.c - what requests and bytes cost. The sheet "seed" is the Enhanced S3 vocabulary's:
 * 0.0004 USD per GB (2^30 bytes) read and per 1000 GET; listing is free in it. */
#include <string.h>

#include "plan/plan.h"

#define SEED_USD_PER_GB 0.0004
#define SEED_USD_PER_1000_GET 0.0004

double hr_price_usd(const char *sheet, uint64_t gets, uint64_t lists, uint64_t bytes) {
    (void)sheet; /* the only one so far; others are refused by the option's row */
    (void)lists;
    return (double)bytes / (1 << 30) * SEED_USD_PER_GB +
           (double)gets / 1000 * SEED_USD_PER_1000_GET;
}
