/* Bodies of webhooks: what can be read is written and read again as the same, and its signature is
 * the one of any order of its fields. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "twilio/form.h"
#include "twilio/rest.h"
#include "twilio/signature.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_again(const struct tl_form *form)
{
    TL_CLEANUP(tl_arena_finish) struct tl_arena arena = {0};
    TL_CLEANUP(tl_buf_finish) struct tl_buf out;
    struct tl_form again;
    struct tl_error err;

    tl_buf_init(&out, 16u << 20);
    for (size_t i = 0; i < form->fields_n; i++)
        tl_twilio_form_add(&out, form->fields[i].name, form->fields[i].value);
    enum tl_status st = tl_form_parse(tl_buf_str(&out), out.len, &arena, &again, &err);
    assert(st == TL_OK && again.fields_n == form->fields_n);
    for (size_t i = 0; i < form->fields_n; i++) {
        assert(strcmp(again.fields[i].name, form->fields[i].name) == 0);
        assert(strcmp(again.fields[i].value, form->fields[i].value) == 0);
    }
}

static void sign(struct tl_form *form)
{
    const struct tl_twilio_signed what = {.url = "https://v.example.com/x", .form = form};
    char signature[TL_TWILIO_SIGNATURE_SIZE];

    tl_twilio_sign("token", &what, signature);
    for (size_t i = 0, k = form->fields_n; i + 1 < k; i++, k--) { /* turned round */
        struct tl_form_field field = form->fields[i];
        form->fields[i] = form->fields[k - 1];
        form->fields[k - 1] = field;
    }
    assert(tl_twilio_verify("token", &what, signature));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TL_CLEANUP(tl_arena_finish) struct tl_arena arena = {0};
    struct tl_form form;
    struct tl_error err;

    if (tl_form_parse((const char *)data, size, &arena, &form, &err) != TL_OK) {
        assert(err.status == TL_INVALID && err.msg[0]);
        return 0;
    }
    assert(form.fields_n <= TL_FORM_FIELDS_MAX);
    for (size_t i = 0; i < form.fields_n; i++)
        assert(strlen(form.fields[i].name) + strlen(form.fields[i].value) <= size);
    read_again(&form);
    sign(&form);
    return 0;
}
