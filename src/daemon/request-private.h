/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/request.h"
#include "shared/error.h"

/* What the files of a request share. Pure. */

#define INVALID(error, ...) vsm_request_refuse(error, VSM_ERROR_INVALID_PARAMETER, __VA_ARGS__)
#define INCOMPATIBLE(error, ...) vsm_request_refuse(error, VSM_ERROR_INCOMPATIBLE_PARAMETERS, __VA_ARGS__)
#define UNSUPPORTED(error, ...) vsm_request_refuse(error, VSM_ERROR_NOT_SUPPORTED, __VA_ARGS__)

/* Always false, to be returned. */
bool vsm_request_refuse(GError **error, VsmError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

bool vsm_request_dict_has(GVariant *dict, const char *key);

/* What GetRequest shows: what was asked for, and what became of what was not. */
void vsm_request_fill_accepted(VsmRequest *request, bool resolved);

/* request-changes.c: fills changes from the dicts (form); then what of it goes together. */
bool vsm_request_read_changes(VsmRequest *request, GError **error);
bool vsm_request_check_changes(const VsmRequest *request, GError **error);
