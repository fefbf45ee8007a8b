/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/internal.h"

/* Taking back what a move did, or making it final, from what its journal says alone. */

/* Blocks. here, there: NULL = cannot be reached now. uuid: of the system. What is done is forgotten in the
 * journal and goes from effects; what remains has to be tried again later, for the reasons in error. True
 * when nothing remains. The verdict (success or not) has been written down before. */
bool vsm_effects_finish(
                virConnectPtr here,
                virConnectPtr there,
                const char *uuid,
                GPtrArray *effects,
                bool success,
                const VsmJournal *journal,
                GError **error);

/* Pure. Is there something to be done on the other host? */
bool vsm_effects_need_there(const GPtrArray *effects, bool success);

/* ---- undo-domain.c, mark.c, secret.c: single acts; each looks before it does what it does ---- */

/* True: there is nothing left to do. *ret_told (g_free() it) says what was done, or why it was left as it
 * is; NULL = there was nothing to do. False, with error: to be tried again. */
typedef struct VsmUndo {
        virConnectPtr here, there;
        const char *uuid;
        const VsmEffect *effect;
        virConnectPtr connection;       /* of these two, the one of the effect; not NULL */
} VsmUndo;

bool vsm_undo_definition(const VsmUndo *undo, char **ret_told, GError **error);
bool vsm_undo_block_copy(const VsmUndo *undo, char **ret_told, GError **error);
bool vsm_undo_shut_down(const VsmUndo *undo, char **ret_told, GError **error);
bool vsm_undo_suspended(const VsmUndo *undo, char **ret_told, GError **error);
bool vsm_undo_halted(const VsmUndo *undo, char **ret_told, GError **error);
bool vsm_undo_resume_there(const VsmUndo *undo, char **ret_told, GError **error);
bool vsm_undo_unmarked(const VsmUndo *undo, char **ret_told, GError **error);
bool vsm_undo_secret(const VsmUndo *undo, char **ret_told, GError **error);
