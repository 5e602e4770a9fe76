/* cred/sealed.h - configs that are kept encrypted, as Olake's `--encryption-key TEXT` reads them.
 *
 * The file holds one JSON string: base64 of a 12-byte nonce, the text under AES-256-GCM and its
 * 16-byte tag. The key is the SHA-256 of the text on the command line. Level 2.
 */
#ifndef HR_CRED_SEALED_H
#define HR_CRED_SEALED_H

#include "base/slice.h"

/* Appends the plain text to out, which the caller wipes. HR_E_CONFIG: no such form, or another key.
 */
int hr_unseal(const char *key, struct hr_slice base64, struct hr_buf *out, struct hr_error *err);

#endif
