#ifndef TL_TWILIO_SETTINGS_H
#define TL_TWILIO_SETTINGS_H

#include <stdint.h>

#include "base/config.h"

/** Behind every URL that we give: retries when it cannot be reached (Twilio, "Webhooks connection
 *  overrides"). */
#define TL_TWILIO_OVERRIDES "#rc=2&rp=ct,rt,5xx&ct=2000&rt=5000"

/** The account at the telephone network. */
struct tl_twilio_settings {
    const char *account_sid;
    const char *auth_token;
    const char *auth_token_previous; /* also accepted, while a token is changed */
    const char *api_url;             /* of the REST API */
    bool verify_signatures;
    const char *public_url; /* of our webhooks */
};
extern const struct tl_setting tl_twilio_settings[];

#endif
