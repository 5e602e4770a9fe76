/* format/parquet/pq_wbloom.c - split block bloom filters (parquet-format BloomFilter.md).
 *
 * A filter is blocks of 8 x 32 bits. A value's XXH64 (of its PLAIN bytes, without a length for byte
 * arrays) picks the block with its upper half and one bit in each of the 8 words with its lower
 * half. Sized for a false positive rate of 1%, a power of two, from the number of distinct values
 * (those of the dictionary, or all).
 */
#include "format/parquet/pq_enc_pack.h"
#include "format/parquet/pq_write_internal.h"
#include "format/parquet/pq_xxh64.h"

#define BLOOM_MAX ((size_t)4 << 20)

static size_t filter_bytes(size_t distinct) {
    size_t bytes = 32;
    /* 1% takes about 10.5 bits a value */
    while (bytes < BLOOM_MAX && bytes * 8 < distinct * 21 / 2) {
        bytes *= 2;
    }
    return bytes;
}

static void insert(uint8_t *filter, size_t blocks, uint64_t hash) {
    static const uint32_t salt[8] = {0x47b6137bU, 0x44974d91U, 0x8824ad5bU, 0xa2b7289dU,
                                     0x705495c7U, 0x2df1424bU, 0x9efc4947U, 0x5c6bfb31U};
    uint8_t *block = filter + ((hash >> 32) * blocks >> 32) * 32;
    for (size_t i = 0; i < 8; i++) {
        const uint32_t bit = ((uint32_t)hash * salt[i]) >> 27;
        block[4 * i + bit / 8] = (uint8_t)(block[4 * i + bit / 8] | 1u << (bit % 8));
    }
}

static int put_header(struct hr_pqw_scratch *s, size_t bytes, struct hr_error *err) {
    struct hr_thrift_out t;
    hr_buf_clear(&s->thrift);
    hr_thrift_out_init(&t, &s->thrift);
    hr_thrift_put_i32(&t, 1, (int32_t)bytes);
    for (int id = 2; id <= 4; id++) { /* algorithm, hash, compression: unions of one empty struct */
        hr_thrift_put_struct(&t, id);
        hr_thrift_put_struct(&t, 1);
        hr_thrift_put_end(&t);
        hr_thrift_put_end(&t);
    }
    hr_thrift_put_end(&t);
    return t.rc == 0 ? 0 : hr_fail(err, t.rc, "could not allocate a bloom filter header");
}

int hr_pqw_bloom(const struct hr_pqw_col *col, const struct hr_pqw_dict *dict,
                 struct hr_pqw_scratch *s, struct hr_pqw_room *data, struct hr_error *err) {
    const size_t n = dict != NULL ? dict->count : col->n_values;
    const uint8_t *values = dict != NULL ? dict->values.ptr : col->values.ptr;
    const uint32_t *offsets = NULL;
    if (col->leaf->keep == HR_PQW_KEEP_BYTES) {
        offsets =
            dict != NULL ? (const uint32_t *)(const void *)dict->offsets.ptr : hr_pqw_offsets(col);
    }
    const size_t bytes = filter_bytes(n), width = (size_t)col->leaf->width;
    int rc = put_header(s, bytes, err);
    rc = rc != 0 ? rc : hr_pqw_room_reserve(data, s->thrift.len + bytes, err);
    if (rc != 0) {
        return rc;
    }
    memcpy(data->ptr + data->len, s->thrift.ptr, s->thrift.len);
    uint8_t *filter = data->ptr + data->len + s->thrift.len;
    memset(filter, 0, bytes);
    for (size_t i = 0; i < n; i++) {
        const uint8_t *p = values + (offsets != NULL ? offsets[i] : i * width);
        const size_t len = offsets != NULL ? offsets[i + 1] - offsets[i] : width;
        insert(filter, bytes / 32, hr_pqw_xxh64(p, len));
    }
    data->len += s->thrift.len + bytes;
    return 0;
}
