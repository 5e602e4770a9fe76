/* format/json/json_render.h - values of columns as JSON text. Level 3, private to this folder. */
#ifndef HR_FORMAT_JSON_RENDER_H
#define HR_FORMAT_JSON_RENDER_H

#include "batch/vec.h"
#include "format/json/json_lex.h"

/* Text being written; ptr has HR_PAD writable bytes behind cap. */
struct hr_j_text {
    uint8_t *ptr; /* hr_big_alloc */
    size_t len, cap;
    size_t first;          /* capacity to begin a new buffer with, 0: small */
    struct hr_j_lex lex;   /* checks JSON text columns before they are embedded */
    struct hr_buf scratch; /* rare values by hr_vec_json */
    /* Copy src to dst up to the first byte that is not plain ASCII JSON text; how many. Copies (and
     * reads) up to 32 bytes more than that. */
    size_t (*copy_plain)(uint8_t *dst, const uint8_t *src, size_t len);
};

int hr_j_text_init(struct hr_j_text *text, struct hr_error *err);
void hr_j_text_release(struct hr_j_text *text);
int hr_j_text_grow(struct hr_j_text *text, size_t extra, struct hr_error *err);
/* Room for `extra` more bytes (more than 0). */
static inline int hr_j_text_room(struct hr_j_text *text, size_t extra, struct hr_error *err) {
    return text->len + extra <= text->cap ? 0 : hr_j_text_grow(text, extra, err);
}
/* A string with its quotes, escaped; HR_PAD bytes behind it can be read, as in a column. */
int hr_j_text_string(struct hr_j_text *text, struct hr_slice s, struct hr_error *err);
/* Value i: what hr_vec_json gives, except that text of JSON columns is embedded only when it is
 * JSON, made compact; otherwise it is written as a string. */
int hr_j_text_value(struct hr_j_text *text, const struct hr_vec *vec, int64_t i,
                    struct hr_error *err);

/* What stands before a value in a record: `{"first":`, `,"second":`. HR_PAD bytes behind it can be
 * read. */
struct hr_j_key {
    const uint8_t *ptr;
    size_t len;
};

/* Row `row` of n > 0 columns: keys and values, without the closing '}'. */
int hr_j_text_row(struct hr_j_text *text, const struct hr_j_key *keys, const struct hr_vec *vecs,
                  int n, int64_t row, struct hr_error *err);

size_t hr_j_copy_plain_scalar(uint8_t *dst, const uint8_t *src, size_t len);
size_t hr_j_copy_plain_avx2(uint8_t *dst, const uint8_t *src, size_t len);

#endif
