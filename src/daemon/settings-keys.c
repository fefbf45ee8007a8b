/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The one table of the service's settings: names, types, ranges, defaults, for callers and files alike.
 * Pure: no bus, no clock. Any thread. */

#include <stddef.h>
#include <string.h>

#include "daemon/settings-file.h"
#include "daemon/settings-keys.h"
#include "shared/enums.h"
#include "shared/error.h"

#define SECOND UINT64_C(1000000)

void vsm_settings_defaults(VsmSettingsData *ret) {
        *ret = (VsmSettingsData) {
                .enable_migration = true,
                .max_migrations = 2,
                .max_storage = 2,
                .authentication = VSM_AUTHENTICATION_X509,
                .default_transport = VSM_TRANSPORT_TLS,
                .default_post_copy = "never",
                .compression = false,
                .smb = false,
                .max_bandwidth = 0,
                .stall_timeout = 120 * SECOND,
                .history_limit = 10000,
        };
}

static bool number_is_authentication(uint64_t value) {
        return value <= VSM_AUTHENTICATION_KERBEROS ||
                (value >= VSM_AUTHENTICATION_X509 && value <= VSM_AUTHENTICATION_NONE);
}

static bool number_is_transport(uint64_t value) {
        return value <= VSM_TRANSPORT_IPC || value == VSM_TRANSPORT_SMB;
}

static bool number_is_bandwidth(uint64_t value) {
        return value == 0 || value >= VSM_SETTINGS_BANDWIDTH_MIN;
}

static char* text_post_copy(const char *text, GError **error G_GNUC_UNUSED) {
        static const char *const words[] = { "never", "auto", "now", NULL };

        return g_strv_contains(words, text) ? g_strdup(text) : NULL;
}

#define KEY(key, bus, ...) { .name = key, .type = bus, __VA_ARGS__ }
#define LAND(where, member) .landing = VSM_LAND_##where, .offset = offsetof(VsmSettingsData, member)

/* What a caller who sends the whole instance back finds in it: to be left as it is. */
#define FIXED(key, present)                                                     \
        static char* text_##key(const char *text, GError **error G_GNUC_UNUSED) {       \
                return g_str_equal(text, present) ? g_strdup(text) : NULL;      \
        }

FIXED(instance_id, VSM_SETTINGS_INSTANCE_ID)
FIXED(caption, VSM_SETTINGS_CAPTION)
FIXED(description, VSM_SETTINGS_DESCRIPTION)
FIXED(element_name, VSM_SETTINGS_ELEMENT_NAME)

/* Zero is a number as others, but for the transport (an enumeration) and the time (an interval), where
 * it is Null. */
static const VsmKey instance[] = {
        KEY("InstanceID",  "s", .want = "left as it is", .text = text_instance_id),
        KEY("Caption",     "s", .want = "left as it is", .text = text_caption),
        KEY("Description", "s", .want = "left as it is", .text = text_description),
        KEY("ElementName", "s", .want = "left as it is", .text = text_element_name),
#define N_FIXED 4

        KEY("EnableVirtualSystemMigration", "b", LAND(BOOL, enable_migration)),
        KEY("MaximumActiveVirtualSystemMigration", "u", .zero_counts = true,
            .min = 1, .max = VSM_SETTINGS_MIGRATIONS_MAX, LAND(UINT32, max_migrations)),
        KEY("MaximumActiveStorageMigration", "u", .zero_counts = true,
            .min = 1, .max = VSM_SETTINGS_MIGRATIONS_MAX, LAND(UINT32, max_storage)),
        KEY("AuthenticationType", "u", .zero_counts = true,
            .want = "32768 (X.509), 32769 (SSH) or 32770 (none)",
            .number = number_is_authentication, LAND(UINT32, authentication)),
        KEY("DefaultTransportType", "q", .want = "2 (SSH), 3 (TLS), 4 (TLS Strict) or 5 (TCP)",
            .number = number_is_transport, LAND(UINT16, default_transport)),
        KEY("DefaultPostCopy", "s", .want = "\"never\", \"auto\" or \"now\"",
            .text = text_post_copy, LAND(CHARS8, default_post_copy)),
        KEY("EnableCompression",  "b", LAND(BOOL, compression)),
        KEY("EnableSmbTransport", "b", LAND(BOOL, smb)),
        KEY("MaximumBandwidth", "t", .zero_counts = true,
            .want = "0 (no limit) or at least 1048576 bytes per second",
            .max = INT64_MAX, .number = number_is_bandwidth, LAND(UINT64, max_bandwidth)),
        KEY("StallTimeout", "t", .want = "a time from 1 second (1s in a file, 1000000 else) to 7 days",
            .min = SECOND, .max = 7 * 24 * 3600 * SECOND, LAND(UINT64, stall_timeout)),
        KEY("HistoryLimit", "u", .zero_counts = true, LAND(UINT32, history_limit)),
        {}
};

const VsmKey *const vsm_keys_settings = instance + N_FIXED;

/* What the platform cannot do, of values that are well-formed. */
static bool check_supported(const VsmSettingsData *settings, GError **error) {
        if (settings->authentication <= VSM_AUTHENTICATION_KERBEROS) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_NOT_SUPPORTED,
                            "AuthenticationType %u (%s) is not supported here; there are 32768 (X.509), "
                            "32769 (SSH) and 32770 (none).", settings->authentication,
                            settings->authentication == VSM_AUTHENTICATION_CREDSSP ? "CredSSP" : "Kerberos");
                return false;
        }

        if (vsm_transport_strength(settings->default_transport) == 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_NOT_SUPPORTED,
                            "DefaultTransportType %u is not supported here; there are 2 (SSH), 3 (TLS), "
                            "4 (TLS Strict) and 5 (TCP).", settings->default_transport);
                return false;
        }

        if (settings->smb) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_NOT_SUPPORTED,
                            "EnableSmbTransport true is not supported here: there is no SMB transport.");
                return false;
        }

        return true;
}

gboolean vsm_settings_apply(VsmSettingsData *settings, const char *key, GVariant *value, GError **error) {
        VsmSettingsData changed = *settings;
        const VsmKey *known = NULL;

        known = vsm_key_find(vsm_keys_settings, "ServiceSettingData", key, error);
        if (!known)
                return FALSE;

        if (!vsm_key_read(known, "ServiceSettingData", value, &changed, NULL, error))
                return FALSE;

        if (!check_supported(&changed, error))
                return FALSE;

        *settings = changed;
        return TRUE;
}

bool vsm_settings_same(const VsmKey *key, const VsmSettingsData *a, const VsmSettingsData *b) {
        const char *x = (const char*) a + key->offset, *y = (const char*) b + key->offset;

        switch (key->landing) {
        case VSM_LAND_BOOL:
                return *(const bool*) x == *(const bool*) y;
        case VSM_LAND_UINT16:
                return *(const uint16_t*) x == *(const uint16_t*) y;
        case VSM_LAND_UINT32:
                return *(const uint32_t*) x == *(const uint32_t*) y;
        case VSM_LAND_UINT64:
                return *(const uint64_t*) x == *(const uint64_t*) y;
        case VSM_LAND_CHARS8:
                return g_str_equal(x, y);
        default:
                g_assert_not_reached();
        }
}

GVariant* vsm_settings_parse(GVariant *dict, GError **error) {
        g_autoptr(GVariant) canonical = NULL;
        VsmSettingsData probe;
        GVariantDict wished;

        /* each rule is about one setting: what is right over the defaults is right over any others */
        vsm_settings_defaults(&probe);
        canonical = vsm_keys_read(instance, "ServiceSettingData", dict, &probe, error);
        if (!canonical || !check_supported(&probe, error))
                return NULL;

        g_variant_dict_init(&wished, canonical);
        for (size_t i = 0; i < N_FIXED; i++)
                (void) g_variant_dict_remove(&wished, instance[i].name);

        return g_variant_ref_sink(g_variant_dict_end(&wished));
}
