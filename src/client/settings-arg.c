/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* KEY=VALUE of a command line, as the typed dictionary that the contract wants. Only the form is looked at
 * here; what a value means, and whether it may be, is for the service to say. Pure. */

#include <glib/gi18n.h>
#include <math.h>
#include <string.h>

#include "client/common.h"
#include "client/settings-arg.h"
#include "client/text.h"
#include "shared/enums.h"

const VsmSettingKey vsm_migration_setting_keys[] = {
        { "MigrationType",                      "q",      VSM_SETTING_MIGRATION_TYPE },
        { "TransportType",                      "q",      VSM_SETTING_TRANSPORT      },
        { "DestinationIPAddressList",           "as",     VSM_SETTING_PLAIN          },
        { "Priority",                           "q",      VSM_SETTING_PLAIN          },
        { "Bandwidth",                          "q",      VSM_SETTING_PLAIN          },
        { "BandwidthUnit",                      "s",      VSM_SETTING_PLAIN          },
        { "EnableCompression",                  "b",      VSM_SETTING_PLAIN          },
        { "AllowThrottling",                    "b",      VSM_SETTING_PLAIN          },
        { "CPUCappingMagnitude",                "q",      VSM_SETTING_PLAIN          },
        { "MaximumDowntime",                    "u",      VSM_SETTING_PLAIN          },
        { "CancelIfBlackoutThresholdExceeded",  "b",      VSM_SETTING_PLAIN          },
        { "PostCopy",                           "s",      VSM_SETTING_PLAIN          },
        { "ParallelConnections",                "u",      VSM_SETTING_PLAIN          },
        { "Timeout",                            "t",      VSM_SETTING_TIME           },
        { "DestinationPlannedVirtualSystemId",  "s",      VSM_SETTING_PLAIN          },
        { "RetainVhdCopiesOnSource",            "b",      VSM_SETTING_PLAIN          },
        { "AvoidRemovingVHDs",                  "b",      VSM_SETTING_PLAIN          },
        { "AllowOverwriteExistingFile",         "b",      VSM_SETTING_PLAIN          },
        { "UnmanagedVhds",                      "aa{sv}", VSM_SETTING_VOLUMES        },
        { "RemoveSourceUnmanagedVhds",          "b",      VSM_SETTING_PLAIN          },
        {}
};

static const VsmSettingKey* find_key(const VsmSettingKey *keys, const char *name) {
        for (; keys->name; keys++)
                if (g_str_equal(keys->name, name))
                        return keys;

        return NULL;
}

static void set_unknown_key(GError **error, const VsmSettingKey *keys, const char *name) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        const char *nearest;

        for (; keys->name; keys++)
                g_ptr_array_add(names, (void*) keys->name);
        g_ptr_array_add(names, NULL);

        nearest = vsm_text_nearest(name, (const char *const *) names->pdata);
        if (nearest)
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("There is no setting '%s'. Did you mean '%s'?"), name, nearest);
        else
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE, _("There is no setting '%s'"),
                            name);
}

bool vsm_settings_parse_time(const char *text, uint64_t *ret) {
        static const struct {
                const char *suffix;
                double usec;
        } units[] = {
                { "us",  1          },
                { "ms",  1000       },
                { "s",   1000000    },
                { "min", 60000000   },
                { "m",   60000000   },
                { "h",   3600000000 },
        };
        double value;
        char *end;

        if (g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, ret, NULL))
                return true;

        /* strtod() would also take blanks, signs, "inf" and hexadecimal numbers */
        if (!g_ascii_isdigit(text[0]) || g_ascii_tolower(text[1]) == 'x')
                return false;

        value = g_ascii_strtod(text, &end);
        while (*end == ' ')
                end++;

        for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
                if (g_str_equal(end, units[i].suffix)) {
                        value *= units[i].usec;
                        if (value >= (double) G_MAXINT64)
                                return false;

                        *ret = (uint64_t) llround(value);
                        return true;
                }

        return false;
}

static bool parse_boolean(const char *text, bool *ret) {
        static const char *const words[] = { "no", "yes", "false", "true", "off", "on", "0", "1" };

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
                if (g_ascii_strcasecmp(text, words[i]) == 0) {
                        *ret = i % 2;
                        return true;
                }

        return false;
}

static bool parse_number(const VsmSettingKey *key, const char *text, uint64_t *ret) {
        uint64_t max = key->type[0] == 'q' ? G_MAXUINT16 : key->type[0] == 'u' ? G_MAXUINT32 : G_MAXUINT64;
        uint16_t word;

        if (key->kind == VSM_SETTING_TIME)
                return vsm_settings_parse_time(text, ret);

        if ((key->kind == VSM_SETTING_MIGRATION_TYPE && vsm_migration_type_from_string(text, &word)) ||
            (key->kind == VSM_SETTING_TRANSPORT && vsm_transport_from_string(text, &word))) {
                *ret = word;
                return true;
        }

        return g_ascii_string_to_unsigned(text, 10, 0, max, ret, NULL);
}

/* "SOURCE=DESTINATION", separated by commas */
static GVariant* parse_volumes(const char *text) {
        g_auto(GStrv) pairs = g_strsplit(text, ",", -1);
        g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

        for (char **pair = pairs; *pair; pair++) {
                char *destination = strchr(*pair, '=');

                if (!destination)
                        return NULL;

                *destination++ = '\0';
                g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
                g_variant_builder_add(&list, "{sv}", "VhdSourcePath", g_variant_new_string(*pair));
                g_variant_builder_add(&list, "{sv}", "VhdDestinationPath",
                                      g_variant_new_string(destination));
                g_variant_builder_close(&list);
        }

        return g_variant_builder_end(&list);
}

static GVariant* parse_strings(const char *text) {
        g_auto(GStrv) words = g_strsplit(text, ",", -1);

        for (char **word = words; *word; word++)
                g_strstrip(*word);

        return g_variant_new_strv((const char *const *) words, -1);
}

/* Floating, NULL when the text is not of the type. */
static GVariant* parse_value(const VsmSettingKey *key, const char *text) {
        uint64_t number;
        bool b;

        if (g_str_equal(key->type, "s"))
                return g_variant_new_string(text);
        if (g_str_equal(key->type, "as"))
                return parse_strings(text);
        if (g_str_equal(key->type, "aa{sv}"))
                return parse_volumes(text);
        if (g_str_equal(key->type, "b"))
                return parse_boolean(text, &b) ? g_variant_new_boolean(b) : NULL;

        if (!parse_number(key, text, &number))
                return NULL;

        switch (key->type[0]) {
        case 'q':
                return g_variant_new_uint16((uint16_t) number);
        case 'u':
                return g_variant_new_uint32((uint32_t) number);
        default:
                return g_variant_new_uint64(number);
        }
}

static const char* expectation(const VsmSettingKey *key) {
        switch (key->kind) {
        case VSM_SETTING_MIGRATION_TYPE:
                return _("live, storage, live-and-storage, staged, resume, restart, offline, "
                         "or for checks storage-deep-check");
        case VSM_SETTING_TRANSPORT:
                return _("tcp, tls, tls-strict or ssh");
        case VSM_SETTING_TIME:
                return _("a time such as 90s, 5min or 2h");
        case VSM_SETTING_VOLUMES:
                return _("SOURCE=DESTINATION, more of them separated by commas");
        default:
                break;
        }

        switch (key->type[0]) {
        case 'b':
                return _("yes or no");
        case 'q':
                return _("a number from 0 to 65535");
        case 'u':
                return _("a number from 0 to 4294967295");
        default:
                return _("a whole number");
        }
}

static bool parse_assignment(const VsmSettingKey *keys, const char *assignment, GVariantDict *dict,
                             GError **error) {
        g_autofree char *name = NULL;
        const char *equals = strchr(assignment, '=');
        const VsmSettingKey *key;
        GVariant *value;

        if (!equals || equals == assignment) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("'%s' is not of the form KEY=VALUE"), assignment);
                return false;
        }

        name = g_strndup(assignment, equals - assignment);
        key = find_key(keys, name);
        if (!key) {
                set_unknown_key(error, keys, name);
                return false;
        }

        if (g_variant_dict_contains(dict, name)) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE, _("'%s' is given twice"), name);
                return false;
        }

        value = parse_value(key, equals + 1);
        if (!value) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("'%s' is no value for %s, which wants %s"), equals + 1, name,
                            expectation(key));
                return false;
        }

        /* A bare number is in microseconds, as on the bus. Who writes 60 means something else. */
        if (key->kind == VSM_SETTING_TIME && g_ascii_isdigit(assignment[strlen(assignment) - 1]) &&
            g_variant_get_uint64(value) > 0 && g_variant_get_uint64(value) < G_USEC_PER_SEC) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("%s is in microseconds: %s is hardly meant. Give it a unit, as in %ss"),
                            name, equals + 1, equals + 1);
                g_variant_unref(g_variant_ref_sink(value));
                return false;
        }

        g_variant_dict_insert_value(dict, name, value);
        return true;
}

GVariant* vsm_settings_parse(const VsmSettingKey *keys, const char *const *assignments, GError **error) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

        for (; assignments && *assignments; assignments++)
                if (!parse_assignment(keys, *assignments, &dict, error))
                        return NULL;

        return g_variant_ref_sink(g_variant_dict_end(&dict));
}
