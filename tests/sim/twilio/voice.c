/* Frames made once: sending one is a copy. */
#include "voice.h"

#include <stdlib.h>
#include <string.h>

#include "b64.h"

/* 160 bytes of 0xFF: 53 groups of "////" and the last byte. */
#define TEN_GROUPS "////////////////////////////////////////"
const char tl_tel_silent_frame[TL_TEL_FRAME_TEXT + 1] =
    TEN_GROUPS TEN_GROUPS TEN_GROUPS TEN_GROUPS TEN_GROUPS "////////////"
                                                           "/w==";

struct tl_tel_voices {
    struct tl_speech_bank *bank;
    struct tl_tel_voice **voice;
    size_t len, cap;
};

struct tl_tel_voices *tl_tel_voices_create(struct tl_speech_bank *bank)
{
    struct tl_tel_voices *voices = calloc(1, sizeof(*voices));

    if (!voices)
        abort();
    voices->bank = bank;
    return voices;
}

void tl_tel_voices_destroy(struct tl_tel_voices *voices)
{
    if (!voices)
        return;
    for (size_t i = 0; i < voices->len; i++) {
        free((char *)voices->voice[i]->frame);
        free(voices->voice[i]);
    }
    free(voices->voice);
    free(voices);
}

static struct tl_tel_voice *make_voice(const struct tl_speech *speech)
{
    struct tl_tel_voice *voice = calloc(1, sizeof(*voice));
    size_t frames = (speech->len + TL_SPEECH_FRAME_BYTES - 1) / TL_SPEECH_FRAME_BYTES;
    char *text = malloc(frames * TL_TEL_FRAME_TEXT);

    if (!voice || !text)
        abort();
    for (size_t i = 0; i < frames; i++) {
        uint8_t frame[TL_SPEECH_FRAME_BYTES];
        size_t at = i * TL_SPEECH_FRAME_BYTES;
        size_t n = speech->len - at < sizeof(frame) ? speech->len - at : sizeof(frame);
        memset(frame, TL_SPEECH_SILENCE, sizeof(frame));
        memcpy(frame, speech->ulaw + at, n);
        tl_tel_b64_encode(frame, sizeof(frame), text + i * TL_TEL_FRAME_TEXT);
    }
    voice->speech = speech;
    voice->frame = text;
    voice->frames = frames;
    return voice;
}

enum tl_status tl_tel_voices_say(struct tl_tel_voices *voices, const char *text,
                                 const struct tl_tel_voice **ret_voice, struct tl_error *err)
{
    const struct tl_speech *speech = NULL;
    enum tl_status st = tl_speech_bank_say(voices->bank, TL_SPEECH_CALLER, text, &speech, err);

    if (st != TL_OK)
        return st;
    for (size_t i = 0; i < voices->len; i++) {
        if (voices->voice[i]->speech == speech) {
            *ret_voice = voices->voice[i];
            return TL_OK;
        }
    }
    if (voices->len == voices->cap) {
        voices->cap = voices->cap ? voices->cap * 2 : 64;
        voices->voice = realloc(voices->voice, voices->cap * sizeof(struct tl_tel_voice *));
        if (!voices->voice)
            abort();
    }
    *ret_voice = voices->voice[voices->len++] = make_voice(speech);
    return TL_OK;
}
