/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pure: any thread, one at a time for each struct. */

#include <glib.h>

#include "daemon/percent.h"

void vsm_percent_expect(VsmPercent *percent, uint64_t disk, uint64_t memory) {
        percent->disk = MAX(percent->disk, disk);
        percent->memory = MAX(percent->memory, memory);
}

static uint64_t done_of(uint64_t known, uint64_t total, uint64_t remaining) {
        remaining = MIN(remaining, total);

        /* what it does not speak of yet is to be done too */
        return total - remaining == total ? known : MIN(total - remaining, known);
}

unsigned vsm_percent_take(VsmPercent *percent, const VsmPercentSample *sample) {
        double all, done = 0;

        vsm_percent_expect(percent, sample->disk_total, sample->memory_total);
        all = (double) percent->disk + (double) percent->memory;

        /* memory does not begin before the disks are there */
        if (sample->memory_total > 0)
                done = (double) percent->disk + (double) done_of(percent->memory, sample->memory_total,
                                                                 sample->memory_remaining);
        else if (sample->disk_total > 0)
                done = (double) done_of(percent->disk, sample->disk_total, sample->disk_remaining);

        if (all > 0)
                percent->shown = MAX(percent->shown, (unsigned) (done / all * 100));

        return percent->shown;
}
