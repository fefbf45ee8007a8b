/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A destination from a command line, as the dictionary that AddHost wants. Pure. */

#include "client/common.h"

/* As the options left them; NULL and false are not given. */
typedef struct VsmHostArguments {
        char **addresses;
        char *authentication;
        char *port;
        char *priority;
        char *memory_limit;
        gboolean verifies_clients;
        gboolean disabled;
} VsmHostArguments;

void vsm_host_arguments_done(VsmHostArguments *arguments);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VsmHostArguments, vsm_host_arguments_done)

/* a{sv} with what was given; not floating. */
GVariant* vsm_host_build(const VsmHostArguments *arguments, const char *name, GError **error);
