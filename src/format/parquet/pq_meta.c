/* format/parquet/pq_meta.c - decodes FileMetaData, the footer of a Parquet file.
 *
 * Called once per file by pq_footer.c with the footer's bytes; fills the structs of pq_meta.h.
 * Field numbers are those of parquet.thrift. Unknown fields are skipped, so newer files stay
 * readable. Lists become arrays in the caller's arena, whose limit bounds what a damaged footer can
 * ask for.
 */
#include "format/parquet/pq_meta.h"

#include "format/parquet/pq_meta_internal.h"

void *hr_pq_list(struct hr_thrift_in *in, struct hr_arena *arena, size_t count, size_t size) {
    if (in->bad != NULL || count == 0) {
        return NULL;
    }
    void *items = hr_arena_calloc(arena, count, size);
    if (items == NULL) {
        in->no_memory = count * size <= arena->max - arena->used;
        hr_thrift_fail(in, "it asks for more memory than its size allows");
    }
    return items;
}

bool hr_pq_item_struct(struct hr_thrift_in *in, const struct hr_thrift_field *item) {
    return hr_thrift_is_struct(in, item);
}

/* ---- schema -----------------------------------------------------------------------------------
 */

static void read_decimal(struct hr_thrift_in *in, struct hr_pq_logical_type *out) {
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        switch (f.id) {
        case 1: out->scale = hr_thrift_i32(in, &f); break;
        case 2: out->precision = hr_thrift_i32(in, &f); break;
        default: hr_thrift_skip(in, f.type); break;
        }
    }
}

/* The union TimeUnit: the number of its one field is the unit. */
static int read_union(struct hr_thrift_in *in, const struct hr_thrift_field *field) {
    int which = 0;
    if (!hr_thrift_is_struct(in, field)) {
        return 0;
    }
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        which = f.id;
        hr_thrift_skip(in, f.type);
    }
    return which;
}

static void read_time(struct hr_thrift_in *in, struct hr_pq_logical_type *out) {
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        switch (f.id) {
        case 1: out->utc = hr_thrift_bool(in, &f); break;
        case 2: out->unit = read_union(in, &f); break;
        default: hr_thrift_skip(in, f.type); break;
        }
    }
}

static void read_integer(struct hr_thrift_in *in, struct hr_pq_logical_type *out) {
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        switch (f.id) {
        case 1: out->bit_width = hr_thrift_i32(in, &f); break;
        case 2: out->is_signed = hr_thrift_bool(in, &f); break;
        default: hr_thrift_skip(in, f.type); break;
        }
    }
}

static bool logical_known(int id) {
    return (id >= HR_PQ_LOG_STRING && id <= HR_PQ_LOG_TIMESTAMP) ||
           (id >= HR_PQ_LOG_INTEGER && id <= HR_PQ_LOG_GEOGRAPHY);
}

static void read_logical(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                         struct hr_pq_logical_type *out) {
    if (!hr_thrift_is_struct(in, field)) {
        return;
    }
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        out->id = logical_known(f.id) ? f.id : HR_PQ_LOG_OTHER;
        if (f.type != HR_THRIFT_STRUCT) {
            out->id = HR_PQ_LOG_OTHER;
            hr_thrift_skip(in, f.type);
        } else if (f.id == HR_PQ_LOG_DECIMAL) {
            read_decimal(in, out);
        } else if (f.id == HR_PQ_LOG_TIME || f.id == HR_PQ_LOG_TIMESTAMP) {
            read_time(in, out);
        } else if (f.id == HR_PQ_LOG_INTEGER) {
            read_integer(in, out);
        } else {
            hr_thrift_skip(in, f.type);
        }
    }
}

static void read_element(struct hr_thrift_in *in, struct hr_pq_element *out) {
    out->type = -1;
    out->repetition = -1;
    out->converted = HR_PQ_CONV_NONE;
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        switch (f.id) {
        case 1: out->type = hr_thrift_i32(in, &f); break;
        case 2: out->type_length = hr_thrift_i32(in, &f); break;
        case 3: out->repetition = hr_thrift_i32(in, &f); break;
        case 4: out->name = hr_thrift_bytes(in, &f); break;
        case 5: out->num_children = hr_thrift_i32(in, &f); break;
        case 6: out->converted = hr_thrift_i32(in, &f); break;
        case 7: out->scale = hr_thrift_i32(in, &f); break;
        case 8: out->precision = hr_thrift_i32(in, &f); break;
        case 9:
            out->field_id = hr_thrift_i32(in, &f);
            out->has_field_id = true;
            break;
        case 10: read_logical(in, &f, &out->logical); break;
        default: hr_thrift_skip(in, f.type); break;
        }
    }
    if (in->bad == NULL && out->name.ptr == NULL) {
        hr_thrift_fail(in, "a schema element has no name");
    }
}

static void read_schema(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                        struct hr_arena *arena, struct hr_pq_file *out) {
    struct hr_thrift_field item;
    size_t count = hr_thrift_list(in, field, &item);
    out->schema = hr_pq_list(in, arena, count, sizeof(*out->schema));
    out->n_schema = 0; /* the field may come twice */
    for (size_t i = 0; i < count && hr_pq_item_struct(in, &item); i++) {
        read_element(in, &out->schema[i]);
        out->n_schema++;
    }
}

/* ---- key-value pairs --------------------------------------------------------------------------
 */

static struct hr_pq_key_value *read_key_values(struct hr_thrift_in *in,
                                               const struct hr_thrift_field *field,
                                               struct hr_arena *arena, size_t *out_count) {
    struct hr_thrift_field item;
    size_t count = hr_thrift_list(in, field, &item);
    struct hr_pq_key_value *pairs = hr_pq_list(in, arena, count, sizeof(*pairs));
    for (size_t i = 0; i < count && hr_pq_item_struct(in, &item); i++) {
        for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
            switch (f.id) {
            case 1: pairs[i].key = hr_thrift_bytes(in, &f); break;
            case 2: pairs[i].value = hr_thrift_bytes(in, &f); break;
            default: hr_thrift_skip(in, f.type); break;
            }
        }
    }
    *out_count = count;
    return pairs;
}

/* ---- column chunks ----------------------------------------------------------------------------
 */

void hr_pq_read_stats(struct hr_thrift_in *in, struct hr_pq_stats *out) {
    *out = (struct hr_pq_stats){
        .null_count = -1, .distinct_count = -1, .nan_count = -1, .max_exact = -1, .min_exact = -1};
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        switch (f.id) {
        case 1: out->max = hr_thrift_bytes(in, &f); break;
        case 2: out->min = hr_thrift_bytes(in, &f); break;
        case 3: out->null_count = hr_thrift_i64(in, &f); break;
        case 4: out->distinct_count = hr_thrift_i64(in, &f); break;
        case 5: out->max_value = hr_thrift_bytes(in, &f); break;
        case 6: out->min_value = hr_thrift_bytes(in, &f); break;
        case 7: out->max_exact = (int8_t)hr_thrift_bool(in, &f); break;
        case 8: out->min_exact = (int8_t)hr_thrift_bool(in, &f); break;
        case 9: out->nan_count = hr_thrift_i64(in, &f); break;
        default: hr_thrift_skip(in, f.type); break;
        }
    }
}

static void read_encodings(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                           struct hr_arena *arena, struct hr_pq_column *out) {
    struct hr_thrift_field item;
    size_t count = hr_thrift_list(in, field, &item);
    out->encodings = hr_pq_list(in, arena, count, sizeof(*out->encodings));
    out->n_encodings = 0; /* the field may come twice */
    for (size_t i = 0; i < count && in->bad == NULL; i++) {
        out->encodings[i] = hr_thrift_i32(in, &item);
        out->n_encodings++;
    }
}

static void read_path(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                      struct hr_arena *arena, struct hr_pq_column *out) {
    struct hr_thrift_field item;
    size_t count = hr_thrift_list(in, field, &item);
    out->path = hr_pq_list(in, arena, count, sizeof(*out->path));
    out->n_path = 0; /* the field may come twice */
    for (size_t i = 0; i < count && in->bad == NULL; i++) {
        out->path[i] = hr_thrift_bytes(in, &item);
        out->n_path++;
    }
}

static void read_encoding_stats(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                                struct hr_arena *arena, struct hr_pq_column *out) {
    struct hr_thrift_field item;
    size_t count = hr_thrift_list(in, field, &item);
    out->encoding_stats = hr_pq_list(in, arena, count, sizeof(*out->encoding_stats));
    out->n_encoding_stats = 0; /* the field may come twice */
    for (size_t i = 0; i < count && hr_pq_item_struct(in, &item); i++) {
        struct hr_pq_page_encoding_stats *stat = &out->encoding_stats[i];
        for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
            switch (f.id) {
            case 1: stat->page_type = hr_thrift_i32(in, &f); break;
            case 2: stat->encoding = hr_thrift_i32(in, &f); break;
            case 3: stat->count = hr_thrift_i32(in, &f); break;
            default: hr_thrift_skip(in, f.type); break;
            }
        }
        out->n_encoding_stats++;
    }
}

int64_t *hr_pq_read_counts(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                           struct hr_arena *arena, size_t *out_count) {
    struct hr_thrift_field item;
    size_t count = hr_thrift_list(in, field, &item);
    int64_t *values = hr_pq_list(in, arena, count, sizeof(*values));
    for (size_t i = 0; i < count && in->bad == NULL; i++) {
        values[i] = hr_thrift_i64(in, &item);
    }
    *out_count = count;
    return values;
}

static void read_sizes(struct hr_thrift_in *in, struct hr_arena *arena,
                       struct hr_pq_size_stats *out) {
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        switch (f.id) {
        case 1: out->bytes = hr_thrift_i64(in, &f); break;
        case 2: out->reps = hr_pq_read_counts(in, &f, arena, &out->n_reps); break;
        case 3: out->defs = hr_pq_read_counts(in, &f, arena, &out->n_defs); break;
        default: hr_thrift_skip(in, f.type); break;
        }
    }
}

static void read_column_meta(struct hr_thrift_in *in, struct hr_arena *arena,
                             struct hr_pq_column *out) {
    unsigned seen = 0;
    out->sizes = (struct hr_pq_size_stats){.bytes = -1};
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        seen |= f.id > 0 && f.id < 32 ? 1u << f.id : 0;
        switch (f.id) {
        case 1: out->type = hr_thrift_i32(in, &f); break;
        case 2: read_encodings(in, &f, arena, out); break;
        case 3: read_path(in, &f, arena, out); break;
        case 4: out->codec = hr_thrift_i32(in, &f); break;
        case 5: out->num_values = hr_thrift_i64(in, &f); break;
        case 6: out->total_uncompressed_size = hr_thrift_i64(in, &f); break;
        case 7: out->total_compressed_size = hr_thrift_i64(in, &f); break;
        case 8: out->key_values = read_key_values(in, &f, arena, &out->n_key_values); break;
        case 9: out->data_page_offset = hr_thrift_i64(in, &f); break;
        case 10: out->index_page_offset = hr_thrift_i64(in, &f); break;
        case 11: out->dictionary_page_offset = hr_thrift_i64(in, &f); break;
        case 12:
            if (hr_thrift_is_struct(in, &f)) {
                hr_pq_read_stats(in, &out->stats);
                out->has_stats = true;
            }
            break;
        case 13: read_encoding_stats(in, &f, arena, out); break;
        case 14: out->bloom_filter_offset = hr_thrift_i64(in, &f); break;
        case 15: out->bloom_filter_length = hr_thrift_i32(in, &f); break;
        case 16:
            if (hr_thrift_is_struct(in, &f)) {
                read_sizes(in, arena, &out->sizes);
            }
            break;
        default: hr_thrift_skip(in, f.type); break;
        }
    }
    const unsigned required = 1u << 1 | 1u << 4 | 1u << 5 | 1u << 7 | 1u << 9;
    if (in->bad == NULL && (seen & required) != required) {
        hr_thrift_fail(in, "a column chunk lacks a required field");
    }
}

static void read_column(struct hr_thrift_in *in, struct hr_arena *arena, struct hr_pq_column *out) {
    out->type = -1;
    out->index_page_offset = out->dictionary_page_offset = out->bloom_filter_offset = -1;
    out->bloom_filter_length = -1;
    out->offset_index_offset = out->column_index_offset = -1;
    out->offset_index_length = out->column_index_length = -1;
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        switch (f.id) {
        case 1: out->file_path = hr_thrift_bytes(in, &f); break;
        case 2: out->file_offset = hr_thrift_i64(in, &f); break;
        case 3:
            if (hr_thrift_is_struct(in, &f)) {
                read_column_meta(in, arena, out);
                out->has_meta = true;
            }
            break;
        case 4: out->offset_index_offset = hr_thrift_i64(in, &f); break;
        case 5: out->offset_index_length = hr_thrift_i32(in, &f); break;
        case 6: out->column_index_offset = hr_thrift_i64(in, &f); break;
        case 7: out->column_index_length = hr_thrift_i32(in, &f); break;
        case 8:
        case 9:
            out->encrypted = true;
            hr_thrift_skip(in, f.type);
            break;
        default: hr_thrift_skip(in, f.type); break;
        }
    }
}

/* ---- row groups -------------------------------------------------------------------------------
 */

struct range {
    int64_t begin, end;
};

static void read_columns(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                         struct hr_arena *arena, struct hr_pq_row_group *out) {
    struct hr_thrift_field item;
    size_t count = hr_thrift_list(in, field, &item);
    out->columns = hr_pq_list(in, arena, count, sizeof(*out->columns));
    out->n_columns = 0; /* the field may come twice */
    for (size_t i = 0; i < count && hr_pq_item_struct(in, &item); i++) {
        read_column(in, arena, &out->columns[i]);
        out->n_columns++;
    }
}

static void read_sorting(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                         struct hr_arena *arena, struct hr_pq_row_group *out) {
    struct hr_thrift_field item;
    size_t count = hr_thrift_list(in, field, &item);
    out->sorting = hr_pq_list(in, arena, count, sizeof(*out->sorting));
    out->n_sorting = 0; /* the field may come twice */
    for (size_t i = 0; i < count && hr_pq_item_struct(in, &item); i++) {
        struct hr_pq_sorting *sort = &out->sorting[i];
        for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
            switch (f.id) {
            case 1: sort->column_idx = hr_thrift_i32(in, &f); break;
            case 2: sort->descending = hr_thrift_bool(in, &f); break;
            case 3: sort->nulls_first = hr_thrift_bool(in, &f); break;
            default: hr_thrift_skip(in, f.type); break;
            }
        }
        out->n_sorting++;
    }
}

static void read_group(struct hr_thrift_in *in, struct hr_arena *arena,
                       struct hr_pq_row_group *out) {
    unsigned seen = 0;
    out->file_offset = out->total_compressed_size = -1;
    out->ordinal = -1;
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        seen |= f.id > 0 && f.id < 32 ? 1u << f.id : 0;
        switch (f.id) {
        case 1: read_columns(in, &f, arena, out); break;
        case 2: out->total_byte_size = hr_thrift_i64(in, &f); break;
        case 3: out->num_rows = hr_thrift_i64(in, &f); break;
        case 4: read_sorting(in, &f, arena, out); break;
        case 5: out->file_offset = hr_thrift_i64(in, &f); break;
        case 6: out->total_compressed_size = hr_thrift_i64(in, &f); break;
        case 7: out->ordinal = hr_thrift_i32(in, &f); break;
        default: hr_thrift_skip(in, f.type); break;
        }
    }
    if (in->bad == NULL && (!(seen & 1u << 1) || !(seen & 1u << 3) || out->num_rows < 0)) {
        hr_thrift_fail(in, "a row group lacks its columns or its number of rows");
    }
}

/* Bytes that reading all columns of a row group fetches; what its columns say wins. */
static int64_t stored_bytes(const struct hr_pq_row_group *group) {
    int64_t sum = 0;
    for (size_t c = 0; c < group->n_columns; c++) {
        const int64_t bytes = group->columns[c].total_compressed_size;
        sum += bytes > 0 && sum < INT64_MAX / 4 ? bytes : 0;
    }
    return sum > 0 ? sum : group->total_compressed_size > 0 ? group->total_compressed_size : 0;
}

static void read_groups(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                        const struct range *keep, struct hr_arena *arena, struct hr_pq_file *out) {
    struct hr_thrift_field item;
    struct hr_arena passing; /* of a row group that is not kept */
    size_t count = hr_thrift_list(in, field, &item);
    hr_arena_init(&passing, arena->max);
    out->groups = hr_pq_list(in, arena, count, sizeof(*out->groups));
    out->n_groups = 0; /* the field may come twice */
    for (size_t i = 0; i < count && hr_pq_item_struct(in, &item); i++) {
        struct hr_pq_row_group *group = &out->groups[i];
        const bool kept = (int64_t)i >= keep->begin && (int64_t)i < keep->end;
        read_group(in, kept ? arena : &passing, group);
        group->stored = stored_bytes(group);
        out->n_groups++;
        if (!kept) {
            group->columns = NULL;
            group->sorting = NULL;
            group->n_columns = group->n_sorting = 0;
            hr_arena_reset(&passing);
        }
    }
    hr_arena_release(&passing);
}

static void read_orders(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                        struct hr_arena *arena, struct hr_pq_file *out) {
    struct hr_thrift_field item;
    size_t count = hr_thrift_list(in, field, &item);
    out->column_orders = hr_pq_list(in, arena, count, 1);
    out->n_column_orders = 0; /* the field may come twice */
    for (size_t i = 0; i < count && in->bad == NULL; i++) {
        int order = read_union(in, &item);
        out->column_orders[i] = order >= HR_PQ_ORDER_TYPE && order <= HR_PQ_ORDER_INT96
                                    ? (uint8_t)order
                                    : HR_PQ_ORDER_UNDEFINED;
        out->n_column_orders++;
    }
}

int hr_pq_finish(const struct hr_thrift_in *in, const char *what, struct hr_error *err) {
    if (in->bad == NULL) {
        return 0;
    }
    if (in->no_memory) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate the %s of a Parquet file", what);
    }
    return hr_fail(err, HR_E_CORRUPT,
                   "could not read the %s of a Parquet file: %s (byte %zu of it)", what, in->bad,
                   (size_t)(in->ptr - in->begin));
}

/* Damage in the list of row groups must not look like a file of fewer rows. More than the file's
 * own count is let pass: the rows are there, and others read them. */
static bool groups_hold_all(const struct hr_pq_file *file) {
    uint64_t rows = 0;
    for (size_t i = 0; i < file->n_groups && rows <= INT64_MAX; i++) {
        rows += (uint64_t)file->groups[i].num_rows;
    }
    return file->num_rows < 0 || rows >= (uint64_t)file->num_rows;
}

int hr_pq_file_decode(struct hr_slice bytes, struct hr_arena *arena, struct hr_pq_file *out,
                      struct hr_error *err) {
    return hr_pq_file_decode_groups(bytes, 0, INT64_MAX, arena, out, err);
}

int hr_pq_file_decode_groups(struct hr_slice bytes, int64_t begin, int64_t end,
                             struct hr_arena *arena, struct hr_pq_file *out, struct hr_error *err) {
    const struct range keep = {begin, end};
    struct hr_thrift_in in;
    unsigned seen = 0;
    hr_thrift_in_init(&in, bytes);
    *out = (struct hr_pq_file){0};
    for (struct hr_thrift_field f = {0}; hr_thrift_field(&in, &f);) {
        seen |= f.id > 0 && f.id < 32 ? 1u << f.id : 0;
        switch (f.id) {
        case 1: out->version = hr_thrift_i32(&in, &f); break;
        case 2: read_schema(&in, &f, arena, out); break;
        case 3: out->num_rows = hr_thrift_i64(&in, &f); break;
        case 4: read_groups(&in, &f, &keep, arena, out); break;
        case 5: out->key_values = read_key_values(&in, &f, arena, &out->n_key_values); break;
        case 6: out->created_by = hr_thrift_bytes(&in, &f); break;
        case 7: read_orders(&in, &f, arena, out); break;
        case 8:
            out->encrypted = true;
            hr_thrift_skip(&in, f.type);
            break;
        default: hr_thrift_skip(&in, f.type); break;
        }
    }
    const unsigned required = 1u << 2 | 1u << 3 | 1u << 4;
    if (in.bad == NULL && (seen & required) != required) {
        hr_thrift_fail(&in, "the schema, the row count or the row groups are missing");
    }
    if (in.bad == NULL && !groups_hold_all(out)) {
        hr_thrift_fail(&in, "its row groups hold fewer rows than the file should have");
    }
    return hr_pq_finish(&in, "footer", err);
}
