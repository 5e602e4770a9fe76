/* tests/seam/test_hostile.c - damaged files of every format and codec: each file of the corpora and
 * of tests/data, plain and packed by every codec, cut and with single bytes changed. A result is an
 * error in words or a right answer, and a cut file never ends well with fewer rows where its format
 * lets anyone know:
 *
 *   packed      the codec's stream must be whole; a cut that reads well is one between two members,
 *               so that the rest is a stream too and both together are all of the text
 *   Parquet     any cut is an error
 *   Avro        a cut that reads well is one behind a sync marker
 *   JSON        the text in front of the cut closes every bracket and every text
 *   CSV         the cut is outside quotes, and its last record has as many delimiters as its header
 *   text        a line's end is no mistake: nothing can be known
 *
 * A changed byte under a checksum is an error or does not matter. HEADRACE_SOAK=1 tries 100 places
 * a file instead of 10. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/hash.h"
#include "format_support.h"

enum { TIME_LIMIT_S = 120, RESTARTS_MAX = 40, TEXT_MAX = 128 << 10 };

struct target {
    const struct hr_format *format;
    const struct hr_codec *codec; /* NULL: not packed */
};

struct outcome {
    int rc; /* HR_END or an error */
    int64_t rows;
    uint64_t sum; /* of every value, in order */
};

struct tally {
    uint64_t seed;
    int places;
    int files, cases, refused, read;
};

static struct hr_format_opts opts;

/* ---- reading as a copy does ---- */

static uint64_t fold_bytes(uint64_t sum, const void *ptr, size_t len) {
    return len > 0 ? hr_hash64(ptr, len, sum) : sum * 3;
}

/* Every value is touched and what a consumer relies on is checked. */
static uint64_t fold(const struct hr_vec *vec, uint64_t sum) {
    const struct hr_type t = vec->field->type;
    int64_t nulls = 0;
    for (int64_t i = 0; vec->validity != NULL && i < vec->len; i++) {
        nulls += !hr_bit_get(vec->validity, i);
    }
    assert_true(t.id == HR_T_NULL || nulls == vec->nulls);
    if (hr_type_bytes(t) || t.id == HR_T_LIST || t.id == HR_T_MAP) {
        int32_t before = 0;
        assert_true(vec->len == 0 || vec->offsets != NULL);
        for (int64_t i = 0; vec->offsets != NULL && i <= vec->len; i++) {
            assert_true(vec->offsets[i] >= before);
            before = vec->offsets[i];
        }
        if (hr_type_bytes(t)) {
            assert_int_equal(before, vec->data_len);
            sum = fold_bytes(sum, vec->data, vec->data_len);
        } else {
            assert_int_equal(before, vec->children[0].len);
        }
    } else if (t.id == HR_T_STRUCT) {
        for (int i = 0; i < vec->n_children; i++) {
            assert_int_equal(vec->children[i].len, vec->len);
        }
    } else if (t.id != HR_T_NULL && t.id != HR_T_BOOL && nulls == 0) {
        sum = fold_bytes(sum, vec->data, (size_t)vec->len * (size_t)hr_type_width(t));
    }
    for (int i = 0; i < vec->n_children; i++) {
        sum = fold(&vec->children[i], sum);
    }
    return sum * 31 + (uint64_t)nulls;
}

static struct hr_source *open_bytes(const struct target *t, struct hr_slice bytes) {
    struct hr_error err;
    struct hr_source *src = hr_source_mem("hostile", bytes.ptr, bytes.len, 0);
    struct hr_source *inflated = NULL;
    assert_non_null(src);
    if (t->codec == NULL) {
        return src;
    }
    const struct hr_codec_limits limits = {.output_max = 64 << 20};
    assert_rc(hr_codec_source(t->codec, src, &limits, &inflated, &err), 0, &err);
    return inflated;
}

static int read_with(const struct target *t, struct hr_slice bytes, struct hr_schema *want,
                     struct hr_schema **needs, struct outcome *o, struct hr_error *err) {
    const struct hr_read_params params = {.want = want,
                                          .want_all = true,
                                          .split_end = -1,
                                          .group_end = -1,
                                          .misfit = HR_MISFIT_WIDEN,
                                          .cell_max = 1 << 20};
    struct hr_source *src = open_bytes(t, bytes);
    struct hr_reader *reader = NULL;
    struct hr_batch *batch;
    *o = (struct outcome){0};
    int rc = t->format->open(src, &opts, &params, &reader, err);
    while (rc == 0) {
        rc = hr_reader_next(reader, &batch, err);
        for (int c = 0; rc == 0 && c < batch->schema->n_fields; c++) {
            assert_true(batch->vecs[c].len == batch->len && batch->len > 0);
            o->sum = fold(&batch->vecs[c], o->sum);
        }
        o->rows += rc == 0 ? batch->len : 0;
    }
    if (rc == HR_WIDEN) {
        assert_non_null(reader->needs);
        *needs = hr_schema_ref(reader->needs);
    }
    hr_reader_close(reader);
    hr_source_close(src);
    return rc;
}

/* Columns from the bytes themselves, then all rows; again with wider columns when they ask for it.
 */
static struct outcome read_bytes(const struct target *t, struct hr_slice bytes) {
    const struct hr_infer_params ip = {.rows = 1000, .types = true};
    struct outcome o = {0};
    struct hr_error err;
    struct hr_schema *want = NULL;
    hr_error_clear(&err);
    alarm(TIME_LIMIT_S);
    const bool inside = (t->format->flags & HR_FMT_SCHEMA) != 0;
    if (!inside) {
        struct hr_source *src = open_bytes(t, bytes);
        o.rc = t->format->infer(src, &opts, &ip, &want, &err);
        hr_source_close(src);
    }
    o.rc = o.rc == 0 ? HR_WIDEN : o.rc;
    for (int turn = 0; o.rc == HR_WIDEN; turn++) {
        struct hr_schema *needs = NULL;
        o.rc = read_with(t, bytes, want, &needs, &o, &err);
        assert_true(turn < RESTARTS_MAX);
        hr_schema_unref(want);
        want = needs;
    }
    alarm(0);
    hr_schema_unref(want);
    assert_true(o.rc == HR_END || (o.rc < 0 && err.message[0] != '\0'));
    assert_true(o.rc >= 0 || hr_code_class(o.rc) == HR_CLASS_DATA);
    return o;
}

/* The bytes below the codec; the end code. */
static int inflate(const struct target *t, struct hr_slice bytes, struct hr_buf *out) {
    struct hr_error err;
    struct hr_source *src = open_bytes(t, bytes);
    hr_buf_init(out, 0);
    const int rc = hr_source_slurp(src, out, &err);
    hr_source_close(src);
    /* A seek table behind a part of its frames: what it finds missing is what was cut away. */
    return rc == HR_E_CORRUPT && strstr(err.message, "seek table") != NULL ? 0 : rc;
}

/* ---- what a cut may look like ---- */

/* Members before and behind the cut, together all of the text; or nothing but padding is lost. */
static bool members_ok(const struct target *t, struct hr_slice file, size_t cut) {
    static const uint8_t framed[] = {0xff, 6, 0, 0, 's', 'N', 'a', 'P', 'p', 'Y'};
    struct hr_buf whole, head, tail, rest;
    hr_buf_init(&rest, 0);
    hr_buf_init(&tail, 0);
    hr_buf_init(&head, 0);
    int rc = inflate(t, file, &whole);
    rc = rc != 0 ? rc : inflate(t, hr_slice_of(file.ptr, cut), &head);
    if (rc == 0 && head.len < whole.len) {
        if (strcmp(t->codec->name, "snappy") == 0 && file.len > 10 &&
            memcmp(file.ptr, framed, sizeof(framed)) == 0) {
            assert_int_equal(hr_buf_append(&rest, framed, sizeof(framed), NULL), 0);
        }
        assert_int_equal(hr_buf_append(&rest, file.ptr + cut, file.len - cut, NULL), 0);
        rc = inflate(t, hr_buf_slice(&rest), &tail);
    }
    const bool ok = rc == 0 && head.len + tail.len == whole.len &&
                    (head.len == 0 || memcmp(head.ptr, whole.ptr, head.len) == 0);
    hr_buf_release(&whole);
    hr_buf_release(&head);
    hr_buf_release(&tail);
    hr_buf_release(&rest);
    return ok;
}

static bool avro_ok(struct hr_slice file, size_t cut) {
    return cut >= 16 && memcmp(file.ptr + cut - 16, file.ptr + file.len - 16, 16) == 0;
}

/* No text is open and no bracket. */
static bool json_ok(struct hr_slice text) {
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            depth += (c == '[' || c == '{') - (c == ']' || c == '}');
        }
    }
    return depth == 0 && !quoted;
}

/* The last record is closed and as wide as the first. */
static bool csv_ok(struct hr_slice text, uint8_t delimiter) {
    bool quoted = false;
    bool blank = true;
    int header = -1;
    int seen = 0;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t c = text.ptr[i];
        quoted = c == '"' ? !quoted : quoted;
        if (!quoted && c == '\n') {
            header = header < 0 && !blank ? seen : header;
            seen = 0;
            blank = true;
        } else {
            seen += !quoted && c == delimiter;
            blank = blank && c == '\r';
        }
    }
    return !quoted && (blank || header < 0 || seen == header);
}

static bool cut_ok(const struct target *t, struct hr_slice file, size_t cut) {
    const struct hr_slice head = hr_slice_of(file.ptr, cut);
    const char *name = t->format->name;
    if (t->codec != NULL) {
        return members_ok(t, file, cut);
    }
    if (strcmp(name, "avro") == 0) {
        return avro_ok(file, cut);
    }
    if (strcmp(name, "json") == 0 || strcmp(name, "jsonl") == 0) {
        return json_ok(head);
    }
    if (strcmp(name, "csv") == 0 || strcmp(name, "tsv") == 0) {
        return csv_ok(head, name[0] == 't' ? '\t' : ',');
    }
    return strcmp(name, "parquet") != 0;
}

/* ---- one file ---- */

static void cuts(const struct target *t, struct hr_slice file, const char *path,
                 const struct outcome *whole, struct tally *h) {
    for (int i = 0; i < h->places && file.len > 0; i++) {
        const size_t cut = test_rand(&h->seed) % file.len;
        const struct outcome o = read_bytes(t, hr_slice_of(file.ptr, cut));
        h->cases++;
        h->refused += o.rc < 0;
        if (o.rc == HR_END && whole->rc == HR_END &&
            (o.rows > whole->rows || !cut_ok(t, file, cut))) {
            fail_msg("%s (%s, %s) cut at %zu of %zu: %lld of %lld rows and no error", path,
                     t->format->name, t->codec != NULL ? t->codec->name : "plain", cut, file.len,
                     (long long)o.rows, (long long)whole->rows);
        }
    }
}

/* Snappy's framing lets a reader pass over chunks of unknown kinds, which a changed byte can make
 * of any. Parts of a file that no checksum covers may change values. */
static bool under_checksum(const struct target *t) {
    static const char *const names[] = {"gzip", "bzip2", "zstd", "lz4", "zlib"};
    for (size_t i = 0; t->codec != NULL && i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(t->codec->name, names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Half of the changes go where they hurt: into the last 2000 bytes. */
static void flips(const struct target *t, struct hr_slice file, const char *path,
                  const struct outcome *whole, bool checked, struct tally *h) {
    struct hr_buf bytes;
    hr_buf_init(&bytes, 0);
    assert_int_equal(hr_buf_append(&bytes, file.ptr, file.len, NULL), 0);
    for (int i = 0; i < h->places && file.len > 0; i++) {
        const size_t tail = file.len < 2000 ? file.len : 2000;
        const size_t at =
            i % 2 ? test_rand(&h->seed) % file.len : file.len - 1 - test_rand(&h->seed) % tail;
        bytes.ptr[at] = (uint8_t)(file.ptr[at] ^ (1 + test_rand(&h->seed) % 255));
        const struct outcome o = read_bytes(t, hr_buf_slice(&bytes));
        h->cases++;
        h->refused += o.rc < 0;
        if (checked && o.rc == HR_END && whole->rc == HR_END &&
            (o.rows != whole->rows || o.sum != whole->sum)) {
            fail_msg("%s (%s) byte %zu of %zu made 0x%02x: read as something else", path,
                     t->codec->name, at, file.len, bytes.ptr[at]);
        }
        bytes.ptr[at] = file.ptr[at];
    }
    hr_buf_release(&bytes);
}

static void damage(const struct target *t, struct hr_slice file, const char *path, bool checked,
                   struct tally *h) {
    const struct outcome whole = read_bytes(t, file);
    const int64_t live = hr_mem_live();
    h->files++;
    h->read += whole.rc == HR_END;
    cuts(t, file, path, &whole, h);
    flips(t, file, path, &whole, checked, h);
    hr_codec_thread_release();
    assert_true(hr_mem_live() <= live);
}

static void one_file(const char *path, void *user) {
    struct tally *h = user;
    struct target t = {NULL, NULL};
    struct hr_buf file;
    size_t suffix = 0;
    const size_t len = strlen(path);
    t.codec = hr_codec_by_key(path, len, &suffix);
    t.format = hr_format_by_key(path, len);
    if (t.codec != NULL && t.codec->missing != NULL) {
        return;
    }
    test_read_file(path, &file);
    if (t.codec != NULL && t.format == NULL) {
        t.format = &hr_format_text;
    }
    t.format = t.format != NULL ? t.format : hr_format_by_probe(file.ptr, file.len);
    if (t.format != NULL && t.format->missing == NULL) {
        damage(&t, hr_buf_slice(&file), path, false, h);
    }
    /* Text once more in the next codec. */
    if (t.codec == NULL && t.format != NULL && (t.format->flags & HR_FMT_CODEC_INSIDE) == 0 &&
        file.len < TEXT_MAX) {
        static const char *const names[] = {"gzip",   "bzip2",  "zstd",          "lz4",
                                            "snappy", "brotli", "snappy-hadoop", "lz4-hadoop"};
        const char *name = names[(size_t)h->files % (sizeof(names) / sizeof(names[0]))];
        struct hr_buf packed;
        hr_buf_init(&packed, 0);
        t.codec = hr_codec_by_name(name, strlen(name));
        assert_int_equal(hr_codec_encode(t.codec, 0, hr_buf_slice(&file), &packed, NULL), 0);
        damage(&t, hr_buf_slice(&packed), path, under_checksum(&t), h);
        hr_buf_release(&packed);
    }
    hr_buf_release(&file);
}

static void all_below(const char *dir, const char *what, int files_min) {
    const char *soak = getenv("HEADRACE_SOAK");
    struct tally h = {.seed = 20261121, .places = soak != NULL && soak[0] == '1' ? 100 : 10};
    char path[4096];
    snprintf(path, sizeof(path), "%s", dir);
    test_each_file(path, one_file, &h);
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    printf("%s: %d files (%d read whole), %d cases, %d refused; %ld MiB at most\n", what, h.files,
           h.read, h.cases, h.refused, use.ru_maxrss / 1024);
    assert_true(h.files >= files_min);
    assert_true(h.refused > h.cases / 4);
    assert_true(use.ru_maxrss < 2L << 20);
}

static void corpus(const char *name, int files_min) {
    const char *dir = test_corpus(name);
    if (dir == NULL) {
        test_skip_corpus(name, files_min * 20);
        return;
    }
    all_below(dir, name, files_min);
}

static void test_csv_spectrum(void **state) {
    (void)state;
    corpus("csv-spectrum/csvs", 24);
}
static void test_json_suite(void **state) {
    (void)state;
    corpus("json-test-suite", 600);
}
static void test_avro_interop(void **state) {
    (void)state;
    corpus("avro-interop", 9);
}
static void test_parquet_testing(void **state) {
    (void)state;
    corpus("parquet-testing", 90);
}
static void test_own_codec_files(void **state) {
    (void)state;
    all_below("tests/data/codec", "tests/data/codec", 20);
}
static void test_own_avro_files(void **state) {
    (void)state;
    all_below("tests/data/avro", "tests/data/avro", 20);
}

static int setup(void **state) {
    (void)state;
    return hr_format_opts_init(&opts, NULL);
}
static int teardown(void **state) {
    (void)state;
    hr_format_opts_release(&opts);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_spectrum),    cmocka_unit_test(test_json_suite),
        cmocka_unit_test(test_avro_interop),    cmocka_unit_test(test_parquet_testing),
        cmocka_unit_test(test_own_codec_files), cmocka_unit_test(test_own_avro_files),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
