/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* GetSystemCompatibilityInfo, GetSystemCompatibilityVectors and CheckSystemCompatibilityInfo: a blob from
 * one host, carried by whoever likes to another, and no connection between the two. Bus thread only, but
 * for what a task's run() does. */

#include <string.h>

#include "daemon/actions.h"
#include "daemon/answer.h"
#include "daemon/compat.h"
#include "daemon/service.h"
#include "daemon/system.h"
#include "shared/enums.h"
#include "shared/error.h"
#include "shared/names.h"

/* At a time. Anybody may ask: this leaves room for the checks, which share the lane, and for others; root may always. */
#define COMPATS_MAX             8
#define COMPATS_PER_UID_MAX     4

static GQueue running = G_QUEUE_INIT;   /* CompatTask */

typedef struct CompatTask {
        VsmTask task;
        VsmVirt *virt;
        char uuid[VSM_UUID_SIZE];       /* "" = this host */
        char *host;                     /* its name, for reasons */
        VsmCompat *needs;               /* of a blob to be checked; else NULL */
        bool vectors;
        uid_t caller;
        GVariant *result;
        VsmAnswer *answer;              /* bus thread only */
} CompatTask;

static GVariant* run_get(CompatTask *t, GError **error) {
        g_autoptr(VsmCompat) compat = NULL;
        g_autoptr(GBytes) blob = NULL;

        compat = *t->uuid ? vsm_virt_compat_system(t->virt, t->uuid, error) :
                vsm_virt_compat_host(t->virt, NULL, error);
        if (!compat)
                return NULL;

        if (t->vectors)
                return vsm_compat_vectors(compat, error);

        blob = vsm_compat_encode(compat, error);
        if (!blob)
                return NULL;

        return g_variant_ref_sink(g_variant_new_from_bytes(G_VARIANT_TYPE_BYTESTRING, blob, true));
}

static GVariant* run_check(CompatTask *t, GError **error) {
        g_autoptr(VsmCompat) offered = NULL;
        g_autoptr(VsmReasons) reasons = NULL;

        offered = vsm_virt_compat_host(t->virt, t->needs, error);
        if (!offered)
                return NULL;

        reasons = vsm_reasons_new();
        vsm_compat_compare(t->needs, offered, t->host, reasons);
        return vsm_reasons_to_variant(reasons);
}

static void compat_run(VsmTask *task) {
        CompatTask *t = (CompatTask*) task;

        t->result = t->needs ? run_check(t, &task->error) : run_get(t, &task->error);
}

static void compat_done(VsmTask *task, void *userdata) {
        CompatTask *t = (CompatTask*) task;
        uint32_t value = VSM_RETURN_COMPLETED;

        if (!t->result) {
                vsm_answer_error(t->answer, task->error);
                return;
        }

        if (t->needs && vsm_reasons_variant_has_error(t->result))
                value = VSM_RETURN_NOT_COMPATIBLE;

        vsm_answer_return(t->answer, value, t->result, NULL);
}

static void compat_free(VsmTask *task) {
        CompatTask *t = (CompatTask*) task;

        (void) g_queue_remove(&running, t);
        g_clear_pointer(&t->result, g_variant_unref);
        vsm_compat_free(t->needs);
        vsm_answer_free(t->answer);
        g_free(t->host);
        g_free(t);
}

static unsigned count_of(uid_t caller) {
        unsigned n = 0;

        for (const GList *l = running.head; l; l = l->next)
                n += ((const CompatTask*) l->data)->caller == caller;

        return n;
}

static int check_limits(uid_t caller, sd_bus_error *error) {
        if (caller == 0)
                return 0;

        if (count_of(caller) >= COMPATS_PER_UID_MAX)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "%i of your questions about compatibility are being answered already.",
                                         COMPATS_PER_UID_MAX);
        if (g_queue_get_length(&running) >= COMPATS_MAX)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "%i questions about compatibility are being answered already.",
                                         COMPATS_MAX);

        return 0;
}

/* Takes needs. */
static int push(VsmManager *manager, sd_bus_message *call, const char *uuid, bool vectors, VsmCompat *needs,
                sd_bus_error *error) {

        CompatTask *t;
        uid_t caller;
        int r;

        if (!manager->libvirt_up) {
                vsm_compat_free(needs);
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_SYSTEM_NOT_AVAILABLE),
                                        "libvirt on this host does not answer; see 'systemctl status "
                                        "libvirtd'.");
        }

        r = vsm_bus_caller(call, &caller);
        if (r >= 0)
                r = check_limits(caller, error);
        if (r < 0) {
                vsm_compat_free(needs);
                return r;
        }

        t = vsm_task_new(CompatTask, compat_run, compat_done, compat_free);
        g_queue_push_tail(&running, t);
        t->caller = caller;
        t->virt = manager->virt;
        t->host = g_strdup(manager->host.hostname ?: "");
        t->needs = needs;
        t->vectors = vectors;
        g_strlcpy(t->uuid, uuid, sizeof t->uuid);
        t->answer = vsm_answer_new(manager, call,
                                   "libvirt on this host did not tell within 20 s what was asked for.");
        vsm_worker_push(manager->worker, VSM_LANE_CHECK, &t->task);
        return 1;
}

static int authorize(VsmManager *manager, sd_bus_message *call, const VsmSystem *system,
                     sd_bus_error *error) {

        const VsmMember *member = vsm_member_find(sd_bus_message_get_interface(call),
                                                  sd_bus_message_get_member(call));
        char *details[] = {
                (char*) "system.name", (char*) (system ? vsm_system_name(system) : NULL),
                (char*) "system.uuid", (char*) (system ? vsm_system_uuid(system) : NULL),
                NULL
        };

        if (!member)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_ACCESS_DENIED),
                                        "No action covers this method.");

        return vsm_polkit_check(manager->polkit, call, member->action, system ? details : NULL, error);
}

/* ComputerSystem: a system, or the root object, which stands for this host. */
static int get(sd_bus_message *call, VsmManager *manager, bool vectors, sd_bus_error *error) {
        VsmSystem *system = NULL;
        const char *path;
        int r;

        r = sd_bus_message_read(call, "o", &path);
        if (r < 0)
                return r;

        if (strcmp(path, VSM_OBJECT_PATH) != 0) {
                system = vsm_system_find_path(manager, path);
                if (!system)
                        return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_INVALID_PARAMETER),
                                                "ComputerSystem is neither a system of this host nor the "
                                                "host itself.");
        }

        r = authorize(manager, call, system, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return push(manager, call, system ? vsm_system_uuid(system) : "", vectors, NULL, error);
}

int vsm_method_get_compatibility_info(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return get(call, userdata, false, error);
}

int vsm_method_get_compatibility_vectors(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return get(call, userdata, true, error);
}

int vsm_method_check_compatibility_info(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        VsmManager *manager = userdata;
        g_autoptr(VsmCompat) needs = NULL;
        g_autoptr(GError) e = NULL;
        const void *blob;
        size_t size;
        int r;

        /* borrowed from the message, so its size costs nothing here */
        r = sd_bus_message_read_array(call, SD_BUS_TYPE_BYTE, &blob, &size);
        if (r < 0)
                return r;

        needs = vsm_compat_decode(blob, size, &e);
        if (!needs)
                return vsm_bus_fail(error, e);

        r = authorize(manager, call, NULL, error);
        if (r <= 0)
                return r < 0 ? r : 1;

        return push(manager, call, "", false, g_steal_pointer(&needs), error);
}
