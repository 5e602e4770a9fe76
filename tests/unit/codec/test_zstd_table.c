/* tests/unit/codec/test_zstd_table.c - the seek table of seekable zstd, and sources of some of its
 * frames: they begin where they should and are held to what the table says of them. */
#include "support.h"

#include "codec/zstd_table.h"
#include "config/option.h"

enum { FRAMES = 6, TEXT = 1000 };

static struct hr_error err;

/* An object of FRAMES frames of TEXT bytes each, "aaa…bbb…", with its table. */
struct object {
    struct hr_buf bytes;
    uint32_t packed[FRAMES];
    size_t table;
};

static void le32(struct hr_buf *buf, uint32_t v) {
    const uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    assert_int_equal(hr_buf_append(buf, b, 4, &err), 0);
}

static void put_table(struct hr_buf *buf, const uint32_t *packed, const uint32_t *plain,
                      uint32_t count, bool wide) {
    le32(buf, 0x184d2a5e);
    le32(buf, count * (wide ? 12u : 8u) + 9);
    for (uint32_t i = 0; i < count; i++) {
        le32(buf, packed[i]);
        le32(buf, plain[i]);
        if (wide) {
            le32(buf, 7);
        }
    }
    le32(buf, count);
    const uint8_t descriptor = wide ? 0x80 : 0;
    assert_int_equal(hr_buf_append(buf, &descriptor, 1, &err), 0);
    le32(buf, 0x8f92eab1);
}

static void make(struct object *o, const uint32_t *plain) {
    hr_buf_init(&o->bytes, 0);
    for (int i = 0; i < FRAMES; i++) {
        char text[TEXT];
        memset(text, 'a' + i, sizeof(text));
        const size_t before = o->bytes.len;
        assert_rc(hr_codec_encode(hr_codec_by_name("zstd", 4), 1, hr_slice_of(text, TEXT),
                                  &o->bytes, &err),
                  0, &err);
        o->packed[i] = (uint32_t)(o->bytes.len - before);
    }
    o->table = o->bytes.len;
    put_table(&o->bytes, o->packed, plain, FRAMES, false);
}

static const uint32_t honest[FRAMES] = {TEXT, TEXT, TEXT, TEXT, TEXT, TEXT};

static bool open_table(const struct object *o, struct hr_zstd_table *out) {
    return hr_zstd_table_open(hr_slice_of(o->bytes.ptr + o->table, o->bytes.len - o->table),
                              (int64_t)o->bytes.len, out);
}

static void test_runs(void **state) {
    (void)state;
    struct object o;
    struct hr_zstd_table table;
    struct hr_codec_frames run;
    make(&o, honest);
    assert_int_equal(hr_zstd_table_len(o.bytes.ptr + o.bytes.len - HR_ZSTD_TABLE_FOOT),
                     o.bytes.len - o.table);
    assert_true(open_table(&o, &table));
    assert_int_equal(table.text, FRAMES * TEXT);
    assert_int_equal(table.stored, o.table);
    const int want[] = {2, 2, 2};
    for (int i = 0; i < 3; i++) {
        assert_true(hr_zstd_table_run(&table, 2 * TEXT + 999, &run));
        assert_int_equal(run.count, want[i]);
        assert_int_equal(run.text_begin, i * 2 * TEXT);
        assert_int_equal(run.text_end, (i + 1) * 2 * TEXT);
        assert_int_equal(run.stop, o.table);
    }
    assert_int_equal(run.end, o.table);
    assert_false(hr_zstd_table_run(&table, TEXT, &run));
    assert_true(open_table(&o, &table));
    assert_true(hr_zstd_table_run(&table, 1, &run)); /* a frame over the size is alone */
    assert_int_equal(run.count, 1);
    hr_buf_release(&o.bytes);
}

static void test_short_texts_join(void **state) {
    (void)state;
    static const uint32_t packed[] = {9, 9, 9, 9, 9, 9};
    static const uint32_t plain[] = {0, 1, 5, 5, 1, 0};
    struct hr_zstd_table table;
    struct hr_codec_frames run;
    struct hr_buf buf;
    hr_buf_init(&buf, 0);
    put_table(&buf, packed, plain, FRAMES, true);
    assert_true(hr_zstd_table_open(hr_buf_slice(&buf), (int64_t)buf.len + 54, &table));
    assert_true(hr_zstd_table_run(&table, 3, &run));
    assert_int_equal(run.count, 3); /* nothing and one byte are no run */
    assert_true(hr_zstd_table_run(&table, 3, &run));
    assert_int_equal(run.count, 3); /* nor is what would be left */
    assert_int_equal(run.text_end, 12);
    assert_false(hr_zstd_table_run(&table, 3, &run));
    hr_buf_release(&buf);
}

static void test_refused(void **state) {
    (void)state;
    struct object o;
    struct hr_zstd_table table;
    make(&o, honest);
    const struct hr_slice at = {o.bytes.ptr + o.table, o.bytes.len - o.table};
    assert_false(hr_zstd_table_open(at, (int64_t)o.bytes.len + 1, &table)); /* more in front */
    assert_false(hr_zstd_table_open(at, (int64_t)o.bytes.len - 1, &table));
    assert_false(hr_zstd_table_open(at, (int64_t)at.len - 1, &table));
    assert_false(hr_zstd_table_open(hr_slice_of(at.ptr, 16), (int64_t)o.bytes.len, &table));
    const size_t places[] = {0, 4, at.len - 9, at.len - 5, at.len - 1};
    for (size_t i = 0; i < HR_COUNTOF(places); i++) {
        o.bytes.ptr[o.table + places[i]] ^= 4;
        assert_false(open_table(&o, &table));
        o.bytes.ptr[o.table + places[i]] ^= 4;
    }
    assert_true(open_table(&o, &table));
    const uint8_t many[HR_ZSTD_TABLE_FOOT] = {1, 0, 0x40, 0, 0, 0xb1, 0xea, 0x92, 0x8f};
    assert_int_equal(hr_zstd_table_len(many), 0); /* one more than 4 Mi */
    hr_buf_release(&o.bytes);
}

/* Reads the run of frames number `nth` (of `each` bytes of text) from text byte `at` on. */
static int read_run(const struct object *o, int nth, int64_t each, int64_t at, struct hr_buf *out,
                    int *settled) {
    struct hr_zstd_table table;
    struct hr_codec_frames run = {0};
    struct hr_source *src = NULL;
    assert_true(open_table(o, &table));
    for (int i = 0; i <= nth; i++) {
        assert_true(hr_zstd_table_run(&table, each, &run));
    }
    hr_buf_init(out, 0);
    struct hr_source *inner =
        hr_source_mem("x.csv.zst", o->bytes.ptr + run.begin, (size_t)(run.stop - run.begin), 7);
    if (inner == NULL) {
        return HR_E_NOMEM;
    }
    int rc = hr_codec_frames_source(hr_codec_by_name("zstd", 4), inner, NULL, &run, at, &src, &err);
    if (rc != 0) {
        hr_source_close(inner);
        return rc;
    }
    if (settled == NULL) {
        rc = hr_source_slurp(src, out, &err);
    } else {
        *settled = hr_codec_frames_settle(src, &err);
    }
    hr_source_close(src);
    return rc;
}

static void test_frames_source(void **state) {
    (void)state;
    struct object o;
    struct hr_buf out;
    int settled = -1;
    make(&o, honest);
    assert_rc(read_run(&o, 1, 2 * TEXT, 2 * TEXT, &out, NULL), 0, &err);
    assert_int_equal(out.len, 4 * TEXT); /* and what follows the frames */
    assert_int_equal(out.ptr[0], 'c');
    hr_buf_release(&out);
    assert_rc(read_run(&o, 1, 2 * TEXT, 3 * TEXT - 1, &out, NULL), 0, &err);
    assert_int_equal(out.len, 3 * TEXT + 1);
    assert_memory_equal(out.ptr, "cd", 2);
    hr_buf_release(&out);
    assert_rc(read_run(&o, 1, 2 * TEXT, 2 * TEXT, &out, &settled), 0, &err);
    assert_int_equal(settled, 0);
    hr_buf_release(&out);
    struct hr_codec_frames run = {.count = 1};
    struct hr_source *src = NULL;
    struct hr_source *inner = hr_source_mem("x", "x", 1, 1);
    assert_int_equal(
        hr_codec_frames_source(hr_codec_by_name("gzip", 4), inner, NULL, &run, 0, &src, &err),
        HR_E_UNSUPPORTED);
    hr_source_close(inner);
    hr_buf_release(&o.bytes);
}

static void test_lies(void **state) {
    (void)state;
    static const uint32_t lies[][FRAMES] = {
        {TEXT, TEXT, TEXT + 1, TEXT - 1, TEXT, TEXT}, /* the same in all */
        {TEXT, TEXT, TEXT, TEXT + 1, TEXT, TEXT},
        {TEXT, TEXT, TEXT, TEXT - 1, TEXT, TEXT},
        {TEXT, TEXT, 0, 0, TEXT * 2, TEXT * 2},
    };
    for (size_t i = 0; i < HR_COUNTOF(lies); i++) {
        struct object o;
        struct hr_buf out;
        int settled = 0;
        make(&o, lies[i]);
        assert_int_equal(read_run(&o, 1, 2 * TEXT + 1, 2 * TEXT, &out, NULL), HR_E_CORRUPT);
        assert_non_null(strstr(err.message, "x.csv.zst"));
        assert_non_null(strstr(err.message, "the seek table lists zstd frames of other sizes"));
        hr_buf_release(&out);
        assert_rc(read_run(&o, 1, 2 * TEXT + 1, 2 * TEXT, &out, &settled), 0, &err);
        assert_int_equal(settled, HR_E_CORRUPT);
        hr_buf_release(&o.bytes);
    }
}

static void test_cut_frames(void **state) {
    (void)state;
    struct object o;
    struct hr_buf out;
    make(&o, honest);
    /* stored bytes moved from one frame to the next: the second run begins inside a frame */
    o.bytes.ptr[o.table + 8 + 8] += 3;
    o.bytes.ptr[o.table + 8 + 16] -= 3;
    assert_int_equal(read_run(&o, 0, 2 * TEXT, 0, &out, NULL), HR_E_CORRUPT);
    hr_buf_release(&out);
    assert_int_equal(read_run(&o, 1, 2 * TEXT, 2 * TEXT, &out, NULL), HR_E_CORRUPT);
    hr_buf_release(&out);
    hr_buf_release(&o.bytes);
}

static void test_no_memory(void **state) {
    (void)state;
    struct object o;
    struct hr_buf out;
    make(&o, honest);
    bool reached = true;
    for (uint64_t nth = 1; reached; nth++) {
        const int64_t live = hr_mem_live();
        hr_mem_fail_at(nth, 0);
        const int rc = read_run(&o, 1, 2 * TEXT, 2 * TEXT, &out, NULL);
        reached = hr_mem_count() >= nth;
        hr_mem_fail_at(0, 0);
        assert_true(rc == (reached ? HR_E_NOMEM : 0));
        hr_buf_release(&out);
        assert_int_equal(hr_mem_live(), live);
    }
    hr_buf_release(&o.bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),      cmocka_unit_test(test_short_texts_join),
        cmocka_unit_test(test_refused),   cmocka_unit_test(test_frames_source),
        cmocka_unit_test(test_lies),      cmocka_unit_test(test_cut_frames),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
