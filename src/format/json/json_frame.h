/* format/json/json_frame.h - where records begin and end: the source's slices, lines, arrays.
 *
 * A frame gives one record start after another; the caller parses the record with the frame's lexer
 * and says how it went. Records lie whole in the window while they are parsed: in the source's
 * slice itself, or, when one spans slices, in a carry buffer that grows to the record and no
 * further. Level 3, private to this folder.
 */
#ifndef HR_FORMAT_JSON_FRAME_H
#define HR_FORMAT_JSON_FRAME_H

#include "base/io.h"
#include "base/mem.h"
#include "format/json/json_lex.h"

#define HR_J_SNIFF (64 * 1024) /* bytes looked at to tell lines from a document */

enum hr_j_framing {
    HR_J_AUTO,
    HR_J_LINES,    /* one record a line; a bad line does not disturb the next */
    HR_J_DOCUMENT, /* one array of records, or records one after another over any lines */
    HR_J_UNKNOWN   /* of hr_j_sniff: more bytes are needed */
};

enum hr_j_state {
    HR_J_AT_START,
    HR_J_AT_LINE,
    HR_J_IN_ARRAY_FIRST, /* behind '[' */
    HR_J_IN_ARRAY,       /* behind an element */
    HR_J_AFTER_ARRAY,
    HR_J_IN_SEQUENCE /* between concatenated values */
};

struct hr_j_frame {
    struct hr_j_lex lex; /* .end is the window's end */
    struct hr_source *src;
    enum hr_j_framing framing;
    enum hr_j_state state;
    size_t record_max;              /* bytes of one record */
    int64_t split_begin, split_end; /* of lines; split_end -1 none */

    const uint8_t *base; /* the window: base <= p <= lex.end */
    const uint8_t *p;    /* next unread byte; the record's first while one is open */
    int64_t base_offset; /* of base in the object */
    bool split_exact;
    bool skip_line; /* drop bytes up to the next newline first */
    bool source_end;

    uint8_t *carry;
    size_t carry_cap;
    const uint8_t *rest, *rest_end; /* the part of the source's slice behind the carry */
    size_t taken;                   /* how much of that slice the carry ends with */

    int64_t line;           /* 1-based line of counted_to */
    int64_t line_start;     /* offset of that line's first byte */
    const uint8_t *counted; /* newlines before this position are in `line` */
};

/* frame is zero but for the lexer and record_max. The source is borrowed. split_begin >
 * 0: its first byte is object byte split_begin - 1; a split is always lines. */
void hr_j_frame_open(struct hr_j_frame *frame, struct hr_source *src, enum hr_j_framing framing,
                     int64_t split_begin, int64_t split_end, bool split_exact);
void hr_j_frame_close(struct hr_j_frame *frame);

/* Stand on the next record: 0 with frame->p on its first byte, HR_END, or an error (documents only:
 * text between records that does not belong there). Lines: p may stand on anything but a blank. */
int hr_j_frame_next(struct hr_j_frame *frame, struct hr_error *err);
/* The open record did not fit the window (HR_J_MORE): lengthen it; the record starts at the new
 * frame->p. The caller has asked hr_j_frame_too_long. */
int hr_j_frame_more(struct hr_j_frame *frame, struct hr_error *err);
/* Is the open record, which reaches to `p` at least, over record_max? */
static inline bool hr_j_frame_too_long(const struct hr_j_frame *frame, const uint8_t *p) {
    return (size_t)(p - frame->p) > frame->record_max + HR_PAD;
}
/* The open record ends at `end`. Lines: what follows up to the newline must be blank, otherwise
 * NULL with the lexer's answer and the record stays open. */
const uint8_t *hr_j_frame_tail(struct hr_j_frame *frame, const uint8_t *end);
/* Go behind the open record, whose end hr_j_frame_tail gave. */
void hr_j_frame_done(struct hr_j_frame *frame, const uint8_t *tail);
/* Lines: drop the open record. Gives its text (at most 64 KiB of it, without the newline) which
 * lives until the next call. */
int hr_j_frame_drop(struct hr_j_frame *frame, struct hr_slice *raw, struct hr_error *err);

static inline int64_t hr_j_frame_offset(const struct hr_j_frame *frame, const uint8_t *p) {
    return frame->base_offset + (p - frame->base);
}
/* 1-based line of a position in the window (not before the open record). */
int64_t hr_j_frame_line(struct hr_j_frame *frame, const uint8_t *p, int64_t *out_column);

/* Fill err: "could not read JSON at line 3: WHY (column 14, at 'TEXT')"; returns code. */
int hr_j_frame_fail(struct hr_j_frame *frame, int code, const uint8_t *at, const char *why,
                    struct hr_error *err);
/* The part behind the line alone. The window may move, *at with it. */
void hr_j_frame_reason(struct hr_j_frame *frame, const uint8_t **at, const char *why, char *out,
                       size_t size);

/* Lines or document, by the first bytes. HR_J_UNKNOWN only while !eof and fewer than HR_J_SNIFF. */
enum hr_j_framing hr_j_sniff(const uint8_t *head, size_t len, bool eof);

#endif
