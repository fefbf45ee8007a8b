/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/store.h"

/* What of the service's state outlives the process, as texts in the store. Any thread: plain data. */

typedef struct VsmServiceFacts {
        uint16_t enabled;               /* VSM_ENABLED_STATE_ENABLED, _DISABLED, _QUIESCE */
        uint16_t requested;             /* 0 = nobody asked yet */
        uint64_t changed;               /* µs, wall clock, of enabled; 0 = never */

        /* the job that lasts until nothing runs */
        uint64_t quiesce;               /* its number; 0 = there is none */
        uint64_t submitted;             /* µs, wall clock */
        uint64_t deadline;              /* µs, wall clock; 0 = none */
        uint32_t owner_uid;
        char *owner;

        /* Manager.Draining: enabled is Quiesce then */
        bool draining;
        bool keep_draining;             /* also in another boot than this one */
        char *drain_boot_id;            /* in which it began; NULL = it does not drain */
        uint16_t before_draining;       /* enabled, as it will be again */
} VsmServiceFacts;

void vsm_service_facts_clear(VsmServiceFacts *facts);
VsmServiceFacts vsm_service_facts_copy(const VsmServiceFacts *facts);

/* Whether it would still drain in that boot. Pure. */
bool vsm_service_facts_drain_holds(const VsmServiceFacts *facts, const char *boot_id);

/* For workers; at start also for the bus thread. What is not kept, or cannot be read, is that of a
 * fresh service: ret_fault (may be NULL) then says so. */
bool vsm_service_facts_write(VsmStore *store, const VsmServiceFacts *facts, GError **error);
bool vsm_service_facts_read(VsmStore *store, VsmServiceFacts *ret, char **ret_fault, GError **error);
