/* base/cpu.h - which vector units this machine has; decided once. */
#ifndef HR_BASE_CPU_H
#define HR_BASE_CPU_H

#include <stdbool.h>

struct hr_cpu {
    bool avx2;   /* avx2 + bmi1 + bmi2 + pclmul + popcnt + lzcnt */
    bool avx512; /* f, bw, vl, dq, vbmi, vbmi2 */
};

/* Environment HEADRACE_CPU=scalar|avx2 lowers the answer, so both twins can be tested. */
const struct hr_cpu *hr_cpu_get(void);
void hr_cpu_override(const struct hr_cpu *cpu); /* tests; NULL restores */

#if defined(__x86_64__)
#define HR_X86 1
#define HR_TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,pclmul,popcnt,lzcnt")))
#define HR_TARGET_AVX512                                                                           \
    __attribute__((target("avx2,bmi,bmi2,pclmul,popcnt,lzcnt,avx512f,avx512bw,avx512vl,avx512dq,"  \
                          "avx512vbmi,avx512vbmi2")))
#else
#define HR_X86 0
#define HR_TARGET_AVX2
#define HR_TARGET_AVX512
#endif

#define hr_likely(x) __builtin_expect(!!(x), 1)
#define hr_unlikely(x) __builtin_expect(!!(x), 0)

#endif
