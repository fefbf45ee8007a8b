/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/internal.h"

/* The administrator may name directories of this host besides its pools. libvirt makes files only in pools,
 * so while something is done in such a directory it is one: transient, gone as soon as nobody needs it. */

/* Both block. The pool for a name as in VsmVolume: one of libvirt's, active, or a directory ("/..."). Give
 * it back with vsm_pool_close(). VSM_ERROR_INCOMPATIBLE_PARAMETERS when there is no active one. */
virStoragePoolPtr vsm_pool_open(virConnectPtr connection, const char *name, GError **error);
void vsm_pool_close(virStoragePoolPtr pool, const char *name);
