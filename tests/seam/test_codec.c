/* tests/seam/test_codec.c - the suite every codec of the table passes: round trip at every split of
 * input and output, tiny buffers, truncation at every byte, trailing junk, concatenation, bit
 * flips, blocks, bombs, and the failure of every allocation. */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>

#include "codec/codec.h"

/* ---- what a format cannot do ---- */

static bool is(const struct hr_codec *codec, const char *name) {
    return strcmp(codec->name, name) == 0;
}

/* A bare lz4 block does not say where it ends; Hadoop's records and snappy's chunks may end
 * anywhere. */
static bool tells_its_end(const struct hr_codec *codec) {
    return !is(codec, "lz4-raw") && !is(codec, "lz4-hadoop") && !is(codec, "snappy-hadoop") &&
           !is(codec, "snappy");
}

static bool has_checksum(const struct hr_codec *codec) {
    return is(codec, "gzip") || is(codec, "zlib") || is(codec, "bzip2") || is(codec, "zstd") ||
           is(codec, "lz4") || is(codec, "snappy");
}

/* ---- samples ---- */

enum { SAMPLES = 6 };

static struct hr_buf sample(int which) {
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    uint64_t seed = 7;
    static const char *const words[] = {"ship", "rail", "air", "truck", "1996-03-13",       "17",
                                        ",",    "\n",   "|",   "0.04",  "deliver in person"};
    size_t want = which == 0   ? 0
                  : which == 1 ? 1
                  : which == 2 ? 300
                  : which == 3 ? 700
                  : which == 4 ? 5000
                               : 300000;
    while (buf.len < want) {
        if (which == 3) {
            assert_int_equal(hr_buf_append_byte(&buf, (uint8_t)test_rand(&seed), NULL), 0);
        } else if (which == 4) {
            assert_int_equal(hr_buf_append_byte(&buf, 'z', NULL), 0);
        } else {
            const char *word = words[test_rand(&seed) % (sizeof(words) / sizeof(words[0]))];
            assert_int_equal(hr_buf_append_str(&buf, word, NULL), 0);
        }
    }
    buf.len = want;
    return buf;
}

/* Encode by stream, feeding `in_cut` bytes and offering `out_cut` bytes at a time (0: all). */
static void encode_cut(const struct hr_codec *codec, struct hr_slice in, size_t in_cut,
                       size_t out_cut, struct hr_buf *out) {
    struct hr_error err;
    void *ctx = NULL;
    assert_rc(codec->encode_begin(&ctx, 0, &err), 0, &err);
    size_t fed = 0;
    struct hr_codec_io io = {.in = in.ptr};
    int rc = 0;
    while (rc == 0) {
        if (io.in_len == 0 && fed < in.len) {
            size_t n = in_cut != 0 && in_cut < in.len - fed ? in_cut : in.len - fed;
            io.in_len = n;
            fed += n;
        }
        size_t room = out_cut != 0 ? out_cut : 65536;
        assert_int_equal(hr_buf_reserve(out, room, NULL), 0);
        io.out = out->ptr + out->len;
        io.out_len = room;
        rc = codec->encode_step(ctx, &io, fed == in.len, &err);
        out->len += room - io.out_len;
    }
    codec->encode_end(ctx);
    assert_rc(rc, HR_END, &err);
}

static struct hr_buf encoded(const struct hr_codec *codec, struct hr_slice in) {
    struct hr_buf out;
    struct hr_error err;
    hr_buf_init(&out, 0);
    assert_rc(hr_codec_encode(codec, 0, in, &out, &err), 0, &err);
    return out;
}

/* Decode with input pieces of in_cut (0: all; negative: one cut after -in_cut bytes) and output
 * pieces of out_cut. Every piece is copied to memory of exactly its size and the pad. */
static int decode_cut(const struct hr_codec *codec, struct hr_slice in, int64_t in_cut,
                      size_t out_cut, struct hr_buf *out, struct hr_error *err) {
    void *ctx = NULL;
    int rc = codec->decode_begin(&ctx, err);
    if (rc != 0) {
        return rc;
    }
    size_t fed = 0;
    uint8_t *piece = NULL;
    uint8_t *room = malloc(out_cut != 0 ? out_cut : 65536);
    struct hr_codec_io io = {.in_len = 0};
    while (rc == 0) {
        if (io.in_len == 0) {
            size_t n = in.len - fed;
            if (in_cut > 0 && (size_t)in_cut < n) {
                n = (size_t)in_cut;
            } else if (in_cut < 0 && fed == 0 && (size_t)-in_cut < n) {
                n = (size_t)-in_cut;
            }
            free(piece);
            piece = malloc(n + HR_PAD);
            if (n > 0) {
                memcpy(piece, in.ptr + fed, n);
            }
            memset(piece + n, 0xa5, HR_PAD);
            io.in = piece;
            io.in_len = n;
            fed += n;
        }
        io.out = room;
        io.out_len = out_cut != 0 ? out_cut : 65536;
        size_t before_in = io.in_len;
        size_t before = io.out_len;
        rc = codec->decode_step(ctx, &io, fed == in.len, err);
        size_t made = before - io.out_len;
        if (rc >= 0) {
            assert_int_equal(hr_buf_append(out, room, made, NULL), 0);
        }
        if (rc == 0 && made == 0 && before_in == io.in_len) {
            assert_int_equal(io.in_len, 0); /* nothing moved: it can only want input */
            assert_true(fed < in.len);
        }
    }
    free(piece);
    free(room);
    codec->decode_end(ctx);
    return rc;
}

static void check_decode(const struct hr_codec *codec, struct hr_slice packed, struct hr_slice want,
                         int64_t in_cut, size_t out_cut) {
    struct hr_buf got;
    struct hr_error err;
    hr_buf_init(&got, 0);
    int rc = decode_cut(codec, packed, in_cut, out_cut, &got, &err);
    if (rc != HR_END) {
        fprintf(stderr, "%s, %zu bytes, cuts %lld/%zu\n", codec->name, want.len, (long long)in_cut,
                out_cut);
    }
    assert_rc(rc, HR_END, &err);
    assert_int_equal(got.len, want.len);
    assert_true(hr_slice_eq(hr_buf_slice(&got), want));
    hr_buf_release(&got);
}

static void each_codec(void (*fn)(const struct hr_codec *codec)) {
    size_t count = 0;
    size_t used = 0;
    const struct hr_codec *const *all = hr_codec_all(&count);
    for (size_t i = 0; i < count; i++) {
        if (all[i]->missing == NULL) {
            fn(all[i]);
            used++;
        }
    }
    assert_true(used >= 12);
}

/* ---- the tests ---- */

static void split_points(const struct hr_codec *codec) {
    for (int which = 0; which < SAMPLES; which++) {
        struct hr_buf text = sample(which);
        struct hr_buf packed = encoded(codec, hr_buf_slice(&text));
        struct hr_slice p = hr_buf_slice(&packed);
        struct hr_slice t = hr_buf_slice(&text);
        check_decode(codec, p, t, 0, 0);
        if (which == SAMPLES - 1) {
            check_decode(codec, p, t, 4093, 0);
            check_decode(codec, p, t, 0, 4099);
            check_decode(codec, p, t, 997, 1009);
        } else {
            check_decode(codec, p, t, 1, 1);
            check_decode(codec, p, t, 1, 0);
            check_decode(codec, p, t, 0, 1);
            check_decode(codec, p, t, 3, 2);
            for (size_t cut = 1; cut < p.len; cut++) {
                check_decode(codec, p, t, -(int64_t)cut, which == 2 ? cut : 0);
            }
        }
        hr_buf_release(&packed);
        hr_buf_release(&text);
    }
}

static void encode_is_deterministic(const struct hr_codec *codec) {
    if (codec->encode_begin == NULL) {
        return;
    }
    static const size_t cuts[][2] = {{1, 1}, {1, 0}, {0, 1}, {7, 3}, {65536, 0}};
    for (int which = 0; which < SAMPLES; which++) {
        struct hr_buf text = sample(which);
        struct hr_buf want;
        hr_buf_init(&want, 0);
        encode_cut(codec, hr_buf_slice(&text), 0, 0, &want);
        for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
            if (which == SAMPLES - 1 && cuts[i][0] < 4096 && cuts[i][0] != 7) {
                continue;
            }
            struct hr_buf got;
            hr_buf_init(&got, 0);
            encode_cut(codec, hr_buf_slice(&text), cuts[i][0], cuts[i][1], &got);
            assert_true(hr_slice_eq(hr_buf_slice(&got), hr_buf_slice(&want)));
            hr_buf_release(&got);
        }
        check_decode(codec, hr_buf_slice(&want), hr_buf_slice(&text), 0, 0);
        hr_buf_release(&want);
        hr_buf_release(&text);
    }
}

static void truncation(const struct hr_codec *codec) {
    for (int which = 0; which < SAMPLES - 1; which++) {
        struct hr_buf text = sample(which);
        struct hr_buf packed = encoded(codec, hr_buf_slice(&text));
        for (size_t len = 0; len < packed.len; len++) {
            struct hr_buf got;
            struct hr_error err;
            hr_buf_init(&got, 0);
            int rc = decode_cut(codec, hr_slice_of(packed.ptr, len), 0, 0, &got, &err);
            if (tells_its_end(codec) || len == 0) {
                if (rc != HR_E_CORRUPT) {
                    fprintf(stderr, "%s cut at %zu of %zu\n", codec->name, len, packed.len);
                }
                assert_int_equal(rc, HR_E_CORRUPT);
                assert_true(err.message[0] != '\0');
            } else if (rc == HR_END) { /* whole records alone */
                assert_true(got.len <= text.len);
                assert_true(got.len == 0 || memcmp(got.ptr, text.ptr, got.len) == 0);
            }
            hr_buf_release(&got);
        }
        hr_buf_release(&packed);
        hr_buf_release(&text);
    }
}

static void trailing_junk(const struct hr_codec *codec) {
    static const char *const junk[] = {"\x01", "junk behind the end", "\xff\xff\xff\xff\xff"};
    struct hr_buf text = sample(2);
    for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
        struct hr_buf packed = encoded(codec, hr_buf_slice(&text));
        size_t whole = packed.len;
        assert_int_equal(hr_buf_append_str(&packed, junk[i], NULL), 0);
        for (size_t cut = whole - 2; cut < packed.len; cut++) {
            struct hr_buf got;
            struct hr_error err;
            hr_buf_init(&got, 0);
            int rc = decode_cut(codec, hr_buf_slice(&packed), -(int64_t)cut, 0, &got, &err);
            if (rc != HR_E_CORRUPT && !is(codec, "lz4-raw")) {
                fprintf(stderr, "%s junk %zu\n", codec->name, i);
                assert_int_equal(rc, HR_E_CORRUPT);
            }
            hr_buf_release(&got);
        }
        hr_buf_release(&packed);
    }
    hr_buf_release(&text);
}

static void concatenation(const struct hr_codec *codec) {
    struct hr_buf a = sample(2);
    struct hr_buf b = sample(3);
    struct hr_buf both;
    hr_buf_init(&both, 0);
    struct hr_error err;
    assert_rc(hr_codec_encode(codec, 0, hr_buf_slice(&a), &both, &err), 0, &err);
    size_t first = both.len;
    assert_rc(hr_codec_encode(codec, 0, hr_slice_of("", 0), &both, &err), 0, &err);
    assert_rc(hr_codec_encode(codec, 0, hr_buf_slice(&b), &both, &err), 0, &err);
    assert_int_equal(hr_buf_append(&a, b.ptr, b.len, NULL), 0);
    struct hr_slice packed = hr_buf_slice(&both);
    if (codec->flags & HR_CODEC_CONCAT) {
        check_decode(codec, packed, hr_buf_slice(&a), 1, 1);
        for (size_t cut = 1; cut < both.len; cut++) {
            check_decode(codec, packed, hr_buf_slice(&a), -(int64_t)cut, 0);
        }
    } else if (tells_its_end(codec)) {
        struct hr_buf got;
        hr_buf_init(&got, 0);
        assert_int_equal(decode_cut(codec, packed, -(int64_t)first, 0, &got, &err), HR_E_CORRUPT);
        hr_buf_release(&got);
    }
    hr_buf_release(&both);
    hr_buf_release(&a);
    hr_buf_release(&b);
}

/* A flip may be harmless (a file name in a header). The snappy framing lets a reader skip chunks of
 * unknown kinds, and a flipped kind byte becomes one: the only loss no reader can notice. */
static void bit_flips(const struct hr_codec *codec) {
    int refused = 0;
    for (int which = 1; which < SAMPLES - 1; which++) {
        struct hr_buf text = sample(which);
        struct hr_buf packed;
        struct hr_error err;
        hr_buf_init(&packed, 0);
        if (codec->encode_begin != NULL) {
            encode_cut(codec, hr_buf_slice(&text), 0, 0, &packed);
        } else {
            assert_rc(hr_codec_encode(codec, 0, hr_buf_slice(&text), &packed, &err), 0, &err);
        }
        size_t bits = packed.len * 8;
        size_t stride = bits > 4000 ? bits / 4000 : 1;
        for (size_t bit = 0; bit < bits; bit += stride) {
            packed.ptr[bit / 8] = (uint8_t)(packed.ptr[bit / 8] ^ (1u << (bit % 8)));
            struct hr_buf got;
            hr_buf_init(&got, 0);
            int rc = decode_cut(codec, hr_buf_slice(&packed), 0, 0, &got, &err);
            assert_true(rc == HR_END || rc < 0);
            assert_true(rc != HR_E_INTERNAL && rc != HR_E_NOMEM);
            refused += rc < 0;
            bool kind = is(codec, "snappy") && bit / 8 == 10 && bit % 8 == 7;
            if (rc == HR_END && has_checksum(codec) && !kind) {
                assert_true(hr_slice_eq(hr_buf_slice(&got), hr_buf_slice(&text)));
            }
            hr_buf_release(&got);
            packed.ptr[bit / 8] = (uint8_t)(packed.ptr[bit / 8] ^ (1u << (bit % 8)));
        }
        hr_buf_release(&packed);
        hr_buf_release(&text);
    }
    assert_true(refused > 100);
}

static void blocks(const struct hr_codec *codec) {
    assert_true((codec->flags & HR_CODEC_BLOCK) != 0);
    for (int which = 0; which < SAMPLES; which++) {
        struct hr_buf text = sample(which);
        struct hr_slice t = hr_slice_of(text.ptr != NULL ? (const void *)text.ptr : "", text.len);
        size_t bound = codec->bound(t.len);
        for (int level = codec->level_min; level <= codec->level_max;
             level += level < 6 || which == 2 ? 1 : 20) {
            uint8_t *packed = malloc(bound);
            size_t n = 0;
            struct hr_error err;
            assert_rc(codec->encode_block(t, level, packed, &n, &err), 0, &err);
            assert_true(n <= bound);
            packed = realloc(packed, n); /* exactly sized for the sanitizer */
            uint8_t *out = malloc(t.len + HR_PAD);
            memset(out + t.len, 0x5a, HR_PAD);
            size_t made = t.len;
            assert_rc(codec->decode_block(hr_slice_of(packed, n), out, &made, &err), 0, &err);
            assert_int_equal(made, t.len);
            assert_true(t.len == 0 || memcmp(out, t.ptr, t.len) == 0);
            if (t.len > 0) {
                made = t.len - 1;
                assert_int_equal(codec->decode_block(hr_slice_of(packed, n), out, &made, &err),
                                 HR_E_CORRUPT);
            }
            if (which == 2) {
                for (size_t cut = 0; cut < n; cut++) {
                    made = t.len;
                    int rc = codec->decode_block(hr_slice_of(packed, cut), out, &made, &err);
                    assert_true(rc == HR_E_CORRUPT ||
                                (rc == 0 && made < t.len && !tells_its_end(codec)));
                }
            }
            free(out);
            free(packed);
            if (codec->level_max == 0) {
                break;
            }
        }
        hr_buf_release(&text);
    }
}

static void block_of_members(const struct hr_codec *codec) {
    if ((codec->flags & HR_CODEC_CONCAT) == 0) {
        return;
    }
    struct hr_buf a = sample(2);
    struct hr_buf b = sample(4);
    struct hr_buf both;
    struct hr_error err;
    hr_buf_init(&both, 0);
    assert_rc(hr_codec_encode(codec, 0, hr_buf_slice(&a), &both, &err), 0, &err);
    assert_rc(hr_codec_encode(codec, 0, hr_buf_slice(&b), &both, &err), 0, &err);
    assert_int_equal(hr_buf_append(&a, b.ptr, b.len, NULL), 0);
    uint8_t *out = malloc(a.len + HR_PAD);
    size_t made = a.len;
    assert_rc(codec->decode_block(hr_buf_slice(&both), out, &made, &err), 0, &err);
    assert_int_equal(made, a.len);
    assert_memory_equal(out, a.ptr, a.len);
    free(out);
    hr_buf_release(&a);
    hr_buf_release(&b);
    hr_buf_release(&both);
}

/* Inflate through the source. */
static int slurp(const struct hr_codec *codec, struct hr_slice packed,
                 const struct hr_codec_limits *limits, size_t chunk, struct hr_buf *out,
                 struct hr_error *err) {
    struct hr_source *inner = hr_source_mem("data/x.csv", packed.ptr, packed.len, chunk);
    struct hr_source *src = NULL;
    if (inner == NULL) {
        return HR_E_NOMEM;
    }
    int rc = hr_codec_source(codec, inner, limits, &src, err);
    if (rc != 0) {
        hr_source_close(inner);
        return rc;
    }
    rc = hr_source_slurp(src, out, err);
    hr_source_close(src);
    return rc;
}

static void bombs(const struct hr_codec *codec) {
    struct hr_buf zeros;
    hr_buf_init(&zeros, 0);
    size_t len = (size_t)8 << 20;
    assert_int_equal(hr_buf_reserve(&zeros, len, NULL), 0);
    memset(zeros.ptr, 0, len);
    zeros.len = len;
    struct hr_buf packed = encoded(codec, hr_buf_slice(&zeros));
    struct hr_buf out;
    struct hr_error err;
    hr_buf_init(&out, 0);
    const struct hr_codec_limits small = {.output_max = 1 << 20};
    assert_int_equal(slurp(codec, hr_buf_slice(&packed), &small, 100, &out, &err), HR_E_BOUND);
    assert_true(out.len <= (2u << 20));
    hr_buf_clear(&out);
    const struct hr_codec_limits flat = {.ratio = 4, .ratio_after = 1 << 20};
    assert_int_equal(slurp(codec, hr_buf_slice(&packed), &flat, 100, &out, &err), HR_E_BOUND);
    assert_true(out.len <= (2u << 20));
    assert_non_null(strstr(err.message, "data/x.csv"));
    hr_buf_clear(&out);
    assert_rc(slurp(codec, hr_buf_slice(&packed), NULL, 0, &out, &err), 0, &err);
    assert_int_equal(out.len, len);
    hr_buf_release(&out);
    hr_buf_release(&packed);
    hr_buf_release(&zeros);
}

/* Fail every allocation in turn; what a library allocates by itself without a hook cannot fail
 * here. */
static void failing_memory(const struct hr_codec *codec) {
    struct hr_buf text = sample(5);
    int failed = 0;
    int64_t live = hr_mem_live();
    for (uint64_t nth = 1;; nth++) {
        struct hr_buf packed, out;
        struct hr_error err;
        hr_buf_init(&packed, 0);
        hr_buf_init(&out, 0);
        hr_mem_fail_at(nth, 0);
        int rc = hr_codec_encode(codec, 0, hr_buf_slice(&text), &packed, &err);
        if (rc == 0) {
            rc = slurp(codec, hr_buf_slice(&packed), NULL, 1000, &out, &err);
        }
        bool over = hr_mem_count() < nth;
        hr_mem_fail_at(0, 0);
        if (rc == 0) {
            assert_true(hr_slice_eq(hr_buf_slice(&out), hr_buf_slice(&text)));
        } else {
            assert_rc(rc, HR_E_NOMEM, &err);
            failed++;
        }
        hr_buf_release(&packed);
        hr_buf_release(&out);
        assert_int_equal(hr_mem_live(), live);
        if (over) {
            assert_int_equal(rc, 0);
            break;
        }
    }
    assert_true(failed >= 3);
    hr_buf_release(&text);
}

/* The same for streams written piece by piece, and for blocks whose contexts a thread keeps. Not
 * brotli's streams: its library ends the process when an encoder gets no memory. */
static int stream_and_block(const struct hr_codec *codec, struct hr_slice text, uint8_t *room,
                            struct hr_buf *packed, struct hr_error *err) {
    size_t n = text.len;
    int rc = 0;
    if (codec->encode_begin != NULL && strcmp(codec->name, "brotli") != 0) {
        struct hr_out *plain = hr_out_buf(packed);
        struct hr_out *out = NULL;
        rc = plain ? hr_codec_out(codec, 0, plain, &out, err)
                   : hr_fail(err, HR_E_NOMEM, "could not allocate an out");
        for (size_t at = 0; rc == 0 && at < text.len; at += 700) {
            rc = hr_out_write(out, text.ptr + at, text.len - at < 700 ? text.len - at : 700, err);
        }
        rc = rc == 0 ? hr_codec_out_finish(out, err) : rc;
        hr_out_close(out);
        hr_out_close(plain);
    }
    if (rc == 0 && codec->encode_block != NULL && codec->decode_block != NULL) {
        size_t made = 0;
        uint8_t *block = malloc(codec->bound(text.len) + HR_PAD);
        rc = codec->encode_block(text, 0, block, &made, err);
        rc = rc == 0 ? codec->decode_block(hr_slice_of(block, made), room, &n, err) : rc;
        if (rc == 0) {
            assert_int_equal(n, text.len);
            assert_memory_equal(room, text.ptr, n);
        }
        free(block);
    }
    return rc;
}

static void failing_memory_in_pieces(const struct hr_codec *codec) {
    struct hr_buf text = sample(5);
    uint8_t *room = malloc(text.len + HR_PAD);
    int failed = 0;
    bool over = false;
    hr_codec_thread_release();
    const int64_t live = hr_mem_live();
    for (uint64_t nth = 1; !over; nth++) {
        struct hr_buf packed;
        struct hr_error err;
        hr_buf_init(&packed, 0);
        hr_mem_fail_at(nth, 0);
        const int rc = stream_and_block(codec, hr_buf_slice(&text), room, &packed, &err);
        over = hr_mem_count() < nth;
        hr_mem_fail_at(0, 0);
        assert_rc(rc, rc == 0 ? 0 : HR_E_NOMEM, &err);
        failed += rc != 0;
        hr_buf_release(&packed);
        hr_codec_thread_release(); /* contexts are made anew each time */
        assert_int_equal(hr_mem_live(), live);
    }
    assert_true(failed > 0 || codec->encode_begin == NULL || strcmp(codec->name, "brotli") == 0);
    free(room);
    hr_buf_release(&text);
}

/* The source cuts its slices alike whatever the inner chunks are, and repeats its end. */
static void source_slices(const struct hr_codec *codec) {
    struct hr_buf text = sample(5);
    struct hr_buf packed = encoded(codec, hr_buf_slice(&text));
    for (size_t chunk = 0; chunk < 4000; chunk = chunk * 3 + 1) {
        struct hr_error err;
        struct hr_source *inner = hr_source_mem("k", packed.ptr, packed.len, chunk);
        struct hr_source *src = NULL;
        assert_rc(hr_codec_source(codec, inner, NULL, &src, &err), 0, &err);
        assert_int_equal(src->size, -1);
        assert_false(src->random);
        struct hr_slice slice;
        assert_rc(hr_source_next(src, &slice, &err), 0, &err);
        assert_int_equal(slice.len, 256 << 10);
        assert_memory_equal(slice.ptr, text.ptr, slice.len);
        assert_rc(hr_source_next(src, &slice, &err), 0, &err);
        assert_int_equal(slice.len, text.len - (256 << 10));
        assert_memory_equal(slice.ptr, text.ptr + (256 << 10), slice.len);
        assert_int_equal(hr_source_next(src, &slice, &err), HR_END);
        assert_int_equal(hr_source_next(src, &slice, &err), HR_END);
        hr_source_close(src);
    }
    hr_buf_release(&packed);
    hr_buf_release(&text);
}

/* An out that packs: the same bytes however they are cut, a whole stream after finish alone. */
static void packing_out(const struct hr_codec *codec) {
    struct hr_buf text = sample(5);
    struct hr_buf first;
    struct hr_error err;
    hr_buf_init(&first, 0);
    for (size_t step = 100000; step > 10; step /= 7) {
        struct hr_buf packed;
        struct hr_out *out = NULL;
        hr_buf_init(&packed, 0);
        struct hr_out *dst = hr_out_buf(&packed);
        if (codec->encode_begin == NULL) {
            assert_int_equal(hr_codec_out(codec, 0, dst, &out, &err), HR_E_UNSUPPORTED);
            hr_out_close(dst);
            continue;
        }
        assert_rc(hr_codec_out(codec, 0, dst, &out, &err), 0, &err);
        for (size_t at = 0; at < text.len; at += step) {
            size_t n = text.len - at < step ? text.len - at : step;
            assert_rc(hr_out_write(out, text.ptr + at, n, &err), 0, &err);
        }
        assert_rc(hr_codec_out_finish(out, &err), 0, &err);
        hr_out_close(out);
        hr_out_close(dst);
        check_decode(codec, hr_buf_slice(&packed), hr_buf_slice(&text), 5000, 0);
        if (first.len == 0) {
            assert_int_equal(hr_buf_append(&first, packed.ptr, packed.len, NULL), 0);
        }
        assert_true(hr_slice_eq(hr_buf_slice(&first), hr_buf_slice(&packed)));
        hr_buf_release(&packed);
    }
    hr_buf_release(&first);
    hr_buf_release(&text);
}

#define EACH(name)                                                                                 \
    static void test_##name(void **state) {                                                        \
        (void)state;                                                                               \
        each_codec(name);                                                                          \
    }
EACH(split_points)
EACH(encode_is_deterministic)
EACH(truncation)
EACH(trailing_junk)
EACH(concatenation)
EACH(bit_flips)
EACH(blocks)
EACH(block_of_members)
EACH(bombs)
EACH(failing_memory)
EACH(failing_memory_in_pieces)
EACH(source_slices)
EACH(packing_out)

static int teardown(void **state) {
    (void)state;
    hr_codec_thread_release();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_split_points),
        cmocka_unit_test(test_encode_is_deterministic),
        cmocka_unit_test(test_truncation),
        cmocka_unit_test(test_trailing_junk),
        cmocka_unit_test(test_concatenation),
        cmocka_unit_test(test_bit_flips),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_block_of_members),
        cmocka_unit_test(test_bombs),
        cmocka_unit_test(test_failing_memory),
        cmocka_unit_test(test_failing_memory_in_pieces),
        cmocka_unit_test(test_source_slices),
        cmocka_unit_test(test_packing_out),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
