/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl status: the service, or one system in full. */

#include <glib/gi18n.h>
#include <inttypes.h>

#include "client/job-fields.h"
#include "client/message.h"
#include "client/objects.h"
#include "client/output.h"
#include "client/text.h"
#include "client/verbs.h"
#include "client/words.h"
#include "shared/enums.h"

/* CIM_ManagedSystemElement.HealthState: the service has it while libvirt answers */
#define HEALTH_STATE_OK 5

/* ---- the service ---- */

typedef struct Service {
        JsonObject *service;
        JsonObject *settings;
        JsonObject *capabilities;
        JsonObject *manager;
        JsonObject *objects;
} Service;

static void service_done(Service *s) {
        g_clear_pointer(&s->service, json_object_unref);
        g_clear_pointer(&s->settings, json_object_unref);
        g_clear_pointer(&s->capabilities, json_object_unref);
        g_clear_pointer(&s->manager, json_object_unref);
        g_clear_pointer(&s->objects, json_object_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Service, service_done)

static bool service_get(VsmClient *client, Service *s, GError **error) {
        struct {
                const char *interface;
                JsonObject **ret;
        } interfaces[] = {
                { VSM_INTERFACE_SERVICE,      &s->service      },
                { VSM_INTERFACE_SETTINGS,     &s->settings     },
                { VSM_INTERFACE_CAPABILITIES, &s->capabilities },
                { VSM_INTERFACE_MANAGER,      &s->manager      },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(interfaces); i++) {
                *interfaces[i].ret = vsm_client_get_properties(client, VSM_OBJECT_PATH,
                                                               interfaces[i].interface, error);
                if (!*interfaces[i].ret)
                        return false;
        }

        s->objects = vsm_client_get_objects(client, error);
        return s->objects;
}

static void service_print_json(const Service *s) {
        g_autoptr(JsonObject) all = json_object_new();

        json_object_set_object_member(all, "Service", json_object_ref(s->service));
        json_object_set_object_member(all, "ServiceSettingData", json_object_ref(s->settings));
        json_object_set_object_member(all, "Capabilities", json_object_ref(s->capabilities));
        json_object_set_object_member(all, "Manager", json_object_ref(s->manager));
        vsm_output_json_object(all, /* pretty= */ true);
}

static void add_state(VsmTable *table, const Service *s) {
        uint16_t state = (uint16_t) vsm_object_get_uint(s->service, "EnabledState");
        g_autofree char *since = vsm_text_time(vsm_object_get_uint(s->service, "TimeOfLastStateChange"));
        g_autofree char *descriptions =
                        vsm_array_join(vsm_object_get_array(s->service, "StatusDescriptions"));
        g_autofree char *libvirt = vsm_text_version(vsm_object_get_uint(s->manager, "LibvirtVersion"));
        g_autofree char *hypervisor = vsm_text_version(vsm_object_get_uint(s->manager, "HypervisorVersion"));

        vsm_table_field(table, _("State"), vsm_word(vsm_enabled_state_to_string(state)));
        if (vsm_object_get_uint(s->service, "TimeOfLastStateChange") > 0)
                vsm_table_field(table, _("Since"), since);
        if (vsm_object_get_bool(s->manager, "Draining"))
                vsm_table_field(table, _("Draining"), _("yes"));

        if (vsm_object_get_uint(s->service, "HealthState") == HEALTH_STATE_OK)
                vsm_table_fieldf(table, _("libvirt"), _("connected, version %s, hypervisor %s"), libvirt,
                                 hypervisor);
        else
                vsm_table_fieldf(table, _("libvirt"), _("not connected: %s"), descriptions);
}

static void add_counters(VsmTable *table, const Service *s) {
        vsm_table_fieldf(table, _("Running"),
                         _("%" PRIu64 " of %" PRIu64 " migrations of systems, "
                           "%" PRIu64 " of %" PRIu64 " of storage"),
                         vsm_object_get_uint(s->service, "ActiveVirtualSystemMigrationCount"),
                         vsm_object_get_uint(s->settings, "MaximumActiveVirtualSystemMigration"),
                         vsm_object_get_uint(s->service, "ActiveStorageMigrationCount"),
                         vsm_object_get_uint(s->settings, "MaximumActiveStorageMigration"));
        vsm_table_fieldf(table, _("Queued"), "%" PRIu64,
                         vsm_object_get_uint(s->manager, "QueuedJobs"));
}

static void add_settings(VsmTable *table, const Service *s) {
        uint64_t bandwidth = vsm_object_get_uint(s->settings, "MaximumBandwidth");
        g_autofree char *rate = vsm_text_bytes(bandwidth);
        g_autofree char *stall = vsm_text_duration(vsm_object_get_uint(s->settings, "StallTimeout"));
        uint16_t transport = (uint16_t) vsm_object_get_uint(s->settings, "DefaultTransportType");

        vsm_table_field(table, _("Migrations of running systems"),
                        vsm_object_get_bool(s->settings, "EnableVirtualSystemMigration") ? _("allowed")
                                                                                         : _("forbidden"));
        vsm_table_fieldf(table, _("Transport"), _("%s or better"),
                         vsm_word(vsm_transport_to_string(transport)));
        vsm_table_field(table, _("Post-copy"),
                        vsm_word(vsm_object_get_string(s->settings, "DefaultPostCopy")));
        if (bandwidth > 0)
                vsm_table_fieldf(table, _("Bandwidth"), _("at most %s/s for all together"), rate);
        else
                vsm_table_field(table, _("Bandwidth"), _("unlimited"));
        vsm_table_fieldf(table, _("Stall limit"), "%s", stall);
}

static void add_addresses(VsmTable *table, const Service *s) {
        g_autofree char *addresses = NULL, *features = NULL;

        addresses = vsm_array_join(
                        vsm_object_get_array(s->service, "MigrationServiceListenerIPAddressList"));
        features = vsm_array_join(vsm_object_get_array(s->manager, "Features"));
        vsm_table_field(table, _("Addresses"), *addresses ? addresses : "-");
        vsm_table_field(table, _("Features"), features);
}

static void add_hosts(VsmTable *table, const Service *s) {
        g_autoptr(GPtrArray) hosts = vsm_objects_select(s->objects, VSM_INTERFACE_HOST);
        g_autoptr(GString) text = g_string_new(NULL);

        for (guint i = 0; i < hosts->len; i++) {
                JsonObject *host = g_ptr_array_index(hosts, i);

                g_string_append_printf(text, "%s%s (%s)", i > 0 ? ", " : "",
                                       vsm_object_get_string(host, "Name"),
                                       vsm_word(vsm_object_get_string(host, "State")));
        }

        vsm_table_field(table, _("Hosts"), text->str);
}

static int status_of_service(VsmClient *client) {
        g_autoptr(VsmTable) table = vsm_table_new_fields();
        g_auto(Service) s = {};
        GError *error = NULL;

        if (!service_get(client, &s, &error))
                return vsm_client_fail(client, error);

        if (client->json) {
                service_print_json(&s);
                return VSM_EXIT_SUCCESS;
        }

        vsm_table_fieldf(table, _("Service"), _("%s on %s, version %s"),
                         vsm_object_get_string(s.service, "ElementName"),
                         vsm_object_get_string(s.service, "SystemName"),
                         vsm_object_get_string(s.manager, "Version"));
        add_state(table, &s);
        add_counters(table, &s);
        add_settings(table, &s);
        add_addresses(table, &s);
        add_hosts(table, &s);
        vsm_table_print(table);
        return VSM_EXIT_SUCCESS;
}

/* ---- one system ---- */

static void add_system(VsmTable *table, JsonObject *objects, JsonObject *system) {
        g_autofree char *memory = vsm_text_bytes(vsm_object_get_uint(system, "MemorySize"));
        g_autofree char *migration = vsm_system_format_migration(objects, system);
        uint64_t reason = vsm_object_get_uint(system, "MigrationFailureReason");

        vsm_table_field(table, _("System"), vsm_object_get_string(system, "ElementName"));
        vsm_table_field(table, _("UUID"), vsm_object_get_string(system, "Name"));
        vsm_table_field(table, _("Description"), vsm_object_get_string(system, "Description"));
        vsm_table_field(table, _("State"), vsm_system_state_word(system));
        vsm_table_fieldf(table, _("Memory"), "%s", memory);
        vsm_table_fieldf(table, _("Processors"), "%" PRIu64,
                         vsm_object_get_uint(system, "NumberOfProcessors"));
        vsm_table_field(table, _("Persistent"), vsm_word_yes_no(vsm_object_get_bool(system, "Persistent")));
        vsm_table_field(table, _("Autostart"), vsm_word_yes_no(vsm_object_get_bool(system, "Autostart")));
        vsm_table_field(table, _("Migration"), *migration ? migration : vsm_word("none"));
        if (reason == VSM_REASON_BUSY)
                vsm_table_fieldf(table, _("Failure"), _("libvirt had another job of it running (0x%08X)"),
                                 (unsigned) reason);
        else if (reason != VSM_REASON_NONE)
                vsm_table_fieldf(table, _("Failure"), "0x%08X", (unsigned) reason);
}

/* What the administrator has set for it, one "Key=value" after the other. */
static void add_policy(VsmTable *table, JsonObject *system) {
        JsonObject *policy = vsm_object_get_object(system, "MigrationPolicy");
        g_autoptr(GList) names = policy ? json_object_get_members(policy) : NULL;
        g_autoptr(GString) text = g_string_new(NULL);

        for (GList *l = names; l; l = l->next) {
                g_autofree char *value =
                                json_to_string(json_object_get_member(policy, l->data), /* pretty= */ FALSE);

                g_string_append_printf(text, "%s%s=%s", text->len > 0 ? " " : "", (const char *) l->data,
                                       value);
        }

        vsm_table_field(table, _("Policy"), text->str);
}

static int status_of_system(VsmClient *client, const char *vm) {
        g_autoptr(JsonObject) objects = NULL, system = NULL, job = NULL;
        g_autoptr(VsmTable) table = vsm_table_new_fields();
        g_autofree char *path = NULL;
        GError *error = NULL;

        path = vsm_client_find_system(client, vm, &error);
        if (!path)
                return vsm_client_fail(client, error);

        objects = vsm_client_get_objects(client, &error);
        if (!objects)
                return vsm_client_fail(client, error);

        system = vsm_objects_find(objects, path, VSM_INTERFACE_SYSTEM);
        if (!system) {
                g_set_error(&error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_NO_OBJECT,
                            _("There is no system '%s'"), vm);
                return vsm_client_fail(client, error);
        }

        job = vsm_objects_find(objects, vsm_object_get_string(system, "MigrationJob"), VSM_INTERFACE_JOB);
        if (client->json) {
                if (job)
                        json_object_set_object_member(system, "Job", json_object_ref(job));
                vsm_output_json_object(system, /* pretty= */ true);
                return VSM_EXIT_SUCCESS;
        }

        add_system(table, objects, system);
        add_policy(table, system);
        vsm_table_print(table);
        if (job) {
                g_print("\n");
                vsm_job_print(job);
        }

        return VSM_EXIT_SUCCESS;
}

int vsm_verb_status(VsmClient *client, int argc, char **argv) {
        GError *error = NULL;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 0, 1, &error))
                return vsm_client_fail(client, error);

        return argc > 1 ? status_of_system(client, argv[1]) : status_of_service(client);
}
