/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A request against the service's settings: defaults are filled in, and what does not go together is refused.
 * Pure: any thread. */

#include "daemon/move-type.h"
#include "daemon/request-keys.h"
#include "daemon/request-private.h"
#include "shared/enums.h"

/* Nothing leaves this host: no transport and no post-copy. */
static bool stays_here(const VsmRequest *request) {
        return request->migration_type == VSM_MIGRATION_TYPE_STORAGE;
}

/* Its disks go over connections of their own, beside that of the memory. */
static bool mirrors_disks(const VsmRequest *request) {
        return request->migration_type == VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE ||
                request->migration_type == VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK ||
                request->changes->disks || request->changes->volumes->len > 0;
}

/* Its guest runs while memory moves, which post-copy needs. */
static bool moves_live(const VsmRequest *request) {
        return request->migration_type == VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM ||
                request->migration_type == VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE ||
                request->migration_type == VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK;
}

/* By intent, from the first byte to the last. */
static bool stops_long(const VsmRequest *request) {
        return request->migration_type == VSM_MIGRATION_TYPE_RESUME ||
                request->migration_type == VSM_MIGRATION_TYPE_RESTART;
}

static bool resolve_transport(VsmRequest *request, const VsmSettingsData *settings, GError **error) {
        uint16_t transport = request->transport ?: settings->default_transport;
        unsigned strength = vsm_transport_strength(transport);

        if (strength == 0)
                return UNSUPPORTED(error, "TransportType %u is not supported here; there are 2 (SSH), "
                                   "3 (TLS), 4 (TLS Strict) and 5 (TCP).", transport);

        request->transport = transport;
        if (stays_here(request))
                return true;

        if (strength < vsm_transport_strength(settings->default_transport))
                return INCOMPATIBLE(error, "TransportType %u (%s) protects less than %u (%s), which this "
                                    "host's DefaultTransportType demands at least.",
                                    transport, vsm_transport_to_string(transport),
                                    settings->default_transport,
                                    vsm_transport_to_string(settings->default_transport));

        if (transport == VSM_TRANSPORT_TLS_STRICT && !request->verifies_clients)
                return INCOMPATIBLE(error, "TransportType 4 (TLS Strict) needs a destination that is a known Host "
                                    "with VerifiesClients.");

        return true;
}

/* SSH tunnels one stream of memory through libvirt's own connection. */
static bool check_ssh(const VsmRequest *request, const VsmSettingsData *settings, GError **error) {
        if (request->transport != VSM_TRANSPORT_SSH || stays_here(request))
                return true;

        if (settings->authentication != VSM_AUTHENTICATION_SSH)
                return INCOMPATIBLE(error, "TransportType 2 (SSH) needs AuthenticationType 32769 (SSH) in "
                                    "the service's settings; it is %u.", settings->authentication);

        if (request->connections > 1)
                return INCOMPATIBLE(error, "TransportType 2 (SSH) does not go with ParallelConnections.");

        if (mirrors_disks(request))
                return INCOMPATIBLE(error, "TransportType 2 (SSH) does not go with disks that are to move.");

        return true;
}

static bool resolve_post_copy(VsmRequest *request, const VsmSettingsData *settings, GError **error) {
        bool live = moves_live(request), ssh = request->transport == VSM_TRANSPORT_SSH;
        /* after the switch nothing can be ended any more, however long the pause becomes */
        bool possible = live && request->connections <= 1 && !ssh && !request->cancel_if_blackout;

        if (!possible && g_strcmp0(request->post_copy, "now") == 0) {
                if (!live)
                        return INCOMPATIBLE(error, "PostCopy \"now\" does not go with MigrationType %u (%s).",
                                            request->migration_type,
                                            vsm_migration_type_to_string(request->migration_type));

                return INCOMPATIBLE(error, "PostCopy \"now\" does not go with %s.",
                                    ssh ? "TransportType 2 (SSH)" : request->connections > 1 ?
                                    "ParallelConnections" : "CancelIfBlackoutThresholdExceeded");
        }

        if (!request->post_copy)
                request->post_copy = g_strdup(settings->default_post_copy);

        /* "auto" gives way, and so does the administrator's default, which the caller did not choose */
        if (!possible) {
                g_free(request->post_copy);
                request->post_copy = g_strdup("never");
        }

        return true;
}

bool vsm_request_resolve_bandwidth(VsmRequest *request, const VsmSettingsData *settings, GError **error) {
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
                if (vsm_request_dict_has(request->system, roots[i]))
                        return UNSUPPORTED(error, "NewSystemSettingData: %s is not supported here: libvirt "
                                           "decides where such files are.", roots[i]);

        return true;
}

bool vsm_request_resolve(VsmRequest *request, const VsmSettingsData *settings, GError **error) {
        if (!check_platform(request, settings, error) ||
            !resolve_transport(request, settings, error) ||
            !check_ssh(request, settings, error) ||
            !resolve_post_copy(request, settings, error) ||
            !vsm_request_resolve_bandwidth(request, settings, error) ||
            !vsm_request_check_changes(request, error))
                return false;

        if (request->cancel_if_blackout && stops_long(request))
                return INCOMPATIBLE(error, "CancelIfBlackoutThresholdExceeded does not go with MigrationType %u (%s), "
                                    "which stops the guest for as long as it takes.", request->migration_type,
                                    vsm_migration_type_to_string(request->migration_type));

        if (!request->throttling && request->throttle_magnitude > 0)
                return INCOMPATIBLE(error, "CPUCappingMagnitude %u does not go with AllowThrottling false.",
                                    request->throttle_magnitude);

        if (request->compression < 0)
                request->compression = settings->compression;

        vsm_request_fill_accepted(request, /* resolved = */ true);
        return true;
}

