/* AdderNet for .NET: trained networks in C, C++, Python, Rust and whatever else calls C.
 *
 * A model file is what `addernet` writes: a .safetensors file with its graph, float32 or quantized to 4 to 8 bits.
 *
 * Threads: every function may be called from any threads at once, with the same model, too; weights are shared. One call at a time is spread
 * over the model's threads, others meanwhile compute on the thread that called. A model may be freed while calls on it are under way: they
 * end as they would have, or fail.
 *
 * Errors: a function that fails returns NULL or a negative number, and addernet_last_error says why in one sentence. Nothing is thrown.
 * A model that was freed, or never was one, is such an error, too. Pointers to memory that is not there are not found out.
 */
#ifndef ADDERNET_H
#define ADDERNET_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Rises when a program compiled with an older header would no longer work. */
#define ADDERNET_ABI_VERSION 1

typedef struct addernet_model addernet_model;

/* The ABI version of the library itself: compare it with ADDERNET_ABI_VERSION. */
int32_t addernet_abi_version(void);

/* Floats in the vectors that it computes with on this processor: 16 (AVX-512), 8 (AVX2), 4 or 1. */
int32_t addernet_vector_width(void);

/* Loads a model file (path in UTF-8). threads: for one call, the caller's among them; 0 for one a processor. NULL on failure. */
addernet_model *addernet_load(const char *path, int32_t threads);

/* Channels, rows and columns of an input image. 0, or -1 on failure. */
int32_t addernet_input_shape(const addernet_model *model, int32_t shape[3]);

/* Floats that it gives for one image: the scores of its classes. -1 on failure. */
int32_t addernet_output_length(const addernet_model *model);

/* The same as channels, rows and columns; scores of classes are [classes, 1, 1]. 0, or -1 on failure. */
int32_t addernet_output_shape(const addernet_model *model, int32_t shape[3]);

/* Names of classes that the file has; 0 where it has none, -1 on failure. */
int32_t addernet_class_count(const addernet_model *model);

/* Name of a class in UTF-8, valid until the model is freed. NULL on failure. */
const char *addernet_class_name(const addernet_model *model, int32_t index);

/* What training subtracted from and divided by, for values where black is 0 and white is 1: input = (value - mean) / std, one of each for
 * every channel of the input. 0, or -1 on failure, also where the file does not say. */
int32_t addernet_normalization(const addernet_model *model, float *mean, float *std);

/* Computes `images` images, [images, channels, rows, columns] and normalized, to [images, addernet_output_length] scores. 0, or -1 on failure. */
int32_t addernet_run(const addernet_model *model, const float *input, int32_t images, float *output);

/* Why the last call on this thread failed, in UTF-8; "" where none has. Valid until the next call on this thread. */
const char *addernet_last_error(void);

/* Frees a model; NULL is allowed. */
void addernet_free(addernet_model *model);

#ifdef __cplusplus
}
#endif
#endif
