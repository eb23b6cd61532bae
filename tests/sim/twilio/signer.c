/* The signature of webhooks, written from the rules and not from lib/twilio, which checks it. */
#include "signer.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

static int compare_fields(const void *a, const void *b)
{
    const struct tl_tel_field *left = a, *right = b;
    int order = strcmp(left->name, right->name);

    return order ? order : strcmp(left->value, right->value);
}

static void add_fields(struct tl_buf *text, const struct tl_tel_form *form)
{
    if (form->len == 0)
        return;
    struct tl_tel_field *sorted = malloc(form->len * sizeof(*sorted));
    if (!sorted)
        abort();
    memcpy(sorted, form->field, form->len * sizeof(*sorted));
    qsort(sorted, form->len, sizeof(*sorted), compare_fields);
    for (size_t i = 0; i < form->len; i++) {
        if (i && compare_fields(&sorted[i - 1], &sorted[i]) == 0)
            continue;
        tl_buf_add_str(text, sorted[i].name);
        tl_buf_add_str(text, sorted[i].value);
    }
    free(sorted);
}

void tl_tel_sign(const char *token, const char *url, const struct tl_tel_form *form,
                 char ret_signature[TL_TEL_SIGNATURE_SIZE])
{
    struct tl_buf text;
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int digest_len = 0;

    tl_buf_init(&text, 4 << 20);
    tl_buf_add_str(&text, url);
    if (form)
        add_fields(&text, form);
    HMAC(EVP_sha1(), token, (int)strlen(token), text.data, text.len, digest, &digest_len);
    EVP_EncodeBlock((unsigned char *)ret_signature, digest, (int)digest_len);
    tl_buf_finish(&text);
}
