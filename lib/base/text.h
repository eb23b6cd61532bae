#ifndef TL_BASE_TEXT_H
#define TL_BASE_TEXT_H

#include <stddef.h>

#define TL_TEXT_DISTANCE_BYTES_MAX 127 /* what lies behind is not compared */

/** Edits from a to b: insert, delete, change a byte, swap two neighbours. For "did you mean". */
size_t tl_text_distance(const char *a, const char *b);

#endif
