/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Holds what a caller sent as a{sv} against a table of keys: nothing is guessed, nothing is ignored,
 * each refusal names its key and says what would be right. Pure: no bus, no clock. Any thread. */

#include <string.h>

#include "daemon/key.h"
#include "shared/error.h"

static uint64_t type_max(const VsmKey *key) {
        if (key->max > 0)
                return key->max;

        return key->type[0] == 'q' ? UINT16_MAX : key->type[0] == 'u' ? UINT32_MAX : UINT64_MAX;
}

static char* describe_want(const VsmKey *key) {
        if (key->want)
                return g_strdup(key->want);

        switch (key->type[0]) {
        case 'b':
                return g_strdup("true or false");
        case 's':
                return g_strdup("a string");
        case 'a':
                if (key->inner)
                        return g_strdup("a list of dicts, aa{sv}");
                return g_strdup(key->type[1] == 'o' ? "a list of object paths" : "a list of strings");
        default:
                return g_strdup_printf("an integer from %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT,
                                       key->min, type_max(key));
        }
}

/* "where: Key is <is> and must be <want>." */
static void set_wrong(const VsmKey *key, const char *where, const char *is, GError **error) {
        g_autofree char *want = describe_want(key);

        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                    "%s: %s is %s and must be %s.", where, key->name, is, want);
}

static bool set_wrong_type(const VsmKey *key, const char *where, GVariant *value, GError **error) {
        g_autofree char *type = vsm_text_quote(g_variant_get_type_string(value));
        g_autofree char *is = g_strdup_printf("of type \"%s\"", type);

        set_wrong(key, where, is, error);
        return false;
}

/* Any integer type of D-Bus. false: not an integer; negative ones set *ret_negative. */
static bool integer_get(GVariant *value, uint64_t *ret, int64_t *ret_negative) {
        int64_t i = 0;

        switch (g_variant_classify(value)) {
        case G_VARIANT_CLASS_BYTE:
                *ret = g_variant_get_byte(value);
                return true;
        case G_VARIANT_CLASS_UINT16:
                *ret = g_variant_get_uint16(value);
                return true;
        case G_VARIANT_CLASS_UINT32:
                *ret = g_variant_get_uint32(value);
                return true;
        case G_VARIANT_CLASS_UINT64:
                *ret = g_variant_get_uint64(value);
                return true;
        case G_VARIANT_CLASS_INT16:
                i = g_variant_get_int16(value);
                break;
        case G_VARIANT_CLASS_INT32:
                i = g_variant_get_int32(value);
                break;
        case G_VARIANT_CLASS_INT64:
                i = g_variant_get_int64(value);
                break;
        default:
                return false;
        }

        if (i < 0)
                *ret_negative = i;
        else
                *ret = i;

        return true;
}

static GVariant* integer_new(char type, uint64_t value) {
        if (type == 'q')
                return g_variant_new_uint16(value);

        return type == 'u' ? g_variant_new_uint32(value) : g_variant_new_uint64(value);
}

static bool read_integer(const VsmKey *key, const char *where, GVariant *value, GVariant **ret,
                         GError **error) {

        uint64_t u = 0;
        int64_t negative = 0;

        if (!integer_get(value, &u, &negative))
                return set_wrong_type(key, where, value, error);

        /* Null of a caller's who sends whole instances */
        if (u == 0 && negative == 0 && !key->zero_counts)
                return true;

        if (negative < 0 || u < key->min || u > type_max(key) || (key->number && !key->number(u))) {
                g_autofree char *is = negative < 0 ? g_strdup_printf("%" G_GINT64_FORMAT, negative)
                                                   : g_strdup_printf("%" G_GUINT64_FORMAT, u);

                set_wrong(key, where, is, error);
                return false;
        }

        *ret = g_variant_ref_sink(integer_new(key->type[0], u));
        return true;
}

/* Canonical text of one string; the key's own words for what is wrong are appended. */
static char* read_text(const VsmKey *key, const char *where, const char *text, GError **error) {
        g_autoptr(GError) reason = NULL;
        g_autofree char *canonical = NULL, *quoted = NULL, *is = NULL;

        if (!key->text)
                return g_strdup(text);

        canonical = key->text(text, &reason);
        if (canonical)
                return g_steal_pointer(&canonical);

        if (reason) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                            "%s: %s: %s", where, key->name, reason->message);
                return NULL;
        }

        quoted = vsm_text_quote(text);
        is = g_strdup_printf("\"%s\"", quoted);
        set_wrong(key, where, is, error);
        return NULL;
}

static bool read_string(const VsmKey *key, const char *where, GVariant *value, GVariant **ret,
                        GError **error) {

        const char *text = g_variant_get_string(value, NULL);
        char *canonical = NULL;

        if (text[0] == '\0')
                return true;

        canonical = read_text(key, where, text, error);
        if (!canonical)
                return false;

        *ret = g_variant_ref_sink(g_variant_new_take_string(canonical));
        return true;
}

/* of strings, or of object paths */
static bool read_strings(const VsmKey *key, const char *where, GVariant *value, GVariant **ret,
                         GError **error) {

        bool paths = key->type[1] == 'o';
        g_autofree const char **texts = paths ? g_variant_get_objv(value, NULL) : g_variant_get_strv(value, NULL);
        g_autoptr(GPtrArray) canonical = g_ptr_array_new_with_free_func(g_free);
        size_t n = g_variant_n_children(value);

        if (n == 0)
                return true;

        if (key->elements_max > 0 && n > key->elements_max) {
                g_autofree char *is = g_strdup_printf("a list of %zu", n);

                set_wrong(key, where, is, error);
                return false;
        }

        for (size_t i = 0; i < n; i++) {
                char *text = read_text(key, where, texts[i], error);

                if (!text)
                        return false;

                g_ptr_array_add(canonical, text);
        }

        *ret = g_variant_ref_sink(paths ? g_variant_new_objv((const char **) canonical->pdata, n)
                                        : g_variant_new_strv((const char **) canonical->pdata, n));
        return true;
}

static bool read_dicts(const VsmKey *key, const char *where, GVariant *value, GVariant **ret,
                       GError **error) {

        g_autofree char *inside = g_strdup_printf("%s: %s", where, key->name);

        if (g_variant_n_children(value) == 0)
                return true;

        *ret = vsm_keys_read_list(key->inner, inside, value, error);
        return *ret;
}

static void land(const VsmKey *key, GVariant *value, void *target) {
        char *at = (char *) target + key->offset;

        switch (key->landing) {
        case VSM_LAND_NOWHERE:
                break;
        case VSM_LAND_BOOL:
                *(bool *) at = g_variant_get_boolean(value);
                break;
        case VSM_LAND_TRISTATE:
                *(int *) at = g_variant_get_boolean(value);
                break;
        case VSM_LAND_UINT16:
                *(uint16_t *) at = g_variant_get_uint16(value);
                break;
        case VSM_LAND_UINT32:
                *(uint32_t *) at = g_variant_get_uint32(value);
                break;
        case VSM_LAND_UINT64:
                *(uint64_t *) at = g_variant_get_uint64(value);
                break;
        case VSM_LAND_STRING:
                g_free(*(char **) at);
                *(char **) at = g_variant_dup_string(value, NULL);
                break;
        case VSM_LAND_STRV:
                g_strfreev(*(char ***) at);
                *(char ***) at = g_variant_is_of_type(value, G_VARIANT_TYPE_OBJECT_PATH_ARRAY)
                        ? g_variant_dup_objv(value, NULL) : g_variant_dup_strv(value, NULL);
                break;
        case VSM_LAND_CHARS8:
                g_strlcpy(at, g_variant_get_string(value, NULL), 8);
                break;
        }
}

bool vsm_key_read(const VsmKey *key, const char *where, GVariant *value, void *target, GVariant **ret,
                  GError **error) {

        g_autoptr(GVariant) canonical = NULL;
        bool integer = strchr("qut", key->type[0]);
        bool ok = true;

        if (!integer && !g_variant_is_of_type(value, G_VARIANT_TYPE(key->type)))
                return set_wrong_type(key, where, value, error);

        if (integer)
                ok = read_integer(key, where, value, &canonical, error);
        else if (key->type[0] == 'b')
                canonical = g_variant_ref(value);
        else if (key->type[0] == 's')
                ok = read_string(key, where, value, &canonical, error);
        else if (key->inner)
                ok = read_dicts(key, where, value, &canonical, error);
        else
                ok = read_strings(key, where, value, &canonical, error);
        if (!ok)
                return false;

        if (canonical && target)
                land(key, canonical, target);

        if (ret)
                *ret = g_steal_pointer(&canonical);

        return true;
}

const VsmKey* vsm_key_find(const VsmKey *keys, const char *where, const char *name, GError **error) {
        g_autoptr(GString) known = g_string_new(NULL);
        g_autofree char *quoted = NULL;

        for (const VsmKey *key = keys; key->name; key++)
                if (g_str_equal(key->name, name))
                        return key;

        for (const VsmKey *key = keys; key->name; key++)
                g_string_append_printf(known, "%s%s", known->len > 0 ? ", " : "", key->name);

        quoted = vsm_text_quote(name);
        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                    "%s: \"%s\" is unknown; there are %s.", where, quoted, known->str);
        return NULL;
}

/* A key that stands there as Null is missing all the same, but may not stand there again. */
static bool check_missing(const VsmKey *keys, const char *where, uint64_t present, GError **error) {
        for (const VsmKey *key = keys; key->name; key++)
                if (key->required && !(present & (UINT64_C(1) << (key - keys)))) {
                        set_wrong(key, where, "missing", error);
                        return false;
                }

        return true;
}

GVariant* vsm_keys_read(const VsmKey *keys, const char *where, GVariant *dict, void *target,
                        GError **error) {

        g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
        uint64_t seen = 0, present = 0;
        size_t n = 0;

        if (!g_variant_is_of_type(dict, G_VARIANT_TYPE_VARDICT)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                            "%s must be a dict, a{sv}.", where);
                return NULL;
        }

        n = g_variant_n_children(dict);

        for (size_t i = 0; i < n; i++) {
                g_autoptr(GVariant) value = NULL, canonical = NULL;
                g_autofree char *name = NULL;
                const VsmKey *key = NULL;
                uint64_t bit = 0;

                g_variant_get_child(dict, i, "{sv}", &name, &value);

                key = vsm_key_find(keys, where, name, error);
                if (!key)
                        return NULL;

                g_assert(key - keys < VSM_KEYS_MAX);
                bit = UINT64_C(1) << (key - keys);

                if (seen & bit) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                                    "%s: %s is given twice and must be given once.", where, key->name);
                        return NULL;
                }

                seen |= bit;

                if (!vsm_key_read(key, where, value, target, &canonical, error))
                        return NULL;

                if (!canonical)
                        continue;

                present |= bit;
                g_variant_builder_add(&builder, "{sv}", key->name, canonical);
        }

        if (!check_missing(keys, where, present, error))
                return NULL;

        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

GVariant* vsm_keys_read_list(const VsmKey *keys, const char *where, GVariant *list, GError **error) {
        g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
        size_t n = 0;

        if (!g_variant_is_of_type(list, G_VARIANT_TYPE("aa{sv}"))) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                            "%s must be a list of dicts, aa{sv}.", where);
                return NULL;
        }

        n = g_variant_n_children(list);

        for (size_t i = 0; i < n; i++) {
                g_autofree char *inside = g_strdup_printf("%s[%zu]", where, i);
                g_autoptr(GVariant) dict = g_variant_get_child_value(list, i), canonical = NULL;

                canonical = vsm_keys_read(keys, inside, dict, NULL, error);
                if (!canonical)
                        return NULL;

                g_variant_builder_add_value(&builder, canonical);
        }

        return g_variant_ref_sink(g_variant_builder_end(&builder));
}
