/* cred/secret.h - text that must not be seen: one type, no print path, wiped when freed. */
#ifndef HR_CRED_SECRET_H
#define HR_CRED_SECRET_H

#include <stdbool.h>

#include "base/mem.h"

struct hr_secret {
    char *text; /* NULL: none. Handed to signing only, never to a message or a log */
};

/* Copies; false: no memory. NULL and "" give no secret. */
static inline bool hr_secret_set(struct hr_secret *secret, const char *text) {
    hr_free_secret(secret->text);
    secret->text = text != NULL && text[0] != '\0' ? hr_strdup(text) : NULL;
    return secret->text != NULL || text == NULL || text[0] == '\0';
}
static inline void hr_secret_release(struct hr_secret *secret) {
    hr_free_secret(secret->text);
    secret->text = NULL;
}

#endif
