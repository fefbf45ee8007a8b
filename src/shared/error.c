/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The one table of errors: code, D-Bus name, CIM number. Read by daemon and client. Any thread. */

#include "shared/error.h"
#include "shared/names.h"

#define FREEDESKTOP "org.freedesktop.DBus.Error."

static const struct {
        const char *bus_name;
        uint16_t cim;
} table[_VSM_ERROR_MAX] = {
        [VSM_ERROR_NOT_SUPPORTED]           = { VSM_ERROR_PREFIX "NotSupported",                32770 },
        [VSM_ERROR_FAILED]                  = { VSM_ERROR_PREFIX "Failed",                      32768 },
        [VSM_ERROR_TIMEOUT]                 = { VSM_ERROR_PREFIX "Timeout",                     32772 },
        [VSM_ERROR_INVALID_PARAMETER]       = { VSM_ERROR_PREFIX "InvalidParameter",            32773 },
        [VSM_ERROR_INVALID_STATE]           = { VSM_ERROR_PREFIX "InvalidState",                32775 },
        [VSM_ERROR_INCOMPATIBLE_PARAMETERS] = { VSM_ERROR_PREFIX "IncompatibleParameters",      6     },
        [VSM_ERROR_SYSTEM_IN_USE]           = { VSM_ERROR_PREFIX "SystemInUse",                 32774 },
        [VSM_ERROR_SYSTEM_NOT_AVAILABLE]    = { VSM_ERROR_PREFIX "SystemNotAvailable",          32777 },
        [VSM_ERROR_ACCESS_DENIED]           = { FREEDESKTOP "AccessDenied",                     32769 },
        [VSM_ERROR_INTERACTION_REQUIRED]    = { FREEDESKTOP "InteractiveAuthorizationRequired", 32769 },
        [VSM_ERROR_LIMITS_EXCEEDED]         = { FREEDESKTOP "LimitsExceeded",                   32768 },
        [VSM_ERROR_CANCELLED]               = { VSM_ERROR_PREFIX "Failed",                      32768 },
};

G_DEFINE_QUARK(vsm-error-quark, vsm_error)

const char* vsm_error_to_bus_name(int code) {
        if (code < 0 || code >= _VSM_ERROR_MAX)
                code = VSM_ERROR_FAILED;

        return table[code].bus_name;
}

int vsm_error_from_bus_name(const char *name) {
        for (int i = 0; i < VSM_ERROR_CANCELLED; i++)
                if (g_strcmp0(table[i].bus_name, name) == 0)
                        return i;

        return -1;
}

uint16_t vsm_error_to_cim(int code) {
        if (code < 0 || code >= _VSM_ERROR_MAX)
                code = VSM_ERROR_FAILED;

        return table[code].cim;
}

VsmError vsm_error_code(const GError *error) {
        if (error->domain != VSM_ERROR || error->code < 0 || error->code >= _VSM_ERROR_MAX)
                return VSM_ERROR_FAILED;

        return error->code;
}
