#ifndef TL_TWILIO_FORM_H
#define TL_TWILIO_FORM_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

#define TL_FORM_FIELDS_MAX 256

/** A decoded application/x-www-form-urlencoded body; names may repeat. Strings live in the arena. */
struct tl_form {
    struct tl_form_field {
        const char *name;
        const char *value;
    } *fields;
    size_t fields_n;
};

/** TL_INVALID: a broken %-escape, a NUL, invalid UTF-8, or more than TL_FORM_FIELDS_MAX fields. */
TL_MUST_CHECK enum tl_status tl_form_parse(const char *body, size_t len, struct tl_arena *arena,
                                           struct tl_form *ret_form, struct tl_error *err);

/** First value of that name, or NULL. */
const char *tl_form_get(const struct tl_form *form, const char *name);

#endif
