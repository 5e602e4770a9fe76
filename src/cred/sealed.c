/* cred/sealed.c - AES-256-GCM by libcrypto behind a base64 text (see sealed.h). */
#include "cred/sealed.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/hash.h"
#include "base/mem.h"

#define NONCE 12
#define TAG 16

/* Strict base64 of RFC 4648 section 4; false: something else. */
static bool decode64(struct hr_slice text, uint8_t *out, size_t *out_len) {
    size_t pad = 0;
    if (text.len == 0 || text.len % 4 != 0) {
        return false;
    }
    while (pad < 2 && text.ptr[text.len - 1 - pad] == '=') {
        pad++;
    }
    const int n = EVP_DecodeBlock(out, text.ptr, (int)text.len);
    *out_len = n < 0 ? 0 : (size_t)n - pad;
    return n >= 0 && memchr(text.ptr, '=', text.len - pad) == NULL;
}

static bool open_gcm(const uint8_t key[32], const uint8_t *sealed, size_t len, uint8_t *plain) {
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    const uint8_t *body = sealed + NONCE;
    const size_t body_len = len - NONCE - TAG;
    int n = 0;
    uint8_t tag[TAG];
    memcpy(tag, body + body_len, TAG);
    const bool ok = ctx != NULL &&
                    EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, sealed) == 1 &&
                    EVP_DecryptUpdate(ctx, plain, &n, body, (int)body_len) == 1 &&
                    EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
                    EVP_DecryptFinal_ex(ctx, plain + n, &n) == 1;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

int hr_unseal(const char *key, struct hr_slice base64, struct hr_buf *out, struct hr_error *err) {
    uint8_t secret[32];
    size_t len = 0;
    if (base64.len > (64u << 20)) {
        return hr_fail(err, HR_E_CONFIG, "could not decrypt the config: it is too long");
    }
    uint8_t *sealed = hr_malloc(base64.len + 4);
    if (sealed == NULL) {
        return hr_fail(err, HR_E_NOMEM, "out of memory while decrypting the config");
    }
    int rc = 0;
    if (!decode64(base64, sealed, &len) || len < NONCE + TAG) {
        rc = hr_fail(err, HR_E_CONFIG,
                     "could not decrypt the config: it is not base64 of a nonce and a sealed text");
    }
    const size_t before = out->len;
    if (rc == 0) {
        rc = hr_buf_reserve(out, len, err);
    }
    if (rc == 0) {
        hr_sha256(key, strlen(key), secret);
        if (open_gcm(secret, sealed, len, out->ptr + before)) {
            out->len = before + len - NONCE - TAG;
            out->ptr[out->len] = '\0';
        } else {
            rc = hr_fail(err, HR_E_CONFIG,
                         "could not decrypt the config: the key is another one, or the file was "
                         "changed");
        }
        OPENSSL_cleanse(secret, sizeof(secret));
    }
    hr_free(sealed);
    return rc;
}
