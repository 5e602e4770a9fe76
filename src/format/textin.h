/* format/textin.h - the text of a source as a sliding window of bytes, whatever its encoding.
 *
 * Seam-level code of format/, shared by csv and text. The window holds UTF-8, or, for encodings of
 * one byte a character that agree with ASCII (latin1, cp1252 …), the bytes as they are with a table
 * to translate single cells: then object offsets stay exact and objects can be split. Every other
 * encoding (UTF-16, UTF-32, Shift-JIS …) is decoded by iconv as the window fills; offsets then
 * count bytes of the decoded text. A byte order mark at the start of the object decides against the
 * option and is dropped.
 */
#ifndef HR_FORMAT_TEXTIN_H
#define HR_FORMAT_TEXTIN_H

#include "base/io.h"

/* Translation of the bytes 0x80..0xff of a one-byte encoding; len 0: not a character. */
struct hr_charset {
    uint8_t len[128];
    uint8_t utf8[128][4];
    bool holes; /* some byte is not a character */
};

struct hr_textin {
    uint8_t *text; /* the window: HR_PAD readable bytes in front, HR_PAD writable ones behind cap */
    size_t len;    /* bytes in it */
    size_t cap;
    int64_t base;               /* offset of text[0] in the object */
    bool eof;                   /* nothing follows text[len] */
    struct hr_charset *charset; /* NULL: the text is UTF-8 (not checked yet) */
    /* the rest is private */
    struct hr_source *src;
    struct hr_slice rest;
    uint8_t *mem;
    size_t max;
    void *cd;        /* iconv_t, NULL none */
    uint8_t cut[32]; /* an incomplete character between two slices */
    size_t cut_len;
    int64_t raw_offset; /* source bytes taken, for messages about encodings */
    bool src_end, flushed;
    const char *encoding;
};

/* `encoding`: iconv name, NULL or "" for UTF-8; lives as long as the window. `base`: object offset
 * of the source's first byte; a byte order mark is looked for only when it is 0. `max`: the window
 * never grows beyond this (0: 256 MiB). On failure nothing is held. HR_E_CONFIG: unknown encoding.
 */
int hr_textin_open(struct hr_textin *in, struct hr_source *src, const char *encoding, int64_t base,
                   size_t max, struct hr_error *err);
void hr_textin_close(struct hr_textin *in); /* not the source; safe on a zeroed struct */

/* Make the window `need` bytes long, or as long as the source allows: then eof is set. The window
 * may move. HR_E_BOUND over max, HR_E_FORMAT where the encoding is broken, source errors. */
int hr_textin_fill(struct hr_textin *in, size_t need, struct hr_error *err);
/* Forget the first n bytes. */
void hr_textin_drop(struct hr_textin *in, size_t n);

/* Append bytes of a one-byte encoding as UTF-8; HR_E_FORMAT at a byte that is no character. */
int hr_charset_append(const struct hr_charset *charset, struct hr_slice text, struct hr_buf *out,
                      struct hr_error *err);
/* False when a byte of text is no character. */
bool hr_charset_valid(const struct hr_charset *charset, struct hr_slice text);

/* Can an object of this encoding be cut by byte ranges? For the planner: UTF-8 and one-byte
 * encodings can, if `head` (the object's first bytes, up to 4) is no UTF-16 or UTF-32 mark. */
bool hr_text_splittable(const char *encoding, const uint8_t *head, size_t len);
/* The same of an object that is open at its begin: a mark that overrules `encoding` is not seen by
 * later splits. */
bool hr_textin_splittable(const struct hr_textin *in, const char *encoding);

#endif
