/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The one table of the keys of MigrationSettingData, NewSystemSettingData and NewResourceSettingData:
 * a new key is a line here and a member of VsmRequest. Pure: no bus, no clock. Any thread. */

#include <string.h>

#include "daemon/request.h"
#include "daemon/request-keys.h"
#include "shared/enums.h"

#define MIB (UINT64_C(1) << 20)

/* The words of BandwidthUnit; a unit is numerator/denominator bytes/s, percent has no numerator. */
static const struct {
        const char *word;
        uint64_t numerator, denominator;
} units[] = {
        { "MiB/s",            MIB,     1 },
        { "byte*2^20/second", MIB,     1 },
        { "Mbit/s",           1000000, 8 },
        { "bit*10^6/second",  1000000, 8 },
        { "percent",          0,       1 },
};

bool vsm_bandwidth_unit_is_percent(const char *unit) {
        return g_strcmp0(unit, "percent") == 0;
}

uint64_t vsm_bandwidth_resolve(uint16_t amount, const char *unit, uint64_t total) {
        uint64_t bytes = 0;

        if (amount == 0)
                return 0;

        for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
                if (g_str_equal(units[i].word, unit ?: "MiB/s"))
                        bytes = amount * units[i].numerator / units[i].denominator;

        /* split, so that it cannot overflow */
        if (vsm_bandwidth_unit_is_percent(unit))
                bytes = total / 100 * amount + (total % 100 * amount + 99) / 100;

        return MAX(bytes / MIB + (bytes % MIB > 0), 1) * MIB;
}

static bool number_is_migration_type(uint64_t value) {
        return value <= VSM_MIGRATION_TYPE_RESTART ||
                (value >= VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM &&
                 value <= VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK);
}

static bool number_is_transport(uint64_t value) {
        return value <= VSM_TRANSPORT_IPC || value == VSM_TRANSPORT_SMB;
}

static bool number_is_resource_type(uint64_t value) {
        return value == 10 || value == 17 || value == 31 || value == 33;
}

static char* text_unit(const char *text, GError **error G_GNUC_UNUSED) {
        for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
                if (g_str_equal(units[i].word, text))
                        return g_strdup(text);

        return NULL;
}

static char* text_post_copy(const char *text, GError **error G_GNUC_UNUSED) {
        static const char *const words[] = { "never", "auto", "now", NULL };

        return g_strv_contains(words, text) ? g_strdup(text) : NULL;
}

/* The addresses are dialled as destinations, so what is no destination is none here either. */
static char* text_address(const char *text, GError **error) {
        g_autofree char *host = NULL;
        bool is_address = false;

        host = vsm_host_parse(text, &is_address, error);
        if (!host || !is_address)
                return NULL;

        return g_steal_pointer(&host);
}

static char* text_uuid(const char *text, GError **error G_GNUC_UNUSED) {
        return g_uuid_string_is_valid(text) ? g_ascii_strdown(text, -1) : NULL;
}

static bool has_control(const char *text) {
        for (const char *p = text; *p; p++)
                if (g_ascii_iscntrl(*p))
                        return true;

        return false;
}

/* Form only: whether it lies in a pool is for the host that has the pool. "/" at the end stays, it says what is
 * meant; other slashes and dots that say nothing go. */
static char* text_path(const char *text, GError **error G_GNUC_UNUSED) {
        g_autoptr(GString) out = g_string_new(NULL);
        g_auto(GStrv) parts = NULL;

        if (text[0] != '/' || has_control(text))
                return NULL;

        parts = g_strsplit(text, "/", -1);
        if (g_strv_contains((const char *const *) parts, ".."))
                return NULL;

        for (char **part = parts; *part; part++)
                if (**part && !g_str_equal(*part, "."))
                        g_string_append_printf(out, "/%s", *part);
        if (out->len == 0 || g_str_has_suffix(text, "/") || g_str_has_suffix(text, "/."))
                g_string_append_c(out, '/');

        return g_string_free(g_steal_pointer(&out), FALSE);
}

/* of a file or block device */
static char* text_file(const char *text, GError **error) {
        g_autofree char *path = text_path(text, error);

        return path && !g_str_has_suffix(path, "/") ? g_steal_pointer(&path) : NULL;
}

/* "" leaves the place to the destination's pool */
static char* text_path_or_empty(const char *text, GError **error) {
        return text[0] == '\0' ? g_strdup("") : text_path(text, error);
}

/* A name becomes part of file names at the destination, and a line of its log. */
static char* text_name(const char *text, GError **error G_GNUC_UNUSED) {
        return text[0] == '\0' || strchr(text, '/') || has_control(text) ? NULL : g_strdup(text);
}

/* It is XML there, which has no other control characters. */
static char* text_description(const char *text, GError **error G_GNUC_UNUSED) {
        for (const char *p = text; *p; p++)
                if (g_ascii_iscntrl(*p) && *p != '\n' && *p != '\t')
                        return NULL;

        return g_strdup(text);
}

#define FILE_WANTED "an absolute path of a file or block device, without \"..\" and control characters"
#define KEY(key, bus, ...) { .name = key, .type = bus, __VA_ARGS__ }
#define LAND(where, member) .landing = VSM_LAND_##where, .offset = offsetof(VsmRequest, member)

const VsmKey vsm_keys_vhd[] = {
        KEY("VhdSourcePath",      "s", .want = FILE_WANTED, .text = text_file, .required = true),
        KEY("VhdDestinationPath", "s", .want = FILE_WANTED, .text = text_file, .required = true),
        {}
};

const VsmKey vsm_keys_migration[] = {
        KEY("MigrationType", "q", .want = "1, 2, 3, 4 or 32768 to 32772",
            .number = number_is_migration_type, LAND(UINT16, migration_type)),
        KEY("TransportType", "q", .want = "2 (SSH), 3 (TLS), 4 (TLS Strict) or 5 (TCP)",
            .number = number_is_transport, LAND(UINT16, transport)),
        KEY("DestinationIPAddressList", "as", .want = "a list of IPv4 or IPv6 addresses",
            .text = text_address, LAND(STRV, addresses)),
        KEY("Priority",      "q", LAND(UINT16, priority)),
        KEY("Bandwidth",     "q", LAND(UINT16, bandwidth_amount)),
        KEY("BandwidthUnit", "s",
            .want = "\"MiB/s\", \"Mbit/s\", \"byte*2^20/second\", \"bit*10^6/second\" or \"percent\"",
            .text = text_unit, LAND(STRING, bandwidth_unit)),
        KEY("EnableCompression",   "b", LAND(TRISTATE, compression)),
        KEY("AllowThrottling",     "b", LAND(BOOL, throttling)),
        KEY("CPUCappingMagnitude", "q", .want = "0 (normal), 1 (low) or 2 (high)", .max = 2,
            LAND(UINT16, throttle_magnitude)),
        KEY("MaximumDowntime",     "u", LAND(UINT32, max_downtime)),
        KEY("CancelIfBlackoutThresholdExceeded", "b", LAND(BOOL, cancel_if_blackout)),
        KEY("PostCopy", "s", .want = "\"never\", \"auto\" or \"now\"",
            .text = text_post_copy, LAND(STRING, post_copy)),
        KEY("ParallelConnections", "u", .want = "0 (off) or an integer from 2 to 255", .min = 2, .max = 255,
            LAND(UINT32, connections)),
        KEY("Timeout", "t", LAND(UINT64, timeout)),
        KEY("DestinationPlannedVirtualSystemId", "s", .want = "a UUID",
            .text = text_uuid, LAND(STRING, planned_id)),
        KEY("RetainVhdCopiesOnSource",    "b"),
        KEY("AvoidRemovingVHDs",          "b"),
        KEY("AllowOverwriteExistingFile", "b"),
        KEY("UnmanagedVhds",              "aa{sv}", .inner = vsm_keys_vhd),
        KEY("RemoveSourceUnmanagedVhds",  "b"),
        {}
};

const VsmKey vsm_keys_system[] = {
        KEY("ElementName",    "s", .want = "a name without \"/\" and control characters",
            .text = text_name),
        KEY("Description",    "s", .want = "text without control characters",
            .text = text_description),
        KEY("AutomaticStart", "b"),
        KEY("ConfigurationDataRoot", "s"),
        KEY("SnapshotDataRoot",      "s"),
        KEY("SwapFileDataRoot",      "s"),
        {}
};

const VsmKey vsm_keys_resource[] = {
        KEY("ResourceType", "q", .want = "17 or 31 (disk), 10 or 33 (network)",
            .number = number_is_resource_type, .required = true),
        KEY("InstanceID",   "s", .want = "the disk's target, \"*\" or the interface's MAC address",
            .required = true),
        KEY("HostResource", "as", .want = "a list of one absolute path without \"..\", or of one \"\"",
            .text = text_path_or_empty, .elements_max = 1),
        KEY("PoolID",       "s", .want = "a name without \"/\" and control characters", .text = text_name),
        KEY("Connection",   "as", .want = "a list of one network or bridge", .text = text_name, .elements_max = 1),
        {}
};
