/* format/csv/csv_dates.h - calendar tables for the date kernels.
 *
 * Both are constant expressions of the Gregorian rules, so there is nothing to fill at run time and
 * nothing to mistype; tests hold them against hr_days_from_civil for every day of 0000..9999.
 */
#ifndef HR_CSV_DATES_H
#define HR_CSV_DATES_H

#include <stdint.h>

/* For each year: twice the days from 1970-01-01 to its first of January, plus 1 when it is a leap
 * year. */
extern const int32_t hr_csv_years[10000];
/* [leap][month * 100 + day] -> days behind the first of January, UINT16_MAX: no such day. */
extern const uint16_t hr_csv_days[2][1300];

#endif
