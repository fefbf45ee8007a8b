/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "config.h"

#include <glib/gi18n.h>

#include "client/at-shutdown.h"
#include "client/common.h"

#define SYSTEMD_NAME      "org.freedesktop.systemd1"
#define SYSTEMD_PATH      "/org/freedesktop/systemd1"
#define SYSTEMD_INTERFACE SYSTEMD_NAME ".Manager"
#define SYSTEMD_UNIT      SYSTEMD_NAME ".Unit"
#define SYSTEMD_SERVICE   SYSTEMD_NAME ".Service"
#define BARRIER           "vsm-evacuate.service"

VsmShutdownPolicy vsm_at_shutdown_policy(void) {
        return vsm_shutdown_policy_read(SYSCONFDIR "/vsmd/vsmd.conf", SYSCONFDIR "/vsmd/vsmd.conf.d");
}

static bool read_jobs(sd_bus_message *reply, VsmShutdownKind *ret) {
        g_autoptr(GArray) jobs = g_array_new(false, false, sizeof(VsmSystemdJob));
        VsmSystemdJob job;
        int r;

        r = sd_bus_message_enter_container(reply, 'a', "(usssoo)");
        if (r < 0)
                return false;

        while ((r = sd_bus_message_read(reply, "(usssoo)", NULL, &job.unit, &job.type, NULL, NULL, NULL)) > 0)
                g_array_append_val(jobs, job);

        *ret = vsm_shutdown_kind((const VsmSystemdJob*) (void*) jobs->data, jobs->len);
        return r >= 0;
}

static bool find_kind(sd_bus *bus, VsmShutdownKind *ret, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;
        g_auto(sd_bus_error) e = SD_BUS_ERROR_NULL;
        int r;

        r = sd_bus_call_method(bus, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_INTERFACE, "ListJobs", &e, &reply, NULL);
        if (r < 0)
                return vsm_error_set_bus(error, &e, r);
        if (!read_jobs(reply, ret))
                return vsm_error_set_errno(error, -EBADMSG, _("systemd's list of jobs cannot be read"));

        return true;
}

/* A limit of a unit; one that cannot be read is none. */
static uint64_t find_limit(sd_bus *bus, const char *unit, const char *interface, const char *property) {
        g_autofree char *path = NULL;
        uint64_t limit = UINT64_MAX;

        if (sd_bus_path_encode(SYSTEMD_PATH "/unit", unit, &path) < 0 ||
            sd_bus_get_property_trivial(bus, SYSTEMD_NAME, path, interface, property, NULL, 't', &limit) < 0)
                return UINT64_MAX;

        return limit;
}

bool vsm_at_shutdown_decide(sd_bus *bus, VsmAtShutdown *ret, GError **error) {
        VsmShutdownPolicy policy;

        *ret = (VsmAtShutdown) { .action = VSM_SHUTDOWN_LEAVE };
        if (!find_kind(bus, &ret->kind, error))
                return false;
        if (ret->kind == VSM_SHUTDOWN_NONE)
                return true;

        policy = vsm_at_shutdown_policy();
        ret->action = policy.actions[ret->kind];
        ret->chain = vsm_shutdown_policy_chain(&policy, ret->kind);
        ret->deadline = vsm_shutdown_time(find_limit(bus, BARRIER, SYSTEMD_SERVICE, "TimeoutStopUSec"),
                                          find_limit(bus, vsm_shutdown_kind_target(ret->kind), SYSTEMD_UNIT,
                                                     "JobTimeoutUSec"));
        return true;
}
