#ifndef TL_BASE_CONFIG_INTERNAL_H
#define TL_BASE_CONFIG_INTERNAL_H

#include "base/config.h"

/** A value of any type, as it lies in a part's struct. */
union tl_setting_value {
    const char *string;
    int64_t integer;
    double number;
    bool boolean;
    struct tl_list list;
};

/** A known setting and what it is set to so far. */
struct tl_config_slot {
    const struct tl_setting *setting;
    void *into; /* NULL: checked, not stored */
    union tl_setting_value value;
    bool had_problem; /* some source set it wrongly: that it is missing is no news */
};

/** A load under way. */
struct tl_config_load {
    struct tl_config *config;
    struct tl_config_slot *slot;
    size_t len;
    const char *text_name; /* of a text that is loaded without variables; else NULL */
};

/** Notes a problem, "where: message". */
void tl_config_problem(struct tl_config_load *load, const char *where, const char *fmt, ...)
    TL_PRINTF(3, 4);

struct tl_config_slot *tl_config_slot_find(const struct tl_config_load *load, const char *name);
bool tl_config_is_section(const struct tl_config_load *load, const char *name);

/** Takes `text` as the slot's value; a wrong one is a problem at `where`. */
void tl_config_slot_set(struct tl_config_load *load, struct tl_config_slot *slot, const char *text,
                        const char *where);

/** The known name (a setting's, or a section's) nearest to `name`, or NULL when none is near.
 *  In the arena. */
const char *tl_config_suggest(struct tl_config_load *load, const char *name, bool section);

/** Takes every setting that a YAML text names; what is wrong becomes problems. */
void tl_config_read_yaml(struct tl_config_load *load, const char *name, const char *yaml,
                         size_t len);

/** Sets a list from items of its own; the array is copied, the strings are not. */
TL_MUST_CHECK enum tl_status tl_setting_list(const struct tl_setting *setting,
                                             const char *const *item, size_t len,
                                             struct tl_arena *arena, struct tl_list *ret_list,
                                             struct tl_error *err);

/** Bytes of the field that a type is stored in. */
size_t tl_setting_value_size(enum tl_setting_type type);

#endif
