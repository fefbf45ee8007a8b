/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of the contract's section 7, member by member. Pure. */

#include <glib.h>

#include "daemon/actions.h"
#include "shared/names.h"

#define SERVICE(member, action, built) { VSM_INTERFACE_SERVICE, member, action, built }
#define MANAGER(member, action, built) { VSM_INTERFACE_MANAGER, member, action, built }
#define JOB(member, action)            { VSM_INTERFACE_JOB, member, action, true }

static const VsmMember members[] = {
        SERVICE("AddNetworkSettings",                     VSM_ACTION_MODIFY_SETTINGS, true),
        SERVICE("CheckSystemCompatibilityInfo",           VSM_ACTION_QUERY,           true),
        SERVICE("CheckVirtualSystemIsMigratable",         VSM_ACTION_CHECK,           true),
        SERVICE("CheckVirtualSystemIsMigratableToHost",   VSM_ACTION_CHECK,           true),
        SERVICE("CheckVirtualSystemIsMigratableToSystem", VSM_ACTION_CHECK,           true),
        SERVICE("GetSystemCompatibilityInfo",             VSM_ACTION_QUERY,           true),
        SERVICE("GetSystemCompatibilityVectors",          VSM_ACTION_QUERY,           true),
        SERVICE("MigrateVirtualSystemToHost",             VSM_ACTION_MIGRATE,         true),
        SERVICE("MigrateVirtualSystemToSystem",           VSM_ACTION_MIGRATE,         true),
        SERVICE("ModifyNetworkSettings",                  VSM_ACTION_MODIFY_SETTINGS, true),
        SERVICE("ModifyServiceSettings",                  VSM_ACTION_MODIFY_SETTINGS, true),
        SERVICE("RemoveNetworkSettings",                  VSM_ACTION_MODIFY_SETTINGS, true),
        SERVICE("RequestStateChange",                     VSM_ACTION_MANAGE_SERVICE,  true),
        SERVICE("StartService",                           VSM_ACTION_MANAGE_SERVICE,  true),
        SERVICE("StopService",                            VSM_ACTION_MANAGE_SERVICE,  true),

        MANAGER("GetSystem",                              VSM_ACTION_QUERY,           true),
        MANAGER("SetMigrationPolicy",                     VSM_ACTION_MODIFY_SETTINGS, true),
        MANAGER("AddHost",                                VSM_ACTION_MODIFY_SETTINGS, true),
        MANAGER("RemoveHost",                             VSM_ACTION_MODIFY_SETTINGS, true),
        MANAGER("Predict",                                VSM_ACTION_CHECK,           false),
        MANAGER("PlanEvacuation",                         VSM_ACTION_CHECK,           true),
        MANAGER("Evacuate",                               VSM_ACTION_EVACUATE,        true),
        MANAGER("BringBack",                              VSM_ACTION_EVACUATE,        true),
        MANAGER("ListHistory",                            VSM_ACTION_INSPECT,         true),

        JOB("RequestStateChange",                         VSM_ACTION_CANCEL),
        JOB("KillJob",                                    VSM_ACTION_CANCEL),
        JOB("GetError",                                   VSM_ACTION_INSPECT),
        JOB("GetErrorEx",                                 VSM_ACTION_INSPECT),
        JOB("GetRequest",                                 VSM_ACTION_INSPECT),

        { VSM_INTERFACE_TRANSFER,   "SetParameters",      VSM_ACTION_CANCEL,          true  },
        { VSM_INTERFACE_TRANSFER,   "StartPostCopy",      VSM_ACTION_MIGRATE,         true  },
        { VSM_INTERFACE_EVACUATION, "GetPlan",            VSM_ACTION_INSPECT,         true  },
        { VSM_INTERFACE_EVACUATION, "GetLeftovers",       VSM_ACTION_INSPECT,         true  },
        { VSM_INTERFACE_PLANNED,    "Destroy",            VSM_ACTION_MIGRATE,         true  },

        /* a property, written with org.freedesktop.DBus.Properties.Set */
        { VSM_INTERFACE_SYSTEM,     "MigrationState",     VSM_ACTION_RESET_STATE,     true  },
        {}
};

const VsmMember* vsm_member_find(const char *interface, const char *member) {
        for (const VsmMember *m = members; m->interface; m++)
                if (g_strcmp0(m->interface, interface) == 0 && g_strcmp0(m->member, member) == 0)
                        return m;

        return NULL;
}

const VsmMember* vsm_members(void) {
        return members;
}
