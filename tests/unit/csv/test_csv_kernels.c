/* The kernels of CSV's numbers, dates and timestamps, in each form, against the exact converter: a
 * cell that a kernel keeps has exactly that value, plain cells are kept, and it makes no difference
 * how the cells lie. All short texts over the bytes that matter, and random long ones. */
#include <stdio.h>
#include <string.h>

#include "format/csv/csv_internal.h"
#include "format_support.h"

#define CELLS 64u
#define CELL_MAX 24u

static const struct csv_kernels *const FORMS[] = {
    &hr_csv_kernels_scalar,
#if HR_X86
    &hr_csv_kernels_avx2,
    &hr_csv_kernels_avx512,
#endif
};

static size_t forms(void) {
    return 1u + hr_cpu_get()->avx2 + hr_cpu_get()->avx512;
}

/* Cells behind one another in rows of `stride`, as the index leaves them, and in arrays of their
 * own, as the general way does. */
struct cells {
    uint8_t memory[64 + CELLS * 4 * (CELL_MAX + 1) + 64];
    uint8_t *text;
    uint32_t index[CELLS * 4 + 1]; /* [0] in front of the first cell */
    uint32_t starts[CELLS], ends[CELLS];
    struct hr_slice cell[CELLS];
    unsigned count;
    size_t stride, used;
};

static void begin(struct cells *c, size_t stride) {
    memset(c->memory, '7', sizeof(c->memory)); /* what is around cells must not matter */
    c->text = c->memory + 64;
    c->index[0] = UINT32_MAX;
    c->count = 0;
    c->stride = stride;
    c->used = 0;
}

static void add(struct cells *c, const char *text, size_t len) {
    for (size_t k = 0; k < c->stride; k++) {
        const uint32_t start = c->index[c->count * c->stride + k] + 1;
        const size_t n = k == 0 ? len : 3;
        memcpy(c->text + start, k == 0 ? text : "-.9", n);
        c->text[start + n] = k + 1 < c->stride ? ',' : '\n';
        c->index[c->count * c->stride + k + 1] = start + (uint32_t)n;
        if (k == 0) {
            c->starts[c->count] = start;
            c->ends[c->count] = start + (uint32_t)n;
            c->cell[c->count] = hr_slice_of(c->text + start, n);
        }
    }
    c->count++;
}

static uint64_t convert(const struct csv_kernels *k, const struct csv_run *run, struct hr_type type,
                        void *out) {
    static const int64_t per_second[] = {1, 1000, 1000000, 1000000000};
    switch ((enum hr_type_id)type.id) {
    case HR_T_I64: return k->i64(run, out);
    case HR_T_F64: return k->f64(run, out);
    case HR_T_DATE32: return k->date(run, out);
    case HR_T_TS: return k->ts(run, type.utc, per_second[type.unit], out);
    default: return k->dec(run, type.scale, out);
    }
}

/* Does every form keep it? The lead is 1..9 or the only digit; a point has digits on both sides. */
static bool plain(struct hr_type type, struct hr_slice cell) {
    size_t digits = 0;
    size_t points = 0;
    const size_t sign = cell.len > 0 && cell.ptr[0] == '-';
    for (size_t i = sign; i < cell.len; i++) {
        digits += cell.ptr[i] >= '0' && cell.ptr[i] <= '9';
        points += cell.ptr[i] == '.' && i > sign && i + 1 < cell.len;
    }
    const bool zero = cell.len > sign + 1 && cell.ptr[sign] == '0' && cell.ptr[sign + 1] != '.';
    return (type.id == HR_T_I64 || type.id == HR_T_F64) && digits > 0 && digits <= 15 &&
           cell.len <= 16 && digits + points + sign == cell.len && !zero &&
           points <= (type.id == HR_T_F64);
}

static void check_run(const struct cells *c, struct hr_type type, const struct csv_run *run) {
    const size_t width = type.id == HR_T_DATE32 ? 4 : 8;
    for (size_t f = 0; f < forms(); f++) {
        uint64_t got[CELLS + 1];
        memset(got, 0xa5, sizeof(got));
        const uint64_t left = convert(FORMS[f], run, type, got);
        for (unsigned i = 0; i < run->count; i++) {
            const struct hr_slice cell = c->cell[i];
            union hr_cell want;
            if ((left >> i) & 1) {
                if (plain(type, cell)) {
                    fail_msg("form %zu leaves '%.*s'", f, (int)cell.len, (const char *)cell.ptr);
                }
                continue;
            }
            memset(&want, 0, sizeof(want));
            const bool ok = hr_infer_convert(type, (const char *)cell.ptr, cell.len, 0, &want);
            if (!ok || memcmp(want.bytes, (uint8_t *)got + i * width, width) != 0) {
                fail_msg("form %zu, type %d, cell %u of %u: '%.*s' is %s", f, (int)type.id, i,
                         run->count, (int)cell.len, (const char *)cell.ptr,
                         ok ? "another value" : "none");
            }
        }
        assert_int_equal(run->count < 64 ? left >> run->count : 0, 0);
        for (size_t i = run->count * width; i < sizeof(got); i++) {
            assert_int_equal(((uint8_t *)got)[i], 0xa5);
        }
    }
}

static const struct hr_type *types(size_t *count) {
    static struct hr_type all[8];
    all[0] = hr_type(HR_T_I64);
    all[1] = hr_type(HR_T_F64);
    all[2] = hr_type(HR_T_DATE32);
    all[3] = (struct hr_type){.id = HR_T_DEC128, .precision = 38, .scale = 0};
    all[4] = (struct hr_type){.id = HR_T_DEC128, .precision = 38, .scale = 2};
    all[5] = (struct hr_type){.id = HR_T_DEC128, .precision = 38, .scale = 16};
    all[6] = (struct hr_type){.id = HR_T_TS, .unit = HR_U_US};
    all[7] = (struct hr_type){.id = HR_T_TS, .unit = HR_U_S, .utc = 1};
    *count = sizeof(all) / sizeof(*all);
    return all;
}

static void check(const struct cells *c) {
    const struct csv_run joined = {.text = c->text,
                                   .starts = c->index,
                                   .ends = c->index + 1,
                                   .delta = 1,
                                   .start_stride = c->stride,
                                   .end_stride = c->stride,
                                   .count = c->count};
    const struct csv_run apart = {.text = c->text,
                                  .starts = c->starts,
                                  .ends = c->ends,
                                  .start_stride = 1,
                                  .end_stride = 1,
                                  .count = c->count};
    size_t n;
    const struct hr_type *all = types(&n);
    for (size_t t = 0; t < n; t++) {
        check_run(c, all[t], &joined);
        check_run(c, all[t], &apart);
    }
}

/* ---- all short texts ---- */

static void test_short_cells(void **state) {
    (void)state;
    static const char bytes[] = {'0', '1', '9', '-', '.', '+', '/', ':', 'e', ' ', '\xff', '\0'};
    const unsigned kinds = sizeof(bytes);
    static struct cells c;
    begin(&c, 1);
    for (size_t len = 0; len <= 4; len++) {
        unsigned all = 1;
        for (size_t i = 0; i < len; i++) {
            all *= kinds;
        }
        for (unsigned k = 0; k < all; k++) {
            char text[4];
            unsigned rest = k;
            for (size_t i = 0; i < len; i++, rest /= kinds) {
                text[i] = bytes[rest % kinds];
            }
            add(&c, text, len);
            if (c.count == CELLS) {
                check(&c);
                begin(&c, 1);
            }
        }
    }
    check(&c);
}

/* ---- longer ones ---- */

static size_t random_digits(uint64_t *seed, size_t n, char *out) {
    for (size_t i = 0; i < n; i++) {
        const uint64_t r = test_rand(seed);
        out[i] = (char)(r % 4 == 0 ? '9' : r % 4 == 1 ? '0' : '0' + r / 4 % 10);
    }
    return n;
}

static size_t random_number(uint64_t *seed, char *out) {
    size_t n = 0;
    if (test_rand(seed) % 3 == 0) {
        out[n++] = '-';
    }
    n += random_digits(seed, test_rand(seed) % 18, out + n);
    if (test_rand(seed) % 2 == 0) {
        const size_t room = CELL_MAX - 1 - n;
        out[n++] = '.';
        n += random_digits(seed, test_rand(seed) % (room < 18 ? room : 18), out + n);
    }
    return n;
}

static size_t random_date(uint64_t *seed, char *out) {
    char text[64];
    const size_t date =
        (size_t)snprintf(text, sizeof(text), "%04u-%02u-%02u", (unsigned)(test_rand(seed) % 10000),
                         (unsigned)(test_rand(seed) % 14), (unsigned)(test_rand(seed) % 33));
    size_t n = date;
    if (test_rand(seed) % 3 == 0) {
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%c%02u:%02u:%02u.%u",
                              test_rand(seed) % 2 ? 'T' : ' ', (unsigned)(test_rand(seed) % 25),
                              (unsigned)(test_rand(seed) % 61), (unsigned)(test_rand(seed) % 61),
                              (unsigned)(test_rand(seed) % 1000));
        n = n > CELL_MAX ? CELL_MAX : n;
        n = test_rand(seed) % 2 ? 19 : n;
        if (test_rand(seed) % 4 == 0) {
            text[n < CELL_MAX ? n : CELL_MAX - 1] = 'Z';
            n += n < CELL_MAX;
        }
    }
    memcpy(out, text, n);
    return n;
}

static size_t random_cell(uint64_t *seed, char *out) {
    size_t n = test_rand(seed) % 2 ? random_number(seed, out) : random_date(seed, out);
    const uint64_t r = test_rand(seed) % 8;
    if (r == 0 && n > 0) { /* any byte in it, one bit of it, one byte less, one byte more */
        out[test_rand(seed) % n] = (char)test_rand(seed);
    } else if (r == 1 && n > 0) {
        out[test_rand(seed) % n] ^= (char)(1 << test_rand(seed) % 8);
    } else if (r == 2 && n > 0) {
        n--;
    } else if (r == 3 && n < CELL_MAX) {
        out[n++] = "0.-"[test_rand(seed) % 3];
    }
    return n;
}

static void test_random_cells(void **state) {
    (void)state;
    uint64_t seed = 11;
    static struct cells c;
    for (int round = 0; round < 6000; round++) {
        begin(&c, 1 + test_rand(&seed) % 4);
        const unsigned count = round % 2 ? CELLS : 1 + (unsigned)(test_rand(&seed) % CELLS);
        /* Mostly one kind, so that whole eights are sound; now and then anything. */
        const bool mixed = test_rand(&seed) % 2 == 0;
        for (unsigned i = 0; i < count; i++) {
            char text[CELL_MAX + 16];
            add(&c, text, mixed ? random_cell(&seed, text) : random_number(&seed, text));
        }
        check(&c);
    }
}

/* Every length and place of the point, with the largest and smallest digits. */
static void test_boundaries(void **state) {
    (void)state;
    static struct cells c;
    begin(&c, 2);
    for (size_t len = 1; len <= 18; len++) {
        for (size_t point = 0; point <= len; point++) {
            for (int kind = 0; kind < 6; kind++) {
                char text[CELL_MAX];
                size_t n = 0;
                if (kind % 2) {
                    text[n++] = '-';
                }
                for (size_t i = 0; i < len; i++) {
                    text[n++] = i == point    ? '.'
                                : kind < 2    ? '9'
                                : kind < 4    ? (char)('0' + (i == 0))
                                : i + 1 < len ? '0'
                                              : '5';
                }
                add(&c, text, n);
                if (c.count == CELLS) {
                    check(&c);
                    begin(&c, 2);
                }
            }
        }
    }
    check(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_cells),
        cmocka_unit_test(test_random_cells),
        cmocka_unit_test(test_boundaries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
