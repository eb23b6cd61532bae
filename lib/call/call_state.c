/* The order of a call's states: see call_state.h. */
#include "call/call_state.h"

#include <string.h>

#include "base/error.h"

static int rank(enum tl_call_state state)
{
    switch (state) {
    case TL_CALL_STATE_UNKNOWN:
        return 0;
    case TL_CALL_STATE_INITIATED:
        return 1;
    case TL_CALL_STATE_RINGING:
        return 2;
    case TL_CALL_STATE_IN_PROGRESS:
        return 3;
    case TL_CALL_STATE_ESCALATED:
        return 4;
    case TL_CALL_STATE_COMPLETED:
    case TL_CALL_STATE_FAILED:
        return 5;
    }
    return 0;
}

enum tl_call_state tl_call_state_advance(enum tl_call_state current, enum tl_call_state reported)
{
    return rank(reported) > rank(current) ? reported : current;
}

bool tl_call_state_is_final(enum tl_call_state state)
{
    return rank(state) == 5;
}

enum tl_call_state tl_call_state_of_status(const char *status)
{
    static const struct {
        const char *status;
        enum tl_call_state state;
    } table[] = {
        {"queued", TL_CALL_STATE_INITIATED},    {"initiated", TL_CALL_STATE_INITIATED},
        {"ringing", TL_CALL_STATE_RINGING},     {"in-progress", TL_CALL_STATE_IN_PROGRESS},
        {"completed", TL_CALL_STATE_COMPLETED}, {"busy", TL_CALL_STATE_FAILED},
        {"failed", TL_CALL_STATE_FAILED},       {"no-answer", TL_CALL_STATE_FAILED},
        {"canceled", TL_CALL_STATE_FAILED},
    };
    for (size_t i = 0; status && i < TL_ARRAY_LEN(table); i++)
        if (strcmp(table[i].status, status) == 0)
            return table[i].state;
    return TL_CALL_STATE_UNKNOWN;
}
