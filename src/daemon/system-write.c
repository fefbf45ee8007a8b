/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Writing MigrationState: the only writable property. A setter of sd-bus cannot wait for polkit (the
 * caller would be told success at once), so the call is taken before the vtable, as a method.
 * Bus thread only. */

#include <errno.h>

#include "daemon/actions.h"
#include "daemon/bus-variant.h"
#include "daemon/system-write.h"
#include "daemon/system.h"
#include "shared/cleanup.h"
#include "shared/error.h"
#include "shared/names.h"

int vsm_system_write_unreachable(sd_bus *bus, const char *path, const char *interface, const char *property,
                                 sd_bus_message *value, void *userdata, sd_bus_error *error) {
        (void) sd_bus_message_skip(value, NULL);
        return sd_bus_error_set(error, SD_BUS_ERROR_ACCESS_DENIED, "This cannot be written here.");
}

typedef struct ResetTask {
        VsmTask task;
        VsmStore *store;
        char *uuid;
        sd_bus_message *call;
} ResetTask;

static void reset_run(VsmTask *task) {
        ResetTask *t = (ResetTask*) task;

        (void) vsm_store_system_set(t->store, t->uuid, VSM_MIGRATION_STATE_NONE, 0, &task->error);
}

static void reset_done(VsmTask *task, void *userdata) {
        ResetTask *t = (ResetTask*) task;
        VsmManager *manager = userdata;
        VsmSystem *system = vsm_system_find(manager, t->uuid);

        if (task->error) {
                vsm_bus_reply_error(t->call, task->error);
                return;
        }

        /* a migration may have begun while the disk was written: its state is the newer truth */
        if (system && vsm_system_active_job(system) == 0)
                vsm_system_set_migration(system, VSM_MIGRATION_STATE_NONE, VSM_REASON_NONE);

        (void) sd_bus_reply_method_return(t->call, NULL);
}

static void reset_free(VsmTask *task) {
        ResetTask *t = (ResetTask*) task;

        sd_bus_message_unref(t->call);
        g_free(t->uuid);
        g_free(t);
}

static int refuse(sd_bus_error *error, VsmError code, const char *message) {
        return sd_bus_error_set(error, vsm_error_to_bus_name(code), message);
}

static int authorize(VsmManager *manager, VsmSystem *system, sd_bus_message *call, sd_bus_error *error) {
        char *details[] = {
                (char*) "system.name", (char*) vsm_system_name(system),
                (char*) "system.uuid", (char*) vsm_system_uuid(system),
                NULL
        };

        return vsm_polkit_check(manager->polkit, call,
                                vsm_member_find(VSM_INTERFACE_SYSTEM, "MigrationState")->action, details, error);
}

static int read_value(sd_bus_message *call, sd_bus_error *error) {
        g_autoptr(GVariant) value = NULL;
        g_autoptr(GError) e = NULL;
        size_t budget = VSM_LIMIT_MESSAGE;
        g_autoptr(GVariant) boxed = NULL;

        value = vsm_bus_read_variant(call, &budget, &e);
        if (!value)
                return vsm_bus_fail(error, e);

        boxed = g_variant_get_variant(value);
        if (!g_variant_is_of_type(boxed, G_VARIANT_TYPE_UINT32))
                return refuse(error, VSM_ERROR_INVALID_PARAMETER,
                              "MigrationState is a number of type u; 0 is the one value that can be written.");
        if (g_variant_get_uint32(boxed) != VSM_MIGRATION_STATE_NONE)
                return refuse(error, VSM_ERROR_INVALID_PARAMETER,
                              "MigrationState can only be set back to 0, after a failed or cancelled migration.");

        return 0;
}

static int write_state(VsmManager *manager, VsmSystem *system, sd_bus_message *call, sd_bus_error *error) {
        ResetTask *t;
        int r;

        r = read_value(call, error);
        if (r < 0)
                return r;

        r = authorize(manager, system, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (vsm_system_active_job(system) > 0)
                return refuse(error, VSM_ERROR_INVALID_STATE,
                              "The system is being migrated; cancel its job, or wait for its end.");

        t = vsm_task_new(ResetTask, reset_run, reset_done, reset_free);
        t->store = manager->store;
        t->uuid = g_strdup(vsm_system_uuid(system));
        t->call = sd_bus_message_ref(call);
        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
        return 1;
}

int vsm_system_write(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        const char *interface, *property;
        VsmSystem *system;
        int r;

        /* being asked first makes every path below exist for sd-bus: those without a system do not */
        system = vsm_system_find_path(manager, sd_bus_message_get_path(call));
        if (!system && !g_str_equal(sd_bus_message_get_path(call), VSM_OBJECT_PATH_SYSTEM))
                return sd_bus_error_setf(error, SD_BUS_ERROR_UNKNOWN_OBJECT, "Unknown object '%s'.",
                                         sd_bus_message_get_path(call));

        if (!system || !sd_bus_message_is_method_call(call, "org.freedesktop.DBus.Properties", "Set") ||
            !sd_bus_message_has_signature(call, "ssv"))
                return 0;

        r = sd_bus_message_read(call, "ss", &interface, &property);
        if (r >= 0 && g_str_equal(interface, VSM_INTERFACE_SYSTEM) && g_str_equal(property, "MigrationState"))
                return write_state(manager, system, call, error);

        /* not ours: as if we had not looked */
        r = sd_bus_message_rewind(call, true);
        return r < 0 ? r : 0;
}
