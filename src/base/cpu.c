/* base/cpu.c - cpuid, asked once. */
#include "base/cpu.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

static struct hr_cpu found;
static const struct hr_cpu *forced;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void detect(void) {
#if HR_X86
    __builtin_cpu_init();
    found.avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                 __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("pclmul") &&
                 __builtin_cpu_supports("popcnt");
    found.avx512 = found.avx2 && __builtin_cpu_supports("avx512f") &&
                   __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vbmi") &&
                   __builtin_cpu_supports("avx512vbmi2");
#endif
    const char *limit = getenv("HEADRACE_CPU");
    if (limit != NULL && strcmp(limit, "scalar") == 0) {
        found.avx2 = found.avx512 = false;
    } else if (limit != NULL && strcmp(limit, "avx2") == 0) {
        found.avx512 = false;
    }
}

const struct hr_cpu *hr_cpu_get(void) {
    if (forced != NULL) {
        return forced;
    }
    pthread_once(&once, detect);
    return &found;
}

void hr_cpu_override(const struct hr_cpu *cpu) {
    forced = cpu;
}
