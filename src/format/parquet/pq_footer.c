/* format/parquet/pq_footer.c - reads the end of a file: magic, length, FileMetaData.
 *
 * A file ends with the footer, its length in four bytes and "PAR1" ("PARE" when the footer is
 * encrypted). What was read stays in memory, so small files cost one read in all.
 */
#include "format/parquet/pq_footer.h"

#define END_LEN 8              /* length and magic */
#define FILE_MIN (4 + END_LEN) /* the magic stands at the front too */
#define FOOTER_MAX (512u << 20)
#define ARENA_PER_BYTE 64u /* structs grow no more than this over their encoded form */

static int read_tail(struct hr_pq_input *in, int64_t len, struct hr_error *err) {
    int rc = hr_pq_mem_need(&in->tail, 0, (size_t)len, err);
    if (rc == 0) {
        rc = hr_source_read_at(in->src, in->size - len, (size_t)len, in->tail.ptr, err);
    }
    in->tail_offset = in->size - len;
    return rc;
}

static int not_parquet(const struct hr_source *src, const char *why, struct hr_error *err) {
    int rc = hr_fail(err, HR_E_FORMAT, "could not read '%s' as Parquet: %s", src->name, why);
    hr_error_hint(err, "check the format of the file, or that it was copied whole");
    hr_error_object(err, src->name);
    return rc;
}

/* The footer's bytes, from the tail, which is read again when it is too short. */
static int find_footer(struct hr_pq_input *in, struct hr_slice *out, struct hr_error *err) {
    if (in->size < FILE_MIN) {
        return not_parquet(in->src, "it is too short", err);
    }
    int64_t tail = in->size < HR_PQ_TAIL ? in->size : HR_PQ_TAIL;
    int rc = read_tail(in, tail, err);
    if (rc != 0) {
        return rc;
    }
    const uint8_t *end = in->tail.ptr + tail;
    if (memcmp(end - 4, "PARE", 4) == 0) {
        rc = hr_fail(err, HR_E_UNSUPPORTED, "could not read '%s': its footer is encrypted",
                     in->src->name);
        hr_error_hint(err, "decrypt the file first; Parquet encryption is not supported");
        hr_error_object(err, in->src->name);
        return rc;
    }
    if (memcmp(end - 4, "PAR1", 4) != 0) {
        return not_parquet(in->src, "it does not end with \"PAR1\"", err);
    }
    uint32_t len;
    memcpy(&len, end - END_LEN, 4);
    if (len > in->size - FILE_MIN) {
        rc = hr_fail(err, HR_E_CORRUPT,
                     "could not read '%s': it says its footer has %u bytes, the file only %lld",
                     in->src->name, len, (long long)in->size);
        hr_error_hint(err, "the object is damaged or cut: upload it again, or leave it out");
        hr_error_object(err, in->src->name);
        return rc;
    }
    if (len > FOOTER_MAX) {
        return hr_fail(err, HR_E_BOUND, "could not read '%s': its footer of %u bytes is over %u",
                       in->src->name, len, FOOTER_MAX);
    }
    if ((int64_t)len + END_LEN > tail) {
        tail = (int64_t)len + END_LEN;
        rc = read_tail(in, tail, err);
        if (rc != 0) {
            return rc;
        }
    }
    in->data_end = in->size - END_LEN - (int64_t)len;
    *out = hr_slice_of(in->tail.ptr + tail - END_LEN - len, len);
    return 0;
}

int hr_pq_footer_read(struct hr_source *src, int64_t begin, int64_t end, struct hr_pq_footer *out,
                      struct hr_error *err) {
    struct hr_slice bytes;
    *out = (struct hr_pq_footer){.input = {.src = src, .size = src->size}};
    hr_arena_init(&out->arena, 0);
    if (!src->random || src->size < 0) {
        int rc = hr_fail(err, HR_E_UNSUPPORTED,
                         "could not read '%s' as Parquet: it is a stream, and Parquet is read from "
                         "its end",
                         src->name);
        hr_error_hint(err, "store the bytes in a file, uncompressed, and read that");
        hr_error_object(err, src->name);
        return rc;
    }
    int rc = find_footer(&out->input, &bytes, err);
    if (rc == 0) {
        hr_arena_init(&out->arena, bytes.len * ARENA_PER_BYTE + 65536);
        rc = hr_pq_file_decode_groups(bytes, begin, end, &out->arena, &out->file, err);
    }
    if (rc != 0) {
        hr_error_hint_damaged(err);
        hr_error_object(err, src->name);
        hr_pq_footer_release(out);
    }
    return rc;
}

void hr_pq_footer_release(struct hr_pq_footer *footer) {
    hr_pq_mem_release(&footer->input.tail);
    hr_arena_release(&footer->arena);
    footer->file = (struct hr_pq_file){0};
}
