/* The bank of spoken texts: makes each sound once, finds it again in recordings. Sounds are found
 * by their first eight bytes in a small hash table, then compared whole. */
#include "speech/speech.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "base/arena.h"
#include "base/buf.h"
#include "speech/phrase_file.h"
#include "speech/synth.h"

#define SLOTS 4096 /* chains of the hash table */
#define HEAD_BYTES 8
#define LINE_MAX_BYTES 4096
/* Part of every cache file's name: raise it when synth.c makes other bytes of the same text. */
#define CACHE_VERSION "1"

struct entry {
    struct tl_speech speech;
    struct entry *next_in_slot;
    struct entry *next;
};

struct tl_speech_bank {
    struct tl_arena texts;
    char *cache_dir; /* or NULL */
    struct entry *entries;
    struct entry *slot[SLOTS];
    struct tl_phrase *phrases;
    size_t phrases_len, phrases_cap;
};

enum tl_status tl_speech_bank_create(const char *cache_dir, struct tl_speech_bank **ret_bank,
                                     struct tl_error *err)
{
    if (cache_dir && mkdir(cache_dir, 0777) != 0 && errno != EEXIST)
        return tl_fail(err, TL_FATAL, "speech: %s: %s", cache_dir, strerror(errno));

    struct tl_speech_bank *bank = calloc(1, sizeof(*bank));
    if (!bank)
        abort();
    bank->cache_dir = tl_arena_strdup(&bank->texts, cache_dir);
    *ret_bank = bank;
    return TL_OK;
}

void tl_speech_bank_destroy(struct tl_speech_bank *bank)
{
    if (!bank)
        return;
    while (bank->entries) {
        struct entry *entry = bank->entries;
        bank->entries = entry->next;
        free((void *)entry->speech.ulaw);
        free(entry);
    }
    free(bank->phrases);
    tl_arena_finish(&bank->texts);
    free(bank);
}

static size_t slot_of(const uint8_t *head)
{
    uint64_t x;

    memcpy(&x, head, sizeof(x));
    return (size_t)((x * UINT64_C(0x9E3779B97F4A7C15)) >> 52) % SLOTS;
}

/* The cache of sounds on disk. */

static void cache_path(const struct tl_speech_bank *bank, enum tl_speech_voice voice,
                       const char *text, char *ret_path, size_t size)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    char hex[33];
    TL_CLEANUP(tl_buf_finish) struct tl_buf key;

    tl_buf_init(&key, LINE_MAX_BYTES * 4);
    tl_buf_printf(&key, "%s|%d|%s", CACHE_VERSION, (int)voice, text);
    SHA256(key.data, key.len, digest);
    for (size_t i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    snprintf(ret_path, size, "%s/%s.ulaw", bank->cache_dir, hex);
}

static bool cache_read(const char *path, struct tl_buf *out)
{
    FILE *file = fopen(path, "rb");
    uint8_t chunk[16384];
    size_t n;

    if (!file)
        return false;
    while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0)
        tl_buf_add(out, chunk, n);
    fclose(file);
    return out->len >= TL_SPEECH_FRAME_BYTES && !out->full;
}

/** A cache that cannot be written costs time only, so nothing is reported. Written aside and
 *  renamed: several simulators share the folder. */
static void cache_write(const char *path, const struct tl_buf *sound)
{
    char aside[4096];

    snprintf(aside, sizeof(aside), "%s.%ld", path, (long)getpid());
    FILE *file = fopen(aside, "wb");
    if (!file)
        return;
    bool ok = fwrite(sound->data, 1, sound->len, file) == sound->len;
    ok = fclose(file) == 0 && ok;
    if (!ok || rename(aside, path) != 0)
        unlink(aside);
}

static enum tl_status make_sound(const struct tl_speech_bank *bank, enum tl_speech_voice voice,
                                 const char *text, struct tl_buf *out, struct tl_error *err)
{
    char path[4096 - 32];

    if (!bank->cache_dir)
        return tl_synth(voice, text, out, err);
    cache_path(bank, voice, text, path, sizeof(path));
    if (cache_read(path, out))
        return TL_OK;
    tl_buf_reset(out);
    enum tl_status st = tl_synth(voice, text, out, err);
    if (st == TL_OK)
        cache_write(path, out);
    return st;
}

/* Saying. */

static struct entry *add_entry(struct tl_speech_bank *bank, enum tl_speech_voice voice,
                               const char *text, const struct tl_buf *sound)
{
    size_t frames = (sound->len + TL_SPEECH_FRAME_BYTES - 1) / TL_SPEECH_FRAME_BYTES;
    size_t len = frames * TL_SPEECH_FRAME_BYTES;
    struct entry *entry = calloc(1, sizeof(*entry));
    uint8_t *ulaw = malloc(len);

    if (!entry || !ulaw)
        abort();
    memset(ulaw, TL_SPEECH_SILENCE, len);
    memcpy(ulaw, sound->data, sound->len);
    entry->speech = (struct tl_speech){.voice = voice,
                                       .text = tl_arena_strdup(&bank->texts, text),
                                       .ulaw = ulaw,
                                       .len = len,
                                       .sound_len = sound->len};
    size_t slot = slot_of(ulaw);
    entry->next_in_slot = bank->slot[slot];
    bank->slot[slot] = entry;
    entry->next = bank->entries;
    bank->entries = entry;
    return entry;
}

enum tl_status tl_speech_bank_say(struct tl_speech_bank *bank, enum tl_speech_voice voice,
                                  const char *text, const struct tl_speech **ret_speech,
                                  struct tl_error *err)
{
    TL_CLEANUP(tl_buf_finish) struct tl_buf sound;

    tl_buf_init(&sound, TL_SYNTH_MAX_BYTES);
    for (struct entry *entry = bank->entries; entry; entry = entry->next) {
        if (entry->speech.voice == voice && strcmp(entry->speech.text, text) == 0) {
            *ret_speech = &entry->speech;
            return TL_OK;
        }
    }
    enum tl_status st = make_sound(bank, voice, text, &sound, err);
    if (st != TL_OK)
        return st;
    *ret_speech = &add_entry(bank, voice, text, &sound)->speech;
    return TL_OK;
}

/* Phrases. */

static enum tl_status say_if(struct tl_speech_bank *bank, enum tl_speech_voice voice,
                             const char *text, const struct tl_speech **ret_speech,
                             struct tl_error *err)
{
    return text ? tl_speech_bank_say(bank, voice, text, ret_speech, err) : TL_OK;
}

static enum tl_status add_phrase(struct tl_speech_bank *bank, const struct tl_phrase_line *line,
                                 struct tl_error *err)
{
    struct tl_phrase phrase = {.tool = line->tool, .tool_arguments = line->tool_arguments};
    enum tl_status st = say_if(bank, TL_SPEECH_CALLER, line->ask, &phrase.ask, err);

    if (st == TL_OK)
        st = say_if(bank, TL_SPEECH_AI, line->answer, &phrase.answer, err);
    if (st == TL_OK)
        st = say_if(bank, TL_SPEECH_AI, line->after_tool, &phrase.after_tool, err);
    if (st == TL_OK)
        st = say_if(bank, TL_SPEECH_AI, line->without_tool, &phrase.without_tool, err);
    if (st != TL_OK)
        return st;
    if (tl_speech_bank_find(bank, line->ask))
        return tl_fail(err, TL_INVALID, "\"%s\" stands there twice", line->ask);

    if (bank->phrases_len == bank->phrases_cap) {
        bank->phrases_cap = bank->phrases_cap ? bank->phrases_cap * 2 : 64;
        bank->phrases = realloc(bank->phrases, bank->phrases_cap * sizeof(*bank->phrases));
        if (!bank->phrases)
            abort();
    }
    bank->phrases[bank->phrases_len++] = phrase;
    return TL_OK;
}

enum tl_status tl_speech_bank_load(struct tl_speech_bank *bank, const char *file,
                                   struct tl_error *err)
{
    char text[LINE_MAX_BYTES];
    enum tl_status st = TL_OK;
    FILE *in = fopen(file, "r");

    if (!in)
        return tl_fail(err, TL_NOT_FOUND, "%s: %s", file, strerror(errno));
    for (int number = 1; st == TL_OK && fgets(text, sizeof(text), in); number++) {
        struct tl_phrase_line line;
        bool blank = false;
        st = tl_phrase_line_parse(text, &bank->texts, &line, &blank, err);
        if (st == TL_OK && !blank)
            st = add_phrase(bank, &line, err);
        if (st != TL_OK)
            st = tl_fail_prefix(err, "%s:%d", file, number);
    }
    fclose(in);
    return st;
}

const struct tl_phrase *tl_speech_bank_phrases(const struct tl_speech_bank *bank, size_t *ret_count)
{
    *ret_count = bank->phrases_len;
    return bank->phrases;
}

/** The next letter or digit, in lower case; one space for anything between; 0 at the end. */
static int next_plain(const char **at)
{
    bool gap = false;

    while (**at && !isalnum((unsigned char)**at) && **at != '\'') {
        gap = true;
        (*at)++;
    }
    if (**at == '\0')
        return 0;
    return gap ? ' ' : tolower((unsigned char)*(*at)++);
}

static bool same_words(const char *a, const char *b)
{
    int x, y;

    a += strcspn(a, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    b += strcspn(b, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789");
    do {
        x = next_plain(&a);
        y = next_plain(&b);
    } while (x == y && x != 0);
    return x == y;
}

const struct tl_phrase *tl_speech_bank_find(const struct tl_speech_bank *bank, const char *text)
{
    for (size_t i = 0; i < bank->phrases_len; i++)
        if (same_words(bank->phrases[i].ask->text, text))
            return &bank->phrases[i];
    return NULL;
}

const struct tl_phrase *tl_speech_bank_phrase_of(const struct tl_speech_bank *bank,
                                                 const struct tl_speech *speech)
{
    for (size_t i = 0; i < bank->phrases_len; i++)
        if (bank->phrases[i].ask == speech)
            return &bank->phrases[i];
    return NULL;
}

/* Hearing. */

static size_t common_prefix(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
    size_t len = a_len < b_len ? a_len : b_len;
    size_t i = 0;

    while (i < len && a[i] == b[i])
        i++;
    return i;
}

/** The speech that begins at these bytes: the longest whole one, else the one with most of its
 *  beginning there. *ret_len: bytes that agree. */
static const struct tl_speech *begins_here(const struct tl_speech_bank *bank, const uint8_t *ulaw,
                                           size_t len, size_t *ret_len)
{
    const struct tl_speech *best = NULL;
    size_t best_len = 0;
    bool best_whole = false;

    if (len < HEAD_BYTES)
        return NULL;
    for (const struct entry *e = bank->slot[slot_of(ulaw)]; e; e = e->next_in_slot) {
        size_t n = common_prefix(e->speech.ulaw, e->speech.sound_len, ulaw, len);
        bool whole = n == e->speech.sound_len;
        if (whole < best_whole || (whole == best_whole && n <= best_len))
            continue;
        best = &e->speech;
        best_len = n;
        best_whole = whole;
    }
    if (best_len < TL_SPEECH_FRAME_BYTES)
        return NULL;
    *ret_len = best_len;
    return best;
}

const struct tl_speech *tl_speech_bank_recognise(const struct tl_speech_bank *bank,
                                                 const uint8_t *ulaw, size_t len)
{
    size_t same = 0;

    while (len > 0 && *ulaw == TL_SPEECH_SILENCE) {
        ulaw++;
        len--;
    }
    while (len > 0 && ulaw[len - 1] == TL_SPEECH_SILENCE)
        len--;
    const struct tl_speech *speech = begins_here(bank, ulaw, len, &same);
    return speech && same == len && same == speech->sound_len ? speech : NULL;
}

/** Where unknown sound ends: at a frame's length of silence bytes, at a known speech, or at the end
 *  of the recording. */
static size_t unknown_end(const struct tl_speech_bank *bank, const uint8_t *ulaw, size_t at,
                          size_t len)
{
    size_t silence = 0;
    size_t known_len;

    for (at++; at < len; at++) {
        silence = ulaw[at] == TL_SPEECH_SILENCE ? silence + 1 : 0;
        if (silence == TL_SPEECH_FRAME_BYTES)
            return at + 1 - silence;
        if (silence == 0 && begins_here(bank, ulaw + at, len - at, &known_len))
            return at;
    }
    return len - silence;
}

static struct tl_speech_piece piece_at(const struct tl_speech_bank *bank, const uint8_t *ulaw,
                                       size_t at, size_t len)
{
    struct tl_speech_piece piece = {.at = at};

    piece.speech = begins_here(bank, ulaw + at, len - at, &piece.len);
    piece.exact = piece.speech && piece.len == piece.speech->sound_len;
    if (!piece.speech)
        piece.len = unknown_end(bank, ulaw, at, len) - at;
    return piece;
}

size_t tl_speech_bank_scan(const struct tl_speech_bank *bank, const uint8_t *ulaw, size_t len,
                           struct tl_speech_piece *ret_pieces, size_t max)
{
    size_t count = 0;
    size_t at = 0;

    for (;;) {
        while (at < len && ulaw[at] == TL_SPEECH_SILENCE)
            at++;
        if (at >= len)
            return count;
        struct tl_speech_piece piece = piece_at(bank, ulaw, at, len);
        at += piece.len;
        if (count < max)
            ret_pieces[count] = piece;
        count++;
    }
}

void tl_speech_text_heard(const struct tl_speech *speech, size_t bytes, char *ret_text, size_t size)
{
    size_t all = strlen(speech->text);
    size_t len = bytes >= speech->sound_len ? all : all * bytes / speech->sound_len;

    if (len < all)
        while (len > 0 && speech->text[len] != ' ')
            len--;
    snprintf(ret_text, size, "%.*s", (int)len, speech->text);
}
