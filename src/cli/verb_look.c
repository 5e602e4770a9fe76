/* cli/verb_look.c - head, schema, count: look before you load. All are copies with a small end. */
#include <string.h>
#include <unistd.h>

#include "api/copy.h"
#include "base/mem.h"
#include "cli/cli.h"

#define HEAD_ROWS 10
#define WIDER_MAX 1000 /* a guard, not a bound that a real file meets */

static int open_one(struct hr_cli *cli, struct hr_settings *settings, struct hr_error *err) {
    return hr_cli_url_settings(cli, cli->args[0], settings, err);
}

/* The first task's catalog entry holds the columns. */
static int learn(struct hr_store *store, const struct hr_settings *settings, struct hr_schema **out,
                 struct hr_error *err) {
    struct hr_catalog catalog;
    hr_catalog_init(&catalog);
    int rc = hr_discover(store, settings, 4, &catalog, NULL, err);
    if (rc == 0) {
        rc = catalog.count > 0 ? hr_stream_schema(&catalog.streams[0], false, out, err)
                               : hr_fail(err, HR_E_NO_OBJECT,
                                         "could not find anything to read in '%s'", store->label);
    }
    hr_catalog_release(&catalog);
    return rc;
}

static int print_schema(const struct hr_schema *schema, bool json, struct hr_error *err) {
    struct hr_buf text;
    hr_buf_init(&text, 1 << 20);
    int rc = 0;
    size_t widest = 0;
    for (int i = 0; i < schema->n_fields; i++) {
        const size_t n = strlen(schema->fields[i].name);
        widest = n > widest && n < 40 ? n : widest;
    }
    for (int i = 0; rc == 0 && i < schema->n_fields; i++) {
        hr_buf_clear(&text);
        rc = hr_field_type_text(&schema->fields[i], &text, err);
        char shown[200];
        hr_printable(hr_slice_str(schema->fields[i].name), 160, shown, sizeof(shown));
        if (rc == 0 && json) {
            struct hr_buf name;
            hr_buf_init(&name, 1 << 16);
            rc = hr_buf_append_json(&name, hr_slice_str(schema->fields[i].name), err);
            printf("%s%s:\"%s\"", i ? "," : "{", hr_buf_cstr(&name), hr_buf_cstr(&text));
            hr_buf_release(&name);
        } else if (rc == 0) {
            printf("%-*s  %s\n", (int)widest, shown, hr_buf_cstr(&text));
        }
    }
    if (json) {
        printf("%s}\n", schema->n_fields ? "" : "{");
    }
    hr_buf_release(&text);
    return rc;
}

int hr_verb_schema(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_settings settings;
    struct hr_schema *schema = NULL;
    struct hr_store *store = NULL;
    hr_error_clear(&err);
    int rc = open_one(cli, &settings, &err);
    if (rc != 0) {
        return hr_cli_fail(cli, &err);
    }
    rc = hr_run_open_store(&settings, &settings.place, true, &store, &err);
    if (rc == 0) {
        rc = learn(store, &settings, &schema, &err);
    }
    if (rc == 0) {
        rc = print_schema(schema, cli->json, &err);
    }
    hr_schema_unref(schema);
    hr_store_close(store);
    hr_settings_release(&settings);
    return rc == 0 ? 0 : hr_cli_fail(cli, &err);
}

int hr_verb_count(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_settings settings;
    struct hr_summary summary;
    hr_error_clear(&err);
    int rc = open_one(cli, &settings, &err);
    if (rc != 0) {
        return hr_cli_fail(cli, &err);
    }
    const struct hr_copy_conf conf = {.sources = &settings,
                                      .n_sources = 1,
                                      .drain = true,
                                      .stream_fd = -1,
                                      .workers = hr_pipeline_workers(&settings)};
    rc = hr_copy(&conf, &summary, &err);
    if (rc == 0) {
        printf("%lld\n", (long long)summary.counts.rows_out);
    }
    hr_settings_release(&settings);
    return rc == 0 ? 0 : hr_cli_fail(cli, &err);
}

/* ---- head ---- */

static int print_row(const struct hr_batch *batch, int64_t row, struct hr_buf *out,
                     struct hr_error *err) {
    int rc = hr_buf_append_byte(out, '{', err);
    for (int i = 0; rc == 0 && i < batch->schema->n_fields; i++) {
        if (i > 0) {
            rc = hr_buf_append_byte(out, ',', err);
        }
        if (rc == 0) {
            rc = hr_buf_append_json(out, hr_slice_str(batch->schema->fields[i].name), err);
        }
        if (rc == 0) {
            rc = hr_buf_append_byte(out, ':', err);
        }
        if (rc == 0) {
            rc = hr_vec_json(&batch->vecs[i], row, out, err);
        }
    }
    return rc == 0 ? hr_buf_append_str(out, "}\n", err) : rc;
}

/* Rows wait in `out` until all are there: a value that does not fit the schema starts anew with a
 * wider one (`needs`). */
struct head {
    struct hr_buf out;
    int64_t left;
    struct hr_schema *schema, *needs;
};

/* Rows of one object, straight from its reader: reading stops after the first few. */
static int head_rows(struct hr_store *store, const struct hr_settings *settings,
                     const struct hr_sample *sample, struct head *h, struct hr_transform *transform,
                     struct hr_error *err) {
    const struct hr_format *format;
    struct hr_source *src = NULL;
    struct hr_reader *reader = NULL;
    int rc = hr_open_sample(store, settings, sample, 0, &format, &src, err);
    if (rc != 0) {
        return rc;
    }
    const struct hr_read_params params = {.want = format->flags & HR_FMT_SCHEMA ? NULL : h->schema,
                                          .misfit = HR_MISFIT_WIDEN,
                                          .batch_rows = 64,
                                          .split_end = -1,
                                          .group_end = -1};
    const struct hr_object_facts facts = {sample->key, sample->info.etag, sample->info.size,
                                          sample->info.mtime_us};
    hr_transform_object(transform, &facts);
    rc = format->open(src, &settings->format, &params, &reader, err);
    while (rc == 0 && h->left > 0) {
        struct hr_batch *in;
        const struct hr_batch *batch = NULL;
        rc = hr_reader_next(reader, &in, err);
        if (rc == HR_WIDEN) {
            h->needs = hr_schema_ref(reader->needs);
        } else if (rc == 0) {
            rc = hr_transform_run(transform, in, &batch, &h->needs, err);
        }
        for (int64_t i = 0; rc == 0 && batch != NULL && i < batch->len && h->left > 0; i++) {
            rc = print_row(batch, i, &h->out, err);
            --h->left;
        }
    }
    hr_reader_close(reader);
    hr_source_close(src);
    return rc == HR_END ? 0 : rc;
}

static int head_objects(struct hr_store *store, struct hr_settings *settings, struct head *h,
                        struct hr_error *err) {
    struct hr_scan *scan = NULL;
    struct hr_transform *transform = NULL;
    struct hr_transform_spec spec = {0};
    int rc = hr_run_copy_spec(settings, &spec, err);
    struct hr_filter *filter = NULL;
    if (rc == 0) {
        rc = hr_run_filter(settings, &filter, err);
        spec.filter = filter;
        spec.misfit = HR_MISFIT_WIDEN;
        spec.new_columns = false;
    }
    if (rc == 0) {
        rc = hr_run_check_columns(&spec, h->schema, err);
    }
    if (rc == 0) {
        rc = hr_transform_new(&spec, h->schema, &transform, err);
    }
    const struct hr_scan_conf conf = {.store = store, .settings = settings, .list_width = 1};
    if (rc == 0) {
        rc = hr_scan_open(&conf, &scan, err);
    }
    while (rc == 0 && h->left > 0) {
        const struct hr_object *object;
        rc = hr_scan_next(scan, &object, err);
        if (rc != 0) {
            break;
        }
        struct hr_sample sample = {.key = hr_strndup(object->key, object->key_len),
                                   .info = object->info,
                                   .format = object->format,
                                   .codec = object->codec,
                                   .codec_auto = object->codec_auto};
        rc = sample.key ? head_rows(store, settings, &sample, h, transform, err)
                        : hr_fail(err, HR_E_NOMEM, "could not allocate a name");
        hr_free(sample.key);
    }
    if (scan != NULL) {
        hr_scan_close(scan);
    }
    hr_transform_free(transform);
    hr_transform_spec_release(&spec);
    hr_filter_free(filter);
    return rc == HR_END ? 0 : rc;
}

/* Each time over the schema is wider, which ten rows need only a few times. */
static int head_until_it_fits(struct hr_store *store, struct hr_settings *settings, struct head *h,
                              struct hr_error *err) {
    int rc = HR_WIDEN;
    for (int i = 0; rc == HR_WIDEN && i < WIDER_MAX; i++) {
        h->left = HEAD_ROWS;
        hr_buf_clear(&h->out);
        rc = head_objects(store, settings, h, err);
        if (rc == HR_WIDEN) {
            hr_schema_unref(h->schema);
            h->schema = h->needs;
            h->needs = NULL;
        }
    }
    if (rc == HR_WIDEN) {
        rc = hr_fail(err, HR_E_SCHEMA, "could not find types that hold the first rows");
        hr_error_hint(err, "give them with --set schema={\"COLUMN\": \"utf8\", …}");
    }
    return rc;
}

int hr_verb_head(struct hr_cli *cli) {
    struct hr_error err;
    struct hr_settings settings;
    struct hr_store *store = NULL; /* one for all looks: standard input is there once */
    struct head h = {0};
    hr_error_clear(&err);
    hr_buf_init(&h.out, 0);
    int rc = open_one(cli, &settings, &err);
    if (rc != 0) {
        return hr_cli_fail(cli, &err);
    }
    rc = hr_run_open_store(&settings, &settings.place, true, &store, &err);
    if (rc == 0) {
        rc = learn(store, &settings, &h.schema, &err);
    }
    if (rc == 0) {
        rc = head_until_it_fits(store, &settings, &h, &err);
    }
    /* After an error too: the rows before the damage help to find it. */
    if (h.out.len > 0 && fwrite(h.out.ptr, 1, h.out.len, stdout) != h.out.len && rc == 0) {
        rc = hr_fail(&err, HR_E_IO, "could not write to standard output");
    }
    hr_buf_release(&h.out);
    hr_schema_unref(h.needs);
    hr_schema_unref(h.schema);
    hr_store_close(store);
    hr_settings_release(&settings);
    return rc == 0 ? 0 : hr_cli_fail(cli, &err);
}
