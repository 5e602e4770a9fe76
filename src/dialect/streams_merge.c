/* dialect/streams_merge.c - two catalogs of one source: rediscovery that keeps what people chose,
 * and the difference between what was synced and what is wanted now. */
#include "base/mem.h"
#include "dialect/streams_file.h"

static int nomem(struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "out of memory while merging catalogs");
}

static int copy_text(char **dst, const char *src, struct hr_error *err) {
    if (src == NULL) {
        return 0;
    }
    char *copy = hr_strdup(src);
    if (copy == NULL) {
        return nomem(err);
    }
    hr_free(*dst);
    *dst = copy;
    return 0;
}

static int copy_list(struct hr_strlist *dst, const struct hr_strlist *src, struct hr_error *err) {
    hr_strlist_release(dst);
    for (size_t i = 0; i < src->count; i++) {
        if (hr_strlist_add(dst, src->items[i])) {
            return nomem(err);
        }
    }
    return 0;
}

/* How a stream is synced: everything but its columns and names. */
static int copy_choices(struct hr_stream *to, const struct hr_stream *from, struct hr_error *err) {
    to->selected = from->selected;
    to->sync_mode = from->sync_mode;
    to->normalization = from->normalization;
    to->append_mode = from->append_mode;
    to->use_source_names = from->use_source_names;
    to->all_columns = from->all_columns;
    to->sync_new_columns = from->sync_new_columns;
    const struct {
        char **to;
        const char *from;
    } texts[] = {
        {&to->namespace_, from->namespace_},           {&to->cursor_field, from->cursor_field},
        {&to->partition_regex, from->partition_regex}, {&to->filter_config, from->filter_config},
        {&to->filter_text, from->filter_text},         {&to->extra, from->extra},
        {&to->selected_extra, from->selected_extra},
    };
    int rc = copy_list(&to->primary_key, &from->primary_key, err);
    if (rc == 0) {
        rc = copy_list(&to->chosen, &from->chosen, err);
    }
    for (size_t i = 0; i < HR_COUNTOF(texts) && rc == 0; i++) {
        rc = copy_text(texts[i].to, texts[i].from, err);
    }
    return rc;
}

static int copy_names(struct hr_stream *to, const struct hr_stream *from, struct hr_error *err) {
    int rc = copy_text(&to->dest_database, from->dest_database, err);
    return rc ? rc : copy_text(&to->dest_table, from->dest_table, err);
}

/* Selection and names of columns both know; new ones follow sync_new_columns. */
static int merge_columns(struct hr_stream *to, const struct hr_stream *from, struct hr_error *err) {
    for (size_t i = 0; i < to->n_columns; i++) {
        struct hr_column *column = &to->columns[i];
        const struct hr_column *old = hr_stream_column(from, column->field.name);
        if (old == NULL) {
            column->selected = from->all_columns || from->sync_new_columns;
            continue;
        }
        column->selected = old->selected;
        int rc = copy_text(&column->dest_name, old->dest_name, err);
        if (rc) {
            return rc;
        }
    }
    return hr_streams_unique_names(to, err);
}

int hr_streams_merge(const struct hr_catalog *old, struct hr_catalog *fresh, struct hr_error *err) {
    /* Known streams keep their tables, also where a new one would have been given the same. */
    bool *known = hr_calloc(fresh->count + 1, sizeof(*known));
    int rc = known ? 0 : nomem(err);
    for (size_t i = 0; i < fresh->count && rc == 0; i++) {
        struct hr_stream *stream = &fresh->streams[i];
        long index = hr_catalog_find(old, stream->name, strlen(stream->name));
        if (index < 0) {
            stream->selected = false;
            continue;
        }
        const struct hr_stream *before = &old->streams[index];
        known[i] = true;
        rc = copy_choices(stream, before, err);
        if (rc == 0) {
            rc = copy_names(stream, before, err);
        }
        if (rc == 0) {
            rc = merge_columns(stream, before, err);
        }
    }
    rc = rc ? rc : hr_streams_unique_tables(fresh, known, err);
    hr_free(known);
    return rc;
}

/* ---- difference ------------------------------------------------------------------------------ */

static bool same_text(const char *a, const char *b) {
    a = a ? a : "";
    b = b ? b : "";
    return strcmp(a, b) == 0;
}

static bool synced_alike(const struct hr_stream *a, const struct hr_stream *b) {
    return a->normalization == b->normalization && a->append_mode == b->append_mode &&
           a->use_source_names == b->use_source_names && a->sync_mode == b->sync_mode &&
           same_text(a->partition_regex, b->partition_regex) &&
           same_text(a->filter_config, b->filter_config) &&
           same_text(a->filter_text, b->filter_text) &&
           same_text(a->dest_database, b->dest_database) &&
           same_text(a->dest_table, b->dest_table) &&
           (a->sync_mode != HR_SYNC_INCREMENTAL || same_text(a->cursor_field, b->cursor_field));
}

static int copy_stream(struct hr_catalog *out, const struct hr_stream *from,
                       const struct hr_stream *names, struct hr_error *err) {
    struct hr_stream *to = NULL;
    int rc = hr_catalog_add(out, from->name, from->namespace_, &to, err);
    for (size_t i = 0; i < from->n_columns && rc == 0; i++) {
        const struct hr_column *column = &from->columns[i];
        rc = hr_stream_add_column(to, &column->field, column->dest_name, column->kind, err);
        if (rc == 0) {
            to->columns[i].selected = column->selected;
        }
    }
    if (rc == 0) {
        to->has_schema = from->has_schema;
        to->listed = from->listed;
        rc = copy_choices(to, from, err);
    }
    return rc ? rc : copy_names(to, names, err);
}

int hr_streams_difference(const struct hr_catalog *old, const struct hr_catalog *fresh,
                          struct hr_catalog *out, struct hr_error *err) {
    hr_catalog_init(out);
    for (size_t i = 0; i < fresh->count; i++) {
        const struct hr_stream *stream = &fresh->streams[i];
        long index = hr_catalog_find(old, stream->name, strlen(stream->name));
        const struct hr_stream *before = index < 0 ? NULL : &old->streams[index];
        if (!stream->selected || (before && before->selected && synced_alike(before, stream))) {
            continue;
        }
        int rc = copy_stream(out, stream, before ? before : stream, err);
        if (rc) {
            hr_catalog_release(out);
            return rc;
        }
    }
    return 0;
}
