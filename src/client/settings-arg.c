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

typedef struct VsmUnit {
        const char *suffix;
        double factor;
} VsmUnit;

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

const VsmSettingKey vsm_service_setting_keys[] = {
        { "EnableVirtualSystemMigration",        "b", VSM_SETTING_PLAIN          },
        { "MaximumActiveVirtualSystemMigration", "u", VSM_SETTING_PLAIN          },
        { "MaximumActiveStorageMigration",       "u", VSM_SETTING_PLAIN          },
        { "AuthenticationType",                  "u", VSM_SETTING_AUTHENTICATION },
        { "DefaultTransportType",                "q", VSM_SETTING_TRANSPORT      },
        { "DefaultPostCopy",                     "s", VSM_SETTING_PLAIN          },
        { "EnableCompression",                   "b", VSM_SETTING_PLAIN          },
        { "EnableSmbTransport",                  "b", VSM_SETTING_PLAIN          },
        { "MaximumBandwidth",                    "t", VSM_SETTING_RATE           },
        { "StallTimeout",                        "t", VSM_SETTING_TIME           },
        { "HistoryLimit",                        "u", VSM_SETTING_PLAIN          },
        {}
};

const VsmSettingKey vsm_policy_keys[] = {
        { "Priority",          "q",  VSM_SETTING_PLAIN },
        { "AllowedHosts",      "as", VSM_SETTING_PLAIN },
        { "AntiAffinityGroup", "s",  VSM_SETTING_PLAIN },
        { "Fallback",          "as", VSM_SETTING_PLAIN },
        { "MaximumDowntime",   "u",  VSM_SETTING_PLAIN },
        {}
};

const VsmSettingKey vsm_host_keys[] = {
        { "Name",               "s",  VSM_SETTING_PLAIN          },
        { "Addresses",          "as", VSM_SETTING_PLAIN          },
        { "AuthenticationType", "u",  VSM_SETTING_AUTHENTICATION },
        { "Port",               "q",  VSM_SETTING_PLAIN          },
        { "VerifiesClients",    "b",  VSM_SETTING_PLAIN          },
        { "Enabled",            "b",  VSM_SETTING_PLAIN          },
        { "Priority",           "q",  VSM_SETTING_PLAIN          },
        { "MemoryLimit",        "t",  VSM_SETTING_SIZE           },
        {}
};

static const struct {
        const char *word;
        uint32_t value;
} authentications[] = {
        { "x509",     VSM_AUTHENTICATION_X509     },
        { "ssh",      VSM_AUTHENTICATION_SSH      },
        { "none",     VSM_AUTHENTICATION_NONE     },
        { "credssp",  VSM_AUTHENTICATION_CREDSSP  },
        { "kerberos", VSM_AUTHENTICATION_KERBEROS },
};

/* Larger ones first in each family: what is formatted takes the first that fits. */
static const VsmUnit sizes[] = {
        { "TiB", 1024.0 * 1024 * 1024 * 1024 },
        { "GiB", 1024.0 * 1024 * 1024        },
        { "MiB", 1024.0 * 1024               },
        { "KiB", 1024                        },
        { "T",   1024.0 * 1024 * 1024 * 1024 },
        { "G",   1024.0 * 1024 * 1024        },
        { "M",   1024.0 * 1024               },
        { "K",   1024                        },
        { "TB",  1e12                        },
        { "GB",  1e9                         },
        { "MB",  1e6                         },
        { "kB",  1e3                         },
        { "B",   1                           },
        {}
};

static const VsmUnit bit_rates[] = {
        { "Gbit/s", 125e6 },
        { "Mbit/s", 125e3 },
        { "kbit/s", 125   },
        {}
};

static const VsmUnit times[] = {
        { "d",   86400e6 },
        { "h",   3600e6  },
        { "min", 60e6    },
        { "m",   60e6    },
        { "s",   1e6     },
        { "ms",  1e3     },
        { "us",  1       },
        {}
};

const VsmSettingKey* vsm_settings_find(const VsmSettingKey *keys, const char *name) {
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

/* "1.5h", or a whole number of the smallest unit */
static bool parse_with_unit(const char *text, const VsmUnit *units, uint64_t *ret) {
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

        for (; units->suffix; units++)
                if (g_str_equal(end, units->suffix)) {
                        value *= units->factor;
                        if (value >= (double) G_MAXINT64)
                                return false;

                        *ret = (uint64_t) llround(value);
                        return true;
                }

        return false;
}

bool vsm_settings_parse_time(const char *text, uint64_t *ret) {
        return parse_with_unit(text, times, ret);
}

bool vsm_settings_parse_time_option(const char *option, const char *text, uint64_t *ret, GError **error) {
        if (text[strspn(text, G_CSET_DIGITS)] && vsm_settings_parse_time(text, ret))
                return true;

        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                    _("'%s' is no value for %s, which wants %s"), text, option,
                    _("a time such as 90s, 5min or 2h"));
        return false;
}

bool vsm_settings_parse_size(const char *text, uint64_t *ret) {
        return parse_with_unit(text, sizes, ret);
}

bool vsm_settings_parse_rate(const char *text, uint64_t *ret) {
        g_autofree char *amount = NULL;

        if (parse_with_unit(text, bit_rates, ret))
                return true;

        amount = g_strdup(text);
        if (g_str_has_suffix(amount, "/s"))
                amount[strlen(amount) - 2] = '\0';
        return vsm_settings_parse_size(amount, ret);
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

        switch (key->kind) {
        case VSM_SETTING_TIME:
                return vsm_settings_parse_time(text, ret);
        case VSM_SETTING_RATE:
                return vsm_settings_parse_rate(text, ret);
        case VSM_SETTING_SIZE:
                return vsm_settings_parse_size(text, ret);
        case VSM_SETTING_AUTHENTICATION:
                for (size_t i = 0; i < G_N_ELEMENTS(authentications); i++)
                        if (g_str_equal(authentications[i].word, text)) {
                                *ret = authentications[i].value;
                                return true;
                        }
                break;
        default:
                break;
        }

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
        case VSM_SETTING_AUTHENTICATION:
                return _("x509, ssh or none");
        case VSM_SETTING_RATE:
                return _("a rate such as 200MiB/s or 10Gbit/s");
        case VSM_SETTING_SIZE:
                return _("a size such as 512MiB or 64GiB");
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

/* A bare number is in the smallest unit, as on the bus. Who writes 60 means something else. */
static bool check_unit(const VsmSettingKey *key, const char *text, GVariant *value, GError **error) {
        uint64_t number;

        if ((key->kind != VSM_SETTING_TIME && key->kind != VSM_SETTING_RATE && key->kind != VSM_SETTING_SIZE) ||
            text[strspn(text, G_CSET_DIGITS)])
                return true;

        number = g_variant_get_uint64(value);
        if (number == 0)
                return true;

        if (key->kind == VSM_SETTING_TIME && number < G_USEC_PER_SEC)
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("%s is in microseconds: %s is hardly meant. Give it a unit, as in %ss"),
                            key->name, text, text);
        else if (key->kind == VSM_SETTING_RATE && number < 1024 * 1024)
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("%s is in bytes a second: %s is hardly meant. Give it a unit, as in %sMiB/s"),
                            key->name, text, text);
        else if (key->kind == VSM_SETTING_SIZE && number < 1024 * 1024)
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("%s is in bytes: %s is hardly meant. Give it a unit, as in %sGiB"),
                            key->name, text, text);
        else
                return true;

        return false;
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
        key = vsm_settings_find(keys, name);
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

        if (!check_unit(key, equals + 1, value, error)) {
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

/* ---- the other way ---- */

/* In the largest unit in which it is a whole number; without one when units do not help. */
static char* format_with_unit(uint64_t value, const VsmUnit *units, const char *tail) {
        for (; value > 0 && units->suffix; units++)
                if (value % (uint64_t) units->factor == 0)
                        return g_strdup_printf("%" G_GUINT64_FORMAT "%s%s", value / (uint64_t) units->factor,
                                               units->suffix, tail);

        return g_strdup_printf("%" G_GUINT64_FORMAT, value);
}

static char* format_number(const VsmSettingKey *key, uint64_t value) {
        const char *word = NULL;

        switch (key->kind) {
        case VSM_SETTING_TIME:
                return format_with_unit(value, times, "");
        case VSM_SETTING_RATE:
                return format_with_unit(value, sizes, "/s");
        case VSM_SETTING_SIZE:
                return format_with_unit(value, sizes, "");
        case VSM_SETTING_TRANSPORT:
                word = vsm_transport_to_string((uint16_t) MIN(value, G_MAXUINT16));
                break;
        case VSM_SETTING_MIGRATION_TYPE:
                word = vsm_migration_type_to_string((uint16_t) MIN(value, G_MAXUINT16));
                break;
        case VSM_SETTING_AUTHENTICATION:
                for (size_t i = 0; i < G_N_ELEMENTS(authentications); i++)
                        if (authentications[i].value == value)
                                word = authentications[i].word;
                break;
        default:
                break;
        }

        return word && !g_str_equal(word, "unknown") ? g_strdup(word)
                                                     : g_strdup_printf("%" G_GUINT64_FORMAT, value);
}

static char* format_strings(JsonArray *array) {
        g_autoptr(GString) out = g_string_new(NULL);

        for (guint i = 0; i < json_array_get_length(array); i++) {
                JsonNode *node = json_array_get_element(array, i);

                if (json_node_get_value_type(node) == G_TYPE_STRING)
                        g_string_append_printf(out, "%s%s", out->len > 0 ? "," : "",
                                               json_node_get_string(node));
        }

        return g_string_free(g_steal_pointer(&out), FALSE);
}

char* vsm_settings_format(const VsmSettingKey *key, JsonNode *value) {
        if (value && JSON_NODE_HOLDS_ARRAY(value) && g_str_equal(key->type, "as"))
                return format_strings(json_node_get_array(value));
        if (!value || !JSON_NODE_HOLDS_VALUE(value))
                return g_strdup("");

        switch (json_node_get_value_type(value)) {
        case G_TYPE_STRING:
                return g_strdup(json_node_get_string(value));
        case G_TYPE_BOOLEAN:
                return g_strdup(json_node_get_boolean(value) ? "yes" : "no");
        case G_TYPE_INT64:
                return format_number(key, (uint64_t) MAX(json_node_get_int(value), 0));
        default:
                return g_strdup("");
        }
}
