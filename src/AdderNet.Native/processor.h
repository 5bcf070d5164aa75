/* Which build of the engine runs best on this processor. */
#ifndef ADDERNET_PROCESSOR_H
#define ADDERNET_PROCESSOR_H

#if defined(__x86_64__)
/* x86-64-v3: AVX2, processors from 2013 on; x86-64-v4: AVX-512. */
static const char *const builds[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4"};

static int best_build(void) {
    __builtin_cpu_init();
    int v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
    int v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512cd")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    return v4 ? 2 : v3 ? 1 : 0;
}
#else
static const char *const builds[] = {"any"};

static int best_build(void) {
    return 0;
}
#endif

#endif
