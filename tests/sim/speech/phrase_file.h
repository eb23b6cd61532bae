#ifndef TL_SIM_PHRASE_FILE_H
#define TL_SIM_PHRASE_FILE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/error.h"

/** A line taken apart; the strings stand in the arena, NULL where the line has none. */
struct tl_phrase_line {
    char *ask;
    char *answer; /* words before the tool, or all of them */
    char *tool;
    char *tool_arguments; /* compact JSON */
    char *after_tool;
    char *without_tool;
};

/** `caller's words | words [tool NAME {JSON}] words`; each part of the answer may be missing, not
 *  all of them. *ret_blank: an empty line or a comment, nothing else is written.
 *  TL_INVALID: why, without file and line. */
TL_MUST_CHECK enum tl_status tl_phrase_line_parse(const char *line, struct tl_arena *arena,
                                                  struct tl_phrase_line *ret_line, bool *ret_blank,
                                                  struct tl_error *err);

#endif
