/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Compatibility information: bytes that only the services understand. */

#include "client/common.h"

/* What one system needs, or, when vm is NULL, what the host is. */
GBytes* vsm_blob_get(VsmClient *client, const char *vm, GError **error);

/* Whether it is compatible with the host of this client. */
bool vsm_blob_check(
                VsmClient *client,
                GBytes *blob,
                bool *ret_compatible,
                JsonArray **ret_reasons,
                GError **error);

/* "-" is stdin and stdout; a terminal is neither for bytes. More than the contract's limit is refused. */
GBytes* vsm_blob_read(const char *file, GError **error);
bool vsm_blob_write(GBytes *blob, const char *file, GError **error);
