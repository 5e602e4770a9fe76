/* Files no writer of today makes, and lies: what must be read right, and what must be refused with
 * words that name the place. */
#include "pq_build.h"
#include "pq_canon.h"

/* Read all rows of a hand-made file as text, one line a row; NULL: refused, *err says why. */
static const char *rows_of(struct hr_slice file, const struct hr_format_opts *opts,
                           const struct hr_read_params *params, struct hr_error *err) {
    static struct hr_buf text;
    const struct hr_format_opts no_opts = {0};
    const struct hr_read_params all = {.group_end = -1};
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    struct hr_source *src = hr_source_mem("odd.parquet", file.ptr, file.len, 0);
    hr_buf_release(&text);
    hr_buf_init(&text, 0);
    int rc = hr_format_parquet.open(src, opts != NULL ? opts : &no_opts,
                                    params != NULL ? params : &all, &reader, err);
    while (rc == 0 && (rc = hr_reader_next(reader, &batch, err)) == 0) {
        for (int64_t i = 0; i < batch->len; i++) {
            canon_row(batch, i, &text);
        }
    }
    hr_reader_close(reader);
    hr_source_close(src);
    hr_buf_append_byte(&text, 0, NULL);
    const char *answer = (const char *)text.ptr;
    if (rc != HR_END) {
        answer = NULL;
    }
    return answer;
}

/* The text lives in a static buffer; give it back for the leak check. */
static void forget(struct pb_file *f) {
    hr_buf_release(&f->bytes);
}

static void assert_rows(struct pb_file *f, int64_t num_rows, const char *want) {
    struct hr_error err = {0};
    const char *got = rows_of(pb_finish(f, num_rows), NULL, NULL, &err);
    if (got == NULL) {
        fail_msg("refused: %s", err.message);
    }
    assert_string_equal(got, want);
    forget(f);
}

static void assert_refused(struct pb_file *f, int64_t num_rows, int code, const char *word) {
    struct hr_error err = {0};
    const char *got = rows_of(pb_finish(f, num_rows), NULL, NULL, &err);
    assert_null(got);
    if (err.code != code || strstr(err.message, word) == NULL) {
        fail_msg("code %d, wanted %d with '%s': %s", err.code, code, word, err.message);
    }
    assert_string_equal(err.object, "odd.parquet");
    assert_true(code != HR_E_CORRUPT || err.hint[0] != '\0');
    forget(f);
}

static struct pb_element leaf(const char *name, int type, int repetition) {
    return (struct pb_element){
        .name = name, .type = type, .repetition = repetition, .converted = -1};
}

/* Definition levels as the first writers packed them: most significant bit first, no length. */
static void test_bit_packed_levels(void **state) {
    (void)state;
    struct pb_file f;
    struct {
        uint8_t levels[2];
        int32_t values[6];
    } __attribute__((packed)) page = {{0xb5, 0x80}, {1, 2, 3, 4, 5, 6}}; /* 1011 0101 10 */
    pb_begin(&f);
    f.root_children = 1;
    pb_element(&f, leaf("a", HR_PQ_INT32, HR_PQ_OPTIONAL));
    pb_column(&f, "a", HR_PQ_INT32, 10);
    pb_page(&f, HR_PQ_DATA_PAGE, 10, HR_PQ_PLAIN, HR_PQ_BIT_PACKED, &page, sizeof(page));
    assert_rows(&f, 10, "[1]\n[null]\n[2]\n[3]\n[null]\n[4]\n[null]\n[5]\n[6]\n[null]\n");
}

/* A row of a version 1 file may go on in the next page. */
static void test_row_over_pages(void **state) {
    (void)state;
    struct pb_file f;
    /* length 2: a run of n of one level; repetition 1 bit, definition 1 bit */
    struct {
        uint32_t rep_len;
        uint8_t rep[2];
        uint32_t def_len;
        uint8_t def[2];
        int32_t values[3];
    } __attribute__((packed)) first = {2, {3, 0x06}, 2, {6, 1}, {10, 11, 12}},
                              second = {2, {3, 0x03}, 2, {6, 1}, {13, 14, 15}};
    /* rep of the first page: 0 1 1 (a row), of the second: 1 1 0 (goes on, then a new row) */
    pb_begin(&f);
    f.root_children = 1;
    pb_element(&f, leaf("a", HR_PQ_INT32, HR_PQ_REPEATED));
    pb_column(&f, "a", HR_PQ_INT32, 6);
    pb_page(&f, HR_PQ_DATA_PAGE, 3, HR_PQ_PLAIN, HR_PQ_RLE, &first, sizeof(first));
    pb_page(&f, HR_PQ_DATA_PAGE, 3, HR_PQ_PLAIN, HR_PQ_RLE, &second, sizeof(second));
    assert_rows(&f, 2, "[[10,11,12,13,14]]\n[[15]]\n");
}

struct int96 {
    int64_t nanos;
    int32_t day;
} __attribute__((packed));

static void int96_file(struct pb_file *f, const struct int96 *values, int n) {
    pb_begin(f);
    f->root_children = 1;
    pb_element(f, leaf("at", HR_PQ_INT96, HR_PQ_REQUIRED));
    pb_column(f, "at", HR_PQ_INT96, n);
    pb_page(f, HR_PQ_DATA_PAGE, n, HR_PQ_PLAIN, HR_PQ_RLE, values, sizeof(*values) * (size_t)n);
}

/* Nanoseconds are kept where they fit; where they do not, only Spark is known to have none. */
static void test_int96(void **state) {
    (void)state;
    const struct int96 values[] = {{1, 2440588}, {0, 2440587}, {0, 5373484}}; /* the last: 9999 */
    struct pb_file f;
    int96_file(&f, values, 2);
    assert_rows(&f, 2, "[\"ts:1\"]\n[\"ts:-86400000000000\"]\n");
    int96_file(&f, values, 3);
    assert_refused(&f, 3, HR_E_CORRUPT, "1677");
    const struct hr_format_opts micros = {.parquet = {.int96_unit = 2}};
    const struct hr_format_opts nanos = {.parquet = {.int96_unit = 1}};
    struct hr_error err;
    int96_file(&f, values, 3);
    f.key = "org.apache.spark.version";
    assert_null(rows_of(pb_finish(&f, 3), &nanos, NULL, &err));
    assert_non_null(strstr(err.hint, "parquet_int96_unit"));
    forget(&f);
    int96_file(&f, values, 3);
    assert_non_null(
        strstr(rows_of(pb_finish(&f, 3), &micros, NULL, &err), "ts:253402214400000000000"));
    forget(&f);
    /* the second is the only one that Spark before 2.4.6 wrote */
    const char *const keys[] = {"org.apache.spark.version",
                                "org.apache.spark.sql.parquet.row.metadata"};
    for (size_t i = 0; i < 2; i++) {
        int96_file(&f, values, 3);
        f.key = keys[i];
        assert_rows(&f, 3,
                    "[\"ts:0\"]\n[\"ts:-86400000000000\"]\n[\"ts:253402214400000000000\"]\n");
    }
}

static void test_decimals(void **state) {
    (void)state;
    struct pb_file f;
    const int32_t cents[] = {12345, -1};
    const uint8_t wide[] = {1,    0,    0,    0,    0xff, 18,   0,    0,    0,
                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x9c};
    pb_begin(&f);
    f.root_children = 2;
    pb_element(&f, (struct pb_element){"c", HR_PQ_INT32, 0, 0, HR_PQ_CONV_DECIMAL, 0, 2, 9});
    pb_element(&f, (struct pb_element){"w", HR_PQ_BYTE_ARRAY, 0, 0, HR_PQ_CONV_DECIMAL, 0, 1, 40});
    pb_column(&f, "c", HR_PQ_INT32, 2);
    pb_page(&f, HR_PQ_DATA_PAGE, 2, HR_PQ_PLAIN, HR_PQ_RLE, cents, sizeof(cents));
    pb_column(&f, "w", HR_PQ_BYTE_ARRAY, 2);
    pb_page(&f, HR_PQ_DATA_PAGE, 2, HR_PQ_PLAIN, HR_PQ_RLE, wide, sizeof(wide));
    const struct hr_format_opts as_double = {.parquet = {.decimal_as_double = true}};
    struct hr_error err;
    const char *got = rows_of(pb_finish(&f, 2), &as_double, NULL, &err);
    assert_non_null(got);
    assert_string_equal(got, "[\"f:405edccccccccccd\",\"f:bfb999999999999a\"]\n"
                             "[\"f:bf847ae147ae147b\",\"f:c024000000000000\"]\n");
    const struct hr_slice file = hr_buf_slice(&f.bytes);
    got = rows_of(file, NULL, NULL, &err);
    assert_string_equal(got, "[\"d:123.45\",\"d:-0.1\"]\n[\"d:-0.01\",\"d:-10.0\"]\n");
    forget(&f);
}

/* ---- lies -------------------------------------------------------------------------------------
 */

static void one_column(struct pb_file *f, int64_t num_values, int32_t in_page) {
    const int32_t values[4] = {1, 2, 3, 4};
    pb_begin(f);
    f->root_children = 1;
    pb_element(f, leaf("a", HR_PQ_INT32, HR_PQ_REQUIRED));
    pb_column(f, "a", HR_PQ_INT32, num_values);
    pb_page(f, HR_PQ_DATA_PAGE, in_page, HR_PQ_PLAIN, HR_PQ_RLE, values, sizeof(values));
}

static void test_counts_that_lie(void **state) {
    (void)state;
    struct pb_file f;
    one_column(&f, 4, 4);
    assert_rows(&f, 4, "[1]\n[2]\n[3]\n[4]\n");
    one_column(&f, 5, 4); /* the footer says more than the pages hold */
    assert_refused(&f, 5, HR_E_CORRUPT, "column 'a' of row group 0");
    one_column(&f, 3, 4); /* … less */
    assert_refused(&f, 3, HR_E_CORRUPT, "more values than the footer");
    one_column(&f, 4, 4); /* other rows than values */
    assert_refused(&f, 5, HR_E_CORRUPT, "as many values");
    one_column(&f, 8, 8); /* the page's own header */
    assert_refused(&f, 8, HR_E_CORRUPT, "fewer values than its header");
    one_column(&f, 4, 4); /* a row group got lost, or its list was damaged */
    f.file_rows = 5;
    assert_refused(&f, 4, HR_E_CORRUPT, "fewer rows than the file should have");
    one_column(&f, 4, 4); /* more rows than the file says: they are there */
    f.file_rows = 3;
    assert_rows(&f, 4, "[1]\n[2]\n[3]\n[4]\n");
}

/* Levels and indexes are as wide as is said: a repeated one that is wider is damage. */
static void test_runs_too_wide(void **state) {
    (void)state;
    for (uint8_t level = 0; level < 4; level++) {
        const uint8_t page[] = {2, 0, 0, 0, 2 << 1, level, 7, 0, 0, 0, 8, 0, 0, 0};
        struct pb_file f;
        pb_begin(&f);
        f.root_children = 1;
        pb_element(&f, leaf("a", HR_PQ_INT32, HR_PQ_OPTIONAL));
        pb_column(&f, "a", HR_PQ_INT32, 2);
        pb_page(&f, HR_PQ_DATA_PAGE, 2, HR_PQ_PLAIN, HR_PQ_RLE, page,
                level == 1 ? sizeof(page) : 6);
        if (level <= 1) {
            assert_rows(&f, 2, level == 1 ? "[7]\n[8]\n" : "[null]\n[null]\n");
        } else {
            assert_refused(&f, 2, HR_E_CORRUPT, "column 'a'");
        }
    }
}

static void test_chunks_that_end_early(void **state) {
    (void)state;
    struct pb_file f;
    one_column(&f, 4, 4);
    f.columns[0].size = 20; /* less than the page's header and its 16 bytes */
    assert_refused(&f, 4, HR_E_CORRUPT, "behind its chunk");
    one_column(&f, 4, 4); /* of the one writer that miscounted it is read */
    f.columns[0].size = 20;
    f.created_by = "parquet-mr version 1.2.8";
    assert_rows(&f, 4, "[1]\n[2]\n[3]\n[4]\n");
    one_column(&f, 4, 4);
    f.columns[0].size = 20;
    f.created_by = "parquet-mr version 1.10.99999999999";
    assert_refused(&f, 4, HR_E_CORRUPT, "behind its chunk");
}

static void test_levels_that_contradict(void **state) {
    (void)state;
    for (uint8_t def = 1; def <= 3; def += 2) { /* of [0] and its second element; of both */
        const uint8_t page[] = {2, 0, 0, 0, 3, 2, 2, 0, 0, 0, 3, def, 7, 0, 0, 0, 8, 0, 0, 0};
        struct pb_file f;
        pb_begin(&f);
        f.root_children = 1;
        pb_element(&f, leaf("r", HR_PQ_INT32, HR_PQ_REPEATED));
        pb_column(&f, "r", HR_PQ_INT32, 2);
        pb_page(&f, HR_PQ_DATA_PAGE, 2, HR_PQ_PLAIN, HR_PQ_RLE, page, sizeof(page));
        if (def == 3) {
            assert_rows(&f, 1, "[[7,8]]\n");
        } else {
            assert_refused(&f, 1, HR_E_CORRUPT, "levels contradict");
        }
    }
}

/* A row more than the row group has: some level is wrong, and with it perhaps every row. */
static void test_rows_too_many(void **state) {
    (void)state;
    const uint8_t page[] = {2, 0, 0, 0, 4, 0, 2, 0, 0, 0, 4, 1, 7, 0, 0, 0, 8, 0, 0, 0};
    for (int64_t rows = 1; rows <= 3; rows++) {
        struct pb_file f;
        pb_begin(&f);
        f.root_children = 1;
        pb_element(&f, leaf("r", HR_PQ_INT32, HR_PQ_REPEATED));
        pb_column(&f, "r", HR_PQ_INT32, 2);
        pb_page(&f, HR_PQ_DATA_PAGE, 2, HR_PQ_PLAIN, HR_PQ_RLE, page, sizeof(page));
        if (rows == 2) {
            assert_rows(&f, rows, "[[7]]\n[[8]]\n");
        } else {
            assert_refused(&f, rows, HR_E_CORRUPT, rows == 1 ? "more rows" : "fewer rows");
        }
    }
}

static void test_repeated_lists(void **state) {
    (void)state;
    const int32_t one = 1;
    struct pb_file f;
    pb_begin(&f);
    f.root_children = 1;
    pb_element(&f, (struct pb_element){"l", -1, HR_PQ_REPEATED, 1, HR_PQ_CONV_LIST, 0, 0, 0});
    pb_element(&f, (struct pb_element){"list", -1, HR_PQ_REPEATED, 1, -1, 0, 0, 0});
    pb_element(&f, leaf("element", HR_PQ_INT32, HR_PQ_REQUIRED));
    pb_column(&f, "element", HR_PQ_INT32, 1);
    pb_page(&f, HR_PQ_DATA_PAGE, 1, HR_PQ_PLAIN, HR_PQ_RLE, &one, sizeof(one));
    assert_refused(&f, 1, HR_E_CORRUPT, "is repeated itself");
}

static void test_names_that_are_no_text(void **state) {
    (void)state;
    struct pb_file f;
    one_column(&f, 4, 4);
    f.elements[0].name = "a\xff";
    assert_refused(&f, 4, HR_E_CORRUPT, "its name is no UTF-8 text");
    one_column(&f, 4, 4);
    f.elements[0].name = "a\xff";
    struct hr_slice bytes = pb_finish(&f, 4);
    uint8_t *name = memmem(f.bytes.ptr, bytes.len, "a\xff", 2);
    assert_non_null(name);
    name[1] = '\0'; /* names are C strings here: it would become another name */
    struct hr_error err = {0};
    assert_null(rows_of(bytes, NULL, NULL, &err));
    assert_non_null(strstr(err.message, "its name has a zero byte"));
    forget(&f);
}

static void test_refusals(void **state) {
    (void)state;
    struct pb_file f;
    one_column(&f, 4, 4);
    f.columns[0].codec = HR_PQ_LZO;
    assert_refused(&f, 4, HR_E_UNSUPPORTED, "LZO");
    one_column(&f, 4, 4);
    f.columns[0].codec = 77;
    assert_refused(&f, 4, HR_E_UNSUPPORTED, "77");
    one_column(&f, 4, 4);
    f.columns[0].encrypted = true;
    assert_refused(&f, 4, HR_E_UNSUPPORTED, "encrypted");
    one_column(&f, 4, 4);
    f.columns[0].file_path = "other.parquet";
    assert_refused(&f, 4, HR_E_UNSUPPORTED, "another file");
    one_column(&f, 4, 4);
    f.columns[0].type = HR_PQ_INT64;
    assert_refused(&f, 4, HR_E_CORRUPT, "type");
    one_column(&f, 4, 4);
    f.columns[0].offset = 1 << 30;
    assert_refused(&f, 4, HR_E_CORRUPT, "outside the file");
    one_column(&f, 4, 4);
    f.elements[0].repetition = 3; /* VECTOR, a newer idea */
    assert_refused(&f, 4, HR_E_CORRUPT, "no known kind");
}

static void test_not_parquet(void **state) {
    (void)state;
    struct hr_error err;
    assert_null(rows_of(hr_slice_str("short"), NULL, NULL, &err));
    assert_int_equal(err.code, HR_E_FORMAT);
    assert_null(rows_of(hr_slice_str("a,b,c\n1,2,3\n4,5,6\n"), NULL, NULL, &err));
    assert_int_equal(err.code, HR_E_FORMAT);
    assert_true(err.hint[0] != '\0');
    assert_null(rows_of(hr_slice_of("PAR1xxxx\xff\xff\xff\x7fPAR1", 16), NULL, NULL, &err));
    assert_int_equal(err.code, HR_E_CORRUPT);
    assert_null(rows_of(hr_slice_of("PAREabcd\x04\x00\x00\x00PARE", 16), NULL, NULL, &err));
    assert_int_equal(err.code, HR_E_UNSUPPORTED);
    assert_non_null(strstr(err.message, "encrypted"));
    /* A stream has no end to start from. */
    struct hr_source *src = hr_source_mem("pipe", "PAR1", 4, 0);
    const struct hr_format_opts opts = {0};
    const struct hr_read_params params = {.group_end = -1};
    struct hr_reader *reader;
    src->random = false;
    assert_int_equal(hr_format_parquet.open(src, &opts, &params, &reader, &err), HR_E_UNSUPPORTED);
    hr_source_close(src);
}

static void text_file(struct pb_file *f, const void *page, size_t len, int32_t n) {
    pb_begin(f);
    f->root_children = 1;
    pb_element(f, (struct pb_element){"t", HR_PQ_BYTE_ARRAY, 0, 0, HR_PQ_CONV_UTF8, 0, 0, 0});
    pb_column(f, "t", HR_PQ_BYTE_ARRAY, n);
    pb_page(f, HR_PQ_DATA_PAGE, n, HR_PQ_PLAIN, HR_PQ_RLE, page, len);
}

static void test_bad_text(void **state) {
    (void)state;
    struct pb_file f;
    const uint8_t bad[] = {2, 0, 0, 0, 'o', 'k', 3, 0, 0, 0, 'n', 0xff, 'o'};
    /* Well-formed as a whole, but the value ends inside a letter. */
    const uint8_t torn[] = {1, 0, 0, 0, 0xc3, 1, 0, 0, 0, 0xa9};
    const uint8_t beyond[] = {9, 0, 0, 0, 'x'};
    text_file(&f, bad, sizeof(bad), 2);
    assert_refused(&f, 2, HR_E_CORRUPT, "n\\xffo");
    text_file(&f, torn, sizeof(torn), 2);
    assert_refused(&f, 2, HR_E_CORRUPT, "UTF-8");
    text_file(&f, beyond, sizeof(beyond), 1);
    assert_refused(&f, 1, HR_E_CORRUPT, "beyond its page");
}

static void test_cell_bound(void **state) {
    (void)state;
    struct pb_file f;
    uint8_t page[104] = {100, 0, 0, 0};
    const struct hr_read_params small = {.group_end = -1, .cell_max = 99};
    struct hr_error err;
    memset(page + 4, 'x', 100);
    text_file(&f, page, sizeof(page), 1);
    const struct hr_slice file = pb_finish(&f, 1);
    assert_null(rows_of(file, NULL, &small, &err));
    assert_int_equal(err.code, HR_E_BOUND);
    assert_true(err.hint[0] != '\0');
    assert_non_null(rows_of(file, NULL, NULL, &err));
    forget(&f);
}

/* map<int, int> with an optional key, as Presto and Athena write it. */
static void test_null_map_key(void **state) {
    (void)state;
    for (int with_null = 0; with_null < 2; with_null++) {
        struct pb_file f;
        struct {
            uint32_t rep_len;
            uint8_t rep[2];
            uint32_t def_len;
            uint8_t def[4];
            int32_t values[2];
        } __attribute__((packed)) key = {2, {3, 0x02}, 4, {2, 2, 2, 2}, {7, 8}}, value = key;
        key.def[3] = with_null ? 1 : 2; /* the second entry: present, but its key null */
        pb_begin(&f);
        f.root_children = 1;
        pb_element(&f, (struct pb_element){"m", -1, 0, 1, HR_PQ_CONV_MAP, 0, 0, 0});
        pb_element(&f, (struct pb_element){"key_value", -1, 2, 2, -1, 0, 0, 0});
        pb_element(&f, leaf("key", HR_PQ_INT32, HR_PQ_OPTIONAL));
        pb_element(&f, leaf("value", HR_PQ_INT32, HR_PQ_OPTIONAL));
        pb_column(&f, "key", HR_PQ_INT32, 2);
        pb_page(&f, HR_PQ_DATA_PAGE, 2, HR_PQ_PLAIN, HR_PQ_RLE, &key,
                sizeof(key) - (with_null ? 4 : 0));
        pb_column(&f, "value", HR_PQ_INT32, 2);
        pb_page(&f, HR_PQ_DATA_PAGE, 2, HR_PQ_PLAIN, HR_PQ_RLE, &value, sizeof(value));
        if (with_null) {
            assert_refused(&f, 1, HR_E_CORRUPT, "null key");
        } else {
            assert_rows(&f, 1, "[[{\"key\":7,\"value\":7},{\"key\":8,\"value\":8}]]\n");
        }
    }
}

/* Siblings below a list that disagree about its length. */
static void test_siblings_disagree(void **state) {
    (void)state;
    struct pb_file f;
    struct {
        uint32_t rep_len;
        uint8_t rep[2];
        uint32_t def_len;
        uint8_t def[2];
        int32_t values[2];
    } __attribute__((packed)) two = {2, {3, 0x02}, 2, {4, 1}, {7, 8}};
    struct {
        uint32_t rep_len;
        uint8_t rep[2];
        uint32_t def_len;
        uint8_t def[2];
        int32_t values[1];
    } __attribute__((packed)) one = {2, {2, 0}, 2, {2, 1}, {7}};
    pb_begin(&f);
    f.root_children = 1;
    pb_element(&f, (struct pb_element){"g", -1, 2, 2, -1, 0, 0, 0});
    pb_element(&f, leaf("x", HR_PQ_INT32, HR_PQ_REQUIRED));
    pb_element(&f, leaf("y", HR_PQ_INT32, HR_PQ_REQUIRED));
    pb_column(&f, "x", HR_PQ_INT32, 2);
    pb_page(&f, HR_PQ_DATA_PAGE, 2, HR_PQ_PLAIN, HR_PQ_RLE, &two, sizeof(two));
    pb_column(&f, "y", HR_PQ_INT32, 1);
    pb_page(&f, HR_PQ_DATA_PAGE, 1, HR_PQ_PLAIN, HR_PQ_RLE, &one, sizeof(one));
    assert_refused(&f, 1, HR_E_CORRUPT, "sibling columns");
}

static void test_deep(void **state) {
    (void)state;
    struct pb_file f;
    pb_begin(&f);
    f.root_children = 1;
    for (int i = 0; i < 15; i++) {
        pb_element(&f, (struct pb_element){"g", -1, HR_PQ_OPTIONAL, 1, -1, 0, 0, 0});
    }
    pb_element(&f, leaf("x", HR_PQ_INT32, HR_PQ_OPTIONAL));
    const struct {
        uint32_t len;
        uint8_t def[2];
        int32_t value;
    } __attribute__((packed)) page = {2, {2, 16}, 5};
    pb_column(&f, "x", HR_PQ_INT32, 1);
    pb_page(&f, HR_PQ_DATA_PAGE, 1, HR_PQ_PLAIN, HR_PQ_RLE, &page, sizeof(page));
    struct hr_buf want;
    hr_buf_init(&want, 0);
    hr_buf_append_str(&want, "[", NULL);
    for (int i = 0; i < 14; i++) {
        hr_buf_append_str(&want, "{\"g\":", NULL);
    }
    hr_buf_append_str(&want, "{\"x\":5}", NULL);
    for (int i = 0; i < 14; i++) {
        hr_buf_append_str(&want, "}", NULL);
    }
    hr_buf_append_str(&want, "]\n", NULL);
    assert_rows(&f, 1, hr_buf_cstr(&want));
    hr_buf_release(&want);
}

static int drop_text(void **state) {
    (void)state;
    struct hr_error err;
    rows_of(hr_slice_str(""), NULL, NULL, &err);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bit_packed_levels),
        cmocka_unit_test(test_row_over_pages),
        cmocka_unit_test(test_int96),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_counts_that_lie),
        cmocka_unit_test(test_runs_too_wide),
        cmocka_unit_test(test_chunks_that_end_early),
        cmocka_unit_test(test_levels_that_contradict),
        cmocka_unit_test(test_rows_too_many),
        cmocka_unit_test(test_repeated_lists),
        cmocka_unit_test(test_names_that_are_no_text),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_not_parquet),
        cmocka_unit_test(test_bad_text),
        cmocka_unit_test(test_cell_bound),
        cmocka_unit_test(test_null_map_key),
        cmocka_unit_test(test_siblings_disagree),
        cmocka_unit_test(test_deep),
    };
    return cmocka_run_group_tests(tests, NULL, drop_text);
}
