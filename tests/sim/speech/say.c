/* trunkline-sim-say: a text as the bytes that the simulators send for it. */
#include <stdio.h>
#include <string.h>

#include "speech/speech.h"

static int say(enum tl_speech_voice voice, const char *text, const char *path)
{
    TL_CLEANUP(tl_speech_bank_destroyp) struct tl_speech_bank *bank = NULL;
    const struct tl_speech *speech = NULL;
    struct tl_error err;

    if (tl_speech_bank_create(NULL, &bank, &err) != TL_OK ||
        tl_speech_bank_say(bank, voice, text, &speech, &err) != TL_OK) {
        fprintf(stderr, "trunkline-sim-say: %s\n", err.msg);
        return 1;
    }
    FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "wb");
    if (!out) {
        perror(path);
        return 1;
    }
    bool ok = fwrite(speech->ulaw, 1, speech->len, out) == speech->len;
    ok = fclose(out) == 0 && ok;
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    bool ai = argc == 4 && strcmp(argv[1], "--ai") == 0;

    if (argc != 3 && !ai) {
        fprintf(stderr,
                "usage: trunkline-sim-say [--ai] TEXT FILE.ulaw|-\n"
                "Writes TEXT as headerless µ-law, 8 kHz, in the caller's voice or the AI's.\n");
        return 2;
    }
    return say(ai ? TL_SPEECH_AI : TL_SPEECH_CALLER, argv[argc - 2], argv[argc - 1]);
}
