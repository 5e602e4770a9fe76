/* format/avro/avro_reader.c - the reader of the format seam: blocks of a container file in, batches
 * out.
 *
 * A batch takes rows from as many blocks as it needs, and ends within a block where it is full. A
 * split owns the blocks whose preceding sync marker starts in its byte range: the header's marker
 * belongs to the first one, so that splits that meet leave nothing out and read nothing twice. */
#include "base/hash.h"
#include "format/avro/avro_internal.h"
#include "format/avro/avro_resolve.h"

enum { BATCH_BYTES = 8 << 20, BATCH_ROWS = 8192, CELL_MAX = 128 << 20, POSITION_SHIFT = 20 };

struct avro_reader {
    struct hr_reader base;
    const char *name;
    struct hr_avro_input in;
    struct hr_avro_header header;
    struct hr_avro_schema avro;
    struct hr_schema *schema; /* of the batches */
    int *columns;             /* the file's column -> batch column, -1 skipped */
    struct hr_batch *batch;
    /* with a reader's schema: batch is as the file has it, these are what is given */
    bool resolves;
    struct hr_avro_resolver resolver;
    struct hr_schema *wanted;
    int *links; /* column of `wanted` -> link of the resolver */
    struct hr_batch *resolved;
    struct hr_avro_decoder dec;
    int64_t split_end; /* -1: to the end of the file */
    int64_t rows_max;
    bool want_rows;
    /* the block being decoded */
    bool in_block;
    struct hr_avro_block block;
    int64_t row; /* next in the block */
    uint8_t *buf;
    size_t buf_cap;
    int done; /* HR_END or the error that every later call repeats */
    struct hr_error failed;
};

/* ---- errors ---- */

/* Put object, block, row and column around a decoder's reason. row -1: unknown. */
static int reader_fail(struct avro_reader *r, int code, int64_t row, int column,
                       const struct hr_error *why, struct hr_error *err) {
    const char *shown = column >= 0 ? r->avro.schema->fields[column].name : NULL;
    if (err == NULL) {
        return code;
    }
    if (row >= 0) {
        hr_fail(err, code, "could not read '%s': row %lld of the block at byte %lld: %.300s",
                r->name, (long long)row + 1, (long long)r->block.offset, why->message);
    } else {
        hr_fail(err, code, "could not read '%s': in or before the block at byte %lld: %.300s",
                r->name, (long long)r->block.offset, why->message);
    }
    if (why->hint[0] != '\0') {
        hr_error_hint(err, "%s", why->hint);
    }
    hr_error_hint_damaged(err);
    hr_error_object(err, r->name);
    hr_error_place(err, r->block.offset, -1, shown);
    return code;
}

static int block_fail(struct avro_reader *r, int code, struct hr_error *err, const char *why) {
    hr_fail(err, code, "could not read '%s': the block at byte %lld %s", r->name,
            (long long)r->block.offset, why);
    hr_error_hint_damaged(err);
    hr_error_object(err, r->name);
    hr_error_place(err, r->block.offset, -1, NULL);
    return code;
}

/* ---- blocks ---- */

/* Inflate the block that was peeked and make its rows ready. */
static int load_block(struct avro_reader *r, struct hr_error *err) {
    struct hr_slice data;
    int rc = hr_avro_inflate(&r->header, r->name, &r->block, &r->buf, &r->buf_cap, &data, err);
    if (rc != 0) {
        return rc;
    }
    uint32_t row_min = r->avro.root.min_bytes;
    if ((row_min > 0 && (uint64_t)r->block.rows > data.len / row_min) ||
        (row_min == 0 && r->block.rows > HR_AVRO_WEIGHTLESS_MAX)) {
        return block_fail(r, HR_E_CORRUPT, err, "claims more rows than its bytes can hold");
    }
    r->dec.at = data.ptr;
    r->dec.end = data.ptr + data.len;
    r->row = 0;
    return 0;
}

static int open_block(struct avro_reader *r, struct hr_error *err) {
    r->base.end_record = r->in.offset;
    if (r->split_end >= 0 && r->in.offset - HR_AVRO_SYNC >= r->split_end) {
        return HR_END;
    }
    int rc = hr_avro_block_peek(&r->in, &r->header, 0, &r->block, err);
    rc = rc == 0 ? load_block(r, err) : rc;
    if (rc != 0) {
        return rc;
    }
    if (r->base.first_record < 0) {
        r->base.first_record = r->block.offset;
    }
    r->in_block = true;
    return 0;
}

static int close_block(struct avro_reader *r, struct hr_error *err) {
    if (r->dec.at != r->dec.end) {
        return block_fail(r, HR_E_CORRUPT, err, "holds more bytes than its rows need");
    }
    hr_avro_input_skip(&r->in, r->block.total);
    r->base.end_record = r->in.offset;
    r->in_block = false;
    return 0;
}

/* ---- batches ---- */

/* Where a row stood: unique in the file and known without the blocks before. */
static void note_rows(struct avro_reader *r, int64_t count) {
    struct hr_batch *batch = r->batch;
    for (int64_t i = 0; i < count; i++) {
        int64_t at = batch->len + i;
        batch->row_offsets[at] = (r->block.offset << POSITION_SHIFT) + r->row + i;
        batch->row_lines[at] = r->base.rows + at + 1;
    }
}

static int fill_from_block(struct avro_reader *r, struct hr_error *err) {
    struct hr_error why;
    int64_t left = r->block.rows - r->row;
    int64_t space = r->rows_max - r->batch->len;
    int64_t count = left < space ? left : space;
    int64_t done = 0;
    hr_error_clear(&why);
    r->dec.column = -1;
    int rc = hr_avro_reserve(&r->avro.root, (size_t)count, &why);
    if (rc == 0) {
        rc = hr_avro_decode_rows(&r->dec, &r->avro.root, count, BATCH_BYTES, &done, &why);
    }
    if (rc != 0) {
        return reader_fail(r, rc, r->row + done, r->dec.column, &why, err);
    }
    if (r->want_rows) {
        note_rows(r, done);
    }
    r->batch->len += done;
    r->row += done;
    return r->row == r->block.rows ? close_block(r, err) : 0;
}

static int finish_batch(struct avro_reader *r, struct hr_error *err) {
    struct hr_error why;
    int column = -1;
    int64_t row = -1;
    hr_error_clear(&why);
    int rc = hr_avro_finish_batch(&r->avro.root, &column, &row, &why);
    if (rc != 0) {
        return reader_fail(r, rc, -1, column, &why, err);
    }
    r->base.rows += r->batch->len;
    return 0;
}

static int fill_batch(struct avro_reader *r, struct hr_error *err) {
    int rc = 0;
    hr_batch_clear(r->batch);
    r->dec.bytes = 0;
    r->dec.weightless = 0;
    if (r->want_rows) {
        rc = hr_batch_reserve_rows(r->batch, (size_t)r->rows_max, err);
    }
    while (rc == 0 && r->batch->len < r->rows_max && r->dec.bytes < BATCH_BYTES) {
        rc = r->in_block ? fill_from_block(r, err) : open_block(r, err);
    }
    if (rc < 0) {
        return rc;
    }
    if (r->batch->len == 0) {
        return HR_END;
    }
    return finish_batch(r, err);
}

/* The batch as the reader's schema wants it. */
static int resolve_batch(struct avro_reader *r, struct hr_error *err) {
    struct hr_batch *out = r->resolved;
    int rc = 0;
    hr_batch_clear(out);
    for (int i = 0; rc == 0 && i < r->wanted->n_fields; i++) {
        const struct hr_avro_link *link = &r->resolver.links[r->links[i]];
        const struct hr_vec *src = link->from >= 0 ? &r->batch->vecs[r->columns[link->from]] : NULL;
        struct hr_error why;
        hr_error_clear(&why);
        rc = hr_avro_resolve(link, &out->vecs[i], src, r->batch->len, &why);
        if (rc != 0) {
            hr_fail(err, rc, "could not read '%s': %.300s", r->name, why.message);
            hr_error_object(err, r->name);
            hr_error_place(err, -1, -1, r->wanted->fields[i].name);
        }
    }
    out->len = r->batch->len;
    if (rc == 0 && r->want_rows) {
        rc = hr_batch_reserve_rows(out, (size_t)out->len, err);
        if (rc == 0) {
            const size_t size = (size_t)out->len * sizeof(*out->row_offsets);
            memcpy(out->row_offsets, r->batch->row_offsets, size);
            memcpy(out->row_lines, r->batch->row_lines, size);
        }
    }
    return rc;
}

static int avro_next(struct hr_reader *base, struct hr_batch **out, struct hr_error *err) {
    struct avro_reader *r = (struct avro_reader *)base;
    if (r->done == 0) {
        int rc = fill_batch(r, &r->failed);
        rc = rc == 0 && r->resolves ? resolve_batch(r, &r->failed) : rc;
        if (rc == 0) {
            *out = r->resolves ? r->resolved : r->batch;
            return 0;
        }
        r->done = rc;
    }
    if (r->done < 0 && err != NULL) {
        *err = r->failed;
    }
    return r->done;
}

/* ---- opening ---- */

static void avro_close(struct hr_reader *base) {
    struct avro_reader *r = (struct avro_reader *)base;
    hr_batch_free(r->batch);
    hr_batch_free(r->resolved);
    hr_schema_unref(r->schema);
    hr_schema_unref(r->wanted);
    hr_avro_resolver_release(&r->resolver);
    hr_free(r->links);
    hr_avro_schema_release(&r->avro);
    hr_avro_header_release(&r->header);
    hr_avro_input_release(&r->in);
    hr_big_free(r->buf);
    hr_free(r->columns);
    hr_free(r);
}

static bool is_wanted(const struct hr_schema *want, const char *name) {
    return want == NULL || hr_schema_find(want, name, strlen(name)) >= 0;
}

static const struct hr_field *find_child(const struct hr_field *field, const char *name) {
    for (int i = 0; i < field->n_children; i++) {
        if (strcmp(field->children[i].name, name) == 0) {
            return &field->children[i];
        }
    }
    return NULL;
}

static int no_memory(const struct avro_reader *r, struct hr_error *err) {
    return hr_fail(err, HR_E_NOMEM, "could not read '%s': out of memory", r->name);
}

/* The field as wanted: of a record with members in `want` only those; the others are marked to be
 * skipped. Where the file has none of them the record is read whole. */
static int narrow_field(struct hr_avro_node *node, const struct hr_field *have,
                        const struct hr_field *want, struct hr_field *out) {
    int n = 0;
    const bool record = node->kind == HR_AVRO_RECORD && want != NULL;
    for (int i = 0; record && i < have->n_children; i++) {
        n += find_child(want, have->children[i].name) != NULL;
    }
    if (n == 0) {
        return hr_field_copy(out, have);
    }
    int rc = hr_field_init(out, have->name, strlen(have->name), have->type, n);
    out->nullable = have->nullable;
    for (int i = 0, k = 0; rc == 0 && i < have->n_children; i++) {
        const struct hr_field *child = find_child(want, have->children[i].name);
        node->children[i].skipped = child == NULL;
        if (child != NULL) {
            rc = narrow_field(&node->children[i], &have->children[i], child, &out->children[k++]);
        }
    }
    return rc;
}

static bool wants_members(const struct hr_schema *want) {
    bool any = false;
    for (int i = 0; want != NULL && i < want->n_fields; i++) {
        any = any || want->fields[i].n_children > 0;
    }
    return any;
}

/* The columns of `all` whose place is not negative. members: NULL, or what is wanted of the file's
 * own columns, whose nodes may then skip. */
static int narrow_schema(struct avro_reader *r, struct hr_schema *all, const int *places, int count,
                         const struct hr_schema *members, struct hr_schema **out,
                         struct hr_error *err) {
    if (count == all->n_fields && !wants_members(members)) {
        *out = hr_schema_ref(all);
        return 0;
    }
    struct hr_schema *some = *out = hr_schema_new(count);
    int rc = some != NULL ? 0 : HR_E_NOMEM;
    for (int i = 0; rc == 0 && i < all->n_fields; i++) {
        const char *name = all->fields[i].name;
        const int at = members ? hr_schema_find(members, name, strlen(name)) : -1;
        if (places[i] >= 0 && at >= 0) {
            rc = narrow_field(&r->avro.root.children[i], &all->fields[i], &members->fields[at],
                              &some->fields[places[i]]);
        } else if (places[i] >= 0) {
            rc = hr_field_copy(&some->fields[places[i]], &all->fields[i]);
        }
    }
    return rc == 0 ? 0 : no_memory(r, err);
}

/* The reader's columns that are wanted; those of the file that they are made of are marked. */
static int choose_links(struct avro_reader *r, const struct hr_schema *want, bool *used,
                        struct hr_error *err) {
    struct hr_schema *all = r->resolver.reader.schema;
    int *places = hr_calloc((size_t)all->n_fields + 1, sizeof(*places));
    int count = 0;
    r->links = hr_calloc((size_t)all->n_fields + 1, sizeof(*r->links));
    if (places == NULL || r->links == NULL) {
        hr_free(places);
        return no_memory(r, err);
    }
    for (int i = 0; i < all->n_fields; i++) {
        places[i] = is_wanted(want, all->fields[i].name) ? count : -1;
        if (places[i] >= 0) {
            r->links[count++] = i;
            if (r->resolver.links[i].from >= 0) {
                used[r->resolver.links[i].from] = true;
            }
        }
    }
    int rc = narrow_schema(r, all, places, count, NULL, &r->wanted, err);
    hr_free(places);
    return rc == 0 ? hr_batch_new(r->wanted, &r->resolved, err) : rc;
}

/* Which of the file's columns are read, and the schema they make. */
static int choose_columns(struct avro_reader *r, const struct hr_schema *want,
                          struct hr_error *err) {
    struct hr_schema *all = r->avro.schema;
    int count = 0, rc = 0;
    bool *used = hr_calloc((size_t)all->n_fields + 1, sizeof(*used));
    r->columns = hr_calloc((size_t)all->n_fields, sizeof(*r->columns));
    if (used == NULL || r->columns == NULL) {
        hr_free(used);
        return no_memory(r, err);
    }
    if (r->resolves) {
        rc = choose_links(r, want, used, err);
    }
    for (int i = 0; i < all->n_fields; i++) {
        const bool wanted = r->resolves ? used[i] : is_wanted(want, all->fields[i].name);
        r->columns[i] = wanted ? count++ : -1;
    }
    hr_free(used);
    return rc == 0 ? narrow_schema(r, all, r->columns, count, r->resolves ? NULL : want, &r->schema,
                                   err)
                   : rc;
}

static int open_resolver(struct avro_reader *r, const struct hr_format_opts *opts,
                         struct hr_error *err) {
    const char *json = opts != NULL ? opts->avro.schema : NULL;
    r->resolves = json != NULL && json[0] != '\0';
    return r->resolves ? hr_avro_open_resolver(r->name, json, &r->avro, &r->resolver, err) : 0;
}

static size_t row_width(const struct hr_avro_node *node) {
    size_t width =
        node->vec == NULL ? 0 : node->width + node->fixed * (node->kind == HR_AVRO_FIXED);
    if (node->vec != NULL && node->kind == HR_AVRO_RECORD) {
        for (int32_t i = 0; i < node->n_children; i++) {
            width += row_width(&node->children[i]);
        }
    }
    return width + 4;
}

/* As many rows as asked for, fewer where a row is so wide that a batch would be large. */
static int64_t batch_rows(const struct avro_reader *r, int64_t asked) {
    size_t width = 1;
    for (int32_t i = 0; i < r->avro.root.n_children; i++) {
        width += row_width(&r->avro.root.children[i]);
    }
    int64_t fit = (int64_t)(BATCH_BYTES / width);
    int64_t rows = asked > 0 ? asked : BATCH_ROWS;
    rows = rows < fit ? rows : fit;
    return rows > 0 ? rows : 1;
}

static int read_header(struct avro_reader *r, const struct hr_read_params *params,
                       struct hr_error *err) {
    if (params->split_begin <= 0) {
        int rc = hr_avro_header_read(&r->in, &r->header, err);
        return rc;
    }
    if (params->header == NULL || params->header->count != 1) {
        return hr_fail(err, HR_E_INTERNAL, "could not read '%s': a split came without its header",
                       r->name);
    }
    return hr_avro_header_from_text(r->name, params->header->items[0], &r->header, err);
}

/* Is there a block behind what looks like a sync marker? The marker's bytes may stand in a row as
 * well; then what follows is no block whose rows use up its bytes exactly. */
static int marker_holds(struct avro_reader *r, bool *holds, struct hr_error *err) {
    *holds = true;
    int rc = hr_avro_block_peek(&r->in, &r->header, HR_AVRO_SYNC, &r->block, err);
    if (rc == HR_END) {
        return 0;
    }
    rc = rc == 0 ? load_block(r, err) : rc;
    rc = rc == 0 ? hr_avro_skip_rows(&r->dec, &r->avro.root, r->block.rows, err) : rc;
    *holds = rc == 0 && r->dec.at == r->dec.end;
    r->dec.weightless = 0;
    return rc == HR_E_CORRUPT || rc == HR_E_BOUND ? 0 : rc;
}

/* To the first block of the split. The nodes are not bound yet. HR_END: no block starts in it. */
static int seek_first(struct avro_reader *r, const struct hr_read_params *params,
                      struct hr_error *err) {
    int64_t from = params->split_begin;
    if (from <= 0) {
        return 0;
    }
    if (params->split_exact) {
        return hr_avro_input_pass(&r->in, 1, err);
    }
    int64_t own = (int64_t)r->header.len - HR_AVRO_SYNC; /* metadata may hold the marker's bytes */
    from = from > own ? from : own;
    for (;;) {
        bool holds = false;
        int rc = hr_avro_find_sync(&r->in, &r->header, from, err);
        if (rc == 0 && r->split_end >= 0 && r->in.offset >= r->split_end) {
            return HR_END;
        }
        rc = rc == 0 ? marker_holds(r, &holds, err) : rc;
        if (rc != 0) {
            return rc;
        }
        if (holds) {
            hr_avro_input_skip(&r->in, HR_AVRO_SYNC);
            return 0;
        }
        /* Only bytes of a row, or a block that is damaged? The split before knows where the next
         * block starts. No block starts where this split does, so the two will disagree and the
         * split is read again from the true place, where damage shows. */
        r->base.first_record = params->split_begin;
        from = r->in.offset + 1;
    }
}

static int reader_setup(struct avro_reader *r, const struct hr_format_opts *opts,
                        const struct hr_read_params *params, struct hr_error *err) {
    int rc = read_header(r, params, err);
    if (rc == 0) {
        rc = hr_avro_open_schema(r->name, &r->header, &r->avro, err);
    }
    if (rc == 0) {
        rc = open_resolver(r, opts, err);
    }
    if (rc == 0) {
        rc = choose_columns(r, params->want, err);
    }
    if (rc == 0) {
        rc = hr_batch_new(r->schema, &r->batch, err);
    }
    if (rc != 0) {
        return rc;
    }
    rc = seek_first(r, params, err);
    r->base.end_record = rc == HR_END ? -1 : r->in.offset;
    if (rc == HR_END) {
        r->done = HR_END;
        rc = 0;
    }
    hr_avro_bind(&r->avro.root, r->batch, r->columns);
    r->rows_max = batch_rows(r, params->batch_rows);
    return rc;
}

int hr_avro_open(struct hr_source *src, const struct hr_format_opts *opts,
                 const struct hr_read_params *params, struct hr_reader **out,
                 struct hr_error *err) {
    static const struct hr_reader_ops ops = {.next = avro_next, .close = avro_close};
    struct avro_reader *r = hr_calloc(1, sizeof(*r));
    if (r == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not read '%s': out of memory", src->name);
    }
    r->base = (struct hr_reader){.ops = &ops, .first_record = -1};
    r->name = src->name;
    r->split_end = params->split_end > 0 ? params->split_end : -1;
    r->want_rows = params->want_rows;
    r->dec.cell_max = params->cell_max != 0 ? params->cell_max : CELL_MAX;
    hr_avro_input_init(&r->in, src, params->split_begin > 0 ? params->split_begin - 1 : 0);
    int rc = reader_setup(r, opts, params, err);
    if (rc != 0) {
        avro_close(&r->base);
        return rc;
    }
    r->base.schema = r->resolves ? r->wanted : r->schema;
    *out = &r->base;
    return 0;
}
