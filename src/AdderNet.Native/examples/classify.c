/* The likeliest class of an image of raw bytes (rows of pixels, channels interleaved) of the size that the model takes.
 *   cc -std=c99 classify.c -L. -laddernet -Wl,-rpath,'$ORIGIN' -o classify && ./classify model.safetensors image.raw */
#include "addernet.h"

#include <stdio.h>
#include <stdlib.h>

static int fail(void) {
    fprintf(stderr, "Error: %s\n", addernet_last_error());
    return 1;
}

int main(int count, char **arguments) {
    if (count != 3 || addernet_abi_version() != ADDERNET_ABI_VERSION) {
        fprintf(stderr, "usage: classify MODEL IMAGE\n");
        return 2;
    }
    addernet_model *model = addernet_load(arguments[1], 0);
    int32_t shape[3]; /* channels, rows, columns */
    if (!model || addernet_input_shape(model, shape) < 0) {
        return fail();
    }
    size_t channels = (size_t)shape[0], pixels = (size_t)shape[1] * (size_t)shape[2], classes = (size_t)addernet_output_length(model);
    unsigned char *bytes = malloc(channels * pixels);
    float *input = malloc(channels * pixels * sizeof *input), *scores = malloc(classes * sizeof *scores);
    float *mean = malloc(channels * sizeof *mean), *std = malloc(channels * sizeof *std);
    FILE *file = fopen(arguments[2], "rb");
    if (!bytes || !input || !scores || !mean || !std || !file || fread(bytes, 1, channels * pixels, file) != channels * pixels) {
        fprintf(stderr, "Error: %s is no file of %d x %d x %d bytes.\n", arguments[2], (int)shape[1], (int)shape[2], (int)shape[0]);
        return 1;
    }
    fclose(file);
    if (addernet_normalization(model, mean, std) < 0) {
        return fail();
    }
    for (size_t c = 0; c < channels; c++) {
        for (size_t p = 0; p < pixels; p++) {
            input[c * pixels + p] = ((float)bytes[p * channels + c] / 255 - mean[c]) / std[c];
        }
    }
    if (addernet_run(model, input, 1, scores) < 0) {
        return fail();
    }
    size_t best = 0;
    for (size_t i = 1; i < classes; i++) {
        best = scores[i] > scores[best] ? i : best;
    }
    const char *name = addernet_class_name(model, (int32_t)best);
    printf("%zu %s %.3f\n", best, name ? name : "", (double)scores[best]);
    addernet_free(model);
    free(bytes);
    free(input);
    free(scores);
    free(mean);
    free(std);
    return 0;
}
