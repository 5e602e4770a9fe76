/* codec/codec_deflate.c - deflate without gzip's members: bare (RFC 1951, Avro's "deflate") and in
 * the zlib wrapper (RFC 1950). Blocks and streams are read, blocks are written; the work is in
 * deflate_engine.c. Nothing may follow the end, but for what a zlib stream cut badly leaves. */
#include "codec/deflate_engine.h"

/* Writers of Avro that make deflate of zlib by cutting off its head leave (some of) its Adler-32
 * behind: fastavro three bytes of it, others all four. */
static bool is_adler(struct hr_slice rest, const uint8_t *out, size_t out_len) {
    uint32_t adler = hr_adler32(out, out_len);
    const uint8_t be[4] = {(uint8_t)(adler >> 24), (uint8_t)(adler >> 16), (uint8_t)(adler >> 8),
                           (uint8_t)adler};
    return rest.len <= sizeof(be) && memcmp(rest.ptr, be, rest.len) == 0;
}

static int whole_block(enum hr_deflate_wrap wrap, struct hr_slice in, uint8_t *out, size_t *out_len,
                       struct hr_error *err) {
    size_t used = 0;
    int rc = hr_inflate_block(wrap, in, &used, out, out_len, err);
    struct hr_slice rest = hr_slice_of(in.ptr + used, in.len - used);
    if (rc == 0 && rest.len > 0 && !(wrap == HR_WRAP_RAW && is_adler(rest, out, *out_len))) {
        rc = hr_codec_fail_junk(err, wrap == HR_WRAP_ZLIB ? "zlib" : "deflate");
    }
    return rc;
}

static int raw_decode_begin(void **ctx, struct hr_error *err) {
    return hr_inflate_begin(HR_WRAP_RAW, ctx, err);
}
static int raw_decode_block(struct hr_slice in, uint8_t *out, size_t *out_len,
                            struct hr_error *err) {
    return whole_block(HR_WRAP_RAW, in, out, out_len, err);
}
static size_t raw_bound(size_t in_len) {
    return hr_deflate_bound(HR_WRAP_RAW, in_len);
}
static int raw_encode_block(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                            struct hr_error *err) {
    level = hr_codec_level(&hr_codec_deflate_raw, level);
    return hr_deflate_block(HR_WRAP_RAW, in, level, out, out_len, err);
}

static int zlib_decode_begin(void **ctx, struct hr_error *err) {
    return hr_inflate_begin(HR_WRAP_ZLIB, ctx, err);
}
static int zlib_decode_block(struct hr_slice in, uint8_t *out, size_t *out_len,
                             struct hr_error *err) {
    return whole_block(HR_WRAP_ZLIB, in, out, out_len, err);
}
static size_t zlib_bound(size_t in_len) {
    return hr_deflate_bound(HR_WRAP_ZLIB, in_len);
}
static int zlib_encode_block(struct hr_slice in, int level, uint8_t *out, size_t *out_len,
                             struct hr_error *err) {
    level = hr_codec_level(&hr_codec_zlib, level);
    return hr_deflate_block(HR_WRAP_ZLIB, in, level, out, out_len, err);
}

static const char *const no_suffixes[] = {NULL};
static const char *const zlib_suffixes[] = {".zz", ".zlib", ".deflate", NULL};

const struct hr_codec hr_codec_deflate_raw = {
    .name = "deflate-raw",
    .suffixes = no_suffixes,
    .flags = HR_CODEC_BLOCK | HR_CODEC_NO_MAGIC,
    .level_min = 1,
    .level_max = 12,
    .level_default = 3,
    .decode_begin = raw_decode_begin,
    .decode_step = hr_inflate_step,
    .decode_end = hr_inflate_end,
    .decode_block = raw_decode_block,
    .bound = raw_bound,
    .encode_block = raw_encode_block,
};

const struct hr_codec hr_codec_zlib = {
    .name = "zlib",
    .suffixes = zlib_suffixes,
    .flags = HR_CODEC_BLOCK | HR_CODEC_NO_MAGIC,
    .level_min = 1,
    .level_max = 12,
    .level_default = 3,
    .decode_begin = zlib_decode_begin,
    .decode_step = hr_inflate_step,
    .decode_end = hr_inflate_end,
    .decode_block = zlib_decode_block,
    .bound = zlib_bound,
    .encode_block = zlib_encode_block,
};
