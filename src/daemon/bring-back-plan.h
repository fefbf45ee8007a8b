/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* In which order guests come home. Pure. */

#define VSM_RETURN_NONE SIZE_MAX

typedef struct VsmReturn {
        const char *uuid;
        uint16_t priority;              /* of its policy; lower = sooner */
        uint64_t memory;                /* bytes that it may need here */
} VsmReturn;

/* The next of them for which there is room: the most important one, among those the smallest, so that where memory is
 * short as many as possible come home. VSM_RETURN_NONE when there is room for none. */
size_t vsm_return_next(const VsmReturn *guests, size_t n, uint64_t available);
