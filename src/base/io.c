/* base/io.c - the byte interfaces over memory. */
#include "base/io.h"

#include "base/mem.h"

struct mem_source {
    struct hr_source base;
    const uint8_t *ptr;
    size_t len, pos, chunk;
    uint8_t *copy; /* the chunk handed out last, exactly sized */
    char name[];
};

static int mem_next(struct hr_source *src, struct hr_slice *out, struct hr_error *err) {
    struct mem_source *mem = (struct mem_source *)src;
    hr_free(mem->copy);
    mem->copy = NULL;
    if (mem->pos == mem->len) {
        return HR_END;
    }
    size_t n = mem->len - mem->pos;
    if (mem->chunk != 0 && n > mem->chunk) {
        n = mem->chunk;
    }
    mem->copy = hr_malloc(n + HR_PAD);
    if (mem->copy == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate %zu bytes", n + HR_PAD);
    }
    memcpy(mem->copy, mem->ptr + mem->pos, n);
    memset(mem->copy + n, 0, HR_PAD);
    *out = hr_slice_of(mem->copy, n);
    mem->pos += n;
    return 0;
}

static int mem_read_at(struct hr_source *src, int64_t offset, size_t len, uint8_t *dst,
                       struct hr_error *err) {
    const struct mem_source *mem = (const struct mem_source *)src;
    if (offset < 0 || (uint64_t)offset > mem->len || len > mem->len - (size_t)offset) {
        hr_fail(err, HR_E_CORRUPT, "could not read %zu bytes at %lld of '%s': it has %zu", len,
                (long long)offset, src->name, mem->len);
        return HR_E_CORRUPT;
    }
    memcpy(dst, mem->ptr + offset, len);
    return 0;
}

static void mem_close(struct hr_source *src) {
    struct mem_source *mem = (struct mem_source *)src;
    hr_free(mem->copy);
    hr_free(mem);
}

struct hr_source *hr_source_mem(const char *name, const void *ptr, size_t len, size_t chunk) {
    static const struct hr_source_ops ops = {
        .next = mem_next, .read_at = mem_read_at, .close = mem_close};
    const size_t name_len = strlen(name);
    struct mem_source *mem = hr_calloc(1, sizeof(*mem) + name_len + 1);
    if (mem == NULL) {
        return NULL;
    }
    memcpy(mem->name, name, name_len + 1);
    mem->base =
        (struct hr_source){.ops = &ops, .name = mem->name, .size = (int64_t)len, .random = true};
    mem->ptr = ptr;
    mem->len = len;
    mem->chunk = chunk;
    return &mem->base;
}

int hr_source_slurp(struct hr_source *src, struct hr_buf *buf, struct hr_error *err) {
    for (;;) {
        struct hr_slice slice;
        int rc = hr_source_next(src, &slice, err);
        if (rc == HR_END) {
            return 0;
        }
        if (rc == 0) {
            rc = hr_buf_append(buf, slice.ptr, slice.len, err);
        }
        if (rc != 0) {
            return rc;
        }
    }
}

struct buf_out {
    struct hr_out base;
    struct hr_buf *buf;
};

static int buf_write(struct hr_out *out, const void *ptr, size_t len, struct hr_error *err) {
    return hr_buf_append(((struct buf_out *)out)->buf, ptr, len, err);
}

static void buf_close(struct hr_out *out) {
    hr_free(out);
}

struct hr_out *hr_out_buf(struct hr_buf *buf) {
    static const struct hr_out_ops ops = {.write = buf_write, .close = buf_close};
    struct buf_out *out = hr_calloc(1, sizeof(*out));
    if (out == NULL) {
        return NULL;
    }
    out->base.ops = &ops;
    out->buf = buf;
    return &out->base;
}
