/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/changes.h"
#include "daemon/settings-data.h"

/* What a caller asks for, checked. Pure: GVariants in, a request or a named refusal out. Knows no
 * bus, no libvirt, no clock. */

typedef struct VsmRequest {
        char *destination;              /* canonical; "" = none was given */
        bool destination_is_address;
        uint16_t migration_type;        /* VSM_MIGRATION_TYPE_*; 2 is turned into 32768 */
        bool for_check;                 /* made by vsm_request_new_check() */
        bool verifies_clients;          /* the destination's Host says so; set before resolving */
        uint16_t transport;             /* 0 until resolved, if none was asked for */
        char **addresses;               /* DestinationIPAddressList, canonical, NULL = default */
        uint16_t priority;              /* 100 when absent */
        uint64_t bandwidth;             /* bytes/s, 0 = no limit; set by resolve */
        uint16_t bandwidth_amount;
        char *bandwidth_unit;
        int compression;                /* -1 = the service's; 0 or 1 when resolved */
        bool throttling;
        uint16_t throttle_magnitude;
        uint32_t max_downtime;          /* ms, 0 = the hypervisor's */
        bool cancel_if_blackout;
        char *post_copy;                /* NULL = the service's; never NULL when resolved */
        uint32_t connections;
        uint64_t timeout;               /* µs, 0 = none */
        char *planned_id;               /* NULL = none */
        VsmChanges *changes;            /* made of the dicts below; never NULL */
        GVariant *accepted;             /* a{sv}: MigrationSettingData with what is known filled in;
                                         * resolve fills in the service's defaults too */
        GVariant *system;               /* a{sv}: NewSystemSettingData without Nulls */
        GVariant *resources;            /* aa{sv} */
} VsmRequest;

/* Form only: grammar of the destination, every key known, of its type, in range, once. Everything
 * that is wrong with the form is VSM_ERROR_INVALID_PARAMETER, named by key. migration, system:
 * a{sv}; resources: aa{sv}. */
VsmRequest* vsm_request_new(const char *destination, GVariant *migration, GVariant *system,
                            GVariant *resources, GError **error);

/* The same for the Check methods and Predict, where MigrationType StorageDeepCheck is a wish too. */
VsmRequest* vsm_request_new_check(const char *destination, GVariant *migration, GVariant *system,
                                  GVariant *resources, GError **error);

void vsm_request_free(VsmRequest *request);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmRequest, vsm_request_free)

/* Against the service's settings: fills in defaults, and refuses what does not go together
 * (VSM_ERROR_INCOMPATIBLE_PARAMETERS) or what this version cannot do (VSM_ERROR_NOT_SUPPORTED). */
bool vsm_request_resolve(VsmRequest *request, const VsmSettingsData *settings, GError **error);

/* The same of its bandwidth alone, where all else was decided long ago. */
bool vsm_request_resolve_bandwidth(VsmRequest *request, const VsmSettingsData *settings, GError **error);

/* Text for the store, and back: destination, accepted, system, resources, bandwidth. What was
 * resolved comes back resolved; the settings of the day are not asked again. */
char* vsm_request_to_text(const VsmRequest *request);
VsmRequest* vsm_request_from_text(const char *text, GError **error);

/* ---- the grammar of a destination, shared with hosts ---- */

/* Canonical text (lower case, no final dot, compressed IPv6 without brackets) or NULL with error:
 * LDH labels, IPv4 dotted quad, IPv6 without zone. An IPv4-mapped IPv6 address becomes the IPv4 one.
 * Loopback names and addresses, the unspecified address, multicast and broadcast are refused. */
char* vsm_host_parse(const char *text, bool *ret_is_address, GError **error);

/* Canonical text of an IPv4 or IPv6 address, loopback and all, NULL when it is none. */
char* vsm_address_parse(const char *text);
