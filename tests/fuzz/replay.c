/* Runs a fuzz target over the files, and the files of the folders, given: how the corpora are
 * tested by a compiler without libFuzzer. Prints a line with the number of inputs; fails when there
 * were none, or when one cannot be read. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rbe");
    struct stat st;

    if (!file || fstat(fileno(file), &st) != 0) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        if (file)
            (void)fclose(file);
        return -1;
    }
    /* As long as the input and no longer, so that a sanitizer sees a read behind it. */
    size_t size = (size_t)st.st_size;
    uint8_t *data = malloc(size ? size : 1);
    size_t n = data ? fread(data, 1, size, file) : 0;
    (void)fclose(file);
    if (n == size)
        (void)LLVMFuzzerTestOneInput(data, size);
    else
        (void)fprintf(stderr, "%s: short read\n", path);
    free(data);
    return n == size ? 1 : -1;
}

static int replay_folder(const char *path)
{
    struct dirent **entries;
    int n = scandir(path, &entries, NULL, alphasort), count = 0;

    for (int i = 0; i < n; i++) {
        char file[4096];
        if (entries[i]->d_name[0] != '.' && count >= 0) {
            (void)snprintf(file, sizeof(file), "%s/%s", path, entries[i]->d_name);
            int one = replay_file(file);
            count = one < 0 ? -1 : count + one;
        }
        free(entries[i]);
    }
    if (n >= 0)
        free(entries);
    return n < 0 ? -1 : count;
}

int main(int argc, char **argv)
{
    int count = 0;

    if (LLVMFuzzerInitialize)
        (void)LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        struct stat st;
        int n = stat(argv[i], &st) != 0 ? -1
                : S_ISDIR(st.st_mode)   ? replay_folder(argv[i])
                                        : replay_file(argv[i]);
        if (n < 0) {
            (void)fprintf(stderr, "%s: cannot be replayed\n", argv[i]);
            return 1;
        }
        count += n;
    }
    (void)printf("%d inputs replayed\n", count);
    return count ? 0 : 1;
}
