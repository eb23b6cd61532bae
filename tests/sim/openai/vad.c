/* The real service asks a model; the simulator asks for loudness, which is enough for synthetic
 * speech on a silent line, and explains itself. */
#include "openai/vad.h"

#include "speech/g711.h"
#include "speech/speech.h"

/* Mean absolute sample that counts as loud: 100 at the default threshold of 0.5, 180 at 1. The
 * speech bank leaves no pause of 200 ms below 140. */
#define LEVEL(threshold) (20.0 + 160.0 * (threshold))

static unsigned loudness(const uint8_t *ulaw)
{
    static uint16_t magnitude[256]; /* a table that is computed once and never changes */
    unsigned sum = 0;

    if (magnitude[0] == 0)
        for (int i = 0; i < 256; i++) {
            int sample = tl_ulaw_decode((uint8_t)i);
            magnitude[i] = (uint16_t)(sample < 0 ? -sample : sample);
        }
    for (int i = 0; i < TL_SPEECH_FRAME_BYTES; i++)
        sum += magnitude[ulaw[i]];
    return sum / TL_SPEECH_FRAME_BYTES;
}

enum tl_ai_vad_event tl_ai_vad_feed(struct tl_ai_vad *vad, const uint8_t *ulaw)
{
    bool loud = loudness(ulaw) > LEVEL(vad->threshold);

    if (!vad->speaking) {
        vad->loud_frames = loud ? vad->loud_frames + 1 : 0;
        if (vad->loud_frames < TL_AI_VAD_ONSET_FRAMES)
            return TL_AI_VAD_NOTHING;
        vad->speaking = true;
        vad->quiet_frames = 0;
        return TL_AI_VAD_STARTED;
    }
    vad->quiet_frames = loud ? 0 : vad->quiet_frames + 1;
    if (vad->quiet_frames * TL_AI_VAD_FRAME_MS < vad->silence_ms || loud)
        return TL_AI_VAD_NOTHING;
    tl_ai_vad_reset(vad);
    return TL_AI_VAD_STOPPED;
}

void tl_ai_vad_reset(struct tl_ai_vad *vad)
{
    vad->speaking = false;
    vad->loud_frames = 0;
    vad->quiet_frames = 0;
}
