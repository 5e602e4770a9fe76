/* codec/snappy_block.c - inflates a bare snappy block in one go (format_description.txt in
 * libsnappy): what pages of Parquet files mostly are, and the larger half of scanning one.
 *
 * An element is a tag, up to four bytes behind it, and for a literal its text. What a tag says is
 * looked up; literals and copies that do not reach into themselves are moved thirty-two bytes at
 * least, whatever they need, as long as there is room for that on both sides. Near the ends, and
 * for what is rare, every step is checked and exact. libsnappy is as quick only where it was
 * compiled for newer processors than distributions compile for. */
#include "codec/leaves.h"

#define SLACK 80u /* bytes that an element on the fast way may read or write too far */

/* length | high bits of the distance << 8, of the tags that the fast way knows; 0 else. A copy has
 * as many bytes behind its tag as its kind says. */
struct tags {
    uint16_t of[256];
};

#define LITERAL(high) ((high) < 60 ? (high) + 1 : 0)
#define NEAR(high) ((((high)&7) + 4) | ((high) >> 3 << 8))
#define FAR(high) ((high) + 1)
#define FOUR(high)                                                                                 \
    (uint16_t)(LITERAL(high)), (uint16_t)(NEAR(high)), (uint16_t)(FAR(high)), (uint16_t)0
#define SIXTEEN(high) FOUR(high), FOUR((high) + 1), FOUR((high) + 2), FOUR((high) + 3)
#define SIXTY_FOUR(high)                                                                           \
    SIXTEEN(high), SIXTEEN((high) + 4), SIXTEEN((high) + 8), SIXTEEN((high) + 12)

static const struct tags tags = {{SIXTY_FOUR(0), SIXTY_FOUR(16), SIXTY_FOUR(32), SIXTY_FOUR(48)}};

struct place {
    const uint8_t *in, *in_end;
    uint8_t *out, *out_begin, *out_end;
};

static uint32_t load32(const uint8_t *ptr) {
    uint32_t v;
    memcpy(&v, ptr, sizeof(v));
    return v;
}

static inline void copy16(uint8_t *to, const uint8_t *from) {
    uint8_t block[16];
    memcpy(block, from, 16);
    memcpy(to, block, 16);
}

/* Up to 64 bytes that do not overlap what they are copied from, in steps that may go too far. */
static inline void copy_wide(uint8_t *to, const uint8_t *from, size_t len) {
    copy16(to, from);
    copy16(to + 16, from + 16);
    if (len > 32) {
        copy16(to + 32, from + 32);
        copy16(to + 48, from + 48);
    }
}

/* A copy that repeats its own beginning; writes up to 16 bytes too far. */
static void copy_repeat(uint8_t *to, size_t distance, size_t len) {
    const uint8_t *from = to - distance;
    uint8_t *const end = to + len;
    if (distance >= 16) {
        for (; to < end; to += 16, from += 16) {
            copy16(to, from);
        }
        return;
    }
    while (distance < 8) { /* what is there twice is there four times */
        const size_t n = distance;
        memcpy(to, from, 8);
        to += n;
        distance += n;
    }
    for (; to < end; to += 8) {
        uint64_t word;
        memcpy(&word, to - distance, 8);
        memcpy(to, &word, 8);
    }
}

/* Elements while there is room around them. False: an element refers to before the block. */
static bool fast(struct place *p) {
    static const uint32_t masks[4] = {0, 0xff, 0xffff, 0};
    const uint8_t *in = p->in;
    uint8_t *out = p->out;
    bool good = true;
    if ((size_t)(p->in_end - in) <= SLACK || (size_t)(p->out_end - out) <= SLACK) {
        return true;
    }
    const uint8_t *const in_last = p->in_end - SLACK;
    const uint8_t *const out_last = p->out_end - SLACK;
    uint32_t tag = *in; /* read ahead of the bytes that are copied: the next step waits for it */
    while (in < in_last && out < out_last) {
        const uint32_t kind = tag & 3;
        const uint32_t what = tags.of[tag];
        const size_t len = what & 0xff;
        if (len == 0) {
            break; /* a long literal or a far copy */
        }
        if (kind == 0) {
            const uint8_t *const text = in + 1;
            in += 1 + len;
            tag = *in;
            copy_wide(out, text, len);
            out += len;
            continue;
        }
        const size_t distance = (what & 0xf00) + (load32(in + 1) & masks[kind]);
        in += 1 + kind;
        tag = *in;
        if (distance - 1 >= (size_t)(out - p->out_begin)) {
            good = false;
            break;
        }
        if (distance >= len) {
            copy_wide(out, out - distance, len);
        } else {
            copy_repeat(out, distance, len);
        }
        out += len;
    }
    p->in = in;
    p->out = out;
    return good;
}

/* One element, every byte of it checked. */
static bool careful(struct place *p) {
    const uint32_t tag = *p->in++;
    const uint32_t high = tag >> 2;
    size_t behind = tag & 3;
    behind = behind == 3 ? 4 : behind == 0 && high >= 60 ? high - 59 : behind;
    if ((size_t)(p->in_end - p->in) < behind) {
        return false;
    }
    uint32_t value = 0;
    memcpy(&value, p->in, behind);
    p->in += behind;
    size_t len = high + 1;
    if ((tag & 3) == 0) {
        len = (high < 60 ? (size_t)high : (size_t)value) + 1;
        if (len > (size_t)(p->in_end - p->in) || len > (size_t)(p->out_end - p->out)) {
            return false;
        }
        memcpy(p->out, p->in, len);
        p->in += len;
        p->out += len;
        return true;
    }
    size_t distance = value;
    if ((tag & 3) == 1) {
        len = (high & 7) + 4;
        distance |= (size_t)(high >> 3) << 8;
    }
    if (distance == 0 || distance > (size_t)(p->out - p->out_begin) ||
        len > (size_t)(p->out_end - p->out)) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        p->out[i] = p->out[(ptrdiff_t)i - (ptrdiff_t)distance];
    }
    p->out += len;
    return true;
}

bool hr_snappy_block(struct hr_slice in, uint8_t *out, size_t len) {
    struct place p = {in.ptr, in.ptr + in.len, out, out, out + len};
    for (size_t i = 0; i < 5 && p.in < p.in_end; i++) { /* the length, which the caller has read */
        if ((*p.in++ & 0x80) == 0) {
            break;
        }
    }
    bool good = true;
    while (good && p.in < p.in_end) {
        good = fast(&p);
        good = good && (p.in == p.in_end || careful(&p));
    }
    return good && p.out == p.out_end;
}
