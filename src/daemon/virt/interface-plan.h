/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/reason.h"
#include "daemon/virt/definition.h"
#include "daemon/virt/internal.h"

/* Blocks. What the wishes for interfaces mean there: a libvirt network of that name that is active, else a
 * bridge. VsmInterfacePlace, which borrow from changes, for VsmDefinitionChange; what is missing is in
 * reasons (network-missing), an interface that the guest does not have as well (unknown-interface). */
GPtrArray *vsm_interface_plan(virConnectPtr there, const char *host, const char *xml,
                              const VsmChanges *changes, VsmReasons *reasons, GError **error);
