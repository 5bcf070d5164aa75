/*
 * Classifies one image by the network in model.c.
 *
 *     cc -std=c99 -O3 main.c model.c -o classify
 *     ./classify image.ppm     a binary PGM or PPM file (P5 or P6) of 8 bits, at least as large as the network's input
 *     ./classify               tests the build: the scores of a built-in image against those computed at export
 *
 * The file's middle is scaled to the network's input by averaging, and what was black in training around each image is black; README.md
 * says how images were prepared.
 */
#include <stdint.h>
#include <stdio.h>

#include "model.h"
#include "model_test.h"

static uint8_t pixels[MODEL_INPUTS];
static model_input input[MODEL_INPUTS];
static model_score scores[MODEL_CLASSES];

static int32_t number(FILE *file)
{
    int c = getc(file);
    int32_t value = 0;
    while (c == '#' || c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        if (c == '#')
            while (c != '\n' && c != EOF)
                c = getc(file);
        c = getc(file);
    }
    if (c < '0' || c > '9')
        return -1;
    for (; c >= '0' && c <= '9' && value < 100000; c = getc(file))
        value = value * 10 + (c - '0');
    return value;
}

/* Adds each pixel of the file's middle to the network's pixel that it lies in, and divides. Gives 0, or what is wrong. */
static const char *read_image(FILE *file)
{
    static uint64_t sums[MODEL_INPUTS];
    static uint32_t counts[MODEL_HEIGHT * MODEL_WIDTH];
    const int magic = getc(file) == 'P' ? getc(file) : 0;
    const int channels = magic == '6' ? 3 : 1;
    if (magic != '5' && magic != '6')
        return "is no binary PGM or PPM file (P5 or P6)";
    const int32_t width = number(file), height = number(file), white = number(file);
    if (width < 1 || height < 1 || width >= 65536 || height >= 65536)
        return "has a size that makes no sense";
    if (white != 255)
        return "does not have 8 bits a value";
    /* Scaled, the picture covers MODEL_COVER_HEIGHT x MODEL_COVER_WIDTH, of whose middle the network sees
     * MODEL_ROWS x MODEL_COLUMNS. */
    const int wide = (int64_t)width * MODEL_COVER_HEIGHT > (int64_t)height * MODEL_COVER_WIDTH;
    const int32_t side = wide ? height : width, covered = wide ? MODEL_COVER_HEIGHT : MODEL_COVER_WIDTH;
    const int32_t columns = (int32_t)((int64_t)side * MODEL_COLUMNS / covered), rows = (int32_t)((int64_t)side * MODEL_ROWS / covered);
    if (columns < MODEL_COLUMNS || rows < MODEL_ROWS || columns > width || rows > height)
        return "is too small for the network's input";
    const int32_t left = (width - columns) / 2, top = (height - rows) / 2;
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++) {
            uint32_t value[3];
            for (int k = 0; k < channels; k++) {
                const int c = getc(file);
                if (c == EOF)
                    return "ends too early";
                value[k] = (uint32_t)c;
            }
            if (x < left || x >= left + columns || y < top || y >= top + rows)
                continue;
            const int32_t row = MODEL_TOP + (int32_t)((int64_t)(y - top) * MODEL_ROWS / rows);
            const int32_t at = row * MODEL_WIDTH + MODEL_LEFT + (int32_t)((int64_t)(x - left) * MODEL_COLUMNS / columns);
            for (int k = 0; k < MODEL_CHANNELS; k++)
                sums[at * MODEL_CHANNELS + k] += channels == 1         ? value[0]
                                                 : MODEL_CHANNELS == 1 ? (299 * value[0] + 587 * value[1] + 114 * value[2] + 500) / 1000
                                                                       : value[k % 3];
            counts[at]++;
        }
    for (int32_t i = 0; i < MODEL_INPUTS; i++) {
        const uint32_t count = counts[i / MODEL_CHANNELS];
        pixels[i] = count == 0 ? 0 : (uint8_t)((sums[i] + count / 2) / count);
    }
    return 0;
}

static void print(int32_t i)
{
#if MODEL_QUANTIZED
    printf("%10ld  %s\n", (long)scores[i], model_class_names[i]);
#else
    printf("%10.5f  %s\n", (double)scores[i], model_class_names[i]);
#endif
}

static int test(void)
{
    uint32_t state = 1;
    int32_t wrong = 0;
    for (int32_t i = 0; i < MODEL_INPUTS; i++) {
        state = state * 1664525u + 1013904223u;
        pixels[i] = (uint8_t)(state >> 24);
    }
    model_prepare(pixels, input);
    model_run(input, scores);
    for (int32_t i = 0; i < MODEL_CLASSES; i++) {
        const model_score expected = model_test_scores[i];
        const model_score difference = scores[i] < expected ? expected - scores[i] : scores[i] - expected;
        wrong += !(difference <= MODEL_TEST_TOLERANCE);
        print(i);
    }
    if (wrong == 0)
        printf("The scores are those computed at export.\n");
    else
        printf("WRONG: %ld scores differ from those computed at export.\n", (long)wrong);
    return wrong == 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    FILE *file;
    const char *problem;
    if (argc < 2)
        return test();
    file = fopen(argv[1], "rb");
    problem = file == 0 ? "cannot be opened" : read_image(file);
    if (file != 0)
        fclose(file);
    if (problem != 0) {
        fprintf(stderr, "%s %s.\n", argv[1], problem);
        return 1;
    }
    model_prepare(pixels, input);
    model_run(input, scores);
    for (int32_t shown = 0; shown < 5 && shown < MODEL_CLASSES; shown++) {
        static uint8_t done[MODEL_CLASSES];
        int32_t best = -1;
        for (int32_t i = 0; i < MODEL_CLASSES; i++)
            if (!done[i] && (best < 0 || scores[i] > scores[best]))
                best = i;
        done[best] = 1;
        print(best);
    }
    return 0;
}
