/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* RequestStateChange, StartService and StopService: who asks, for what, then a change of the state. Bus thread
 * only. */

#include "daemon/actions.h"
#include "daemon/service-state-internal.h"
#include "shared/names.h"

static int request(VsmManager *manager, sd_bus_message *call, const char *method, uint16_t wanted,
                   uint64_t timeout, sd_bus_error *error) {
        VsmServiceChange *t;
        uid_t caller;
        int r;

        r = vsm_polkit_check(manager->polkit, call, vsm_member_find(VSM_INTERFACE_SERVICE, method)->action, NULL,
                             error);
        if (r <= 0)
                return r < 0 ? r : 1;

        r = vsm_bus_caller(call, &caller);
        if (r < 0)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_ACCESS_DENIED),
                                        "The caller has left the bus.");

        t = vsm_service_change_new(manager, VSM_CHANGE_REQUEST);
        t->call = sd_bus_message_ref(call);
        t->replies_job = g_str_equal(method, "RequestStateChange");
        t->wanted = wanted;
        t->timeout = timeout;
        t->caller = caller;
        vsm_service_change_push(t);
        return 1;
}

int vsm_method_request_state_change(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        uint16_t wanted;
        uint64_t timeout;
        int r;

        r = sd_bus_message_read(call, "qt", &wanted, &timeout);
        if (r < 0)
                return r;

        if (wanted != VSM_ENABLED_STATE_ENABLED && wanted != VSM_ENABLED_STATE_DISABLED &&
            wanted != VSM_ENABLED_STATE_QUIESCE)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_NOT_SUPPORTED),
                                        "RequestedState can be 2 (Enabled), 3 (Disabled) or 9 (Quiesce) only.");
        /* as a moment it has to fit, too */
        if (timeout > INT64_MAX / 2)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_INVALID_PARAMETER),
                                        "TimeoutPeriod is too long; 0 is for ever.");

        return request(userdata, call, "RequestStateChange", wanted, timeout, error);
}

int vsm_method_start_service(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return request(userdata, call, "StartService", VSM_ENABLED_STATE_ENABLED, 0, error);
}

int vsm_method_stop_service(sd_bus_message *call, void *userdata, sd_bus_error *error) {
        return request(userdata, call, "StopService", VSM_ENABLED_STATE_DISABLED, 0, error);
}
