/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

#include "shared/variant.h"

/* sd_bus_message <-> GVariant, so that the rules of requests need no bus. Bus thread. */

/* What one call may bring (contract, section 2). */
#define VSM_LIMIT_MESSAGE  (64 * 1024)  /* bytes, counted as read */
#define VSM_LIMIT_ELEMENTS 256          /* in one list */
#define VSM_LIMIT_STRING   (4 * 1024)   /* bytes in one string */
#define VSM_LIMIT_DEPTH    8            /* containers in one another, array, dict entry and variant
                                         * each counted: UnmanagedVhds in its dict needs 7 */

/* Reads the next argument, of any complete type, whole. *budget is what is left of the message's
 * bytes over all its arguments: start with VSM_LIMIT_MESSAGE. Too much of anything is
 * VSM_ERROR_LIMITS_EXCEEDED naming the limit; file descriptors, an argument that is missing and what
 * cannot be read, nested deeper than VSM_LIMIT_DEPTH included, are VSM_ERROR_INVALID_PARAMETER. On
 * error the message is half read: do not go on. A key that stands twice in an a{sv} is kept twice: the
 * request says so. Returns a full reference. */
GVariant* vsm_bus_read_variant(sd_bus_message *message, size_t *budget, GError **error);

/* Appends a value of any type without file descriptors and maybe types (-EINVAL). For a variant give
 * a value of type v. */
int vsm_bus_append_variant(sd_bus_message *message, GVariant *value);
