/* format/parquet/pq_meta_page.c - decodes the small metadata inside a Parquet file: page headers,
 * offset and column index, bloom filter header; and names enum values for messages.
 *
 * Page headers are read by pq_page.c, one per page; the indexes and bloom headers by pq_prune.c.
 */
#include "format/parquet/pq_meta_internal.h"

/* ---- page headers -----------------------------------------------------------------------------
 */

static void read_page_stats(struct hr_thrift_in *in, const struct hr_thrift_field *f,
                            struct hr_pq_page_header *out) {
    if (hr_thrift_is_struct(in, f)) {
        hr_pq_read_stats(in, &out->stats);
        out->has_stats = true;
    }
}

static void read_data_v1(struct hr_thrift_in *in, struct hr_pq_page_header *out) {
    unsigned seen = 0;
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        seen |= f.id > 0 && f.id < 32 ? 1u << f.id : 0;
        switch (f.id) {
        case 1: out->num_values = hr_thrift_i32(in, &f); break;
        case 2: out->encoding = hr_thrift_i32(in, &f); break;
        case 3: out->def_encoding = hr_thrift_i32(in, &f); break;
        case 4: out->rep_encoding = hr_thrift_i32(in, &f); break;
        case 5: read_page_stats(in, &f, out); break;
        default: hr_thrift_skip(in, f.type); break;
        }
    }
    if ((seen & 6) != 6) {
        hr_thrift_fail(in, "a data page header lacks a required field");
    }
}

static void read_data_v2(struct hr_thrift_in *in, struct hr_pq_page_header *out) {
    unsigned seen = 0;
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        seen |= f.id > 0 && f.id < 32 ? 1u << f.id : 0;
        switch (f.id) {
        case 1: out->num_values = hr_thrift_i32(in, &f); break;
        case 2: out->num_nulls = hr_thrift_i32(in, &f); break;
        case 3: out->num_rows = hr_thrift_i32(in, &f); break;
        case 4: out->encoding = hr_thrift_i32(in, &f); break;
        case 5: out->def_len = hr_thrift_i32(in, &f); break;
        case 6: out->rep_len = hr_thrift_i32(in, &f); break;
        case 7: out->compressed = hr_thrift_bool(in, &f); break;
        case 8: read_page_stats(in, &f, out); break;
        default: hr_thrift_skip(in, f.type); break;
        }
    }
    if ((seen & 126) != 126) {
        hr_thrift_fail(in, "a data page header (v2) lacks a required field");
    }
}

static void read_dictionary(struct hr_thrift_in *in, struct hr_pq_page_header *out) {
    unsigned seen = 0;
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        seen |= f.id > 0 && f.id < 32 ? 1u << f.id : 0;
        switch (f.id) {
        case 1: out->num_values = hr_thrift_i32(in, &f); break;
        case 2: out->encoding = hr_thrift_i32(in, &f); break;
        case 3: out->sorted = hr_thrift_bool(in, &f); break;
        default: hr_thrift_skip(in, f.type); break;
        }
    }
    if ((seen & 6) != 6) {
        hr_thrift_fail(in, "a dictionary page header lacks a required field");
    }
}

/* Which header struct a page of this type must have; 0: none of ours. */
static int wanted_part(int type) {
    switch (type) {
    case HR_PQ_DATA_PAGE: return 5;
    case HR_PQ_DICTIONARY_PAGE: return 7;
    case HR_PQ_DATA_PAGE_V2: return 8;
    default: return 0;
    }
}

int hr_pq_page_header_decode(struct hr_slice bytes, struct hr_pq_page_header *out, size_t *used,
                             struct hr_error *err) {
    struct hr_thrift_in in;
    unsigned seen = 0;
    hr_thrift_in_init(&in, bytes);
    *out = (struct hr_pq_page_header){.type = -1, .compressed = true};
    for (struct hr_thrift_field f = {0}; hr_thrift_field(&in, &f);) {
        seen |= f.id > 0 && f.id < 32 ? 1u << f.id : 0;
        bool part = f.id >= 5 && f.id <= 8;
        if (part && (!hr_thrift_is_struct(&in, &f) || f.id != wanted_part(out->type))) {
            hr_thrift_skip(&in,
                           f.type); /* the type comes first in every file; others are ignored */
            continue;
        }
        switch (f.id) {
        case 1: out->type = hr_thrift_i32(&in, &f); break;
        case 2: out->uncompressed_size = hr_thrift_i32(&in, &f); break;
        case 3: out->compressed_size = hr_thrift_i32(&in, &f); break;
        case 4:
            out->crc = (uint32_t)hr_thrift_i32(&in, &f);
            out->has_crc = true;
            break;
        case 5: read_data_v1(&in, out); break;
        case 7: read_dictionary(&in, out); break;
        case 8: read_data_v2(&in, out); break;
        default: hr_thrift_skip(&in, f.type); break;
        }
    }
    int part = wanted_part(out->type);
    if (in.bad == NULL && ((seen & 14) != 14 || (part != 0 && !(seen & 1u << part)))) {
        hr_thrift_fail(&in, "a required field is missing");
    }
    if (in.bad == NULL &&
        (out->uncompressed_size < 0 || out->compressed_size < 0 || out->num_values < 0)) {
        hr_thrift_fail(&in, "a size is negative");
    }
    if (in.bad != NULL && in.cut) {
        return HR_MORE;
    }
    *used = (size_t)(in.ptr - in.begin);
    return hr_pq_finish(&in, "page header", err);
}

/* ---- offset index and column index ------------------------------------------------------------
 */

static void read_locations(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                           struct hr_arena *arena, struct hr_pq_offset_index *out) {
    struct hr_thrift_field item;
    size_t count = hr_thrift_list(in, field, &item);
    out->pages = hr_pq_list(in, arena, count, sizeof(*out->pages));
    out->n_pages = 0; /* the field may come twice */
    for (size_t i = 0; i < count && hr_pq_item_struct(in, &item); i++) {
        struct hr_pq_page_location *page = &out->pages[i];
        for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
            switch (f.id) {
            case 1: page->offset = hr_thrift_i64(in, &f); break;
            case 2: page->compressed_size = hr_thrift_i32(in, &f); break;
            case 3: page->first_row = hr_thrift_i64(in, &f); break;
            default: hr_thrift_skip(in, f.type); break;
            }
        }
        out->n_pages++;
    }
}

int hr_pq_offset_index_decode(struct hr_slice bytes, struct hr_arena *arena,
                              struct hr_pq_offset_index *out, struct hr_error *err) {
    struct hr_thrift_in in;
    hr_thrift_in_init(&in, bytes);
    *out = (struct hr_pq_offset_index){0};
    for (struct hr_thrift_field f = {0}; hr_thrift_field(&in, &f);) {
        if (f.id == 1) {
            read_locations(&in, &f, arena, out);
        } else {
            hr_thrift_skip(&in, f.type);
        }
    }
    return hr_pq_finish(&in, "offset index", err);
}

static struct hr_slice *read_bounds(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                                    struct hr_arena *arena, size_t *out_count) {
    struct hr_thrift_field item;
    size_t count = hr_thrift_list(in, field, &item);
    struct hr_slice *values = hr_pq_list(in, arena, count, sizeof(*values));
    for (size_t i = 0; i < count && in->bad == NULL; i++) {
        values[i] = hr_thrift_bytes(in, &item);
    }
    *out_count = count;
    return values;
}

static bool *read_null_pages(struct hr_thrift_in *in, const struct hr_thrift_field *field,
                             struct hr_arena *arena, size_t *out_count) {
    struct hr_thrift_field item;
    size_t count = hr_thrift_list(in, field, &item);
    bool *values = hr_pq_list(in, arena, count, sizeof(*values));
    for (size_t i = 0; i < count && in->bad == NULL; i++) {
        values[i] = hr_thrift_list_bool(in);
    }
    *out_count = count;
    return values;
}

int hr_pq_column_index_decode(struct hr_slice bytes, struct hr_arena *arena,
                              struct hr_pq_column_index *out, struct hr_error *err) {
    struct hr_thrift_in in;
    size_t n_min = 0, n_max = 0, n_nulls = 0;
    hr_thrift_in_init(&in, bytes);
    *out = (struct hr_pq_column_index){0};
    for (struct hr_thrift_field f = {0}; hr_thrift_field(&in, &f);) {
        switch (f.id) {
        case 1: out->null_pages = read_null_pages(&in, &f, arena, &out->n_pages); break;
        case 2: out->min_values = read_bounds(&in, &f, arena, &n_min); break;
        case 3: out->max_values = read_bounds(&in, &f, arena, &n_max); break;
        case 4: out->boundary_order = hr_thrift_i32(&in, &f); break;
        case 5: out->null_counts = hr_pq_read_counts(&in, &f, arena, &n_nulls); break;
        default: hr_thrift_skip(&in, f.type); break;
        }
    }
    if (in.bad == NULL && (n_min != out->n_pages || n_max != out->n_pages ||
                           (out->null_counts != NULL && n_nulls != out->n_pages))) {
        hr_thrift_fail(&in, "its lists differ in length");
    }
    return hr_pq_finish(&in, "column index", err);
}

/* ---- bloom filter -----------------------------------------------------------------------------
 */

/* True when the union's only field is number 1, the one variant that exists. */
static bool first_variant(struct hr_thrift_in *in, const struct hr_thrift_field *field) {
    bool first = false;
    if (!hr_thrift_is_struct(in, field)) {
        return false;
    }
    for (struct hr_thrift_field f = {0}; hr_thrift_field(in, &f);) {
        first = f.id == 1;
        hr_thrift_skip(in, f.type);
    }
    return first;
}

int hr_pq_bloom_header_decode(struct hr_slice bytes, struct hr_pq_bloom_header *out, size_t *used,
                              struct hr_error *err) {
    struct hr_thrift_in in;
    int known = 0;
    hr_thrift_in_init(&in, bytes);
    *out = (struct hr_pq_bloom_header){0};
    for (struct hr_thrift_field f = {0}; hr_thrift_field(&in, &f);) {
        switch (f.id) {
        case 1: out->num_bytes = hr_thrift_i32(&in, &f); break;
        case 2:
        case 3:
        case 4: known += first_variant(&in, &f); break;
        default: hr_thrift_skip(&in, f.type); break;
        }
    }
    out->known = known == 3;
    *used = (size_t)(in.ptr - in.begin);
    return hr_pq_finish(&in, "bloom filter header", err);
}

/* ---- names ------------------------------------------------------------------------------------
 */

static const char *pick(const char *const *names, size_t count, int at) {
    return at >= 0 && (size_t)at < count && names[at] != NULL ? names[at] : "unknown";
}

const char *hr_pq_type_name(int type) {
    static const char *const names[] = {"BOOLEAN", "INT32",  "INT64",      "INT96",
                                        "FLOAT",   "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"};
    return pick(names, sizeof(names) / sizeof(names[0]), type);
}

const char *hr_pq_encoding_name(int encoding) {
    static const char *const names[] = {"PLAIN",
                                        NULL,
                                        "PLAIN_DICTIONARY",
                                        "RLE",
                                        "BIT_PACKED",
                                        "DELTA_BINARY_PACKED",
                                        "DELTA_LENGTH_BYTE_ARRAY",
                                        "DELTA_BYTE_ARRAY",
                                        "RLE_DICTIONARY",
                                        "BYTE_STREAM_SPLIT"};
    return pick(names, sizeof(names) / sizeof(names[0]), encoding);
}

const char *hr_pq_codec_name(int codec) {
    static const char *const names[] = {"UNCOMPRESSED", "SNAPPY", "GZIP", "LZO",
                                        "BROTLI",       "LZ4",    "ZSTD", "LZ4_RAW"};
    return pick(names, sizeof(names) / sizeof(names[0]), codec);
}
