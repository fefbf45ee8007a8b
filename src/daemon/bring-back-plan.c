/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pure: any thread. */

#include <stdbool.h>
#include <string.h>

#include "daemon/bring-back-plan.h"

/* The UUID at last, so that the order is the same whatever the order in the list. */
static bool goes_before(const VsmReturn *a, const VsmReturn *b) {
        if (a->priority != b->priority)
                return a->priority < b->priority;
        if (a->memory != b->memory)
                return a->memory < b->memory;

        return strcmp(a->uuid, b->uuid) < 0;
}

size_t vsm_return_next(const VsmReturn *guests, size_t n, uint64_t available) {
        size_t best = VSM_RETURN_NONE;

        for (size_t i = 0; i < n; i++)
                if (guests[i].memory <= available &&
                    (best == VSM_RETURN_NONE || goes_before(&guests[i], &guests[best])))
                        best = i;

        return best;
}
