/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The Manager interface of the root: what CIM does not have. Looking systems up; the rest comes with
 * prediction, evacuation and history. Bus thread only. */

#include "config.h"

#include <string.h>

#include "daemon/actions.h"
#include "daemon/bus-variant.h"
#include "daemon/draining.h"
#include "daemon/evacuation.h"
#include "daemon/five.h"
#include "daemon/history.h"
#include "daemon/queue.h"
#include "daemon/service.h"
#include "daemon/system.h"
#include "shared/cleanup.h"
#include "shared/error.h"
#include "shared/names.h"

#define API_VERSION 1

static void changed(VsmManager *manager, const char *property) {
        vsm_bus_changed(manager->bus, VSM_OBJECT_PATH, VSM_INTERFACE_MANAGER, property);
}

static int method_get_system(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        g_autofree char *lower = NULL;
        VsmSystem *system;
        const char *wanted;
        int r;

        r = sd_bus_message_read(call, "s", &wanted);
        if (r < 0)
                return r;
        if (strlen(wanted) > VSM_LIMIT_STRING)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "NameOrUUID is longer than the %i bytes that a string may have.",
                                         VSM_LIMIT_STRING);

        r = vsm_polkit_check(manager->polkit, call,
                             vsm_member_find(VSM_INTERFACE_MANAGER, "GetSystem")->action, NULL, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        lower = g_ascii_strdown(wanted, -1);
        system = vsm_system_find(manager, lower);
        if (!system)
                system = vsm_system_find_name(manager, wanted);
        if (!system)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_INVALID_PARAMETER),
                                        "This host has no system of that name or UUID.");

        return sd_bus_reply_method_return(call, "o", vsm_system_path(system));
}

/* Methods of the root by their names, others with the last part of their interface before it. */
static char* feature_name(const VsmMember *member) {
        const char *rest = member->interface + strlen(VSM_BUS_NAME);

        if (*rest == 0 || g_str_equal(member->interface, VSM_INTERFACE_MANAGER))
                return g_strdup(member->member);

        return g_strconcat(rest + 1, ".", member->member, NULL);
}

static int property_get_features(sd_bus *bus, const char *path, const char *interface, const char *property,
                                 sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        int r;

        r = sd_bus_message_open_container(reply, 'a', "s");
        if (r < 0)
                return r;

        for (const VsmMember *m = vsm_members(); m->interface; m++) {
                g_autofree char *name = m->built ? feature_name(m) : NULL;

                if (!name)
                        continue;

                r = sd_bus_message_append(reply, "s", name);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(reply);
}

#define GETTER(name, signature, expression)                                                             \
        static int property_get_##name(sd_bus *bus, const char *path, const char *interface,            \
                                       const char *property, sd_bus_message *reply, void *userdata,     \
                                       sd_bus_error *error) {                                           \
                VsmManager *manager = userdata;                                                         \
                                                                                                        \
                (void) manager;                                                                         \
                return sd_bus_message_append(reply, signature, expression);                             \
        }

GETTER(api_version, "u", API_VERSION)
GETTER(version, "s", PACKAGE_VERSION)
GETTER(draining, "b", (int) vsm_draining(manager))
GETTER(libvirt_version, "t", manager->host.libvirt_version)
GETTER(hypervisor_version, "t", manager->host.hypervisor_version)
GETTER(queued_jobs, "u", vsm_queue_length(manager->queue))

#define CHANGE SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define METHOD(name, in, in_names, out, out_names, handler)                                             \
        SD_BUS_METHOD_WITH_NAMES(name, in, in_names, out, out_names, handler, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("GetSystem", "s", SD_BUS_PARAM(NameOrUUID), "o", SD_BUS_PARAM(System), method_get_system),
        METHOD("SetMigrationPolicy", "oa{sv}", SD_BUS_PARAM(System) SD_BUS_PARAM(Policy), NULL,,
               vsm_method_set_policy),
        METHOD("AddHost", "a{sv}", SD_BUS_PARAM(Host), "o", SD_BUS_PARAM(Host), vsm_method_add_host),
        METHOD("RemoveHost", "o", SD_BUS_PARAM(Host), NULL,, vsm_method_remove_host),
        METHOD("Predict", "osa{sv}a{sv}aa{sv}",
               SD_BUS_PARAM(ComputerSystem) SD_BUS_PARAM(DestinationHost) SD_BUS_PARAM(MigrationSettingData)
               SD_BUS_PARAM(NewSystemSettingData) SD_BUS_PARAM(NewResourceSettingData),
               "a{sv}", SD_BUS_PARAM(Prediction), vsm_method_predict),
        METHOD("PlanEvacuation", "a{sv}", SD_BUS_PARAM(Options), "saa{sv}",
               SD_BUS_PARAM(PlanID) SD_BUS_PARAM(Plan), vsm_method_plan_evacuation),
        METHOD("Evacuate", "a{sv}", SD_BUS_PARAM(Options), "o", SD_BUS_PARAM(Job), vsm_method_evacuate),
        METHOD("BringBack", "a{sv}", SD_BUS_PARAM(Options), "o", SD_BUS_PARAM(Job), vsm_method_bring_back),
        METHOD("ListHistory", "a{sv}", SD_BUS_PARAM(Filter), "aa{sv}", SD_BUS_PARAM(Entries),
               vsm_method_list_history),
        SD_BUS_PROPERTY("APIVersion", "u", property_get_api_version, 0, CHANGE),
        SD_BUS_PROPERTY("Features", "as", property_get_features, 0, CHANGE),
        SD_BUS_PROPERTY("Version", "s", property_get_version, 0, CHANGE),
        SD_BUS_PROPERTY("Draining", "b", property_get_draining, 0, CHANGE),
        SD_BUS_PROPERTY("LibvirtVersion", "t", property_get_libvirt_version, 0, CHANGE),
        SD_BUS_PROPERTY("HypervisorVersion", "t", property_get_hypervisor_version, 0, CHANGE),
        SD_BUS_PROPERTY("QueuedJobs", "u", property_get_queued_jobs, 0, CHANGE),
        SD_BUS_VTABLE_END
};

int vsm_lookup_register(VsmManager *manager) {
        return sd_bus_add_object_vtable(vsm_bus_get(manager->bus), NULL, VSM_OBJECT_PATH,
                                        VSM_INTERFACE_MANAGER, vtable, manager);
}

void vsm_lookup_libvirt_changed(VsmManager *manager) {
        changed(manager, "LibvirtVersion");
        changed(manager, "HypervisorVersion");
}

void vsm_lookup_queue_changed(VsmManager *manager) {
        changed(manager, "QueuedJobs");
}

/* ---- what comes with a later version ---- */

int vsm_method_predict(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        g_auto(VsmFive) five = {};
        int r;

        /* read before anybody is asked, as the message is kept until the answer: so its size has a limit */
        r = vsm_five_read(manager, call, true, &five, error);
        if (r < 0)
                return r;

        r = vsm_five_authorize(manager, call, &five, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_NOT_SUPPORTED),
                                 "%s comes with a later version of vsmd; Manager.Features lists what this one does.",
                                 sd_bus_message_get_member(call));
}
