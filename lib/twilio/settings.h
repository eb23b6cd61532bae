#ifndef TL_TWILIO_SETTINGS_H
#define TL_TWILIO_SETTINGS_H

#include <stdint.h>

#include "base/config.h"

/** The account at the telephone network. */
struct tl_twilio_settings {
    const char *account_sid;
    const char *auth_token;
    const char *auth_token_previous; /* also accepted, while a token is changed */
    const char *api_url;             /* of the REST API */
    bool verify_signatures;
};
extern const struct tl_setting tl_twilio_settings[];

#endif
