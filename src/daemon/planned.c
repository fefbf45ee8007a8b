/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The objects of planned systems, and Destroy. Bus thread only, but for destroy_run(), which says so. */

#include "config.h"

#include <glib/gi18n.h>
#include <string.h>

#include "daemon/actions.h"
#include "daemon/answer.h"
#include "daemon/planned.h"
#include "shared/cleanup.h"
#include "shared/error.h"
#include "shared/names.h"

struct VsmPlannedSystem {
        VsmManager *manager;
        VsmDomainInfo *info;
        char *path;
        bool destroying;
};

static VsmPlannedSystem *find_path(VsmManager *manager, const char *path) {
        const char *tail = vsm_bus_path_tail(path, VSM_OBJECT_PATH_PLANNED);
        char uuid[VSM_UUID_SIZE];

        if (!tail || strlen(tail) != sizeof uuid - 1 || strchr(tail, '-'))
                return NULL;

        memcpy(uuid, tail, sizeof uuid);
        return g_hash_table_lookup(manager->planned, g_strdelimit(uuid, "_", '-'));
}

/* ---- Destroy ---- */

typedef struct DestroyTask {
        VsmTask task;
        VsmVirt *virt;
        VsmCancel *cancel;
        VsmAnswer *answer; /* bus thread only */
        char uuid[VSM_UUID_SIZE];
} DestroyTask;

/* A worker. */
static void destroy_run(VsmTask *task) {
        DestroyTask *t = (DestroyTask *) task;

        /* the caller was told that nothing was done: it waited too long for its turn */
        if (vsm_cancel_fired(t->cancel))
                g_set_error(&task->error, VSM_ERROR, VSM_ERROR_CANCELLED, "Too late");
        else
                (void) vsm_virt_destroy_planned(t->virt, t->uuid, &task->error);
}

static void destroy_done(VsmTask *task, void *userdata) {
        DestroyTask *t = (DestroyTask *) task;
        VsmManager *manager = userdata;
        VsmPlannedSystem *planned = g_hash_table_lookup(manager->planned, t->uuid);

        if (task->error) {
                if (planned)
                        planned->destroying = false;
                vsm_answer_error(t->answer, task->error);
                return;
        }

        /* libvirt's event says so too, but maybe after the answer */
        vsm_planned_system_apply(manager, t->uuid, NULL);
        vsm_answer_done(t->answer);
}

static void destroy_free(VsmTask *task) {
        DestroyTask *t = (DestroyTask *) task;

        vsm_cancel_unref(t->cancel);
        vsm_answer_free(t->answer);
        g_free(t);
}

/* The action's own sentence names a destination; what is removed is on this host. */
static int authorize(const VsmPlannedSystem *planned, sd_bus_message *call, sd_bus_error *error) {
        char *details[] = {
                (char *) "system.name", planned->info->name,
                (char *) "system.uuid", planned->info->uuid,
                (char *) "remove", (char *) "true",
                (char *) "polkit.message",
                (char *) N_("Authentication is required to remove the planned system $(system.name)."),
                (char *) "polkit.gettext_domain", (char *) GETTEXT_PACKAGE,
                NULL
        };

        return vsm_polkit_check(planned->manager->polkit, call,
                                vsm_member_find(VSM_INTERFACE_PLANNED, "Destroy")->action, details, error);
}

static int method_destroy(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmPlannedSystem *planned = userdata;
        VsmManager *manager = planned->manager;
        DestroyTask *t;
        int r;

        r = authorize(planned, call, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        if (planned->destroying)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_INVALID_STATE),
                                        "The planned system is being removed already.");

        planned->destroying = true;
        t = vsm_task_new(DestroyTask, destroy_run, destroy_done, destroy_free);
        t->virt = manager->virt;
        memcpy(t->uuid, planned->info->uuid, sizeof t->uuid);
        t->answer = vsm_answer_new(manager, call,
                                   "Removing the planned system takes long; its object goes when it "
                                   "is done, and Destroy can be called again when it stays.");
        t->cancel = vsm_cancel_ref(vsm_answer_cancel(t->answer));
        vsm_worker_push(manager->worker, VSM_LANE_CHECK, &t->task);
        return 1;
}

/* ---- properties ---- */

#define GETTER(name, expression)                                                                            \
        static int property_get_##name(sd_bus *bus, const char *path, const char *interface,                \
                                       const char *property, sd_bus_message *reply, void *userdata,         \
                                       sd_bus_error *error) {                                               \
                const VsmPlannedSystem *planned = userdata;                                                 \
                                                                                                            \
                return sd_bus_message_append(reply, "s", expression);                                       \
        }

GETTER(name, planned->info->uuid)
GETTER(element_name, planned->info->name)
GETTER(source_host, planned->info->planned_source)

static const sd_bus_vtable vtable[] = {
                SD_BUS_VTABLE_START(0),
                SD_BUS_METHOD("Destroy", NULL, NULL, method_destroy, SD_BUS_VTABLE_UNPRIVILEGED),
                SD_BUS_PROPERTY("Name", "s", property_get_name, 0, SD_BUS_VTABLE_PROPERTY_CONST),
                SD_BUS_PROPERTY("ElementName", "s", property_get_element_name, 0,
                                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
                SD_BUS_PROPERTY("SourceHost", "s", property_get_source_host, 0,
                                SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE),
                SD_BUS_VTABLE_END};

static int find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                sd_bus_error *error) {
        VsmPlannedSystem *planned = find_path(userdata, path);

        if (!planned)
                return 0;

        *ret = planned;
        return 1;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        VsmManager *manager = userdata;
        GHashTableIter iter;
        VsmPlannedSystem *planned;
        char **paths;
        size_t n = 0;

        paths = g_new0(char *, g_hash_table_size(manager->planned) + 1);
        g_hash_table_iter_init(&iter, manager->planned);
        while (g_hash_table_iter_next(&iter, NULL, (void **) &planned))
                paths[n++] = g_strdup(planned->path);

        *ret = paths;
        return 0;
}

int vsm_planned_system_register(VsmManager *manager) {
        sd_bus *bus = vsm_bus_get(manager->bus);
        int r;

        r = sd_bus_add_fallback_vtable(bus, NULL, VSM_OBJECT_PATH_PLANNED, VSM_INTERFACE_PLANNED, vtable,
                                       find, manager);
        if (r < 0)
                return r;

        return sd_bus_add_node_enumerator(bus, NULL, VSM_OBJECT_PATH_PLANNED, enumerate, manager);
}

/* ---- coming, changing, going ---- */

static void planned_add(VsmManager *manager, VsmDomainInfo *info) {
        VsmPlannedSystem *planned = g_new(VsmPlannedSystem, 1);
        g_autofree char *label = g_strdelimit(g_strdup(info->uuid), "-", '_');

        *planned = (VsmPlannedSystem){
                        .manager = manager,
                        .info = info,
                        .path = g_strconcat(VSM_OBJECT_PATH_PLANNED "/", label, NULL),
        };
        g_hash_table_insert(manager->planned, info->uuid, planned);
        vsm_bus_added(manager->bus, planned->path);
}

static void planned_remove(VsmPlannedSystem *planned) {
        VsmManager *manager = planned->manager;

        vsm_bus_removed(manager->bus, planned->path);
        (void) g_hash_table_remove(manager->planned, planned->info->uuid);
}

static void planned_update(VsmPlannedSystem *planned, VsmDomainInfo *info) {
        g_autoptr(VsmDomainInfo) old = planned->info;
        VsmManager *manager = planned->manager;

        /* its UUID is the key */
        planned->info = info;
        (void) g_hash_table_steal(manager->planned, old->uuid);
        g_hash_table_insert(manager->planned, info->uuid, planned);

        if (!g_str_equal(old->name, info->name))
                vsm_bus_changed(manager->bus, planned->path, VSM_INTERFACE_PLANNED, "ElementName");
        if (!g_str_equal(old->planned_source, info->planned_source))
                vsm_bus_changed(manager->bus, planned->path, VSM_INTERFACE_PLANNED, "SourceHost");
}

void vsm_planned_system_apply(VsmManager *manager, const char *uuid, VsmDomainInfo *info) {
        VsmPlannedSystem *planned = g_hash_table_lookup(manager->planned, uuid);

        if (planned && info)
                planned_update(planned, info);
        else if (planned)
                planned_remove(planned);
        else if (info)
                planned_add(manager, info);
}

void vsm_planned_system_free(VsmPlannedSystem *planned) {
        if (!planned)
                return;

        vsm_domain_info_free(planned->info);
        g_free(planned->path);
        g_free(planned);
}
