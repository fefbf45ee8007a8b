/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The configuration files that give the settings their defaults. Bus thread, at start and on SIGHUP.
 *
 * Forms of a value in a file, by the type that the setting has on the bus:
 *   boolean            true or false
 *   integer            digits
 *   StallTimeout       microseconds, as on the bus, or with s, min or h: 120000000, 120s, 2min
 *   MaximumBandwidth   bytes per second, or with K, M or G: 1024, 1024^2 or 1024^3 of them: 100M
 *   DefaultPostCopy    never, auto or now
 *   Directories        absolute paths with ; between them, of group [Storage]
 *
 * The group [Evacuation] is read by shutdown-policy.c. */

#include <string.h>

#include "daemon/settings-file.h"
#include "daemon/settings-keys.h"

#define SECOND UINT64_C(1000000)

typedef struct Unit {
        const char *suffix;
        uint64_t factor;
} Unit;

static const Unit units_time[] = {
        { "", 1 }, { "s", SECOND }, { "min", 60 * SECOND }, { "h", 3600 * SECOND }, {}
};
static const Unit units_bandwidth[] = {
        { "", 1 }, { "K", UINT64_C(1) << 10 }, { "M", UINT64_C(1) << 20 }, { "G", UINT64_C(1) << 30 }, {}
};
static const Unit units_none[] = { { "", 1 }, {} };

static bool parse_number(const char *text, const Unit *units, uint64_t *ret) {
        size_t digits = strspn(text, "0123456789");
        g_autofree char *number = g_strndup(text, digits);
        uint64_t value = 0;

        if (!g_ascii_string_to_unsigned(number, 10, 0, UINT64_MAX, &value, NULL))
                return false;

        for (const Unit *unit = units; unit->suffix; unit++)
                if (g_str_equal(text + digits, unit->suffix))
                        return !__builtin_mul_overflow(value, unit->factor, ret);

        return false;
}

/* As it would come over the bus, floating; NULL when the text has not the key's form. */
static GVariant* value_from_text(const VsmKey *key, const char *text) {
        const Unit *units = units_none;
        uint64_t value = 0;

        switch (key->type[0]) {
        case 'b':
                if (!g_str_equal(text, "true") && !g_str_equal(text, "false"))
                        return NULL;
                return g_variant_new_boolean(g_str_equal(text, "true"));
        case 's':
                return text[0] ? g_variant_new_string(text) : NULL;
        default:
                break;
        }

        if (g_str_equal(key->name, "StallTimeout"))
                units = units_time;
        else if (g_str_equal(key->name, "MaximumBandwidth"))
                units = units_bandwidth;

        if (!parse_number(text, units, &value))
                return NULL;

        /* Null is for callers; who writes a 0 into a file means it */
        if (value == 0 && !key->zero_counts)
                return NULL;

        return g_variant_new_uint64(value);
}

typedef struct Reader {
        VsmSettingsData *settings;
        char ***directories;
        VsmShutdownPolicy *shutdown;
} Reader;

static char* read_service_key(const Reader *reader, const VsmConfLine *line) {
        g_autoptr(GVariant) value = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *quoted = NULL;
        const VsmKey *key = NULL;

        key = vsm_key_find(vsm_keys_settings, "[Service]", line->key, &error);
        if (!key)
                return g_strdup_printf("%s The line is ignored.", error->message);

        value = value_from_text(key, line->value);
        if (!value) {
                quoted = vsm_text_quote(line->value);
                return g_strdup_printf("%s: \"%s\" is not %s. The line is ignored.", line->key, quoted,
                                       key->want ?: key->type[0] == 'b' ? "true or false" : "a number in digits");
        }

        g_variant_ref_sink(value);
        if (!vsm_settings_apply(reader->settings, line->key, value, &error))
                return g_strdup_printf("%s The line is ignored.", error->message);

        return NULL;
}

/* As it stands there is what paths are held against, so it has to be canonical. */
static bool is_directory_path(const char *text) {
        g_auto(GStrv) parts = NULL;

        if (text[0] != '/' || text[1] == '\0')
                return false;

        parts = g_strsplit(text + 1, "/", -1);
        for (char **part = parts; *part; part++)
                if (**part == '\0' || g_str_equal(*part, ".") || g_str_equal(*part, ".."))
                        return false;

        for (const char *p = text; *p; p++)
                if (g_ascii_iscntrl(*p))
                        return false;

        return true;
}

static char* read_directories(const Reader *reader, const char *text) {
        g_auto(GStrv) parts = g_strsplit(text, ";", -1);
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

        for (char **part = parts; *part; part++) {
                g_autofree char *quoted = NULL;

                if (*g_strstrip(*part) == '\0')
                        continue;
                if (is_directory_path(*part)) {
                        g_strv_builder_add(builder, *part);
                        continue;
                }

                quoted = vsm_text_quote(*part);
                return g_strdup_printf("Directories: \"%s\" is not an absolute path without \"..\", \".\", \"//\" and "
                                       "\"/\" at its end. The line is ignored.", quoted);
        }

        g_strfreev(*reader->directories);
        *reader->directories = g_strv_builder_end(builder);
        return NULL;
}

static char* read_storage_key(const Reader *reader, const VsmConfLine *line) {
        g_autofree char *quoted = NULL;

        if (g_str_equal(line->key, "Directories"))
                return read_directories(reader, line->value);

        quoted = vsm_text_quote(line->key);
        return g_strdup_printf("[Storage]: \"%s\" is unknown. The line is ignored.", quoted);
}

static char* read_line(const VsmConfLine *line, void *userdata) {
        const Reader *reader = userdata;
        g_autofree char *quoted = NULL;

        if (g_str_equal(line->group, "Service"))
                return line->key ? read_service_key(reader, line) : NULL;
        if (g_str_equal(line->group, "Storage"))
                return line->key ? read_storage_key(reader, line) : NULL;
        if (g_str_equal(line->group, "Evacuation"))
                return vsm_shutdown_policy_take(reader->shutdown, line);

        /* said at its head, once */
        if (line->key)
                return NULL;

        quoted = vsm_text_quote(line->group);
        return g_strdup_printf("The group [%s] is unknown; there are [Service], [Storage] and [Evacuation]. "
                               "It is ignored.", quoted);
}

char** vsm_settings_read(
                const char *file,
                const char *directory,
                VsmSettingsData *ret,
                char ***ret_directories,
                VsmShutdownPolicy *ret_shutdown) {

        Reader reader = { ret, ret_directories, ret_shutdown };

        vsm_settings_defaults(ret);
        *ret_directories = g_new0(char*, 1);
        *ret_shutdown = vsm_shutdown_policy_default();
        return vsm_conf_read(file, directory, read_line, &reader);
}
