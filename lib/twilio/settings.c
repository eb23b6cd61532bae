/* Settings of the telephone network's account. */
#include "twilio/settings.h"

const struct tl_setting tl_twilio_settings[] = {
    TL_SET_STRING(struct tl_twilio_settings, account_sid, "twilio.account_sid", "",
                  "Account SID (AC and 32 hexadecimal digits).", .env = "TWILIO_ACCOUNT_SID",
                  .required = true),
    TL_SET_STRING(struct tl_twilio_settings, auth_token, "twilio.auth_token", "",
                  "Primary auth token: signs webhooks and opens the REST API.",
                  .env = "TWILIO_AUTH_TOKEN", .secret = true, .required = true),
    TL_SET_STRING(struct tl_twilio_settings, auth_token_previous, "twilio.auth_token_previous", "",
                  "A second token whose signatures are accepted, while the primary one is changed.",
                  .secret = true),
    TL_SET_STRING(struct tl_twilio_settings, api_url, "twilio.api_url", "https://api.twilio.com",
                  "Origin of the REST API.", .env = "TWILIO_API_URL"),
    TL_SET_BOOL(struct tl_twilio_settings, verify_signatures, "twilio.verify_signatures", "true",
                "Refuse webhooks and streams whose X-Twilio-Signature is wrong. Never switch it off "
                "where others can reach the port."),
    TL_SET_STRING(struct tl_twilio_settings, public_url, "ingest.public_url",
                  "https://localhost:8080",
                  "Origin under which the telephone network reaches the webhooks of ingest, as configured "
                  "there; signatures are checked against it, and rescued calls ask there.",
                  .required = true),
    {0},
};
