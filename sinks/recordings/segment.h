#ifndef TL_RECORDINGS_SEGMENT_H
#define TL_RECORDINGS_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "avro/call_event.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/uuid.h"

/* A stored segment: up to a minute of one side of one leg, as it came through one mailbox under one
 * attachment. Integers are big-endian:
 *
 *   0 "TLSG"  4 version  5 side  6 length of leg  7 length of stream SID
 *   8 call id (16)   24 number, session (4 each)   32 offset (8)   40 mailbox (4)
 *  44 entries   48 bytes of sound   52 bytes of the head (4 each)
 *  56 leg, stream SID, entries, a CRC for each block of sound, CRC of the head up to here
 *     the sound
 *
 * The head is read alone to place sound on the time line; the sound is read later, by whole blocks,
 * each against its CRC (CRC-32 of IEEE 802.3). */

#define TL_SEGMENT_SOUND_MAX 480000u /* bytes: a minute */
#define TL_SEGMENT_ENTRIES_MAX 4096u
#define TL_SEGMENT_TEXT_MAX 63u
#define TL_SEGMENT_BLOCK 8000u /* bytes of sound under one CRC: a second */
#define TL_SEGMENT_FIXED 56u
#define TL_SEGMENT_ENTRY_FIXED 38u
#define TL_SEGMENT_HEAD_MAX                                                                        \
    (TL_SEGMENT_FIXED + 64u +                                                                      \
     TL_SEGMENT_ENTRIES_MAX * (TL_SEGMENT_ENTRY_FIXED + TL_SEGMENT_TEXT_MAX) +                     \
     4u * (TL_SEGMENT_SOUND_MAX / TL_SEGMENT_BLOCK + 1u))
#define TL_SEGMENT_FRAME_MS INT64_C(20) /* timestamps of the telephone network wander by less */

enum tl_sound_side {
    TL_SIDE_CALLER = 1,
    TL_SIDE_AI = 2,
};
#define TL_SIDES 2

/** "caller", "ai". */
const char *tl_sound_side_name(enum tl_sound_side side);

/** Whose sound it is. */
struct tl_segment_id {
    enum tl_sound_side side;
    struct tl_uuid call_id;
    char leg[16];
    char stream_sid[40];
    struct tl_claim claim; /* session 0 for the caller's side: an attachment */
    uint32_t mailbox;      /* partition that it came through */
};

enum tl_segment_kind {
    TL_SEGMENT_SOUND = 1, /* frames that follow each other, or one piece of the AI's */
    TL_SEGMENT_MARK,      /* caller's side: it came back; AI's side: it was sent */
    TL_SEGMENT_CLEAR,     /* AI's side */
};

/** n: of the caller's side the item's, of the AI's tl_segment_n_of(record, item). */
struct tl_segment_entry {
    enum tl_segment_kind kind;
    int64_t n, n_last;    /* of SOUND first and last; else the same */
    int64_t at_ms;        /* wall clock of the batch; of a caller's SOUND what it would be for its
                             first frame if that were delayed no more than the least delayed of them */
    int64_t timestamp_ms; /* caller's SOUND: the stream's clock at its first frame; caller's MARK:
                             at the end of the newest frame before it; -1: not known */
    uint32_t late_ms;     /* caller's SOUND: the most that a frame was delayed beyond that */
    uint32_t sound, len;  /* SOUND: place and bytes within the segment's sound */
    char text[TL_SEGMENT_TEXT_MAX + 1]; /* MARK: its name */
};

/** Order of the AI's items in their mailbox: offset of the record, place of the item in it. */
static inline int64_t tl_segment_n_of(int64_t record_offset, uint32_t item)
{
    return record_offset * 65536 + (item < 65535 ? item : 65535);
}

/* ---- writing ---- */

/** Gathers what comes, in the order of one mailbox, of one attachment (AI: of one claim) and
 * stream. */
struct tl_segment_writer {
    struct tl_segment_id id;
    struct tl_buf entries, sound; /* entries: struct tl_segment_entry */
    int64_t end_timestamp_ms;     /* of the newest frame; -1: none. Survives a reset */
};

void tl_segment_writer_init(struct tl_segment_writer *w, const struct tl_segment_id *id);
void tl_segment_writer_finish(struct tl_segment_writer *w); /* frees; accepts a zeroed struct */
/** Forgets what was gathered, and goes on with the same stream. */
void tl_segment_writer_reset(struct tl_segment_writer *w);
bool tl_segment_writer_is_empty(const struct tl_segment_writer *w);

/* Each adds one item. TL_RETRY: full, nothing was added: encode, reset and add it again.
 * TL_INVALID: no sound, more than a segment holds, or a name longer than TL_SEGMENT_TEXT_MAX. */
TL_MUST_CHECK enum tl_status tl_segment_writer_frame(struct tl_segment_writer *w, int64_t n,
                                                     int64_t timestamp_ms, int64_t at_ms,
                                                     struct tl_bytes sound, struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_segment_writer_piece(struct tl_segment_writer *w, int64_t n,
                                                     int64_t at_ms, struct tl_bytes sound,
                                                     struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_segment_writer_mark(struct tl_segment_writer *w, int64_t n,
                                                    int64_t at_ms, const char *name,
                                                    struct tl_error *err);
TL_MUST_CHECK enum tl_status tl_segment_writer_clear(struct tl_segment_writer *w, int64_t n,
                                                     int64_t at_ms, struct tl_error *err);

/** Appends the segment's bytes. TL_RETRY: `out` has no room for them. */
TL_MUST_CHECK enum tl_status tl_segment_writer_encode(const struct tl_segment_writer *w,
                                                      struct tl_buf *out, struct tl_error *err);

/* ---- reading ---- */

/** A segment's head, checked. Its bytes are borrowed. */
struct tl_segment {
    struct tl_segment_id id;
    uint32_t head_bytes, sound_bytes, entries_n;
    struct tl_bytes entries, crcs;
};

/** Length of the head, from its first TL_SEGMENT_FIXED bytes or more. TL_INVALID: no segment. */
TL_MUST_CHECK enum tl_status tl_segment_head_bytes(struct tl_bytes data, uint32_t *ret_bytes,
                                                   struct tl_error *err);

/** Reads the head; what stands behind it is not looked at. TL_INVALID: damaged, or of another
 * version. */
TL_MUST_CHECK enum tl_status
tl_segment_decode_head(struct tl_bytes data, struct tl_segment *ret_segment, struct tl_error *err);

/** The whole segment, nothing behind it; its sound is data + head_bytes. TL_INVALID as above. */
TL_MUST_CHECK enum tl_status tl_segment_decode(struct tl_bytes data, struct tl_segment *ret_segment,
                                               struct tl_error *err);

/** Checks a part of the sound that begins at byte `from`, a block's beginning, and ends at a
 * block's or the sound's end. TL_INVALID: it is damaged, or begins or ends elsewhere. */
TL_MUST_CHECK enum tl_status tl_segment_check(const struct tl_segment *segment, uint32_t from,
                                              struct tl_bytes sound, struct tl_error *err);

/** The entry at *at (0 at first), which moves behind it; false behind the last. */
struct tl_segment_cursor {
    size_t at;
    uint32_t sound;
};
bool tl_segment_next(const struct tl_segment *segment, struct tl_segment_cursor *cursor,
                     struct tl_segment_entry *ret_entry);

/** "<call id>/<leg>/caller-000001-0000000000000000012-0-3-0000000000000000042": name of the segment
 * whose first item is n, below the call's own prefix; sorts by attachment. */
#define TL_SEGMENT_NAME_SIZE 160
void tl_segment_name(const struct tl_segment_id *id, int64_t n,
                     char ret_name[TL_SEGMENT_NAME_SIZE]);

#endif
