/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The reasons that a check can find, in one table, so that a document can list them and a client
 * translate them. Pure: any thread; a list belongs to one thread at a time. */

typedef struct VsmReasonInfo {
        const char *code;               /* MessageID; never changed once released */
        uint16_t severity;              /* VSM_SEVERITY_* */
        const char *message;            /* %1, %2, ... are the arguments */
        const char *action;             /* RecommendedActions: one; NULL = none */
} VsmReasonInfo;

/* The table, ended by a NULL code. */
const VsmReasonInfo* vsm_reason_table(void);
const VsmReasonInfo* vsm_reason_find(const char *code);

typedef struct VsmReasons VsmReasons;

VsmReasons* vsm_reasons_new(void);
VsmReasons* vsm_reasons_ref(VsmReasons *reasons);
void vsm_reasons_unref(VsmReasons *reasons);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmReasons, vsm_reasons_unref)

/* Any thread. source: the device, feature or host concerned. libvirt_text may be NULL; it then
 * stands at the end of the message and in LibvirtError. arguments: NULL-terminated. */
void vsm_reasons_add(
                VsmReasons *reasons,
                const char *code,
                const char *source,
                const char *libvirt_text,
                ...) G_GNUC_NULL_TERMINATED;

bool vsm_reasons_has(VsmReasons *reasons, const char *code);

/* Any thread. What was found so far, as aa{sv}, errors first; a full reference. */
GVariant* vsm_reasons_to_variant(VsmReasons *reasons);

/* The highest severity of them (aa{sv}); 0 when there are none. */
uint16_t vsm_reasons_variant_severity(GVariant *reasons);

/* Whether one of them (aa{sv}) stands against it: IsMigratable is true when none has severity 6. */
bool vsm_reasons_variant_has_error(GVariant *reasons);
