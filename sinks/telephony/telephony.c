#include "sinks/telephony/telephony.h"
enum tl_status tl_telephony_create(struct tl_sink *sink, struct tl_telephony **ret, struct tl_error *err){(void)sink;(void)ret;return tl_fail(err, TL_INVALID, "not yet");}
enum tl_status tl_telephony_start(struct tl_telephony *t, struct tl_error *err){(void)t;return tl_fail(err, TL_INVALID, "not yet");}
bool tl_telephony_is_ready(const struct tl_telephony *t, char *r, size_t s){(void)t;(void)r;(void)s;return false;}
void tl_telephony_fill(const struct tl_telephony *t, struct tl_presence *own){(void)t;(void)own;}
void tl_telephony_stop(struct tl_telephony *t){(void)t;}
void tl_telephony_destroy(struct tl_telephony *t){(void)t;}
