/* base/hash.c - fast stable hashes of our own design, checksums by ISA-L and libdeflate, digests by
 * OpenSSL.
 *
 * hr_hash64/128: multiply-fold over 16-byte lanes (64x64 -> 128 bit product, halves xored), the
 * construction used by wyhash-like functions. The values are part of the state format: changing
 * them needs a new state version.
 */
#include "base/hash.h"

#include <isa-l/crc.h>
#include <isa-l/crc64.h>
#include <libdeflate.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define K0 0xa0761d6478bd642fULL
#define K1 0xe7037ed1a0b428dbULL
#define K2 0x8ebc6af09c88c6e3ULL
#define K3 0x589965cc75374cc3ULL

static inline uint64_t fold(uint64_t a, uint64_t b) {
    const unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static inline uint64_t load_tail(const uint8_t *p, size_t len) { /* 0..8 bytes */
    uint64_t v = 0;
    memcpy(&v, p, len);
    return v;
}

static void mix(const uint8_t *p, size_t len, uint64_t seed, uint64_t state[2]) {
    uint64_t a = seed ^ K0;
    uint64_t b = (seed + K1) ^ (uint64_t)len;
    size_t left = len;
    while (left > 16) {
        a = fold(load64(p) ^ K1, load64(p + 8) ^ a);
        b = fold(load64(p + 8) ^ K2, load64(p) ^ b);
        p += 16;
        left -= 16;
    }
    const uint64_t x = load_tail(p, left < 8 ? left : 8);
    const uint64_t y = left > 8 ? load_tail(p + 8, left - 8) : 0;
    state[0] = fold(x ^ K1, y ^ a);
    state[1] = fold(y ^ K2, x ^ b);
}

uint64_t hr_hash64(const void *ptr, size_t len, uint64_t seed) {
    uint64_t state[2];
    mix(ptr, len, seed, state);
    return hr_hash_u64(fold(state[0] ^ K3, state[1] ^ (uint64_t)len) ^ state[0]);
}

struct hr_hash128 hr_hash128(const void *ptr, size_t len, uint64_t seed) {
    uint64_t state[2];
    mix(ptr, len, seed, state);
    return (struct hr_hash128){
        hr_hash_u64(fold(state[0] ^ K3, state[1] ^ (uint64_t)len) ^ state[0]),
        hr_hash_u64(fold(state[1] ^ K0, state[0] ^ K2) + state[1])};
}

void hr_hash128_text(const void *ptr, size_t len, uint64_t seed, char out[33]) {
    const struct hr_hash128 h = hr_hash128(ptr, len, seed);
    uint8_t raw[16];
    memcpy(raw, &h.hi, 8);
    memcpy(raw + 8, &h.lo, 8);
    hr_hex(raw, 16, out);
}

uint32_t hr_crc32(uint32_t seed, const void *ptr, size_t len) {
    return libdeflate_crc32(seed, ptr, len);
}

uint32_t hr_crc32c(uint32_t seed, const void *ptr, size_t len) {
    /* ISA-L wants a non-const pointer and neither inverts at the start nor at the end. */
    uint32_t crc = ~seed;
    const uint8_t *p = ptr;
    while (len > 0) {
        const int n = len > (1 << 30) ? 1 << 30 : (int)len;
        unsigned char *bytes;
        memcpy(&bytes, &p, sizeof(bytes));
        crc = crc32_iscsi(bytes, n, crc);
        p += n;
        len -= (size_t)n;
    }
    return ~crc;
}

void hr_sha256(const void *ptr, size_t len, uint8_t out[32]) {
    unsigned int n = 32;
    if (EVP_Digest(ptr, len, out, &n, EVP_sha256(), NULL) != 1) {
        memset(out, 0, 32);
    }
}

void hr_hmac_sha256(const void *key, size_t key_len, const void *ptr, size_t len, uint8_t out[32]) {
    unsigned int n = 32;
    if (HMAC(EVP_sha256(), key, (int)key_len, ptr, len, out, &n) == NULL) {
        memset(out, 0, 32);
    }
}

void hr_md5(const void *ptr, size_t len, uint8_t out[16]) {
    unsigned int n = 16;
    if (EVP_Digest(ptr, len, out, &n, EVP_md5(), NULL) != 1) {
        memset(out, 0, 16);
    }
}

void hr_hex(const uint8_t *ptr, size_t len, char *out) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = digits[ptr[i] >> 4];
        out[2 * i + 1] = digits[ptr[i] & 15];
    }
    out[2 * len] = '\0';
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

int hr_unhex(const char *text, uint8_t *out, size_t len) {
    for (size_t i = 0; i < len; i++) {
        const int high = hex_digit(text[2 * i]);
        const int low = high < 0 ? -1 : hex_digit(text[2 * i + 1]);
        if (low < 0) {
            return -1;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return text[2 * len] == '\0' ? 0 : -1;
}
