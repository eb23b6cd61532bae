#ifndef TL_TEL_HOOK_H
#define TL_TEL_HOOK_H

#include "call.h"

/** What became of a webhook. Borrowed until the callback returns. */
struct tl_tel_hook_answer {
    int status;     /* HTTP; 0: none came */
    int error_code; /* 0: a 2xx came; else 11200, 11205, 11215 */
    const char *error;
    const char *url;          /* that answered, after redirects: base of relative URLs */
    const char *content_type; /* NULL: none */
    struct tl_bytes body;
};

typedef void (*tl_tel_hook_fn)(void *arg, const struct tl_tel_hook_answer *answer);

struct tl_tel_hook {
    struct tl_tel_call *call;
    const char *kind;         /* "voice", "status", …: for the report */
    const char *url;          /* as configured, absolute */
    const char *method;       /* NULL: POST */
    struct tl_tel_form *form; /* taken */
    tl_tel_hook_fn on_answer; /* exactly once, from the loop; may be NULL */
    void *arg;
};

/** Sends a signed request, with the retries that the URL's fragment asks for, and follows up to ten
 *  redirects; 15 s in all. */
void tl_tel_hook_send(const struct tl_tel_hook *hook);

struct tl_tel_form *tl_tel_form_new(void); /* on the heap, for `form` */
void tl_tel_form_free(struct tl_tel_form *form);

#endif
