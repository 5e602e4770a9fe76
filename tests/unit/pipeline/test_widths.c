/* The whole pipeline over stores in memory: the same bytes at any number of workers, with rejects,
 * widening and small tasks on the way; and no thread steps on another (run under ThreadSanitizer).
 */
#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/copy.h"
#include "store/mem/mem_store.h"

#define FILES 24
#define LINES 2000

static struct hr_error err;

static struct hr_store *open_bucket(const char *name) {
    const struct hr_store_conf conf = {.scheme = "mem", .bucket = name};
    struct hr_store *store = NULL;
    hr_error_clear(&err);
    assert_rc(hr_store_open(&conf, &store, &err), 0, &err);
    return store;
}

/* File 17 has a double where the others have integers; every file has a record too long. */
static int setup(void **state) {
    (void)state;
    struct hr_store *store = open_bucket("widths");
    char *text = malloc((size_t)LINES * 40 + 100);
    for (int file = 0; file < FILES; file++) {
        size_t n = (size_t)snprintf(text, 100, "id,amount,text\n");
        for (int i = 0; i < LINES; i++) {
            const char *more = i == 77 + file ? ",more" : "";
            n += (size_t)snprintf(text + n, 80, "%d,%d%s,line %d%s\n", file * LINES + i, i * 3,
                                  file == 17 && i > 1500 ? ".5" : "", i, more);
        }
        char key[40];
        char etag[80];
        snprintf(key, sizeof(key), "in/%02d.csv", file);
        const struct hr_put_opts opts = {0};
        assert_rc(store->driver->put(store, key, hr_slice_of(text, n), &opts, etag, &err), 0, &err);
    }
    free(text);
    hr_store_close(store);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    hr_mem_store_drop("widths");
    return 0;
}

static void set(struct hr_settings *s, const char *name, const char *text) {
    assert_rc(hr_settings_set_text(s, name, text, &err), 0, &err);
}

/* Everything below out/N/ as one text: names and bytes. */
static void copy_with(int workers, struct hr_buf *out) {
    struct hr_settings s;
    struct hr_summary summary;
    char uri[60];
    assert_rc(hr_settings_init(&s, &err), 0, &err);
    set(&s, "uri", "mem:widths/in/");
    snprintf(uri, sizeof(uri), "mem:widths/out%d/", workers);
    set(&s, "destination.uri", uri);
    set(&s, "destination.file_format", "csv");
    set(&s, "destination.compression", "none");
    set(&s, "cost_limit_usd", "0");
    set(&s, "max_files_per_run", "0");
    set(&s, "max_data_size_gb", "0");
    set(&s, "task_mb", "1");
    set(&s, "on_error", "quarantine");
    set(&s, "lineage", "l");
    assert_rc(hr_settings_finish(&s, &err), 0, &err);
    const struct hr_copy_conf conf = {
        .sources = &s, .n_sources = 1, .stream_fd = -1, .workers = workers};
    assert_rc(hr_copy(&conf, &summary, &err), 0, &err);
    assert_int_equal(summary.counts.rows_out, FILES * (LINES - 1));
    assert_int_equal(summary.counts.rejected, FILES);
    hr_settings_release(&s);

    struct hr_store *store = open_bucket("widths");
    struct hr_list_page page = {0};
    snprintf(uri, sizeof(uri), "out%d/", workers);
    const struct hr_list_query query = {.prefix = uri, .page_size = 1000};
    assert_rc(store->driver->list(store, &query, &page, &err), 0, &err);
    assert_true(page.count >= 2);
    for (size_t i = 0; i < page.count; i++) {
        const struct hr_list_item *item = &page.items[i];
        assert_rc(hr_buf_append_str(out, item->key + strlen(uri), &err), 0, &err);
        assert_rc(hr_store_get(store, item->key, 0, item->info.size, NULL, out, NULL, &err), 0,
                  &err);
    }
    hr_list_page_release(&page);
    hr_store_close(store);
}

static void test_same_bytes(void **state) {
    (void)state;
    struct hr_buf one;
    hr_buf_init(&one, 0);
    copy_with(1, &one);
    assert_true(one.len > (size_t)FILES * LINES * 10);
    for (int workers = 2; workers <= 8; workers += 3) {
        struct hr_buf many;
        hr_buf_init(&many, 0);
        copy_with(workers, &many);
        assert_int_equal(many.len, one.len);
        assert_memory_equal(many.ptr, one.ptr, one.len);
        hr_buf_release(&many);
    }
    hr_buf_release(&one);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_same_bytes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
