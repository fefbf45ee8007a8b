/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/request.h"
#include "daemon/system.h"

/* The five arguments that migrating and checking share: read, checked, turned into a request. They
 * change nothing, so a handler reads them again after polkit's answer. Bus thread only. */

typedef struct VsmFive {
        VsmSystem *system;      /* borrowed: only until the handler returns */
        VsmRequest *request;
} VsmFive;

/* 0, or what a handler returns with error filled in. */
int vsm_five_read(VsmManager *manager, sd_bus_message *call, bool check, VsmFive *ret, sd_bus_error *error);
void vsm_five_clear(VsmFive *five);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(VsmFive, vsm_five_clear)

/* Fills in what the request leaves open: by the settings, and by the Host that the destination is. */
bool vsm_five_resolve(VsmManager *manager, VsmRequest *request, GError **error);

/* Asks polkit with the details of the contract's section 7. As vsm_polkit_check(). */
int vsm_five_authorize(VsmManager *manager, sd_bus_message *call, const VsmFive *five, sd_bus_error *error);

/* Does the guest run, or not, as the MigrationType needs it? 0, or what a handler returns. */
int vsm_five_check_guest(const VsmFive *five, sd_bus_error *error);

/* Is this text this host's own name or one of its addresses? What a name resolves to is found out by
 * the worker that dials. */
bool vsm_destination_is_here(VsmManager *manager, const char *text);

/* Does a policy (a{sv}) let its system go there? The Host that this means counts by its Name and all its Addresses. */
bool vsm_destination_is_allowed(VsmManager *manager, GVariant *policy, const char *destination);

/* What the other host is, for workers; the second by its name alone. */
VsmDestination* vsm_destination_of(VsmManager *manager, const VsmRequest *request);

/* All that leaves this host for it is encrypted, as the settings are now. */
bool vsm_request_is_encrypted(VsmManager *manager, const VsmRequest *request);
VsmDestination* vsm_destination_to(VsmManager *manager, const char *host);
VsmMoveOptions* vsm_move_options_of(VsmManager *manager, const char *uuid, const VsmRequest *request);
