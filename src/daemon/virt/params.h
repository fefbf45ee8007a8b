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

/* What is to be different there, and which disks travel. All borrowed; NULL = nothing. */
typedef struct VsmMoveDefinition {
        const char *name;               /* its name there */
        const char *live_xml;           /* what runs there */
        const char *stored_xml;         /* what is stored there; of persistent ones */
        char **disks;                   /* targets of those that are copied */
        bool incremental;               /* only their uppermost images are */
} VsmMoveDefinition;

/* address is where the memory goes; definition may be NULL. *ret is initialised here. */
bool vsm_move_params_build(
                const VsmMoveOptions *options,
                const VsmMoveDefinition *definition,
                bool persistent,
                const char *address,
                VsmMoveParams *ret,
                GError **error);
