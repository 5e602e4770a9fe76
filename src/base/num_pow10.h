/* base/num_pow10.h - powers of ten for reading and writing floats; see num_pow10.c. */
#ifndef HR_BASE_NUM_POW10_H
#define HR_BASE_NUM_POW10_H

#include <stdint.h>

#define HR_POW10_FIRST (-342)
#define HR_POW10_LAST 324
#define HR_POW10_EXACT 55 /* rows 0 to this one are exact, the others cut */

extern const uint64_t hr_pow10_128[HR_POW10_LAST - HR_POW10_FIRST + 1][2]; /* high, low */

#endif
