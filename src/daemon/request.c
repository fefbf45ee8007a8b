/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A caller's wish, from dicts to a struct: the form; and the text of it in the store. Pure: no bus, no
 * libvirt, no clock. Any thread; one thread per request.
 *
 *      request-keys.c          the table of keys
 *      request-changes.c       what is to be different where it goes: disks, networks, the name
 *      request-resolve.c       against the service's settings: what goes together */

#include "daemon/policy-rules.h"
#include "daemon/request-keys.h"
#include "daemon/request-private.h"
#include "shared/enums.h"

/* of the text in the store; a new form gets a new number, old ones stay readable */
#define TEXT_VERSION UINT32_C(1)
#define TEXT_TYPE "(ubsta{sv}a{sv}aa{sv})"

bool vsm_request_refuse(GError **error, VsmError code, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        g_propagate_error(error, g_error_new_valist(VSM_ERROR, code, format, ap));
        va_end(ap);

        return false;
}

bool vsm_request_dict_has(GVariant *dict, const char *key) {
        g_autoptr(GVariant) value = g_variant_lookup_value(dict, key, NULL);

        return value;
}

void vsm_request_fill_accepted(VsmRequest *request, bool resolved) {
        g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
        GVariantDict dict;

        g_variant_dict_init(&dict, request->accepted);
        g_variant_dict_insert(&dict, "MigrationType", "q", request->migration_type);
        g_variant_dict_insert(&dict, "Priority", "q", request->priority);

        if (request->bandwidth_amount > 0)
                g_variant_dict_insert(&dict, "BandwidthUnit", "s", request->bandwidth_unit);

        if (resolved && request->destination[0] != '\0')
                g_variant_dict_insert(&dict, "TransportType", "q", request->transport);

        if (resolved) {
                g_variant_dict_insert(&dict, "EnableCompression", "b", request->compression > 0);
                g_variant_dict_insert(&dict, "AllowThrottling", "b", request->throttling);
                g_variant_dict_insert(&dict, "PostCopy", "s", request->post_copy);
        }

        /* in the order of the table, whatever the caller's was */
        for (const VsmKey *key = vsm_keys_migration; key->name; key++) {
                g_autoptr(GVariant) value = g_variant_dict_lookup_value(&dict, key->name, NULL);

                if (value)
                        g_variant_builder_add(&builder, "{sv}", key->name, value);
        }

        g_variant_dict_clear(&dict);
        g_variant_unref(request->accepted);
        request->accepted = g_variant_ref_sink(g_variant_builder_end(&builder));
}

static bool read_destination(VsmRequest *request, const char *destination, GError **error) {
        if (!destination || destination[0] == '\0') {
                request->destination = g_strdup("");
                return true;
        }

        request->destination = vsm_host_parse(destination, &request->destination_is_address, error);
        if (!request->destination) {
                g_prefix_error(error, "DestinationHost: ");
                return false;
        }

        return true;
}

/* What is wrong with the form but cannot be said of one key alone. */
static bool check_form(const VsmRequest *request, GError **error) {
        bool storage = request->migration_type == VSM_MIGRATION_TYPE_STORAGE;
        bool destination = request->destination[0] != '\0';

        if (request->migration_type == VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK && !request->for_check)
                return INVALID(error, "MigrationSettingData: MigrationType 32772 (StorageDeepCheck) is for "
                               "the Check methods only.");

        if (storage && destination)
                return INVALID(error, "DestinationHost must be empty with MigrationType 32769 (Storage), and a "
                               "DestinationSystem \"/\": the system stays on this host.");

        if (!storage && !destination)
                return INVALID(error, "DestinationHost is empty and must be a host name or an IPv4 or IPv6 "
                               "address; a DestinationSystem must be a Host.");

        if (storage && request->addresses)
                return INVALID(error, "MigrationSettingData: DestinationIPAddressList must be absent with "
                               "MigrationType 32769 (Storage).");

        if (vsm_bandwidth_unit_is_percent(request->bandwidth_unit) && request->bandwidth_amount > 100)
                return INVALID(error, "MigrationSettingData: Bandwidth is %u and must be at most 100 with "
                               "BandwidthUnit \"percent\".", request->bandwidth_amount);

        return true;
}

static VsmRequest* request_new(bool for_check, const char *destination, GVariant *migration,
                               GVariant *system, GVariant *resources, GError **error) {

        g_autoptr(VsmRequest) request = g_new0(VsmRequest, 1);

        request->for_check = for_check;
        request->migration_type = VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM;
        request->priority = VSM_PRIORITY_DEFAULT;
        request->compression = -1;
        request->throttling = true;

        if (!read_destination(request, destination, error))
                return NULL;

        request->accepted = vsm_keys_read(vsm_keys_migration, "MigrationSettingData", migration, request,
                                          error);
        if (!request->accepted)
                return NULL;

        request->system = vsm_keys_read(vsm_keys_system, "NewSystemSettingData", system, NULL, error);
        if (!request->system)
                return NULL;

        request->resources = vsm_keys_read_list(vsm_keys_resource, "NewResourceSettingData", resources,
                                                error);
        if (!request->resources)
                return NULL;

        if (request->migration_type == VSM_MIGRATION_TYPE_LIVE)
                request->migration_type = VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM;

        if (!request->bandwidth_unit)
                request->bandwidth_unit = g_strdup("MiB/s");

        if (!check_form(request, error) || !vsm_request_read_changes(request, error))
                return NULL;

        vsm_request_fill_accepted(request, /* resolved = */ false);
        return g_steal_pointer(&request);
}

VsmRequest* vsm_request_new(const char *destination, GVariant *migration, GVariant *system,
                            GVariant *resources, GError **error) {

        return request_new(/* for_check = */ false, destination, migration, system, resources, error);
}

VsmRequest* vsm_request_new_check(const char *destination, GVariant *migration, GVariant *system,
                                  GVariant *resources, GError **error) {

        return request_new(/* for_check = */ true, destination, migration, system, resources, error);
}

void vsm_request_free(VsmRequest *request) {
        if (!request)
                return;

        g_free(request->destination);
        g_strfreev(request->addresses);
        g_free(request->bandwidth_unit);
        g_free(request->post_copy);
        g_free(request->planned_id);
        vsm_changes_free(request->changes);
        g_clear_pointer(&request->accepted, g_variant_unref);
        g_clear_pointer(&request->system, g_variant_unref);
        g_clear_pointer(&request->resources, g_variant_unref);
        g_free(request);
}

char* vsm_request_to_text(const VsmRequest *request) {
        g_autoptr(GVariant) value = NULL;

        value = g_variant_ref_sink(g_variant_new("(ubst@a{sv}@a{sv}@aa{sv})", TEXT_VERSION,
                                                 request->for_check, request->destination,
                                                 request->bandwidth, request->accepted, request->system,
                                                 request->resources));

        /* with types: numbers must come back in those they had */
        return g_variant_print(value, TRUE);
}

VsmRequest* vsm_request_from_text(const char *text, GError **error) {
        g_autoptr(GVariant) value = NULL, migration = NULL, system = NULL, resources = NULL;
        g_autoptr(VsmRequest) request = NULL;
        g_autoptr(GError) reason = NULL;
        g_autofree char *destination = NULL;
        gboolean for_check = FALSE;
        uint32_t version = 0;
        uint64_t bandwidth = 0;

        /* GLib's parser relies on it */
        if (!g_utf8_validate(text, -1, NULL)) {
                vsm_request_refuse(error, VSM_ERROR_FAILED, "A stored request cannot be read: it is not UTF-8.");
                return NULL;
        }

        value = g_variant_parse(G_VARIANT_TYPE(TEXT_TYPE), text, NULL, NULL, &reason);
        if (!value) {
                vsm_request_refuse(error, VSM_ERROR_FAILED, "A stored request cannot be read: %s", reason->message);
                return NULL;
        }

        g_variant_get(value, "(ubst@a{sv}@a{sv}@aa{sv})", &version, &for_check, &destination, &bandwidth,
                      &migration, &system, &resources);

        if (version != TEXT_VERSION) {
                vsm_request_refuse(error, VSM_ERROR_FAILED, "A stored request has the form %u; this version knows %u.",
                       version, TEXT_VERSION);
                return NULL;
        }

        request = request_new(for_check, destination, migration, system, resources, error);
        if (!request)
                return NULL;

        request->bandwidth = bandwidth;
        return g_steal_pointer(&request);
}
