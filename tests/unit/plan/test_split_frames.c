/* tests/unit/plan/test_split_frames.c - text in seekable zstd becomes pieces of whole frames, when
 * its table is right and the object large enough to look for one. */
#include "base/mem.h"
#include "codec/zstd_table.h"
#include "plan/split.h"
#include "plan/task.h"
#include "store/mem/mem_store.h"
#include "support.h"

enum { FRAMES = 10, TASK = 5000 };

static struct hr_settings s;
static struct hr_error err;
static struct hr_store *store;
static struct hr_object object;
static struct hr_buf bytes;
static int64_t text, stored;

static int setup(void **state) {
    (void)state;
    struct hr_store_conf conf = {.scheme = "mem", .bucket = "frames"};
    hr_error_clear(&err);
    assert_rc(hr_store_open(&conf, &store, &err), 0, &err);
    assert_rc(hr_settings_init(&s, &err), 0, &err);
    assert_rc(hr_settings_set_text(&s, "uri", "mem:frames/", &err), 0, &err);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hr_settings_release(&s);
    hr_store_close(store);
    hr_mem_store_drop("frames");
    hr_codec_thread_release();
    return 0;
}

static void le32(struct hr_buf *buf, uint32_t v) {
    const uint8_t b[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    assert_int_equal(hr_buf_append(buf, b, 4, &err), 0);
}

/* data/x.csv.zst: FRAMES frames of some 2 KB of CSV. `count` is what its foot says. */
static void put_object(uint32_t count) {
    struct hr_buf entries;
    uint32_t noise = 1;
    char etag[80];
    const struct hr_put_opts opts = {0};
    hr_buf_init(&bytes, 0);
    hr_buf_init(&entries, 0);
    text = 0;
    for (int f = 0; f < FRAMES; f++) {
        struct hr_buf rows;
        const size_t before = bytes.len;
        hr_buf_init(&rows, 0);
        hr_buf_printf(&rows, NULL, "%s", f == 0 ? "first,two\n" : "");
        for (int i = 0; i < 150; i++) {
            noise = noise * 1664525 + 1013904223;
            hr_buf_printf(&rows, NULL, "%d,%u\n", f * 150 + i, noise);
        }
        assert_rc(
            hr_codec_encode(hr_codec_by_name("zstd", 4), 1, hr_buf_slice(&rows), &bytes, &err), 0,
            &err);
        le32(&entries, (uint32_t)(bytes.len - before));
        le32(&entries, (uint32_t)rows.len);
        text += (int64_t)rows.len;
        hr_buf_release(&rows);
    }
    stored = (int64_t)bytes.len;
    le32(&bytes, 0x184d2a5e);
    le32(&bytes, (uint32_t)entries.len + 9);
    assert_int_equal(hr_buf_append(&bytes, entries.ptr, entries.len, &err), 0);
    le32(&bytes, count);
    assert_int_equal(hr_buf_append(&bytes, "", 1, &err), 0);
    le32(&bytes, 0x8f92eab1);
    assert_rc(store->driver->put(store, "x.csv.zst", hr_buf_slice(&bytes), &opts, etag, &err), 0,
              &err);
    object = (struct hr_object){.key = "x.csv.zst",
                                .key_len = 9,
                                .info.size = (int64_t)bytes.len,
                                .format = hr_format_by_name("csv", 3),
                                .codec = hr_codec_by_name("zstd", 4),
                                .codec_auto = true};
    memcpy(object.info.etag, etag, sizeof etag);
    hr_buf_release(&entries);
    hr_buf_release(&bytes);
}

static void expect_whole(int64_t task_bytes, uint64_t reads_wanted) {
    struct hr_pieces pieces;
    uint64_t reads = 0;
    assert_rc(hr_split_object(store, &s, &object, 3, task_bytes, &pieces, &reads, &err), 0, &err);
    assert_int_equal(pieces.count, 1);
    assert_int_equal(pieces.items[0].frames.count, 0);
    assert_int_equal(pieces.items[0].end, -1);
    assert_int_equal(reads, reads_wanted);
    hr_pieces_release(&pieces);
}

static void test_pieces(void **state) {
    (void)state;
    struct hr_pieces pieces;
    uint64_t reads = 0;
    put_object(FRAMES);
    assert_true(hr_split_wanted(object.codec, object.info.size, TASK));
    assert_rc(hr_split_object(store, &s, &object, 3, TASK, &pieces, &reads, &err), 0, &err);
    assert_int_equal(reads, 2);
    assert_true(pieces.count >= 3);
    int64_t at = 0;
    int64_t text_at = 0;
    int64_t sum = 0;
    for (size_t i = 0; i < pieces.count; i++) {
        const struct hr_piece *p = &pieces.items[i];
        assert_int_equal(p->frames.begin, at);
        assert_int_equal(p->frames.text_begin, text_at);
        assert_int_equal(p->frames.stop, stored);
        assert_true(p->frames.text_end - p->frames.text_begin <= TASK);
        assert_int_equal(p->begin, i == 0 ? 0 : text_at + 1);
        assert_int_equal(p->end, i + 1 == pieces.count ? text : p->frames.text_end + 1);
        assert_int_equal(p->first, i == 0);
        assert_int_equal(p->last, i + 1 == pieces.count);
        assert_int_equal(p->size, object.info.size);
        if (i > 0) {
            assert_string_equal(p->header->items[1], "two");
        }
        sum += hr_piece_stored(p);
        at = p->frames.end;
        text_at = p->frames.text_end;
    }
    assert_int_equal(at, stored);
    assert_int_equal(text_at, text);
    assert_int_equal(sum, object.info.size);
    hr_pieces_release(&pieces);
}

static void test_whole(void **state) {
    (void)state;
    put_object(FRAMES);
    expect_whole(text, 1);    /* inflated, it is one task */
    expect_whole(1000000, 0); /* not worth a look */
    assert_rc(hr_settings_set_text(&s, "metadata_columns", "_line", &err), 0, &err);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    expect_whole(TASK, 2);
    assert_rc(hr_settings_set_text(&s, "metadata_columns", "", &err), 0, &err);
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    put_object(FRAMES + 1); /* no table */
    expect_whole(TASK, 1);
    put_object(FRAMES);
    object.codec = hr_codec_by_name("gzip", 4);
    expect_whole(TASK, 0);
    object.codec = hr_codec_by_name("zstd", 4);
    object.key = "gone.csv.zst";
    expect_whole(TASK, 1);
}

static void test_json(void **state) {
    (void)state;
    struct hr_pieces pieces;
    struct hr_task *task = NULL;
    struct hr_task *back = NULL;
    json_t *json = NULL;
    uint64_t reads = 0;
    put_object(FRAMES);
    assert_rc(hr_split_object(store, &s, &object, 0, TASK, &pieces, &reads, &err), 0, &err);
    assert_rc(hr_task_new(&task, &err), 0, &err);
    assert_rc(hr_task_add(task, &pieces.items[pieces.count - 1], &err), 0, &err);
    assert_rc(hr_task_to_json(task, &json, &err), 0, &err);
    assert_rc(hr_task_from_json(json, &back, &err), 0, &err);
    assert_memory_equal(&back->pieces[0].frames, &task->pieces[0].frames,
                        sizeof task->pieces[0].frames);
    assert_true(back->pieces[0].end > back->pieces[0].size); /* it is text that is counted */
    hr_task_free(back);
    json_t *frames = json_object_get(json_array_get(json_object_get(json, "pieces"), 0), "frames");
    const char *const names[] = {"count", "begin", "end", "stop", "text_begin", "text_end"};
    for (size_t i = 0; i < HR_COUNTOF(names); i++) {
        json_t *was = json_deep_copy(json_object_get(frames, names[i]));
        json_object_set_new(frames, names[i], json_integer(-1));
        assert_int_equal(hr_task_from_json(json, &back, &err), HR_E_CONFIG);
        json_object_set_new(frames, names[i], was);
    }
    json_object_set_new(frames, "stop", json_integer(object.info.size + 1));
    assert_int_equal(hr_task_from_json(json, &back, &err), HR_E_CONFIG);
    json_decref(json);
    hr_task_free(task);
    hr_pieces_release(&pieces);
}

static void test_no_memory(void **state) {
    (void)state;
    put_object(FRAMES);
    bool reached = true;
    for (uint64_t nth = 1; reached; nth++) {
        struct hr_pieces pieces;
        uint64_t reads = 0;
        const int64_t live = hr_mem_live();
        hr_mem_fail_at(nth, 0);
        const int rc = hr_split_object(store, &s, &object, 0, TASK, &pieces, &reads, &err);
        reached = hr_mem_count() >= nth;
        hr_mem_fail_at(0, 0);
        assert_true(rc == 0 || (reached && rc == HR_E_NOMEM));
        hr_pieces_release(&pieces);
        assert_int_equal(hr_mem_live(), live);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
