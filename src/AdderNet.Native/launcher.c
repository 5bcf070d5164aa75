/* The program addernet-infer: all of it is in the library, so that the engine is there once. */
#include <stdint.h>

int32_t addernet_infer(int32_t count, char **arguments);

int main(int count, char **arguments) {
    return addernet_infer(count, arguments);
}
