/* trunkline schemas: the schemas of the topics, in the registry and in config.v1. */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "avro/topics.h"
#include "control/cli/cli.h"
#include "control/cli/commands.h"
#include "control/cli/store.h"

/* A new schema must read everything that was ever written: events are kept, and replayed. */
#define COMPATIBILITY "BACKWARD_TRANSITIVE"
#define ANSWER_BYTES_MAX (8 * 1024 * 1024)
#define URL_BYTES_MAX 1024

/* What the registry says about one subject. */
struct registered {
    int64_t id;
    int64_t version;
};

static void subject_of(const struct tl_cli *cli, const struct tl_topic *topic, char *subject,
                       size_t size)
{
    (void)snprintf(subject, size, "%s%s-value", cli->kafka_settings.topic_prefix, topic->name);
}

/* Only letters, digits and -._ pass: a prefix may hold others, a slash for one. */
static void url_of(const struct tl_cli *cli, const char *before, const char *subject,
                   const char *after, char *url, size_t size)
{
    const char *base = cli->registry_settings.url;
    size_t base_len = strlen(base), n;

    while (base_len && base[base_len - 1] == '/')
        base_len--;
    (void)snprintf(url, size, "%.*s%s", (int)base_len, base, before);
    for (const char *c = subject; *c; c++) {
        bool plain = strchr("-._", *c) || (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') ||
                     (*c >= 'A' && *c <= 'Z');
        n = strlen(url);
        (void)snprintf(url + n, size - n, plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
    n = strlen(url);
    (void)snprintf(url + n, size - n, "%s", after);
}

/* Sends and reads JSON. TL_NOT_FOUND for 404, TL_CONFLICT for 409, TL_RETRY for 5xx, else
 * TL_INVALID; the registry's own message goes into err. */
static enum tl_status ask(struct tl_cli *cli, const char *method, const char *url, const char *body,
                          json_t **ret_json, struct tl_error *err)
{
    struct tl_buf answer;
    int status = 0;
    json_error_t why;

    tl_buf_init(&answer, ANSWER_BYTES_MAX);
    enum tl_status st = tl_cli_http(cli, method, url, body, &status, &answer, err);
    json_t *json = NULL;
    if (st == TL_OK)
        json = json_loadb(tl_buf_str(&answer), answer.len, JSON_DECODE_ANY, &why);
    if (st == TL_OK && status / 100 != 2) {
        const char *message = json_string_value(json_object_get(json, "message"));
        st = tl_fail(err,
                     status == 404   ? TL_NOT_FOUND
                     : status == 409 ? TL_CONFLICT
                     : status >= 500 ? TL_RETRY
                                     : TL_INVALID,
                     "%s %s: %d %s", method, url, status, message ? message : tl_buf_str(&answer));
    } else if (st == TL_OK && !json) {
        st = tl_fail(err, TL_RETRY, "%s %s: the answer is no JSON", method, url);
    }
    tl_buf_finish(&answer);
    if (st == TL_OK)
        *ret_json = json;
    else
        json_decref(json);
    return st;
}

static char *body_of(const struct tl_topic *topic)
{
    json_t *json = json_pack("{s:s}", "schema", topic->type->schema);
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    json_decref(json);
    if (!text)
        abort();
    return text;
}

static enum tl_status need_registry(const struct tl_cli *cli, struct tl_error *err)
{
    return *cli->registry_settings.url
               ? TL_OK
               : tl_fail(err, TL_INVALID, "no registry: set SCHEMA_REGISTRY_URL (registry.url)");
}

/* TL_NOT_FOUND: this text is not under the subject. */
static enum tl_status look_up(struct tl_cli *cli, const struct tl_topic *topic,
                              struct registered *ret_registered, struct tl_error *err)
{
    TL_CLEANUP(json_decrefp) json_t *json = NULL;
    char subject[256], url[URL_BYTES_MAX];
    char *body = body_of(topic);

    subject_of(cli, topic, subject, sizeof(subject));
    url_of(cli, "/subjects/", subject, "", url, sizeof(url));
    enum tl_status st = ask(cli, "POST", url, body, &json, err);
    free(body);
    if (st != TL_OK)
        return st;
    json_t *id = json_object_get(json, "id"), *version = json_object_get(json, "version");
    if (!json_is_integer(id) || !json_is_integer(version))
        return tl_fail(err, TL_RETRY, "POST %s: the answer has no id or version", url);
    *ret_registered = (struct registered){json_integer_value(id), json_integer_value(version)};
    return TL_OK;
}

/* Compatibility first: a registry checks nothing until it is told to. */
static enum tl_status register_one(struct tl_cli *cli, const struct tl_topic *topic,
                                   struct tl_error *err)
{
    TL_CLEANUP(json_decrefp) json_t *level = NULL;
    TL_CLEANUP(json_decrefp) json_t *json = NULL;
    char subject[256], url[URL_BYTES_MAX];

    subject_of(cli, topic, subject, sizeof(subject));
    url_of(cli, "/config/", subject, "", url, sizeof(url));
    enum tl_status st =
        ask(cli, "PUT", url, "{\"compatibility\":\"" COMPATIBILITY "\"}", &level, err);
    if (st != TL_OK)
        return st;
    char *body = body_of(topic);
    url_of(cli, "/subjects/", subject, "/versions", url, sizeof(url));
    st = ask(cli, "POST", url, body, &json, err);
    free(body);
    return st;
}

/* TL_CONFLICT: the registry does not look at all earlier versions, so its yes is worth nothing.
 * (Without a level Apicurio says yes to everything.) */
static enum tl_status check_level(struct tl_cli *cli, const char *subject, struct tl_error *err)
{
    TL_CLEANUP(json_decrefp) json_t *json = NULL;
    char url[URL_BYTES_MAX];

    url_of(cli, "/config/", subject, "", url, sizeof(url));
    enum tl_status st = ask(cli, "GET", url, NULL, &json, err);
    if (st != TL_OK && st != TL_NOT_FOUND)
        return st;
    const char *level = json_string_value(json_object_get(json, "compatibilityLevel"));
    if (level && (strcmp(level, COMPATIBILITY) == 0 || strcmp(level, "FULL_TRANSITIVE") == 0))
        return TL_OK;
    return tl_fail(err, TL_CONFLICT,
                   "%s: the registry's compatibility is %s; trunkline schemas register makes "
                   "it " COMPATIBILITY,
                   subject, level ? level : "not set");
}

/* TL_CONFLICT: the schema cannot read what older ones wrote, or nobody can tell. */
static enum tl_status check_one(struct tl_cli *cli, const struct tl_topic *topic,
                                const char **ret_says, struct tl_error *err)
{
    TL_CLEANUP(json_decrefp) json_t *json = NULL;
    char subject[256], url[URL_BYTES_MAX];
    struct registered found;

    enum tl_status st = look_up(cli, topic, &found, err);
    if (st == TL_OK)
        *ret_says = "registered";
    if (st != TL_NOT_FOUND)
        return st;
    char *body = body_of(topic);
    subject_of(cli, topic, subject, sizeof(subject));
    url_of(cli, "/compatibility/subjects/", subject, "/versions?verbose=true", url, sizeof(url));
    st = ask(cli, "POST", url, body, &json, err);
    free(body);
    *ret_says = "new";
    if (st == TL_NOT_FOUND)
        return TL_OK; /* no version yet: nothing to be compatible with */
    if (st != TL_OK)
        return st;
    *ret_says = "compatible, to be registered";
    if (!json_is_true(json_object_get(json, "is_compatible")))
        return tl_fail(err, TL_CONFLICT, "%s: not compatible with earlier versions", subject);
    return check_level(cli, subject, err);
}

static enum tl_status check(struct tl_cli *cli, const struct tl_cli_args *args,
                            struct tl_error *err)
{
    size_t wrong = 0;

    (void)args;
    enum tl_status st = need_registry(cli, err);
    for (size_t i = 0; i < TL_TOPICS_N && st == TL_OK; i++) {
        const char *says = "";
        st = check_one(cli, &tl_topics[i], &says, err);
        if (st == TL_CONFLICT) {
            (void)fprintf(stderr, "%s\n", err->msg);
            wrong++;
            st = TL_OK;
        } else if (st == TL_OK) {
            (void)fprintf(cli->out, "%s%s-value: %s\n", cli->kafka_settings.topic_prefix,
                          tl_topics[i].name, says);
        }
    }
    if (st == TL_OK && wrong)
        return tl_fail(err, TL_CONFLICT, "%zu schemas are not sure to be compatible", wrong);
    return st;
}

static enum tl_status list(struct tl_cli *cli, const struct tl_cli_args *args, struct tl_error *err)
{
    static const char *const titles[] = {"SUBJECT", "RECORD", "VERSION", "ID"};
    struct tl_cli_table table = {0};

    (void)args;
    enum tl_status st = need_registry(cli, err);
    if (st != TL_OK)
        return st;
    tl_cli_table_row(&table, TL_ARRAY_LEN(titles), titles);
    for (size_t i = 0; i < TL_TOPICS_N && st == TL_OK; i++) {
        char subject[256], version[24] = "not registered", id[24] = "-";
        struct registered found;
        subject_of(cli, &tl_topics[i], subject, sizeof(subject));
        st = look_up(cli, &tl_topics[i], &found, err);
        if (st == TL_OK) {
            (void)snprintf(version, sizeof(version), "%" PRId64, found.version);
            (void)snprintf(id, sizeof(id), "%" PRId64, found.id);
        } else if (st == TL_NOT_FOUND) {
            st = TL_OK;
        } else {
            break;
        }
        tl_cli_table_row(&table, TL_ARRAY_LEN(titles),
                         (const char *[]){subject, tl_topics[i].type->name, version, id});
    }
    tl_cli_table_print(&table, st == TL_OK ? cli->out : NULL);
    return st;
}

/* Publishes one schema, and says so. */
static enum tl_status publish(struct tl_cli_store *store, const struct tl_topic *topic,
                              const struct registered *found, struct tl_error *err)
{
    char subject[256];
    bool written = false;

    subject_of(store->cli, topic, subject, sizeof(subject));
    struct tl_schema_entry schema = {.subject = subject,
                                     .registry_version = (int32_t)found->version,
                                     .registry_id = (int32_t)found->id,
                                     .text = topic->type->schema};
    struct tl_config_entry entry = {
        .kind = TL_CONFIG_KIND_SCHEMA, .id = subject, .schema = &schema};
    enum tl_status st = tl_cli_store_put(store, &entry, &written, err);
    if (st == TL_OK)
        (void)fprintf(store->cli->out, "%s: version %" PRId64 ", id %" PRId64 ", %s in config.v1\n",
                      subject, found->version, found->id, written ? "published" : "already");
    return st;
}

/* Registers every schema, and tells the schema set what it got: config.v1 may still be empty. */
static enum tl_status register_all(struct tl_cli_store *store, struct registered found[TL_TOPICS_N],
                                   struct tl_error *err)
{
    struct tl_cli *cli = store->cli;
    enum tl_status st = TL_OK;

    for (size_t i = 0; i < TL_TOPICS_N && st == TL_OK; i++) {
        char subject[256];
        subject_of(cli, &tl_topics[i], subject, sizeof(subject));
        st = register_one(cli, &tl_topics[i], err);
        if (st == TL_OK)
            st = look_up(cli, &tl_topics[i], &found[i], err);
        if (st == TL_OK)
            st = tl_schema_set_learn(store->schemas, subject, (int32_t)found[i].id,
                                     tl_topics[i].type->schema, err);
    }
    return st;
}

static enum tl_status register_(struct tl_cli *cli, const struct tl_cli_args *args,
                                struct tl_error *err)
{
    struct registered found[TL_TOPICS_N];
    struct tl_cli_store store = {0};

    (void)args;
    enum tl_status st = need_registry(cli, err);
    if (st == TL_OK)
        st = tl_cli_store_open_schemas(&store, cli, err);
    if (st == TL_OK)
        st = register_all(&store, found, err);
    if (st == TL_OK)
        st = tl_cli_store_open(&store, cli, err);
    for (size_t i = 0; i < TL_TOPICS_N && st == TL_OK; i++)
        st = publish(&store, &tl_topics[i], &found[i], err);
    tl_cli_store_close(&store);
    return st;
}

const struct tl_cli_command tl_cli_schemas_list = {
    .name = "schemas list",
    .summary = "Lists the schemas of the topics and where they stand in the registry.",
    .run = list};

const struct tl_cli_command tl_cli_schemas_register = {
    .name = "schemas register",
    .summary = "Registers the schemas of the topics and publishes them in config.v1.",
    .details = "Sets the compatibility of each subject to " COMPATIBILITY
               ". What is registered already stays as it is.",
    .run = register_};

const struct tl_cli_command tl_cli_schemas_check = {
    .name = "schemas check",
    .summary = "Asks the registry whether the schemas could be registered; exit status 3 when not.",
    .run = check};
