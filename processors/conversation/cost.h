#ifndef TL_CONVERSATION_COST_H
#define TL_CONVERSATION_COST_H

#include <stdbool.h>
#include <stdint.h>

#include "avro/call_event.h"
#include "base/config.h"

/** Cost of `usage` in millionths of a US dollar, rounded to the nearest, by a price list (CONV-8):
 *  rows "model=input_text,input_audio,cached_text,cached_audio,output_text,output_audio,minute", the
 *  first six in dollars for a million tokens, the last in dollars for a minute of transcription. The
 *  longest row whose name begins the model's counts. 0 when there is none. Cached tokens are part
 *  of the input and cost their own price. */
int64_t tl_cost_microusd(const struct tl_list *prices, const struct tl_usage *usage);

/** True when a row can be read as above. */
bool tl_cost_row_is_valid(const char *row);

#endif
