#ifndef TL_REDACT_FORMS_H
#define TL_REDACT_FORMS_H

#include "redact/context.h"
#include "redact/span.h"
#include "redact/words.h"

/** What is known by the way it is written or spelled: addresses of machines and mail, secrets,
 *  numbers with letters in them. Adds spans of the types in `on`. */
void tl_forms_find(const struct tl_words *w, const struct tl_cues *cues, tl_entity_set on,
                   struct tl_spans *spans);

/** Length of the credential that starts at `at`, 0 for none; `ret_skip` bytes of it ("Bearer ")
 *  may stay. */
size_t tl_credential_at(const char *text, size_t len, size_t at, size_t *ret_skip);

#endif
