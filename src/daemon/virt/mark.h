/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/definition.h"
#include "daemon/virt/internal.h"

/* Our mark on a definition that was placed and is not in use yet, on a host: libvirt's hook refuses to start
 * what bears it. Workers. */

/* *ret is NULL, and the result true, when the stored definition bears none. */
bool vsm_mark_read(virDomainPtr domain, VsmPlanned **ret, GError **error);

bool vsm_mark_put(virDomainPtr domain, const VsmPlanned *planned, GError **error);
bool vsm_mark_remove(virDomainPtr domain, GError **error);
