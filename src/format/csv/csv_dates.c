/* format/csv/csv_dates.c - the calendar as constant expressions. */
#include "format/csv/csv_dates.h"

/* clang-format off */
#define LEAP(y) (((y) % 4 == 0 && (y) % 100 != 0) || (y) % 400 == 0)
#define DAYS(y) (365 * (y) + ((y) + 3) / 4 - ((y) + 99) / 100 + ((y) + 399) / 400 - 719528)
#define Y1(y) DAYS(y) * 2 + LEAP(y)
#define Y10(y) Y1(y), Y1(y + 1), Y1(y + 2), Y1(y + 3), Y1(y + 4), \
    Y1(y + 5), Y1(y + 6), Y1(y + 7), Y1(y + 8), Y1(y + 9)
#define Y100(y) Y10(y), Y10(y + 10), Y10(y + 20), Y10(y + 30), Y10(y + 40), \
    Y10(y + 50), Y10(y + 60), Y10(y + 70), Y10(y + 80), Y10(y + 90)
#define Y1000(y) Y100(y), Y100(y + 100), Y100(y + 200), Y100(y + 300), Y100(y + 400), \
    Y100(y + 500), Y100(y + 600), Y100(y + 700), Y100(y + 800), Y100(y + 900)

const int32_t hr_csv_years[10000] = {
    Y1000(0), Y1000(1000), Y1000(2000), Y1000(3000), Y1000(4000),
    Y1000(5000), Y1000(6000), Y1000(7000), Y1000(8000), Y1000(9000)};

/* Day d of a month that begins `before` days into the year and has `last` days. */
#define D1(before, last, d) \
    (uint16_t)((d) >= 1 && (d) <= (last) ? (before) + (d) - 1 : 65535)
#define D10(b, l, d) D1(b, l, d), D1(b, l, d + 1), D1(b, l, d + 2), D1(b, l, d + 3), \
    D1(b, l, d + 4), D1(b, l, d + 5), D1(b, l, d + 6), D1(b, l, d + 7), D1(b, l, d + 8), \
    D1(b, l, d + 9)
#define MONTH(b, l) D10(b, l, 0), D10(b, l, 10), D10(b, l, 20), D10(b, l, 30), D10(b, l, 40), \
    D10(b, l, 50), D10(b, l, 60), D10(b, l, 70), D10(b, l, 80), D10(b, l, 90)
#define YEAR(leap) { \
    MONTH(0, 0), MONTH(0, 31), MONTH(31, 28 + leap), MONTH(59 + leap, 31), MONTH(90 + leap, 30), \
    MONTH(120 + leap, 31), MONTH(151 + leap, 30), MONTH(181 + leap, 31), MONTH(212 + leap, 31), \
    MONTH(243 + leap, 30), MONTH(273 + leap, 31), MONTH(304 + leap, 30), MONTH(334 + leap, 31)}

const uint16_t hr_csv_days[2][1300] = {YEAR(0), YEAR(1)};
/* clang-format on */
