#ifndef TL_SIM_G711_H
#define TL_SIM_G711_H

#include <stdint.h>

/** ITU-T G.711, one sample a byte; linear samples are 16 bit. Encoding what was decoded gives the
 *  same byte, but for µ-law 0x7F (minus zero), which comes back as 0xFF. */
int16_t tl_ulaw_decode(uint8_t byte);
uint8_t tl_ulaw_encode(int16_t sample);
int16_t tl_alaw_decode(uint8_t byte);
uint8_t tl_alaw_encode(int16_t sample);

#endif
