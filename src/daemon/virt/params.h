/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <libvirt/libvirt.h>
#include <stdbool.h>

#include "daemon/virt/virt.h"

/* What libvirt's migrate call is given. Pure: any thread. */

typedef struct VsmMoveParams {
        virTypedParameterPtr params;
        int n_params;
        int n_allocated;
        unsigned flags;
} VsmMoveParams;

void vsm_move_params_clear(VsmMoveParams *params);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VsmMoveParams, vsm_move_params_clear)

/* address is where the memory goes. *ret is initialised here. */
bool vsm_move_params_build(
                const VsmMoveOptions *options,
                bool persistent,
                const char *address,
                VsmMoveParams *ret,
                GError **error);
