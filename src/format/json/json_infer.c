/* format/json/json_infer.c - the schema of an object from its first records.
 *
 * Records are framed and checked as the reader does, then walked into a type tree. Bad lines are
 * passed over (reading them again is where they are judged); in a document they end the sample.
 */
#include "format/json/json_read.h"

#define SAMPLE_ROWS 1000
#define SAMPLE_BYTES ((size_t)4 << 20)

struct sample {
    struct hr_j_frame frame;
    struct hr_j_rules rules;
    struct hr_j_types record; /* of objects */
    struct hr_j_types bare;   /* of records that are none */
    int64_t objects, others, bad;
    struct hr_error first_bad;
};

static int note(struct sample *s, const struct hr_j_token *token, struct hr_error *err) {
    const bool object = token->kind == HR_J_OBJECT;
    s->objects += object;
    s->others += !object;
    if (object) {
        return hr_j_types_note(&s->record, &s->rules, 0, &s->frame.lex, token, err);
    }
    return s->record.n_members > 0
               ? 0
               : hr_j_types_note(&s->bare, &s->rules, 1, &s->frame.lex, token, err);
}

static int code_of(enum hr_j_status status) {
    return status == HR_J_CUT ? HR_E_CORRUPT : status == HR_J_BOUND ? HR_E_BOUND : HR_E_FORMAT;
}

/* A bad record: over it in lines, the end in a document. */
static int bad_record(struct sample *s, int code, const uint8_t *at, const char *why,
                      struct hr_error *err) {
    struct hr_error local;
    struct hr_error *into = s->bad++ == 0 ? &s->first_bad : &local;
    hr_j_frame_fail(&s->frame, code, at, why, into);
    if (s->frame.framing == HR_J_LINES) {
        struct hr_slice raw;
        return hr_j_frame_drop(&s->frame, &raw, err);
    }
    if (err != NULL) {
        *err = *into;
    }
    return code;
}

/* Read the open record. HR_END: it goes beyond what may be looked at. */
static int take(struct sample *s, int64_t bytes_max, struct hr_error *err) {
    struct hr_j_frame *frame = &s->frame;
    struct hr_j_lex *lex = &frame->lex;
    for (;;) {
        struct hr_j_token token;
        lex->depth = 0;
        const uint8_t *tail = hr_j_value(lex, frame->p, &token);
        tail = tail ? hr_j_frame_tail(frame, tail) : NULL;
        if (tail != NULL) {
            const int rc = note(s, &token, err);
            hr_j_frame_done(frame, tail);
            return rc;
        }
        if (lex->status != HR_J_MORE) {
            return bad_record(s, code_of(lex->status), lex->at, lex->why, err);
        }
        if (s->objects + s->others > 0 && hr_j_frame_offset(frame, lex->end) >= bytes_max) {
            return HR_END;
        }
        if (hr_j_frame_too_long(frame, lex->end)) {
            return bad_record(s, HR_E_BOUND, frame->p, "a record is too long", err);
        }
        const int rc = hr_j_frame_more(frame, err);
        if (rc != 0) {
            return rc;
        }
    }
}

static int sample(struct sample *s, const struct hr_infer_params *params, struct hr_error *err) {
    const int64_t rows = params->rows > 0 ? params->rows : SAMPLE_ROWS;
    const int64_t bytes = (int64_t)(params->bytes_max ? params->bytes_max : SAMPLE_BYTES);
    int rc = 0;
    while (rc == 0 && s->objects + s->others < rows) {
        if (s->objects + s->others > 0 && hr_j_frame_offset(&s->frame, s->frame.p) >= bytes) {
            break;
        }
        rc = hr_j_frame_next(&s->frame, err);
        rc = rc ? rc : take(s, bytes, err);
    }
    return rc == HR_END ? 0 : rc;
}

static int answer(const struct sample *s, struct hr_schema **out, struct hr_error *err) {
    if (s->record.n_members > 0 || s->others == 0 || s->frame.framing != HR_J_DOCUMENT) {
        return hr_j_types_schema(&s->record, &s->rules, out, err);
    }
    /* A document of plain values: one column. */
    struct hr_schema *schema = hr_schema_new(1);
    int rc = schema ? 0 : hr_fail(err, HR_E_NOMEM, "could not allocate a schema");
    if (rc == 0) {
        rc = hr_j_types_field(&s->bare, &s->rules, "value", &schema->fields[0], err);
    }
    if (rc != 0) {
        hr_schema_unref(schema);
        return rc;
    }
    *out = schema;
    return 0;
}

int hr_j_infer(struct hr_source *src, const struct hr_format_opts *opts,
               const struct hr_infer_params *params, struct hr_schema **out, struct hr_error *err) {
    struct sample s = {.rules = hr_j_rules_of(&opts->json)};
    s.rules.strings = params->types;
    s.rules.decimal = params->decimal;
    *out = NULL;
    int rc = hr_j_lex_init(&s.frame.lex, 0, err);
    if (rc == 0) {
        s.frame.lex.err = err;
        s.frame.lex.allow_nan = opts->json.allow_nan;
        s.frame.record_max = (size_t)128 << 20;
        hr_j_frame_open(&s.frame, src, (enum hr_j_framing)opts->json.lines, 0, -1, false);
        rc = sample(&s, params, err);
        if (rc == 0 && s.bad > 0 && s.objects + s.others == 0) {
            if (err != NULL) {
                *err = s.first_bad;
            }
            rc = s.first_bad.code;
        }
        if (rc == 0) {
            rc = answer(&s, out, err);
        }
        hr_j_frame_close(&s.frame);
    }
    hr_j_lex_release(&s.frame.lex);
    hr_j_types_release(&s.record);
    hr_j_types_release(&s.bare);
    if (rc != 0) {
        hr_error_object(err, src->name);
    }
    return rc;
}
