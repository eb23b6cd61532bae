#ifndef TL_TEL_FORM_H
#define TL_TEL_FORM_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

/** A field of a form, decoded; both owned by the form. */
struct tl_tel_field {
    char *name;
    char *value;
};

/** Fields in the order of the wire; names may repeat, values may be empty. Zeroed = empty. */
struct tl_tel_form {
    struct tl_tel_field *field;
    size_t len, cap;
};

void tl_tel_form_add(struct tl_tel_form *form, const char *name, const char *value); /* copies */
void tl_tel_form_addf(struct tl_tel_form *form, const char *name, const char *fmt, ...)
    TL_PRINTF(3, 4);
void tl_tel_form_finish(struct tl_tel_form *form);

/** Value of the first field of that name; NULL when absent. Borrowed. */
const char *tl_tel_form_get(const struct tl_tel_form *form, const char *name);

/** The same, NULL also when empty. */
const char *tl_tel_form_text(const struct tl_tel_form *form, const char *name);

/** application/x-www-form-urlencoded: a space is '+', everything but letters, digits and "*-._" is
 *  %XX, empty values and repeated names stay. Appended to out. */
void tl_tel_form_encode(const struct tl_tel_form *form, struct tl_buf *out);

/** Appends what a body or query says. TL_INVALID: a broken %XX, or a NUL byte. */
TL_MUST_CHECK enum tl_status tl_tel_form_decode(struct tl_tel_form *form, const char *data,
                                                size_t len, struct tl_error *err);

#endif
