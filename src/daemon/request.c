/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A caller's wish, from dicts to a struct (form), then against the service's settings (what goes
 * together). Pure: no bus, no libvirt, no clock. Any thread; one thread per request. */

#include "daemon/request.h"
#include "daemon/request-keys.h"
#include "shared/enums.h"
#include "shared/error.h"

#define PRIORITY_DEFAULT 100

/* of the text in the store; a new form gets a new number, old ones stay readable */
#define TEXT_VERSION UINT32_C(1)
#define TEXT_TYPE "(ubsta{sv}a{sv}aa{sv})"

#define INVALID(error, ...) refuse(error, VSM_ERROR_INVALID_PARAMETER, __VA_ARGS__)
#define INCOMPATIBLE(error, ...) refuse(error, VSM_ERROR_INCOMPATIBLE_PARAMETERS, __VA_ARGS__)
#define UNSUPPORTED(error, ...) refuse(error, VSM_ERROR_NOT_SUPPORTED, __VA_ARGS__)

/* Always false, to be returned. */
static bool G_GNUC_PRINTF(3, 4) refuse(GError **error, VsmError code, const char *format, ...) {
        va_list ap;

        va_start(ap, format);
        g_propagate_error(error, g_error_new_valist(VSM_ERROR, code, format, ap));
        va_end(ap);

        return false;
}

static bool dict_has(GVariant *dict, const char *key) {
        g_autoptr(GVariant) value = g_variant_lookup_value(dict, key, NULL);

        return value;
}

static bool moves_disks(const VsmRequest *request) {
        return request->migration_type == VSM_MIGRATION_TYPE_STORAGE ||
                request->migration_type == VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE ||
                request->migration_type == VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK;
}

/* What GetRequest shows: what was asked for, and what became of what was not. */
static void fill_accepted(VsmRequest *request, bool resolved) {
        g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
        GVariantDict dict;

        g_variant_dict_init(&dict, request->accepted);
        g_variant_dict_insert(&dict, "MigrationType", "q", request->migration_type);
        g_variant_dict_insert(&dict, "Priority", "q", request->priority);

        if (request->bandwidth_amount > 0)
                g_variant_dict_insert(&dict, "BandwidthUnit", "s", request->bandwidth_unit);

        if (resolved) {
                g_variant_dict_insert(&dict, "TransportType", "q", request->transport);
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
                return INVALID(error, "DestinationHost must be empty with MigrationType 32769 (Storage): "
                               "the system stays on this host.");

        if (!storage && !destination)
                return INVALID(error, "DestinationHost is empty and must be a host name or an IPv4 or IPv6 "
                               "address.");

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
        request->priority = PRIORITY_DEFAULT;
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

        if (!check_form(request, error))
                return NULL;

        fill_accepted(request, /* resolved = */ false);
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
        g_clear_pointer(&request->accepted, g_variant_unref);
        g_clear_pointer(&request->system, g_variant_unref);
        g_clear_pointer(&request->resources, g_variant_unref);
        g_free(request);
}

static bool resolve_transport(VsmRequest *request, const VsmSettingsData *settings, GError **error) {
        uint16_t transport = request->transport ?: settings->default_transport;
        unsigned strength = vsm_transport_strength(transport);

        if (strength == 0)
                return UNSUPPORTED(error, "TransportType %u is not supported here; there are 2 (SSH), "
                                   "3 (TLS), 4 (TLS Strict) and 5 (TCP).", transport);

        if (strength < vsm_transport_strength(settings->default_transport))
                return INCOMPATIBLE(error, "TransportType %u (%s) protects less than %u (%s), which this "
                                    "host's DefaultTransportType demands at least.",
                                    transport, vsm_transport_to_string(transport),
                                    settings->default_transport,
                                    vsm_transport_to_string(settings->default_transport));

        if (transport == VSM_TRANSPORT_TLS_STRICT && !request->verifies_clients)
                return INCOMPATIBLE(error, "TransportType 4 (TLS Strict) needs a destination that is a known Host "
                                    "with VerifiesClients.");

        request->transport = transport;
        return true;
}

/* SSH tunnels one stream of memory through libvirt's own connection. */
static bool check_ssh(const VsmRequest *request, const VsmSettingsData *settings, GError **error) {
        if (request->transport != VSM_TRANSPORT_SSH)
                return true;

        if (settings->authentication != VSM_AUTHENTICATION_SSH)
                return INCOMPATIBLE(error, "TransportType 2 (SSH) needs AuthenticationType 32769 (SSH) in "
                                    "the service's settings; it is %u.", settings->authentication);

        if (request->connections > 1)
                return INCOMPATIBLE(error, "TransportType 2 (SSH) does not go with ParallelConnections.");

        if (moves_disks(request))
                return INCOMPATIBLE(error, "TransportType 2 (SSH) does not go with a MigrationType that "
                                    "moves disks.");

        return true;
}

static bool resolve_post_copy(VsmRequest *request, const VsmSettingsData *settings, GError **error) {
        bool possible = request->connections <= 1 && request->transport != VSM_TRANSPORT_SSH;

        if (!possible && g_strcmp0(request->post_copy, "now") == 0)
                return INCOMPATIBLE(error, "PostCopy \"now\" does not go with %s.",
                                    request->connections > 1 ? "ParallelConnections"
                                                             : "TransportType 2 (SSH)");

        if (!request->post_copy)
                request->post_copy = g_strdup(settings->default_post_copy);

        /* "auto" gives way, and so does the administrator's default, which the caller did not choose */
        if (!possible) {
                g_free(request->post_copy);
                request->post_copy = g_strdup("never");
        }

        return true;
}

static bool resolve_bandwidth(VsmRequest *request, const VsmSettingsData *settings, GError **error) {
        if (request->bandwidth_amount > 0 && settings->max_bandwidth == 0 &&
            vsm_bandwidth_unit_is_percent(request->bandwidth_unit))
                return INCOMPATIBLE(error, "BandwidthUnit \"percent\" is of the service's MaximumBandwidth, "
                                    "and that has no limit.");

        request->bandwidth = vsm_bandwidth_resolve(request->bandwidth_amount, request->bandwidth_unit,
                                                   settings->max_bandwidth);
        return true;
}

/* What no version does. */
static bool check_platform(const VsmRequest *request, const VsmSettingsData *settings, GError **error) {
        static const char *const roots[] = {
                "ConfigurationDataRoot", "SnapshotDataRoot", "SwapFileDataRoot"
        };

        if (settings->authentication == VSM_AUTHENTICATION_CREDSSP ||
            settings->authentication == VSM_AUTHENTICATION_KERBEROS)
                return UNSUPPORTED(error, "The service's AuthenticationType %u is not supported here; there "
                                   "are 32768 (X.509), 32769 (SSH) and 32770 (none).",
                                   settings->authentication);

        for (size_t i = 0; i < G_N_ELEMENTS(roots); i++)
                if (dict_has(request->system, roots[i]))
                        return UNSUPPORTED(error, "NewSystemSettingData: %s is not supported here: libvirt "
                                           "decides where such files are.", roots[i]);

        return true;
}

/* What a later version does: whoever builds it deletes its lines here. */
static bool check_built(const VsmRequest *request, bool post_copy_asked, GError **error) {
#define LATER(what, ...) UNSUPPORTED(error, what " comes with a later version.", ##__VA_ARGS__)

        if (request->migration_type != VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM)
                return LATER("MigrationType %u (%s)", request->migration_type,
                             vsm_migration_type_to_string(request->migration_type));

        if (request->transport == VSM_TRANSPORT_SSH)
                return LATER("TransportType 2 (SSH)");

        if (post_copy_asked && !g_str_equal(request->post_copy, "never"))
                return LATER("PostCopy \"%s\"", request->post_copy);

        if (request->planned_id)
                return LATER("DestinationPlannedVirtualSystemId");

        if (dict_has(request->accepted, "UnmanagedVhds"))
                return LATER("UnmanagedVhds");

        if (g_variant_n_children(request->system) > 0)
                return LATER("NewSystemSettingData that is not empty");

        if (g_variant_n_children(request->resources) > 0)
                return LATER("NewResourceSettingData that is not empty");

        return true;
#undef LATER
}

bool vsm_request_resolve(VsmRequest *request, const VsmSettingsData *settings, GError **error) {
        bool post_copy_asked = request->post_copy;

        if (!check_platform(request, settings, error) ||
            !resolve_transport(request, settings, error) ||
            !check_ssh(request, settings, error) ||
            !resolve_post_copy(request, settings, error) ||
            !resolve_bandwidth(request, settings, error))
                return false;

        if (!request->throttling && request->throttle_magnitude > 0)
                return INCOMPATIBLE(error, "CPUCappingMagnitude %u does not go with AllowThrottling false.",
                                    request->throttle_magnitude);

        if (!check_built(request, post_copy_asked, error))
                return false;

        /* goes with check_built(): a default that cannot be done yet refuses nobody, and GetRequest
         * tells what is done */
        if (!post_copy_asked) {
                g_free(request->post_copy);
                request->post_copy = g_strdup("never");
        }

        if (request->compression < 0)
                request->compression = settings->compression;

        fill_accepted(request, /* resolved = */ true);
        return true;
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
                refuse(error, VSM_ERROR_FAILED, "A stored request cannot be read: it is not UTF-8.");
                return NULL;
        }

        value = g_variant_parse(G_VARIANT_TYPE(TEXT_TYPE), text, NULL, NULL, &reason);
        if (!value) {
                refuse(error, VSM_ERROR_FAILED, "A stored request cannot be read: %s", reason->message);
                return NULL;
        }

        g_variant_get(value, "(ubst@a{sv}@a{sv}@aa{sv})", &version, &for_check, &destination, &bandwidth,
                      &migration, &system, &resources);

        if (version != TEXT_VERSION) {
                refuse(error, VSM_ERROR_FAILED, "A stored request has the form %u; this version knows %u.",
                       version, TEXT_VERSION);
                return NULL;
        }

        request = request_new(for_check, destination, migration, system, resources, error);
        if (!request)
                return NULL;

        request->bandwidth = bandwidth;
        return g_steal_pointer(&request);
}
