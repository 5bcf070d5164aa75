/* The program people start: runs the build of itself beside it that is best on this processor. */
#include "processor.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

int main(int count, char **arguments) {
    (void)count;
    char self[4096], path[4200];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0) {
        fprintf(stderr, "Error: /proc is needed to find the files beside this program.\n");
        return 1;
    }
    self[length] = 0;
    for (int i = best_build(); i >= 0; i--) {
        snprintf(path, sizeof path, "%s-%s", self, builds[i]);
        execv(path, arguments);
    }
    fprintf(stderr, "Error: %s-%s, or one for an older processor, must lie beside this program.\n", self, builds[best_build()]);
    return 1;
}
