/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* One number for how far a move is, over its disks and its memory, that never falls. Pure.
 *
 * Disks are mirrored first and memory moves then; libvirt knows nothing of the memory until that. So each has
 * its part of the bar by its size as known beforehand, or, where that was less, by what libvirt says later. */

typedef struct VsmPercent {
        uint64_t disk, memory;          /* bytes; the most that was heard of */
        unsigned shown;
} VsmPercent;

typedef struct VsmPercentSample {
        uint64_t disk_total, disk_remaining;
        uint64_t memory_total, memory_remaining;        /* total 0: memory has not begun to move */
} VsmPercentSample;

/* Beforehand, or as soon as it is known; 0 = nothing of that kind, or not known. */
void vsm_percent_expect(VsmPercent *percent, uint64_t disk, uint64_t memory);

/* 0 to 100, of the data. Never less than before. */
unsigned vsm_percent_take(VsmPercent *percent, const VsmPercentSample *sample);
