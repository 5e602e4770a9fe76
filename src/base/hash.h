/* base/hash.h - hashes: fast ones of our own, cryptographic ones by OpenSSL. */
#ifndef HR_BASE_HASH_H
#define HR_BASE_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* 64 and 128 bit non-cryptographic hashes: stable across builds and machines (they are written into
 * state files and decide samples). Unaligned input is fine. */
uint64_t hr_hash64(const void *ptr, size_t len, uint64_t seed);
struct hr_hash128 {
    uint64_t lo, hi;
};
struct hr_hash128 hr_hash128(const void *ptr, size_t len, uint64_t seed);
/* hr_hash128 as 32 hex digits, as files of ours hold it. */
void hr_hash128_text(const void *ptr, size_t len, uint64_t seed, char out[33]);

static inline uint64_t hr_hash_u64(uint64_t v) { /* finaliser of MurmurHash3 */
    v ^= v >> 33;
    v *= 0xff51afd7ed558ccdULL;
    v ^= v >> 33;
    v *= 0xc4ceb9fe1a85ec53ULL;
    return v ^ (v >> 33);
}

uint32_t hr_crc32(uint32_t seed, const void *ptr, size_t len); /* IEEE 802.3, seed 0 at the start */
uint32_t hr_crc32c(uint32_t seed, const void *ptr,
                   size_t len); /* Castagnoli, seed 0 at the start */
uint64_t hr_crc64nvme(uint64_t seed, const void *ptr, size_t len);
void hr_crc64_text(uint64_t crc, char out[17]);       /* 16 hex digits */
bool hr_crc64_parse(const char *text, uint64_t *out); /* NULL is no such text */

void hr_sha256(const void *ptr, size_t len, uint8_t out[32]);
void hr_hmac_sha256(const void *key, size_t key_len, const void *ptr, size_t len, uint8_t out[32]);
void hr_md5(const void *ptr, size_t len, uint8_t out[16]);
void hr_hex(const uint8_t *ptr, size_t len, char *out); /* lower case, 2*len+1 bytes */
/* Decode hex; returns 0, or -1 when `text` is not exactly 2*len hex digits. */
int hr_unhex(const char *text, uint8_t *out, size_t len);

#endif
