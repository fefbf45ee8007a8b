/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pure: any thread. */

#include <glib.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/bring-back-plan.h"

/* The UUID at last, so that the order is the same whatever the order in the list. */
static int compare(const void *a, const void *b) {
        const VsmReturn *x = a, *y = b;

        if (x->priority != y->priority)
                return x->priority < y->priority ? -1 : 1;
        if (x->memory != y->memory)
                return x->memory < y->memory ? -1 : 1;

        return strcmp(x->uuid, y->uuid);
}

/* What was passed over finds no room later either: it only becomes less. */
size_t vsm_returns_order(VsmReturn *guests, size_t n, uint64_t available) {
        g_autofree VsmReturn *left = g_new(VsmReturn, n);
        size_t n_fit = 0, n_left = 0;

        if (n > 0)
                qsort(guests, n, sizeof *guests, compare);

        for (size_t i = 0; i < n; i++) {
                if (guests[i].memory > available) {
                        left[n_left++] = guests[i];
                        continue;
                }

                available -= guests[i].memory;
                guests[n_fit++] = guests[i];
        }

        if (n_left > 0)
                memcpy(guests + n_fit, left, n_left * sizeof *left);
        return n_fit;
}
