/* How far apart two words are: see text.h. */
#include "base/text.h"

#include <string.h>

static size_t min3(size_t a, size_t b, size_t c)
{
    size_t m = a < b ? a : b;
    return m < c ? m : c;
}

/* Optimal string alignment (Damerau-Levenshtein without edits inside a swap), three rows. */
size_t tl_text_distance(const char *a, const char *b)
{
    size_t row[3][TL_TEXT_DISTANCE_BYTES_MAX + 1];
    size_t a_len = strnlen(a, TL_TEXT_DISTANCE_BYTES_MAX),
           b_len = strnlen(b, TL_TEXT_DISTANCE_BYTES_MAX);
    size_t *before = row[0], *last = row[1], *now = row[2];

    for (size_t j = 0; j <= b_len; j++)
        last[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        now[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            now[j] = min3(last[j] + 1, now[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < now[j])
                now[j] = before[j - 2] + 1;
        }
        size_t *spare = before;
        before = last;
        last = now;
        now = spare;
    }
    return last[b_len];
}
