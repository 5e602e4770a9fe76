/* format/json/json_frame.c - where records begin and end.
 *
 * Between the byte source and the parsers. Newlines cannot stand raw inside JSON strings, so in
 * lines a record ends at its newline whatever is wrong with it, and a split may begin at any
 * newline. A document is one array, whose elements are the records, or values one after another;
 * there an error leaves no way to find the next record.
 */
#include "format/json/json_frame.h"

#include <stdio.h>

#include "base/mem.h"

#define STEP_MIN 4096u
#define RAW_MAX (64 * 1024)
#define CARRY_KEEP (4u << 20)
#define NEAR_MAX 40u /* bytes of text shown in a message */

/* ---- the window ---- */

/* Newlines in [p, end); lanes of one byte, which compilers turn into vectors. */
static int64_t newlines(const uint8_t *p, const uint8_t *end) {
    int64_t count = 0;
    while (end - p >= 32) {
        uint8_t lanes[32] = {0};
        const size_t rows = (size_t)(end - p) / 32;
        const size_t n = rows < 255 ? rows : 255;
        for (size_t k = 0; k < n; k++, p += 32) {
            for (int i = 0; i < 32; i++) {
                lanes[i] = (uint8_t)(lanes[i] + (p[i] == '\n'));
            }
        }
        for (int i = 0; i < 32; i++) {
            count += lanes[i];
        }
    }
    for (; p < end; p++) {
        count += *p == '\n';
    }
    return count;
}

/* Documents: bring `line` up to position p. */
static void count_lines(struct hr_j_frame *frame, const uint8_t *p) {
    if (frame->framing != HR_J_DOCUMENT || p <= frame->counted) {
        return;
    }
    const uint8_t *last = memrchr(frame->counted, '\n', (size_t)(p - frame->counted));
    if (last != NULL) {
        frame->line += newlines(frame->counted, p);
        frame->line_start = hr_j_frame_offset(frame, last) + 1;
    }
    frame->counted = p;
}

static void set_window(struct hr_j_frame *frame, const uint8_t *p, const uint8_t *end) {
    frame->base_offset = hr_j_frame_offset(frame, frame->p);
    frame->base = frame->p = frame->counted = p;
    frame->lex.end = end;
}

/* The next slice into rest; HR_END sets source_end. */
static int fetch(struct hr_j_frame *frame, struct hr_error *err) {
    struct hr_slice slice;
    if (frame->source_end) {
        return HR_END;
    }
    const int rc = hr_source_next(frame->src, &slice, err);
    frame->rest = frame->rest_end = NULL;
    frame->taken = 0;
    if (rc == 0) {
        frame->rest = slice.ptr;
        frame->rest_end = slice.ptr + slice.len;
    } else if (rc == HR_END) {
        frame->source_end = true;
    }
    return rc;
}

/* All of the window was read: stand on the next bytes. HR_END when there are none. */
static int refill(struct hr_j_frame *frame, struct hr_error *err) {
    count_lines(frame, frame->p);
    while (frame->rest == frame->rest_end) {
        const int rc = fetch(frame, err);
        if (rc != 0) {
            if (rc == HR_END) {
                frame->lex.eof = true;
            }
            return rc;
        }
    }
    set_window(frame, frame->rest, frame->rest_end);
    frame->rest = frame->rest_end = NULL;
    return 0;
}

static int carry_room(struct hr_j_frame *frame, size_t used, size_t size, struct hr_error *err) {
    if (size <= frame->carry_cap) {
        return 0;
    }
    size_t cap;
    uint8_t *grown = hr_big_grow(frame->carry, used, size, &cap);
    if (grown == NULL) {
        return hr_fail(err, HR_E_NOMEM, "could not allocate %zu bytes for a JSON record", size);
    }
    if (frame->base == frame->carry && frame->carry != NULL) {
        set_window(frame, grown, grown + (frame->lex.end - frame->p));
    }
    frame->carry = grown;
    frame->carry_cap = cap;
    return 0;
}

/* Keep [p, end) and put at least `add` more bytes behind it, unless the source ends. */
static int extend(struct hr_j_frame *frame, size_t add, struct hr_error *err) {
    count_lines(frame, frame->p);
    const size_t keep = (size_t)(frame->lex.end - frame->p);
    if (frame->base == frame->carry && keep > 0 && frame->p != frame->carry) {
        memmove(frame->carry, frame->p, keep);
        set_window(frame, frame->carry, frame->carry + keep);
    }
    int rc = carry_room(frame, keep, keep + add, err);
    if (rc != 0) {
        return rc;
    }
    if (frame->base != frame->carry || keep == 0) {
        if (keep > 0) {
            memcpy(frame->carry, frame->p, keep);
        }
        set_window(frame, frame->carry, frame->carry + keep);
    }
    size_t len = keep;
    while (rc == 0 && len < keep + add) {
        if (frame->rest == frame->rest_end) {
            rc = fetch(frame, err);
            continue;
        }
        size_t n = (size_t)(frame->rest_end - frame->rest);
        n = n < keep + add - len ? n : keep + add - len;
        memcpy(frame->carry + len, frame->rest, n);
        frame->rest += n;
        frame->taken += n;
        len += n;
    }
    frame->lex.end = frame->carry + len;
    if (rc == HR_END) {
        frame->lex.eof = true;
        memset(frame->carry + len, 0, HR_PAD); /* no byte of JSON: every parser stops at the end */
        rc = 0;
    }
    return rc;
}

/* The window at p lies also in the source's slice: go on there. */
static void leave_carry(struct hr_j_frame *frame) {
    const size_t left = (size_t)(frame->lex.end - frame->p);
    if (frame->base != frame->carry || frame->rest == frame->rest_end || left > frame->taken) {
        return;
    }
    count_lines(frame, frame->p);
    set_window(frame, frame->rest - left, frame->rest_end);
    frame->rest = frame->rest_end = NULL;
    if (frame->carry_cap > CARRY_KEEP) {
        hr_big_free(frame->carry);
        frame->carry = NULL;
        frame->carry_cap = 0;
    }
}

int hr_j_frame_more(struct hr_j_frame *frame, struct hr_error *err) {
    const size_t have = (size_t)(frame->lex.end - frame->p);
    return extend(frame, have > STEP_MIN ? have : STEP_MIN, err);
}

/* ---- messages ---- */

int64_t hr_j_frame_line(struct hr_j_frame *frame, const uint8_t *p, int64_t *out_column) {
    count_lines(frame, p);
    *out_column = hr_j_frame_offset(frame, p) - frame->line_start + 1;
    return frame->line;
}

/* What stands at `at`, for messages: the same whatever the slices. Lengthens the window when the
 * text goes on behind it; *at moves with it. */
static struct hr_slice near_text(struct hr_j_frame *frame, const uint8_t **at) {
    const bool lines = frame->framing == HR_J_LINES;
    const int64_t ahead = *at - frame->p;
    size_t left = (size_t)(frame->lex.end - *at);
    const uint8_t *newline = lines && left ? memchr(*at, '\n', left) : NULL;
    if (left < NEAR_MAX && newline == NULL && !frame->lex.eof && ahead >= 0) {
        (void)extend(frame, STEP_MIN, NULL); /* the window may have moved although it failed */
        *at = frame->p + ahead;
        left = (size_t)(frame->lex.end - *at);
    }
    left = left < NEAR_MAX ? left : NEAR_MAX;
    newline = left ? memchr(*at, '\n', left) : NULL;
    return hr_slice_of(*at, newline ? (size_t)(newline - *at) : left);
}

void hr_j_frame_reason(struct hr_j_frame *frame, const uint8_t **at, const char *why, char *out,
                       size_t size) {
    int64_t column;
    char text[4 * NEAR_MAX + 8];
    const struct hr_slice near = near_text(frame, at);
    hr_j_frame_line(frame, *at, &column);
    hr_printable(near, NEAR_MAX, text, sizeof(text));
    if (near.len > 0) {
        snprintf(out, size, "%s (column %lld, at '%s')", why, (long long)column, text);
    } else {
        snprintf(out, size, "%s (column %lld, at the end of the %s)", why, (long long)column,
                 *at < frame->lex.end ? "line" : "text");
    }
}

int hr_j_frame_fail(struct hr_j_frame *frame, int code, const uint8_t *at, const char *why,
                    struct hr_error *err) {
    char reason[400];
    int64_t column;
    hr_j_frame_reason(frame, &at, why, reason, sizeof(reason));
    const int64_t line = hr_j_frame_line(frame, at, &column);
    hr_fail(err, code, "could not read JSON at line %lld: %s", (long long)line, reason);
    hr_error_object(err, frame->src->name);
    hr_error_place(err, hr_j_frame_offset(frame, at), line, NULL);
    return code;
}

/* ---- lines or document ---- */

/* The first value is broken or longer than what is seen: a second line that opens a record of its
 * own says lines. */
static enum hr_j_framing by_second_line(const uint8_t *p, const uint8_t *end) {
    const uint8_t *newline = memchr(p, '\n', (size_t)(end - p));
    return newline == NULL || (newline + 1 < end && newline[1] == '{') ? HR_J_LINES : HR_J_DOCUMENT;
}

/* Behind the first object [p, q). */
static enum hr_j_framing after_object(const uint8_t *p, const uint8_t *q, const uint8_t *end,
                                      bool eof) {
    if (memchr(p, '\n', (size_t)(q - p)) != NULL) {
        return HR_J_DOCUMENT;
    }
    while (q < end && (*q == ' ' || *q == '\t' || *q == '\r')) {
        q++;
    }
    if (q == end) {
        return eof ? HR_J_LINES : HR_J_UNKNOWN;
    }
    return *q == '\n' ? HR_J_LINES : HR_J_DOCUMENT;
}

/* More bytes never change an answer, so slices do not matter. */
enum hr_j_framing hr_j_sniff(const uint8_t *head, size_t len, bool eof) {
    uint64_t open[4 + 256 / 64];
    struct hr_j_lex lex = {.end = head + len,
                           .eof = false,
                           .newlines = true,
                           .allow_nan = true,
                           .depth_max = 256,
                           .open = open};
    const bool all = eof || len >= HR_J_SNIFF;
    const uint8_t *p = head;
    if (len >= 3 && memcmp(head, "\xef\xbb\xbf", 3) == 0) {
        p += 3;
    }
    p = hr_j_blank(&lex, p);
    if (p == lex.end) {
        return HR_J_UNKNOWN;
    }
    if (*p == '[') {
        return HR_J_DOCUMENT;
    }
    struct hr_j_token token;
    const uint8_t *q = hr_j_value(&lex, p, &token);
    if (*p == '{') {
        if (q != NULL) {
            return after_object(p, q, lex.end, eof);
        }
        return all ? by_second_line(p, lex.end) : HR_J_UNKNOWN;
    }
    if (q == NULL) {
        return lex.status != HR_J_MORE || len >= HR_J_SNIFF ? HR_J_LINES
               : eof                                        ? HR_J_DOCUMENT
                                                            : HR_J_UNKNOWN;
    }
    q = hr_j_blank(&lex, q); /* a lonely scalar, or lines of which the first is no record */
    if (q < lex.end) {
        return HR_J_LINES;
    }
    return eof ? HR_J_DOCUMENT : HR_J_UNKNOWN;
}

/* ---- the start ---- */

void hr_j_frame_open(struct hr_j_frame *frame, struct hr_source *src, enum hr_j_framing framing,
                     int64_t split_begin, int64_t split_end, bool split_exact) {
    frame->src = src;
    frame->framing = split_begin > 0 || split_end >= 0 ? HR_J_LINES : framing;
    frame->state = HR_J_AT_START;
    frame->split_begin = split_begin;
    frame->split_end = split_end;
    frame->split_exact = split_exact;
    frame->line = 1;
    static const uint8_t nothing[HR_PAD + 1];
    frame->base = frame->p = frame->counted = frame->lex.end = nothing;
    frame->base_offset = split_begin > 0 ? split_begin - 1 : 0;
}

void hr_j_frame_close(struct hr_j_frame *frame) {
    hr_big_free(frame->carry);
    frame->carry = NULL;
}

static int ensure(struct hr_j_frame *frame, size_t len, struct hr_error *err) {
    while ((size_t)(frame->lex.end - frame->p) < len && !frame->lex.eof) {
        const int rc = frame->p == frame->lex.end
                           ? refill(frame, err)
                           : extend(frame, len - (size_t)(frame->lex.end - frame->p), err);
        if (rc != 0) {
            return rc == HR_END ? 0 : rc;
        }
    }
    return 0;
}

static int over_bom(struct hr_j_frame *frame, struct hr_error *err) {
    static const char *const wide[] = {"\xff\xfe", "\xfe\xff"};
    int rc = ensure(frame, 1, err);
    if (rc == 0 && frame->p < frame->lex.end && (*frame->p == 0xef || *frame->p >= 0xfe)) {
        rc = ensure(frame, 3, err);
    }
    const size_t have = (size_t)(frame->lex.end - frame->p);
    for (size_t i = 0; rc == 0 && i < 2; i++) {
        if (have >= 2 && memcmp(frame->p, wide[i], 2) == 0) {
            hr_j_frame_fail(frame, HR_E_FORMAT, frame->p, "the text is UTF-16, JSON is UTF-8", err);
            hr_error_hint(err, "convert the object, for example with iconv -f utf-16 -t utf-8");
            return HR_E_FORMAT;
        }
    }
    if (rc == 0 && have >= 3 && memcmp(frame->p, "\xef\xbb\xbf", 3) == 0) {
        frame->p += 3;
        frame->counted = frame->p;
        frame->line_start = 3;
    }
    return rc;
}

static int tell_framing(struct hr_j_frame *frame, struct hr_error *err) {
    for (;;) {
        const size_t have = (size_t)(frame->lex.end - frame->p);
        const size_t look = have < HR_J_SNIFF ? have : HR_J_SNIFF;
        const enum hr_j_framing told = hr_j_sniff(frame->p, look, frame->lex.eof);
        if (told != HR_J_UNKNOWN) {
            frame->framing = told;
            return 0;
        }
        if (frame->lex.eof || look == HR_J_SNIFF) {
            frame->framing = frame->lex.eof ? HR_J_LINES : HR_J_DOCUMENT; /* blanks only so far */
            return 0;
        }
        const int rc = ensure(frame, have + (have > STEP_MIN ? have : STEP_MIN), err);
        if (rc != 0) {
            return rc;
        }
    }
}

static int start(struct hr_j_frame *frame, struct hr_error *err) {
    int rc = 0;
    if (frame->split_begin > 0) {
        rc = ensure(frame, 1, err);
        frame->line = 0;
        frame->skip_line = true;
        if (frame->split_exact && frame->p < frame->lex.end) {
            frame->p++;
            frame->skip_line = false;
            frame->line = 1;
            frame->line_start = frame->split_begin;
        }
    } else {
        rc = over_bom(frame, err);
        if (rc == 0 && frame->framing == HR_J_AUTO) {
            rc = tell_framing(frame, err);
        }
    }
    frame->lex.newlines = frame->framing == HR_J_DOCUMENT;
    frame->state = HR_J_AT_LINE;
    return rc;
}

/* ---- records ---- */

static void new_line(struct hr_j_frame *frame, const uint8_t *p) {
    frame->p = p;
    frame->line++;
    frame->line_start = hr_j_frame_offset(frame, p);
}

/* Over the rest of a dropped line. HR_END when the object or the split ends first. */
static int skip_line(struct hr_j_frame *frame, struct hr_error *err) {
    for (;;) {
        const size_t left = (size_t)(frame->lex.end - frame->p);
        const uint8_t *newline = left ? memchr(frame->p, '\n', left) : NULL;
        if (newline != NULL) {
            new_line(frame, newline + 1);
            frame->skip_line = false;
            return 0;
        }
        frame->p = frame->lex.end;
        if (frame->split_end >= 0 && hr_j_frame_offset(frame, frame->p) >= frame->split_end) {
            frame->line_start = -1; /* the next line begins in another split, we know not where */
            return HR_END;
        }
        const int rc = refill(frame, err);
        if (rc != 0) {
            return rc;
        }
    }
}

static int next_line(struct hr_j_frame *frame, struct hr_error *err) {
    for (;;) {
        int rc = frame->skip_line ? skip_line(frame, err) : 0;
        if (rc != 0) {
            return rc;
        }
        if (frame->split_end >= 0 && frame->line_start >= frame->split_end) {
            return HR_END;
        }
        frame->p = hr_j_blank(&frame->lex, frame->p);
        if (frame->p == frame->lex.end) {
            rc = refill(frame, err);
            if (rc != 0) {
                return rc;
            }
        } else if (*frame->p == '\n') {
            new_line(frame, frame->p + 1);
        } else {
            return 0;
        }
    }
}

/* Over blanks of a document to the next byte; HR_END at the end. */
static int to_byte(struct hr_j_frame *frame, struct hr_error *err) {
    for (;;) {
        frame->p = hr_j_blank(&frame->lex, frame->p);
        if (frame->p < frame->lex.end) {
            return 0;
        }
        const int rc = refill(frame, err);
        if (rc != 0) {
            return rc;
        }
    }
}

static int cut_short(struct hr_j_frame *frame, const char *why, struct hr_error *err) {
    hr_j_frame_fail(frame, HR_E_CORRUPT, frame->p, why, err);
    hr_error_hint(err, "the object was cut off: write it again");
    return HR_E_CORRUPT;
}

static int next_element(struct hr_j_frame *frame, struct hr_error *err) {
    int rc = to_byte(frame, err);
    if (rc != 0) {
        return rc == HR_END ? cut_short(frame, "the array of records is not closed", err) : rc;
    }
    if (*frame->p == ']') {
        frame->p++;
        frame->state = HR_J_AFTER_ARRAY;
        return HR_MORE;
    }
    if (frame->state == HR_J_IN_ARRAY) {
        if (*frame->p != ',') {
            return hr_j_frame_fail(frame, HR_E_FORMAT, frame->p,
                                   "',' or ']' was expected behind a record", err);
        }
        frame->p++;
        rc = to_byte(frame, err);
        if (rc != 0) {
            return rc == HR_END ? cut_short(frame, "the array of records is not closed", err) : rc;
        }
    }
    frame->state = HR_J_IN_ARRAY;
    return 0;
}

static int next_in_document(struct hr_j_frame *frame, struct hr_error *err) {
    int rc = 0;
    if (frame->state == HR_J_AT_LINE) {
        rc = to_byte(frame, err);
        if (rc != 0) {
            return rc; /* blanks alone are no rows, like an empty file */
        }
        frame->state = HR_J_IN_SEQUENCE;
        if (*frame->p == '[') {
            frame->p++;
            frame->state = HR_J_IN_ARRAY_FIRST;
        }
    }
    if (frame->state == HR_J_IN_ARRAY_FIRST || frame->state == HR_J_IN_ARRAY) {
        rc = next_element(frame, err);
        if (rc != HR_MORE) {
            return rc;
        }
    }
    rc = to_byte(frame, err);
    if (rc == 0 && frame->state == HR_J_AFTER_ARRAY) {
        return hr_j_frame_fail(frame, HR_E_FORMAT, frame->p,
                               "text follows the ']' that closes the array of records", err);
    }
    return rc;
}

int hr_j_frame_next(struct hr_j_frame *frame, struct hr_error *err) {
    if (frame->state == HR_J_AT_START) {
        const int rc = start(frame, err);
        if (rc != 0) {
            return rc;
        }
    }
    return frame->framing == HR_J_DOCUMENT ? next_in_document(frame, err) : next_line(frame, err);
}

const uint8_t *hr_j_frame_tail(struct hr_j_frame *frame, const uint8_t *end) {
    struct hr_j_lex *lex = &frame->lex;
    if (end > lex->end) {
        return hr_j_cut(lex, "a record is cut off");
    }
    if (frame->framing == HR_J_DOCUMENT) {
        return end;
    }
    end = hr_j_blank(lex, end);
    if (end == lex->end) {
        return lex->eof ? end : hr_j_cut(lex, "a record is cut off");
    }
    return *end == '\n' ? end + 1 : hr_j_bad(lex, end, "text follows the record on its line");
}

void hr_j_frame_done(struct hr_j_frame *frame, const uint8_t *tail) {
    if (frame->framing == HR_J_DOCUMENT) {
        frame->p = tail;
    } else {
        new_line(frame, tail);
    }
    leave_carry(frame);
}

int hr_j_frame_drop(struct hr_j_frame *frame, struct hr_slice *raw, struct hr_error *err) {
    const uint8_t *newline;
    size_t left;
    for (;;) {
        left = (size_t)(frame->lex.end - frame->p);
        newline = left ? memchr(frame->p, '\n', left) : NULL;
        if (newline != NULL || left >= RAW_MAX || frame->lex.eof) {
            break;
        }
        const int rc = extend(frame, left > STEP_MIN ? left : STEP_MIN, err);
        if (rc != 0) {
            return rc;
        }
    }
    size_t len = newline ? (size_t)(newline - frame->p) : left;
    const uint8_t *text = frame->p;
    if (newline != NULL) {
        new_line(frame, newline + 1);
    } else {
        frame->p = frame->lex.end;
        frame->skip_line = true;
    }
    len -= len > 0 && text[len - 1] == '\r';
    *raw = hr_slice_of(text, len < RAW_MAX ? len : RAW_MAX);
    return 0;
}
