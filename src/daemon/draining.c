/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "daemon/log.h"
#include "daemon/refuse.h"
#include "daemon/service-state-internal.h"
#include "shared/names.h"

bool vsm_draining(VsmManager *manager) {
        return manager->state->facts.draining;
}

void vsm_draining_changed(VsmManager *manager) {
        vsm_bus_changed(manager->bus, VSM_OBJECT_PATH, VSM_INTERFACE_MANAGER, "Draining");
        vsm_bus_changed(manager->bus, VSM_OBJECT_PATH, VSM_INTERFACE_SERVICE, "OperatingStatus");
        vsm_log(LOG_NOTICE, vsm_draining(manager) ?
                "This host is being emptied: it takes no guests and no new migrations." :
                "This host is not being emptied any more.");
}

void vsm_draining_set(VsmManager *manager, bool draining, bool keep, VsmDrained done, void *userdata) {
        VsmServiceChange *change = vsm_service_change_new(manager, VSM_CHANGE_DRAIN);

        change->draining = draining;
        change->keep = keep;
        change->drained = done;
        change->userdata = userdata;
        vsm_service_change_push(change);
}

bool vsm_draining_load(VsmManager *manager, GError **error) {
        VsmServiceFacts *facts = &manager->state->facts;

        if (!facts->draining || vsm_service_facts_drain_holds(facts, manager->boot_id))
                return true;

        /* it was emptied for this boot */
        facts->draining = false;
        g_clear_pointer(&facts->drain_boot_id, g_free);
        facts->enabled = facts->before_draining;
        facts->changed = vsm_now_realtime();
        if (facts->enabled != VSM_ENABLED_STATE_QUIESCE)
                facts->quiesce = 0;
        vsm_log(LOG_NOTICE, "The host was booted again: it is not being emptied any more.");
        return vsm_service_facts_write(manager->store, facts, error);
}
