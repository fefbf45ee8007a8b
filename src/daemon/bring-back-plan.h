/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* In which order guests come home. Pure. */

typedef struct VsmReturn {
        const char *uuid;
        uint16_t priority;              /* of its policy; lower = sooner */
        uint64_t memory;                /* bytes that it may need here */
        void *owner;                    /* whoever asks knows what it is */
} VsmReturn;

/* Sorts them, and puts those for which there is room to the front: the most important ones first, among those the
 * smallest, so that where memory is short as many as possible come home. How many those are. */
size_t vsm_returns_order(VsmReturn *guests, size_t n, uint64_t available);
