/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Plain data: how to reach another host, and what is wanted of a move. Any thread, as long as one
 * thread owns the struct. */

#include "daemon/virt/virt.h"

VsmDestination* vsm_destination_copy(const VsmDestination *destination) {
        VsmDestination *copy;

        if (!destination)
                return NULL;

        copy = g_new(VsmDestination, 1);
        *copy = *destination;
        copy->host = g_strdup(destination->host);
        copy->addresses = g_strdupv(destination->addresses);
        copy->host_addresses = g_strdupv(destination->host_addresses);
        copy->subnets = destination->subnets ? g_array_ref(destination->subnets) : NULL;
        copy->sources = destination->sources ? g_array_ref(destination->sources) : NULL;
        copy->own_addresses = g_strdupv(destination->own_addresses);
        return copy;
}

void vsm_destination_free(VsmDestination *destination) {
        if (!destination)
                return;

        g_free(destination->host);
        g_strfreev(destination->addresses);
        g_strfreev(destination->host_addresses);
        g_clear_pointer(&destination->subnets, g_array_unref);
        g_clear_pointer(&destination->sources, g_array_unref);
        g_strfreev(destination->own_addresses);
        g_free(destination);
}

void vsm_move_options_copy(VsmMoveOptions *copy, const VsmMoveOptions *options) {
        *copy = *options;
        copy->destination = options->destination ? vsm_destination_copy(options->destination) : NULL;
        copy->changes = vsm_changes_copy(options->changes);
        copy->directories = g_strdupv(options->directories);
        copy->not_allowed = g_strdup(options->not_allowed);
}

void vsm_move_options_clear(VsmMoveOptions *options) {
        g_clear_pointer(&options->destination, vsm_destination_free);
        g_clear_pointer(&options->changes, vsm_changes_free);
        g_clear_pointer(&options->directories, g_strfreev);
        g_clear_pointer(&options->not_allowed, g_free);
}

void vsm_move_options_free(VsmMoveOptions *options) {
        if (!options)
                return;

        vsm_move_options_clear(options);
        g_free(options);
}
