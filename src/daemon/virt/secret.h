/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/virt/internal.h"

/* What opens the disks of a guest (encryption) or lets it at them (auth), and the state of its TPM. Values
 * are in memory for as long as a call of libvirt takes, and overwritten afterwards. */

/* One as a definition names it. */
typedef struct VsmSecretNeed {
        char *uuid;                     /* one of these two is NULL */
        char *usage;
        int usage_type;                 /* VIR_SECRET_USAGE_TYPE_* of usage */
} VsmSecretNeed;

void vsm_secret_need_free(VsmSecretNeed *need);

/* Pure. All that a domain's definition refers to, as VsmSecretNeed, each once. */
GPtrArray* vsm_secrets_from_xml(const char *xml, GError **error);

/* Blocks. Sees to it that the other host has all of them with a value, under the same UUID and usage; what
 * is there already is left as it is, and no value goes over a connection that others can read. Each is
 * written down before it is made. host: name of the other one, for messages. When it fails, what was made so
 * far is in the journal. */
bool vsm_secrets_copy(
                virConnectPtr here,
                virConnectPtr there,
                const char *host,
                const char *xml,
                const VsmJournal *journal,
                GError **error);

/* Blocks. Why the above would fail for one that the other host lacks, as the code of a reason; NULL: it would not.
 * As a definition names it: by uuid, or by usage and type. */
const char* vsm_secret_obstacle(
                virConnectPtr here,
                virConnectPtr there,
                const char *uuid,
                const char *usage,
                int type);
