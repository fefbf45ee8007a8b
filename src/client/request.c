/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The five arguments of checks and migrations, from a command line. The service decides what of it can be
 * done; here is only the form (dbus-api, section 5). */

#include <glib/gi18n.h>
#include <string.h>

#include "client/message.h"
#include "client/request.h"
#include "client/settings-arg.h"
#include "shared/enums.h"

/* CIM_ResourceAllocationSettingData.ResourceType */
#define RESOURCE_TYPE_ETHERNET  10
#define RESOURCE_TYPE_DISK      31

void vsm_request_done(VsmRequest *request) {
        g_clear_pointer(&request->type, g_free);
        g_clear_pointer(&request->name, g_free);
        g_clear_pointer(&request->description, g_free);
        g_clear_pointer(&request->planned, g_free);
        g_clear_pointer(&request->settings, g_strfreev);
        g_clear_pointer(&request->disks, g_strfreev);
        g_clear_pointer(&request->networks, g_strfreev);
        g_clear_pointer(&request->migration, g_variant_unref);
        g_clear_pointer(&request->system, g_variant_unref);
        g_clear_pointer(&request->resources, g_variant_unref);
}

/* --type and --planned are --set in short, so the two together are a key given twice. */
static bool build_migration(VsmRequest *request, GError **error) {
        g_autoptr(GPtrArray) assignments = g_ptr_array_new_with_free_func(g_free);

        if (request->type)
                g_ptr_array_add(assignments, g_strdup_printf("MigrationType=%s", request->type));
        if (request->planned)
                g_ptr_array_add(assignments,
                                g_strdup_printf("DestinationPlannedVirtualSystemId=%s", request->planned));
        for (char **setting = request->settings; setting && *setting; setting++)
                g_ptr_array_add(assignments, g_strdup(*setting));
        g_ptr_array_add(assignments, NULL);

        request->migration = vsm_settings_parse(vsm_migration_setting_keys,
                                                (const char *const *) assignments->pdata, error);
        return request->migration;
}

static bool build_system(VsmRequest *request, GError **error) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

        if (request->autostart && request->no_autostart) {
                g_set_error_literal(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                                    _("--autostart and --no-autostart exclude each other"));
                return false;
        }

        if (request->name)
                g_variant_dict_insert(&dict, "ElementName", "s", request->name);

        if (request->description)
                g_variant_dict_insert(&dict, "Description", "s", request->description);
        if (request->autostart || request->no_autostart)
                g_variant_dict_insert(&dict, "AutomaticStart", "b", request->autostart);

        request->system = g_variant_ref_sink(g_variant_dict_end(&dict));
        return true;
}

/* "vda=/there/web.qcow2", "vda=pool", or "vda=" for what the destination's pool decides; "MAC=network" */
static bool add_resource(GVariantBuilder *list, uint16_t type, const char *assignment, GError **error) {
        const char *equals = strchr(assignment, '='), *value;
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
        g_autofree char *id = NULL;
        bool disk = type == RESOURCE_TYPE_DISK;

        if (!equals || equals == assignment || (!disk && !equals[1])) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            disk ? _("'%s' is not of the form TARGET=PATH or TARGET=POOL") :
                                   _("'%s' is not of the form MAC=NAME"),
                            assignment);
                return false;
        }

        id = g_strndup(assignment, equals - assignment);
        value = equals + 1;

        g_variant_dict_insert(&dict, "ResourceType", "q", type);
        g_variant_dict_insert(&dict, "InstanceID", "s", id);
        if (!disk)
                g_variant_dict_insert_value(&dict, "Connection", g_variant_new_strv(&value, 1));
        else if (*value == '/' || *value == '\0')
                g_variant_dict_insert_value(&dict, "HostResource", g_variant_new_strv(&value, 1));
        else
                g_variant_dict_insert(&dict, "PoolID", "s", value);

        g_variant_builder_add_value(list, g_variant_dict_end(&dict));
        return true;
}

static bool build_resources(VsmRequest *request, GError **error) {
        g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));

        for (char **disk = request->disks; disk && *disk; disk++)
                if (!add_resource(&list, RESOURCE_TYPE_DISK, *disk, error))
                        return false;

        for (char **network = request->networks; network && *network; network++)
                if (!add_resource(&list, RESOURCE_TYPE_ETHERNET, *network, error))
                        return false;

        request->resources = g_variant_ref_sink(g_variant_builder_end(&list));
        return true;
}

bool vsm_request_build(VsmRequest *request, GError **error) {
        return build_migration(request, error) && build_resources(request, error) && build_system(request, error);
}

uint16_t vsm_request_get_type(const VsmRequest *request) {
        uint16_t type = 0;

        (void) g_variant_lookup(request->migration, "MigrationType", "q", &type);
        return type == 0 || type == VSM_MIGRATION_TYPE_LIVE ? VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM : type;
}

const char* vsm_request_get_host(int argc, char **argv) {
        return argc > 2 ? argv[2] : "";
}

/* The host is what a move of storage has none of. */
static bool check_host(const VsmRequest *request, const VsmClient *client, int argc, GError **error) {
        bool storage = vsm_request_get_type(request) == VSM_MIGRATION_TYPE_STORAGE;

        g_autofree char *usage = g_strdup_printf(storage ? "vsmctl %s VM" : "vsmctl %s VM HOST", client->verb->name);

        if (storage == (argc <= 2))
                return true;

        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                    storage ? _("That is too much. The form is: %s") : _("Something is missing. The form is: %s"),
                    usage);
        return false;
}

bool vsm_request_parse(
                VsmRequest *request,
                VsmClient *client,
                const GOptionEntry *entries,
                int *argc,
                char ***argv,
                GError **error) {

        g_autoptr(GArray) all = g_array_new(/* zero_terminated= */ TRUE, FALSE, sizeof(GOptionEntry));
        const GOptionEntry own[] = {
                { "type", 't', 0, G_OPTION_ARG_FILENAME, &request->type,
                  N_("live (default), storage, live-and-storage, staged, resume, restart or offline"),
                  N_("TYPE") },
                { "set", 's', 0, G_OPTION_ARG_FILENAME_ARRAY, &request->settings,
                  N_("A key of the migration setting data, see vsmctl(1)"), N_("KEY=VALUE") },
                { "disk", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &request->disks,
                  N_("Where a disk goes; * is every other one"), N_("TARGET=PATH|POOL") },
                { "network", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &request->networks,
                  N_("What a network interface is connected to at the destination"), N_("MAC=NAME") },
                { "name", 0, 0, G_OPTION_ARG_FILENAME, &request->name,
                  N_("The name at the destination"), N_("NEW") },
                { "description", 0, 0, G_OPTION_ARG_FILENAME, &request->description,
                  N_("The description at the destination"), N_("TEXT") },
                { "autostart", 0, 0, G_OPTION_ARG_NONE, &request->autostart,
                  N_("Start it there with its host"), NULL },
                { "no-autostart", 0, 0, G_OPTION_ARG_NONE, &request->no_autostart,
                  N_("Do not start it there with its host"), NULL },
                { "planned", 0, 0, G_OPTION_ARG_FILENAME, &request->planned,
                  N_("The planned system there to merge with"), N_("UUID") },
        };

        g_array_append_vals(all, own, G_N_ELEMENTS(own));
        for (; entries && entries->long_name; entries++)
                g_array_append_vals(all, entries, 1);

        return vsm_client_parse(client, (const GOptionEntry*) all->data, argc, argv, 1, 2, error) &&
                vsm_request_build(request, error) && check_host(request, client, *argc, error);
}

sd_bus_message* vsm_request_new_call(
                const VsmRequest *request,
                VsmClient *client,
                const char *interface,
                const char *member,
                const char *system,
                const char *host,
                GError **error) {

        g_autoptr(sd_bus_message) call = NULL;
        int r;

        call = vsm_client_new_call(client, VSM_OBJECT_PATH, interface, member, error);
        if (!call)
                return NULL;

        r = sd_bus_message_append(call, "os", system, host);
        if (r < 0) {
                vsm_error_set_errno(error, r, _("The request cannot be written"));
                return NULL;
        }

        if (!vsm_message_append(call, request->migration, error) ||
            !vsm_message_append(call, request->system, error) ||
            !vsm_message_append(call, request->resources, error))
                return NULL;

        return g_steal_pointer(&call);
}
