/* format/parquet/pq_xxh64.h - XXH64 with seed 0, the hash of Parquet's bloom filters
 * (https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md). */
#ifndef HR_FORMAT_PARQUET_PQ_XXH64_H
#define HR_FORMAT_PARQUET_PQ_XXH64_H

#include <stddef.h>
#include <stdint.h>

uint64_t hr_pqw_xxh64(const void *ptr, size_t len);

#endif
