/* URLs of Redis (IANA provisional scheme "redis"). libcurl takes the URL apart. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/redis.h"

static bool part(CURLU *url, CURLUPart which, unsigned flags, char *to, size_t size)
{
    char *text = NULL;

    *to = '\0';
    if (curl_url_get(url, which, &text, flags) != CURLUE_OK)
        return true; /* absent */
    bool fits = strlen(text) < size;
    if (fits)
        (void)snprintf(to, size, "%s", text);
    curl_free(text);
    return fits;
}

static bool number(const char *text, long max, int fallback, int *ret)
{
    char *end;

    if (!*text) {
        *ret = fallback;
        return true;
    }
    long n = strtol(text, &end, 10);
    *ret = (int)n;
    return !*end && n >= 0 && n <= max;
}

enum tl_status tl_redis_parse_url(const char *text, struct tl_redis_address *ret,
                                  struct tl_error *err)
{
    struct tl_redis_address a = {0};
    char scheme[16], port[16], path[32];
    CURLU *url = curl_url();

    if (!url)
        abort();
    bool good = curl_url_set(url, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
                part(url, CURLUPART_SCHEME, 0, scheme, sizeof(scheme)) &&
                strcmp(scheme, "redis") == 0 &&
                part(url, CURLUPART_HOST, 0, a.host, sizeof(a.host)) && *a.host &&
                part(url, CURLUPART_PORT, 0, port, sizeof(port)) &&
                part(url, CURLUPART_PATH, 0, path, sizeof(path)) &&
                part(url, CURLUPART_USER, CURLU_URLDECODE, a.user, sizeof(a.user)) &&
                part(url, CURLUPART_PASSWORD, CURLU_URLDECODE, a.password, sizeof(a.password)) &&
                number(port, 65535, 6379, &a.port) &&
                number(*path == '/' ? path + 1 : path, 65535, 0, &a.database);
    curl_url_cleanup(url);
    if (!good)
        return tl_fail(err, TL_INVALID, "redis.url is not redis://[:password@]host[:port][/n]");
    *ret = a;
    return TL_OK;
}
