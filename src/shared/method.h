/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* The ways in which a guest can leave a host, and the chain in which they are tried (Fallback of a
 * policy, of Options, and of vsmd.conf). Pure; any thread. */

typedef enum {
        VSM_METHOD_LIVE,
        VSM_METHOD_POST_COPY,
        VSM_METHOD_RESUME,              /* paused, moved, resumed there */
        VSM_METHOD_SAVE,                /* its memory goes to this host's disk */
        VSM_METHOD_SHUTDOWN,            /* asked to shut down; never destroyed */
        VSM_METHOD_LEAVE,               /* nothing is done with it */
        _VSM_METHOD_MAX,
} VsmMethod;

/* "live", "post-copy", "resume", "save", "shutdown", "leave"; they are on the bus. */
const char* vsm_method_to_string(VsmMethod method);
bool vsm_method_from_string(const char *word, VsmMethod *ret);

/* Whether the guest runs elsewhere after it. */
bool vsm_method_moves(VsmMethod method);

typedef struct VsmChain {
        VsmMethod methods[_VSM_METHOD_MAX];
        size_t n;                       /* 0 = none was given */
} VsmChain;

/* live, resume, save, leave: the contract's default, which destroys nothing. */
VsmChain vsm_chain_default(void);

/* NULL-terminated words, each known and there once; VSM_ERROR_INVALID_PARAMETER names the wrong one. */
bool vsm_chain_parse(const char *const *words, VsmChain *ret, GError **error);

/* g_strfreev() it. */
char** vsm_chain_to_strv(const VsmChain *chain);
