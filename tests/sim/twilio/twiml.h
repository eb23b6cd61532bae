#ifndef TL_TEL_TWIML_H
#define TL_TEL_TWIML_H

#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

/** The elements that are run or stand within one that is. */
enum tl_tel_element {
    TL_TEL_RESPONSE,
    TL_TEL_CONNECT,
    TL_TEL_STREAM,
    TL_TEL_PARAMETER,
    TL_TEL_SAY,
    TL_TEL_PLAY,
    TL_TEL_PAUSE,
    TL_TEL_REDIRECT,
    TL_TEL_REJECT,
    TL_TEL_HANGUP,
    TL_TEL_GATHER,
    TL_TEL_DIAL,
    TL_TEL_NUMBER,
    TL_TEL_CONFERENCE,
    TL_TEL_ELEMENTS, /* how many */
};

struct tl_tel_attr {
    const char *name;
    const char *value;
    struct tl_tel_attr *next;
};

struct tl_tel_node {
    enum tl_tel_element element;
    struct tl_tel_attr *attrs;
    const char *text; /* trimmed; "" when there is none */
    struct tl_tel_node *child, *next;
};

/** What the debugger would show: it did not stop the document. */
struct tl_tel_warning {
    int code;
    const char *message;
    struct tl_tel_warning *next;
};

struct tl_tel_doc {
    struct tl_arena arena; /* of all that hangs here */
    struct tl_tel_node *first;
    struct tl_tel_warning *warnings;
};

/** Reads a document. TL_INVALID: it cannot be run; *ret_code is the error number (12100: not XML,
 * no <Response>, an element that does not belong there; 12200: a Parameter over 500 characters, a
 *  missing or impossible attribute). An unknown attribute is a 12200 warning. Destroy with
 *  tl_tel_doc_destroy. */
TL_MUST_CHECK enum tl_status tl_tel_doc_parse(const void *data, size_t len,
                                              struct tl_tel_doc **ret_doc, int *ret_code,
                                              struct tl_error *err);
void tl_tel_doc_destroy(struct tl_tel_doc *doc); /* accepts NULL */

/** NULL when absent. */
const char *tl_tel_node_attr(const struct tl_tel_node *node, const char *name);
const char *tl_tel_element_name(enum tl_tel_element element);

#endif
