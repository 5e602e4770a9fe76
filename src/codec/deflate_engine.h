/* codec/deflate_engine.h - the deflate engines under gzip, zlib and deflate-raw: libdeflate for
 * what is whole in memory, ISA-L for streams. Private to those leaves. */
#ifndef HR_CODEC_DEFLATE_ENGINE_H
#define HR_CODEC_DEFLATE_ENGINE_H

#include "codec/leaves.h"

enum hr_deflate_wrap { HR_WRAP_RAW, HR_WRAP_ZLIB, HR_WRAP_GZIP };

int hr_inflate_begin(enum hr_deflate_wrap wrap, void **ctx, struct hr_error *err);
int hr_inflate_step(void *ctx, struct hr_codec_io *io, bool eof, struct hr_error *err);
void hr_inflate_end(void *ctx);

/* One member; *in_used and *out_len say how far it went. */
int hr_inflate_block(enum hr_deflate_wrap wrap, struct hr_slice in, size_t *in_used, uint8_t *out,
                     size_t *out_len, struct hr_error *err);
size_t hr_deflate_bound(enum hr_deflate_wrap wrap, size_t in_len);
int hr_deflate_block(enum hr_deflate_wrap wrap, struct hr_slice in, int level, uint8_t *out,
                     size_t *out_len, struct hr_error *err);

uint32_t hr_adler32(const uint8_t *ptr, size_t len); /* RFC 1950 */

#endif
