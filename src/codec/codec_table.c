/* codec/codec_table.c - the codecs there are: one line each, and the names, suffixes and first
 * bytes by which one is found. Rows with `missing` are known but not built in, so that a user reads
 * why. */
#include "codec/leaves.h"

static bool xz_probe(const uint8_t *head, size_t len) {
    return len >= 6 && memcmp(head,
                              "\xfd"
                              "7zXZ",
                              6) == 0;
}

static bool zip_probe(const uint8_t *head, size_t len) {
    return len >= 4 && head[0] == 'P' && head[1] == 'K' &&
           ((head[2] == 3 && head[3] == 4) || (head[2] == 5 && head[3] == 6));
}

static bool compress_probe(const uint8_t *head, size_t len) {
    return len >= 3 && head[0] == 0x1f && head[1] == 0x9d;
}

static bool lzo_probe(const uint8_t *head, size_t len) {
    return len >= 4 && memcmp(head, "\x89LZO", 4) == 0;
}

static const char *const xz_suffixes[] = {".xz", ".txz", NULL};
static const char *const lzma_suffixes[] = {".lzma", NULL};
static const char *const zip_suffixes[] = {".zip", NULL};
static const char *const compress_suffixes[] = {".z", NULL};
static const char *const lzo_suffixes[] = {".lzo", NULL};

static const struct hr_codec missing_xz = {
    .name = "xz",
    .suffixes = xz_suffixes,
    .probe = xz_probe,
    .missing = "xz is not built in; compress the objects with zstd, gzip or bzip2 instead",
};
static const struct hr_codec missing_lzma = {
    .name = "lzma",
    .suffixes = lzma_suffixes,
    .flags = HR_CODEC_NO_MAGIC,
    .missing = "lzma is not built in; compress the objects with zstd, gzip or bzip2 instead",
};
static const struct hr_codec missing_zip = {
    .name = "zip",
    .suffixes = zip_suffixes,
    .probe = zip_probe,
    .missing = "zip archives hold several files and are not read; unpack them and use gzip or zstd",
};
static const struct hr_codec missing_compress = {
    .name = "compress",
    .suffixes = compress_suffixes,
    .probe = compress_probe,
    .missing = "the .Z format of compress(1) is not built in; use gzip or zstd instead",
};
static const struct hr_codec missing_lzo = {
    .name = "lzo",
    .suffixes = lzo_suffixes,
    .probe = lzo_probe,
    .missing = "lzo is not built in because its library is GPL only; use lz4 or zstd instead",
};

static const struct hr_codec *const table[] = {
    &hr_codec_gzip,    &hr_codec_bzip2,      &hr_codec_zstd,       &hr_codec_lz4,
    &hr_codec_snappy,  &hr_codec_brotli,     &hr_codec_zlib,       &hr_codec_deflate_raw,
    &hr_codec_lz4_raw, &hr_codec_lz4_hadoop, &hr_codec_snappy_raw, &hr_codec_snappy_hadoop,
    &missing_xz,       &missing_lzma,        &missing_zip,         &missing_compress,
    &missing_lzo,
};
enum { TABLE_LEN = sizeof(table) / sizeof(table[0]) };

static const struct {
    const char *alias, *name;
} aliases[] = {
    {"gz", "gzip"},
    {"bz2", "bzip2"},
    {"bz", "bzip2"},
    {"zst", "zstd"},
    {"zstandard", "zstd"},
    {"br", "brotli"},
    {"lz4-frame", "lz4"},
    {"snappy-framed", "snappy"},
    {"snappy-frame", "snappy"},
    {"sz", "snappy"},
    {"z", "compress"},
};

static char fold(char c) {
    if (c >= 'A' && c <= 'Z') {
        return (char)(c - 'A' + 'a');
    }
    return c == '_' ? '-' : c;
}

static bool same(const char *known, const char *text, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (known[i] == '\0' || fold(known[i]) != fold(text[i])) {
            return false;
        }
    }
    return known[len] == '\0';
}

const struct hr_codec *hr_codec_by_name(const char *name, size_t len) {
    for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
        if (same(aliases[i].alias, name, len)) {
            name = aliases[i].name;
            len = strlen(name);
            break;
        }
    }
    for (size_t i = 0; i < TABLE_LEN; i++) {
        if (same(table[i]->name, name, len)) {
            return table[i];
        }
    }
    return NULL;
}

const struct hr_codec *hr_codec_by_key(const char *key, size_t len, size_t *out_suffix_len) {
    size_t dot = len;
    while (dot > 0 && key[dot - 1] != '.' && key[dot - 1] != '/') {
        dot--;
    }
    if (dot == 0 || key[dot - 1] == '/') {
        return NULL;
    }
    dot--;
    for (size_t i = 0; i < TABLE_LEN; i++) {
        for (const char *const *suffix = table[i]->suffixes; *suffix != NULL; suffix++) {
            if (same(*suffix, key + dot, len - dot)) {
                if (out_suffix_len != NULL) {
                    *out_suffix_len = len - dot;
                }
                return table[i];
            }
        }
    }
    return NULL;
}

const struct hr_codec *hr_codec_by_magic(const uint8_t *head, size_t len) {
    for (size_t i = 0; i < TABLE_LEN; i++) {
        if (table[i]->probe != NULL && table[i]->probe(head, len)) {
            return table[i];
        }
    }
    return NULL;
}

const struct hr_codec *const *hr_codec_all(size_t *out_count) {
    *out_count = TABLE_LEN;
    return table;
}
