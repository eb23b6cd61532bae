/* G.711 in both laws (ITU-T G.711), bit by bit instead of by table: the tables of the simulators
 * that need speed are made from these at start. */
#include "speech/g711.h"

#define ULAW_BIAS 132 /* 33 of the 14 bit scale */
#define ULAW_CLIP 32635

int16_t tl_ulaw_decode(uint8_t byte)
{
    uint8_t code = (uint8_t)~byte;
    int magnitude = (((code & 0x0F) << 3) + ULAW_BIAS) << ((code & 0x70) >> 4);

    magnitude -= ULAW_BIAS;
    return (int16_t)(code & 0x80 ? -magnitude : magnitude);
}

uint8_t tl_ulaw_encode(int16_t sample)
{
    int sign = sample < 0 ? 0x80 : 0;
    int magnitude = sample < 0 ? -(int)sample : sample;

    if (magnitude > ULAW_CLIP)
        magnitude = ULAW_CLIP;
    magnitude += ULAW_BIAS;

    int exponent = 7;
    while (exponent > 0 && !(magnitude & (0x80 << exponent)))
        exponent--;
    int mantissa = (magnitude >> (exponent + 3)) & 0x0F;
    if (exponent == 0 && mantissa == 0)
        sign = 0; /* no minus zero, so that decoding and encoding again changes nothing */
    return (uint8_t) ~(sign | (exponent << 4) | mantissa);
}

int16_t tl_alaw_decode(uint8_t byte)
{
    uint8_t code = byte ^ 0x55;
    int exponent = (code & 0x70) >> 4;
    int magnitude = ((code & 0x0F) << 4) + 8;

    if (exponent > 0)
        magnitude = (magnitude + 0x100) << (exponent - 1);
    return (int16_t)(code & 0x80 ? magnitude : -magnitude);
}

uint8_t tl_alaw_encode(int16_t sample)
{
    int sign = sample >= 0 ? 0x80 : 0;
    int magnitude = sample >= 0 ? sample : -(int)sample - 1;

    int exponent = 7;
    while (exponent > 0 && !(magnitude & (0x80 << exponent)))
        exponent--;
    int mantissa = exponent == 0 ? magnitude >> 4 : (magnitude >> (exponent + 3));
    return (uint8_t)((sign | (exponent << 4) | (mantissa & 0x0F)) ^ 0x55);
}
