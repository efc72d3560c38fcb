/* The main() of a fuzz target that is built without libFuzzer: runs each file of its arguments once, and all files of each folder.
 * So that a corpus is an ordinary test with any compiler. Ends with the number of inputs; a defect ends the program before that. */
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static unsigned long input_count;

static int run_file(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)place;
    if (kind != FTW_F) {
        return 0;
    }
    FILE *file = fopen(path, "rb");
    size_t size = (size_t)about->st_size;
    uint8_t *data =
        malloc(size + 1); /* exactly its size but for an empty one, so that a sanitizer sees a read behind it */
    if (file == NULL || data == NULL || fread(data, 1, size, file) != size) {
        fprintf(stderr, "Cannot read the input `%s`.\n", path);
        exit(EXIT_FAILURE);
    }
    fclose(file);
    uint8_t *exact = realloc(data, size > 0 ? size : 1);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    input_count++;
    return 0;
}

int main(int count, char **arguments)
{
    for (int i = 1; i < count; i++) {
        if (nftw(arguments[i], run_file, 8, FTW_PHYS) != 0) {
            fprintf(stderr, "Cannot walk through `%s`.\n", arguments[i]);
            return EXIT_FAILURE;
        }
    }
    printf("%lu inputs\n", input_count);
    return input_count > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
