/* format/parquet/pq_wpage.c - one page: header (PageHeader of parquet.thrift), levels, values.
 *
 * In v2 pages the levels stand uncompressed before the values and every page says for itself
 * whether its values are compressed; in v1 and dictionary pages everything behind the header goes
 * through the codec of the chunk. The body is compressed straight into the block, behind room for a
 * header of the length expected; the header is written last and the body moved only when its
 * length came out different.
 */
#include "base/hash.h"
#include "format/parquet/pq_write_internal.h"

static void put_data_v1(struct hr_thrift_out *t, const struct hr_pqw_page *page) {
    hr_thrift_put_struct(t, 5);
    hr_thrift_put_i32(t, 1, (int32_t)page->n_levels);
    hr_thrift_put_i32(t, 2, page->encoding);
    hr_thrift_put_i32(t, 3, HR_PQ_RLE);
    hr_thrift_put_i32(t, 4, HR_PQ_RLE);
    hr_thrift_put_end(t);
}

static void put_data_v2(struct hr_thrift_out *t, const struct hr_pqw_page *page) {
    hr_thrift_put_struct(t, 8);
    hr_thrift_put_i32(t, 1, (int32_t)page->n_levels);
    hr_thrift_put_i32(t, 2, (int32_t)(page->n_levels - page->n_values));
    hr_thrift_put_i32(t, 3, (int32_t)page->n_rows);
    hr_thrift_put_i32(t, 4, page->encoding);
    hr_thrift_put_i32(t, 5, (int32_t)(page->levels.len - page->rep_len));
    hr_thrift_put_i32(t, 6, (int32_t)page->rep_len);
    hr_thrift_put_bool(t, 7, page->compressed);
    hr_thrift_put_end(t);
}

/* The header into `buf` (emptied first). */
static int put_header(struct hr_buf *buf, const struct hr_pqw_page *page, size_t raw_len,
                      size_t len, const uint32_t *crc, struct hr_error *err) {
    struct hr_thrift_out t;
    hr_buf_clear(buf);
    hr_thrift_out_init(&t, buf);
    hr_thrift_put_i32(&t, 1, page->type);
    hr_thrift_put_i32(&t, 2, (int32_t)raw_len);
    hr_thrift_put_i32(&t, 3, (int32_t)len);
    if (crc != NULL) {
        hr_thrift_put_i32(&t, 4, (int32_t)*crc);
    }
    if (page->type == HR_PQ_DATA_PAGE) {
        put_data_v1(&t, page);
    } else if (page->type == HR_PQ_DATA_PAGE_V2) {
        put_data_v2(&t, page);
    } else {
        hr_thrift_put_struct(&t, 7);
        hr_thrift_put_i32(&t, 1, (int32_t)page->n_values);
        hr_thrift_put_i32(&t, 2, page->encoding);
        hr_thrift_put_end(&t);
    }
    hr_thrift_put_end(&t);
    return t.rc == 0 ? 0 : hr_fail(err, t.rc, "could not allocate a Parquet page header");
}

/* What the codec sees: the values, in v1 with the levels before them. */
static int codec_input(struct hr_pqw_scratch *s, const struct hr_pqw_page *page,
                       struct hr_slice *in, struct hr_error *err) {
    *in = page->values;
    if (page->type == HR_PQ_DATA_PAGE_V2 || page->levels.len == 0) {
        return 0;
    }
    s->whole.len = 0;
    const size_t len = page->levels.len + page->values.len;
    const int rc = hr_pqw_room_reserve(&s->whole, len, err);
    if (rc != 0) {
        return rc;
    }
    memcpy(s->whole.ptr, page->levels.ptr, page->levels.len);
    if (page->values.len > 0) {
        memcpy(s->whole.ptr + page->levels.len, page->values.ptr, page->values.len);
    }
    *in = hr_slice_of(s->whole.ptr, len);
    return 0;
}

/* The codec's input to `out`, compressed or as it is; *len bytes. */
static int put_body(const struct hr_pqw_conf *conf, struct hr_pqw_page *page, struct hr_slice in,
                    uint8_t *out, size_t room, size_t *len, struct hr_error *err) {
    page->compressed = false;
    if (conf->codec != NULL && page->compress != HR_PQW_COMPRESS_NO &&
        (in.len > 0 || page->compress == HR_PQW_COMPRESS_MUST)) {
        *len = room;
        const int rc = conf->codec->encode_block(in, conf->level, out, len, err);
        if (rc != 0) {
            return rc;
        }
        page->compressed = page->compress == HR_PQW_COMPRESS_MUST || *len <= in.len - in.len / 16;
    }
    if (!page->compressed) {
        *len = in.len;
        if (in.len > 0) {
            memcpy(out, in.ptr, in.len);
        }
    }
    return 0;
}

int hr_pqw_page(const struct hr_pqw_conf *conf, struct hr_pqw_scratch *s, struct hr_pqw_room *data,
                struct hr_pqw_page *page, struct hr_error *err) {
    const size_t raw_len = page->levels.len + page->values.len;
    if (raw_len > INT32_MAX || page->n_levels > INT32_MAX) {
        return hr_fail(err, HR_E_BOUND, "could not write a Parquet page of over 2 GiB");
    }
    struct hr_slice in;
    int rc = codec_input(s, page, &in, err);
    const bool crc_wanted = conf->page_crc;
    uint32_t crc = 0x7fffffff; /* the usual five bytes, for the expected length */
    page->compressed = conf->codec != NULL;
    rc = rc != 0 ? rc
                 : put_header(&s->thrift, page, raw_len, raw_len, crc_wanted ? &crc : NULL, err);
    if (rc != 0) {
        return rc;
    }
    const size_t expected = s->thrift.len;
    const size_t plain_levels = page->type == HR_PQ_DATA_PAGE_V2 ? page->levels.len : 0;
    const size_t bound = conf->codec != NULL ? conf->codec->bound(in.len) : 0;
    const size_t room = (bound > in.len ? bound : in.len) + 64;
    rc = hr_pqw_room_reserve(data, expected + 16 + plain_levels + room, err);
    if (rc != 0) {
        return rc;
    }
    uint8_t *const begin = data->ptr + data->len;
    uint8_t *const body = begin + expected;
    if (plain_levels > 0) {
        memcpy(body, page->levels.ptr, plain_levels);
    }
    size_t len = 0;
    rc = put_body(conf, page, in, body + plain_levels, room, &len, err);
    if (rc != 0) {
        return rc;
    }
    len += plain_levels;
    crc = crc_wanted ? hr_crc32(0, body, len) : 0;
    rc = put_header(&s->thrift, page, raw_len, len, crc_wanted ? &crc : NULL, err);
    if (rc != 0) {
        return rc;
    }
    if (s->thrift.len != expected) {
        memmove(begin + s->thrift.len, body, len);
    }
    memcpy(begin, s->thrift.ptr, s->thrift.len);
    data->len += s->thrift.len + len;
    page->raw_size = s->thrift.len + raw_len;
    page->size = s->thrift.len + len;
    return 0;
}
