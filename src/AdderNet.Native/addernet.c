/* What programs link or load. The engine itself lies beside it, compiled once for each generation of processors, since code that is compiled
 * ahead of time has its vectors' width fixed: this finds the best one that runs here, and hands every call on. See addernet.h. */
#define _GNU_SOURCE
#include "addernet.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
/* x86-64-v3: AVX2, processors from 2013 on; x86-64-v4: AVX-512. */
static const char *const builds[] = {"x86-64-v2", "x86-64-v3", "x86-64-v4"};

static int best_build(void) {
    __builtin_cpu_init();
    int v3 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi")
        && __builtin_cpu_supports("bmi2");
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

static pthread_once_t once = PTHREAD_ONCE_INIT;
static char missing[4096];

static int32_t (*abi_version)(void);
static int32_t (*vector_width)(void);
static addernet_model *(*load)(const char *, int32_t);
static int32_t (*input_shape)(const addernet_model *, int32_t *);
static int32_t (*output_length)(const addernet_model *);
static int32_t (*output_shape)(const addernet_model *, int32_t *);
static int32_t (*class_count)(const addernet_model *);
static const char *(*class_name)(const addernet_model *, int32_t);
static int32_t (*normalization)(const addernet_model *, float *, float *);
static int32_t (*run)(const addernet_model *, const float *, int32_t, float *);
static const char *(*last_error)(void);
static void (*free_model)(addernet_model *);
static int32_t (*infer)(int32_t, char **);

static int find(void *library, const char *name, void *function) {
    void *address = dlsym(library, name);
    memcpy(function, &address, sizeof address); /* ISO C converts no object pointer to a function pointer. */
    return address != NULL;
}

static void open_engine(void) {
    Dl_info self;
    char path[4096] = "";
    void *library = NULL;
    int length = 0;
    if (dladdr((void *)&once, &self) && self.dli_fname) {
        const char *slash = strrchr(self.dli_fname, '/');
        length = slash ? (int)(slash - self.dli_fname) + 1 : 0;
    }
    for (int i = best_build(); i >= 0 && !library; i--) {
        if (snprintf(path, sizeof path, "%.*slibaddernet-%s.so", length, length ? self.dli_fname : "", builds[i]) < (int)sizeof path) {
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        }
    }
    if (!library) {
        snprintf(missing, sizeof missing, "libaddernet-%s.so, or one for an older processor, must lie beside libaddernet.so.", builds[best_build()]);
        return;
    }
    if (!(find(library, "addernet_abi_version", &abi_version) && abi_version() == ADDERNET_ABI_VERSION
          && find(library, "addernet_vector_width", &vector_width) && find(library, "addernet_input_shape", &input_shape)
          && find(library, "addernet_output_length", &output_length) && find(library, "addernet_output_shape", &output_shape)
          && find(library, "addernet_class_count", &class_count) && find(library, "addernet_class_name", &class_name)
          && find(library, "addernet_normalization", &normalization) && find(library, "addernet_run", &run)
          && find(library, "addernet_last_error", &last_error) && find(library, "addernet_free", &free_model)
          && find(library, "addernet_infer", &infer) && find(library, "addernet_load", &load))) {
        load = NULL;
        snprintf(missing, sizeof missing, "%.3000s is of another version than libaddernet.so; take both from the same build.", path);
    }
}

static int ready(void) {
    pthread_once(&once, open_engine);
    return load != NULL;
}

int32_t addernet_abi_version(void) { return ADDERNET_ABI_VERSION; }
int32_t addernet_vector_width(void) { return ready() ? vector_width() : -1; }
addernet_model *addernet_load(const char *path, int32_t threads) { return ready() ? load(path, threads) : NULL; }
int32_t addernet_input_shape(const addernet_model *model, int32_t shape[3]) { return ready() ? input_shape(model, shape) : -1; }
int32_t addernet_output_length(const addernet_model *model) { return ready() ? output_length(model) : -1; }
int32_t addernet_output_shape(const addernet_model *model, int32_t shape[3]) { return ready() ? output_shape(model, shape) : -1; }
int32_t addernet_class_count(const addernet_model *model) { return ready() ? class_count(model) : -1; }
const char *addernet_class_name(const addernet_model *model, int32_t index) { return ready() ? class_name(model, index) : NULL; }
int32_t addernet_normalization(const addernet_model *model, float *mean, float *std) { return ready() ? normalization(model, mean, std) : -1; }
int32_t addernet_run(const addernet_model *model, const float *input, int32_t images, float *output) {
    return ready() ? run(model, input, images, output) : -1;
}
const char *addernet_last_error(void) { return ready() ? last_error() : missing; }
void addernet_free(addernet_model *model) {
    if (ready()) {
        free_model(model);
    }
}

/* The whole of addernet-infer, for launcher.c alone. */
int32_t addernet_infer(int32_t count, char **arguments) {
    if (!ready()) {
        fprintf(stderr, "Error: %s\n", missing);
        return 1;
    }
    return infer(count, arguments);
}
