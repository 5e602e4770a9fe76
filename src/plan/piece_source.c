/* plan/piece_source.c - from an object's bytes to decoded bytes: looks at the first bytes when name
 * and options leave codec or format open, and replays them. */
#include <string.h>

#include "base/mem.h"
#include "plan/plan.h"

/* Gives back a slice that was looked at, then goes on with the inner source, which it does not own
 * (the feed does). */
struct peek_source {
    struct hr_source base;
    struct hr_source *inner;
    struct hr_slice first;
    bool have, ended;
};

static int peek_next(struct hr_source *src, struct hr_slice *out, struct hr_error *err) {
    struct peek_source *p = (struct peek_source *)src;
    if (p->have) {
        p->have = false;
        *out = p->first;
        return 0;
    }
    if (p->ended) {
        return HR_END;
    }
    return hr_source_next(p->inner, out, err);
}

static int peek_read_at(struct hr_source *src, int64_t offset, size_t len, uint8_t *dst,
                        struct hr_error *err) {
    return hr_source_read_at(((struct peek_source *)src)->inner, offset, len, dst, err);
}

static void peek_hint(struct hr_source *src, const struct hr_range *ranges, size_t count) {
    hr_source_hint(((struct peek_source *)src)->inner, ranges, count);
}

static void peek_close(struct hr_source *src) {
    hr_free(src);
}

static int open_peek(struct hr_source *inner, struct peek_source **out, struct hr_error *err) {
    static const struct hr_source_ops ops = {
        .next = peek_next, .read_at = peek_read_at, .hint = peek_hint, .close = peek_close};
    struct peek_source *p = hr_calloc(1, sizeof(*p));
    *out = p;
    if (p == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a source");
    }
    p->base = (struct hr_source){
        .ops = &ops, .name = inner->name, .size = inner->size, .random = inner->random};
    p->inner = inner;
    return 0;
}

static int look(struct peek_source *p, struct hr_error *err) {
    if (p->have || p->ended) {
        return 0;
    }
    const int rc = hr_source_next(p->inner, &p->first, err);
    p->have = rc == 0;
    p->ended = rc == HR_END;
    return rc < 0 ? rc : 0;
}

static int unknown_format(const char *name, struct hr_slice head, struct hr_error *err) {
    const struct hr_foreign *foreign = hr_format_foreign(head.ptr, head.len);
    if (foreign != NULL) {
        hr_fail(err, HR_E_FORMAT, "could not read '%s': it is %s, which is not supported", name,
                foreign->what);
        hr_error_hint(err, "%s, or leave it out with file_pattern", foreign->remedy);
    } else {
        hr_fail(err, HR_E_FORMAT, "could not tell the format of '%s' from its first bytes", name);
        hr_error_hint(err, "say it with --set file_format=csv (or json, parquet, avro, text)");
    }
    hr_error_object(err, name);
    return HR_E_FORMAT;
}

static int probe_format(struct hr_source *decoded, const struct hr_format **format,
                        struct peek_source **out, struct hr_error *err) {
    int rc = open_peek(decoded, out, err);
    if (rc == 0) {
        rc = look(*out, err);
    }
    if (rc != 0) {
        return rc;
    }
    const struct hr_slice head = (*out)->have ? (*out)->first : hr_slice_of(NULL, 0);
    *format = hr_format_by_probe(head.ptr, head.len);
    return *format != NULL ? 0 : unknown_format(decoded->name, head, err);
}

/* A decoding source owns what is below it; the probing peek on top does not. This one owns both. */
struct stacked_source {
    struct hr_source base;
    struct hr_source *top, *below;
};

static int stacked_next(struct hr_source *src, struct hr_slice *out, struct hr_error *err) {
    return hr_source_next(((struct stacked_source *)src)->top, out, err);
}

static void stacked_close(struct hr_source *src) {
    struct stacked_source *s = (struct stacked_source *)src;
    hr_source_close(s->top);
    hr_source_close(s->below);
    hr_free(s);
}

static int stack(struct hr_source *top, struct hr_source *below, struct hr_source **out,
                 struct hr_error *err) {
    static const struct hr_source_ops ops = {.next = stacked_next, .close = stacked_close};
    struct stacked_source *s = hr_calloc(1, sizeof(*s));
    if (s == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate a source");
    }
    s->base = (struct hr_source){.ops = &ops, .name = top->name, .size = top->size};
    s->top = top;
    s->below = below;
    *out = &s->base;
    return 0;
}

int hr_piece_source(const struct hr_settings *settings, const struct hr_piece *piece,
                    struct hr_source *inner, const struct hr_format **out_format,
                    struct hr_source **out, struct hr_error *err) {
    const struct hr_file_opts *files = &settings->files;
    const struct hr_codec_limits limits = {.ratio = (uint64_t)files->max_inflate_ratio,
                                           .output_max = (uint64_t)(files->max_inflated_gb * 1e9)};
    const struct hr_format *format = piece->format;
    const struct hr_codec *codec = piece->codec;
    struct peek_source *raw = NULL;
    *out = NULL;
    int rc = open_peek(inner, &raw, err);
    const bool inside = format != NULL && (format->flags & HR_FMT_CODEC_INSIDE) != 0;
    if (rc == 0 && codec == NULL && piece->codec_auto && !inside) {
        rc = look(raw, err);
        if (rc == 0 && raw->have) {
            codec = hr_codec_by_magic(raw->first.ptr, raw->first.len);
        }
    }
    struct hr_source *decoded = NULL;
    if (rc == 0 && codec != NULL && piece->frames.count > 0) {
        const int64_t at = piece->begin > 0 ? piece->begin - 1 : 0;
        rc = hr_codec_frames_source(codec, &raw->base, &limits, &piece->frames, at, &decoded, err);
    } else if (rc == 0 && codec != NULL && !inside) {
        rc = hr_codec_source(codec, &raw->base, &limits, &decoded, err);
    }
    if (rc != 0) {
        hr_free(raw);
        return rc;
    }
    struct hr_source *below = decoded ? decoded : &raw->base;
    if (format != NULL) {
        *out_format = format;
        *out = below;
        return 0;
    }
    struct peek_source *top = NULL;
    rc = probe_format(below, out_format, &top, err);
    if (rc == 0 && decoded == NULL) {
        /* Nothing decodes: the upper peek alone would lose random access of the lower one's inner,
         * so hand out the lower one with what was seen put back. */
        raw->first = top->have ? top->first : raw->first;
        raw->have = top->have;
        raw->ended = top->ended;
        hr_free(top);
        *out = &raw->base;
        return 0;
    }
    if (rc == 0) {
        rc = stack(&top->base, below, out, err);
    }
    if (rc != 0) {
        hr_free(top);
        hr_source_close(below);
    }
    return rc;
}
