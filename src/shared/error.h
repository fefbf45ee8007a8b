/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The refusals and failures of the contract (dbus-api, section 2): one GError code for each,
 * with its D-Bus name and the number that Hyper-V gives it. Any thread. */

#define VSM_ERROR (vsm_error_quark())

typedef enum {
        VSM_ERROR_NOT_SUPPORTED,                /* 32770 */
        VSM_ERROR_FAILED,                       /* 32768 */
        VSM_ERROR_TIMEOUT,                      /* 32772 */
        VSM_ERROR_INVALID_PARAMETER,            /* 32773 */
        VSM_ERROR_INVALID_STATE,                /* 32775 */
        VSM_ERROR_INCOMPATIBLE_PARAMETERS,      /* 6: Hyper-V has none, this is CIM's */
        VSM_ERROR_SYSTEM_IN_USE,                /* 32774 */
        VSM_ERROR_SYSTEM_NOT_AVAILABLE,         /* 32777 */
        VSM_ERROR_ACCESS_DENIED,                /* 32769 */
        VSM_ERROR_INTERACTION_REQUIRED,         /* 32769: a password would help */
        VSM_ERROR_LIMITS_EXCEEDED,              /* 32768 */

        /* ends of a job that are nobody's refusal; never sent as a D-Bus error */
        VSM_ERROR_CANCELLED,
        _VSM_ERROR_MAX,
} VsmError;

GQuark vsm_error_quark(void);

/* The D-Bus error name; static. */
const char* vsm_error_to_bus_name(int code);

/* The code for a D-Bus error name, or -1 when it is none of ours. */
int vsm_error_from_bus_name(const char *name);

/* The number for Job.ErrorCode. */
uint16_t vsm_error_to_cim(int code);

/* The code behind any GError: those of other domains are VSM_ERROR_FAILED. NULL is not allowed. */
VsmError vsm_error_code(const GError *error);
