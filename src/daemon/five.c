/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reading ComputerSystem, DestinationHost (or a DestinationSystem), MigrationSettingData, NewSystemSettingData and
 * NewResourceSettingData, and what they mean on this host. Bus thread only. */

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "daemon/actions.h"
#include "daemon/bus-variant.h"
#include "daemon/five.h"
#include "daemon/host.h"
#include "daemon/move-type.h"
#include "daemon/network.h"
#include "daemon/policy-rules.h"
#include "daemon/settings.h"
#include "shared/error.h"

void vsm_five_clear(VsmFive *five) {
        g_clear_pointer(&five->request, vsm_request_free);
}

bool vsm_destination_is_here(VsmManager *manager, const char *text) {
        g_auto(GStrv) own = vsm_addresses_own(manager->addresses);
        char name[HOST_NAME_MAX + 1] = "";

        if (g_strv_contains((const char* const*) own, text))
                return true;

        (void) gethostname(name, sizeof name - 1);
        return g_ascii_strcasecmp(name, text) == 0;
}

/* By the settings of the Host that the destination is, if it is one. */
bool vsm_five_resolve(VsmManager *manager, VsmRequest *request, GError **error) {
        const VsmHost *host = vsm_host_match(manager, request->destination);
        VsmSettingsData settings = manager->settings;

        if (host) {
                settings.authentication = vsm_host_authentication(manager, host);
                request->verifies_clients = vsm_host_data(host)->verifies_clients;
        }

        return vsm_request_resolve(request, &settings, error);
}

static VsmRequest* request_new(bool check, const char *destination, GVariant *migration, GVariant *system,
                               GVariant *resources, GError **error) {
        return check ? vsm_request_new_check(destination, migration, system, resources, error) :
                vsm_request_new(destination, migration, system, resources, error);
}

/* What the caller does not say, the system's policy may. Takes request. */
static VsmRequest* fill_in(VsmRequest *request, GVariant *policy, bool check, const char *destination,
                           GVariant *migration, GVariant *system, GVariant *resources, GError **error) {
        g_autoptr(GVariant) filled = NULL;

        if (!request || !policy || g_variant_n_children(policy) == 0)
                return request;

        filled = vsm_policy_fill_in(policy, migration, vsm_move_type(request->migration_type)->memory);
        vsm_request_free(request);
        return request_new(check, destination, filled, system, resources, error);
}

/* policy NULL: of none */
static VsmRequest* read_request(VsmManager *manager, sd_bus_message *call, const char *destination, bool check,
                                size_t budget, GVariant *policy, GError **error) {
        g_autoptr(GVariant) migration = NULL, system = NULL, resources = NULL;
        g_autoptr(VsmRequest) request = NULL;

        migration = vsm_bus_read_variant(call, &budget, error);
        if (migration)
                system = vsm_bus_read_variant(call, &budget, error);
        if (system)
                resources = vsm_bus_read_variant(call, &budget, error);
        if (!resources)
                return NULL;

        request = fill_in(request_new(check, destination, migration, system, resources, error), policy, check,
                          destination, migration, system, resources, error);
        if (!request || !vsm_five_resolve(manager, request, error))
                return NULL;

        if (vsm_destination_is_here(manager, request->destination)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                            "DestinationHost is this host itself; name another one.");
                return NULL;
        }

        return g_steal_pointer(&request);
}

/* DestinationHost, or a DestinationSystem's name. */
static int read_destination(VsmManager *manager, sd_bus_message *call, const char **ret, sd_bus_error *error) {
        const VsmHost *host;
        const char *path;
        char type;
        int r;

        r = sd_bus_message_peek_type(call, &type, NULL);
        if (r < 0)
                return r;
        if (type != SD_BUS_TYPE_OBJECT_PATH)
                return sd_bus_message_read(call, "s", ret);

        r = sd_bus_message_read(call, "o", &path);
        if (r < 0)
                return r;

        /* Null, for a move that stays on this host */
        if (g_str_equal(path, "/")) {
                *ret = "";
                return 1;
        }

        host = vsm_host_find_path(manager, path);
        if (!host)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_INVALID_PARAMETER),
                                        "DestinationSystem is no Host that is known here; see AddHost.");

        *ret = vsm_host_data(host)->name;
        return 1;
}

int vsm_five_read(VsmManager *manager, sd_bus_message *call, bool check, VsmFive *ret, sd_bus_error *error) {
        g_autoptr(GError) e = NULL;
        const char *path, *destination;
        size_t length, budget = VSM_LIMIT_MESSAGE;
        VsmRequest *request;
        VsmSystem *system;
        int r;

        r = sd_bus_message_read(call, "o", &path);
        if (r >= 0)
                r = read_destination(manager, call, &destination, error);
        if (r < 0)
                return r;

        length = strlen(path) + strlen(destination);
        if (length >= budget)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "The message is larger than %i bytes.", VSM_LIMIT_MESSAGE);

        system = vsm_system_find_path(manager, path);
        request = read_request(manager, call, destination, check, budget - length,
                               system ? vsm_system_policy(system) : NULL, &e);
        if (!request)
                return vsm_bus_fail(error, e);

        if (!system) {
                vsm_request_free(request);
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_INVALID_PARAMETER),
                                        "ComputerSystem is no system of this host.");
        }

        *ret = (VsmFive) { system, request };
        return 0;
}

int vsm_five_authorize(VsmManager *manager, sd_bus_message *call, const VsmFive *five, sd_bus_error *error) {
        const VsmMember *member = vsm_member_find(sd_bus_message_get_interface(call),
                                                  sd_bus_message_get_member(call));
        const VsmHost *host = vsm_host_match(manager, five->request->destination);
        const char *name = host ? vsm_host_data(host)->name : five->request->destination;
        const VsmMoveType *kind = vsm_move_type(five->request->migration_type);
        const VsmChanges *changes = five->request->changes;
        g_autofree char *paths = vsm_changes_format_paths(changes);
        char type[8], transport[8];
        char *details[19] = { /* pairs, NULL */
                (char*) "system.name", (char*) vsm_system_name(five->system),
                (char*) "system.uuid", (char*) vsm_system_uuid(five->system),
                (char*) "destination", (char*) name,
                (char*) "destination.known", (char*) (host ? "true" : "false"),
                (char*) "migration.type", type,
                (char*) "transport", transport,
        };
        size_t n = 12;

        if (!member)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_ACCESS_DENIED),
                                        "No action covers this method.");

        g_snprintf(type, sizeof type, "%u", five->request->migration_type);
        g_snprintf(transport, sizeof transport, "%u", five->request->transport);

        if (paths) {
                details[n++] = (char*) "path";
                details[n++] = paths;
        }
        if (kind->takes_disks) {
                details[n++] = (char*) "overwrite";
                details[n++] = (char*) (changes->overwrite ? "true" : "false");
                details[n++] = (char*) "remove";
                details[n++] = (char*) (changes->remove_source || changes->remove_source_volumes ? "true" : "false");
        }

        return vsm_polkit_check(manager->polkit, call, member->action, details, error);
}

int vsm_five_check_guest(const VsmFive *five, sd_bus_error *error) {
        VsmGuestNeed need = vsm_move_type(five->request->migration_type)->guest;
        bool active = vsm_system_is_active(five->system);

        if (need == VSM_GUEST_ACTIVE && !active)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_INVALID_STATE),
                                        "The system does not run; only a running or paused one can be moved live. "
                                        "MigrationType 1 moves one that is off.");
        if (need == VSM_GUEST_ACTIVE && vsm_system_is_asleep(five->system))
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_INVALID_STATE),
                                         VSM_GUEST_ASLEEP_TEXT ".", vsm_system_name(five->system));
        if (need == VSM_GUEST_OFF && active)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_INVALID_STATE),
                                        "The system is running or paused, and MigrationType 1 (Other) moves one that "
                                        "is off; 32768 moves a running one.");

        return 0;
}

bool vsm_destination_is_allowed(VsmManager *manager, GVariant *policy, const char *destination) {
        const VsmHost *host = vsm_host_match(manager, destination);
        g_autoptr(GPtrArray) names = g_ptr_array_new();

        /* it stays on this host */
        if (destination[0] == '\0')
                return true;

        g_ptr_array_add(names, (char*) destination);
        if (host) {
                g_ptr_array_add(names, vsm_host_data(host)->name);
                for (char **address = vsm_host_data(host)->addresses; *address; address++)
                        g_ptr_array_add(names, *address);
        }
        g_ptr_array_add(names, NULL);
        return vsm_policy_allows(policy, (const char *const *) names->pdata);
}

VsmDestination* vsm_destination_to(VsmManager *manager, const char *name) {
        VsmDestination *destination = g_new0(VsmDestination, 1);
        const VsmHost *host = vsm_host_match(manager, name);

        destination->host = g_strdup(name);
        destination->authentication = manager->settings.authentication;
        destination->transport = manager->settings.default_transport;
        destination->subnets = vsm_network_subnets(manager);
        destination->sources = vsm_network_sources(manager);
        destination->own_addresses = vsm_addresses_own(manager->addresses);

        if (host) {
                destination->authentication = vsm_host_authentication(manager, host);
                destination->port = vsm_host_data(host)->port;
                destination->host_addresses = g_strdupv(vsm_host_data(host)->addresses);
        }

        return destination;
}

VsmDestination* vsm_destination_of(VsmManager *manager, const VsmRequest *request) {
        VsmDestination *destination = vsm_destination_to(manager, request->destination);

        destination->transport = request->transport;
        destination->addresses = g_strdupv(request->addresses);
        return destination;
}

/* Memory, and disks along with it, go as the transport says; what is copied byte for byte goes over the control
 * connection: the volumes that go along, and all of a system that does not run on its way. */
bool vsm_request_is_encrypted(VsmManager *manager, const VsmRequest *request) {
        g_autoptr(VsmDestination) destination = vsm_destination_of(manager, request);
        const VsmMoveType *type = vsm_move_type(request->migration_type);
        bool control = destination->authentication != VSM_AUTHENTICATION_NONE || request->destination[0] == '\0';

        return (control || (type->memory && request->changes->volumes->len == 0)) &&
                (!type->memory || vsm_transport_strength(request->transport) > 1);
}

VsmMoveOptions* vsm_move_options_of(VsmManager *manager, const char *uuid, const VsmRequest *request) {
        VsmMoveOptions *options = g_new0(VsmMoveOptions, 1);
        const VsmSystem *system = vsm_system_find(manager, uuid);

        if (system && !vsm_destination_is_allowed(manager, vsm_system_policy(system), request->destination))
                options->not_allowed = vsm_policy_hosts_to_text(vsm_system_policy(system));

        g_strlcpy(options->uuid, uuid, sizeof options->uuid);
        options->destination = vsm_destination_of(manager, request);
        options->type = request->migration_type;
        options->changes = vsm_changes_copy(request->changes);
        options->directories = g_strdupv(vsm_settings_directories(manager));
        options->bandwidth = request->bandwidth;
        options->compression = request->compression > 0;
        options->throttling = request->throttling;
        options->throttle_magnitude = request->throttle_magnitude;
        options->max_downtime = request->max_downtime;
        options->connections = request->connections;
        options->post_copy = g_strcmp0(request->post_copy, "now") == 0 ? VSM_POST_COPY_NOW :
                g_strcmp0(request->post_copy, "auto") == 0 ? VSM_POST_COPY_AUTO : VSM_POST_COPY_NEVER;
        return options;
}
