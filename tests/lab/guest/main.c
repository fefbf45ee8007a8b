/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest.h"

/* A guest that knows whether its migration was a good one: it writes its memory and its disks at a given
 * rate, checks what it wrote, and measures how long it stood still. See README.md of the lab for the lines
 * that it prints. */

#define HZ 100U
#define LINE_US 200000U
#define PAUSE_US 80000U
#define FIRST_PAGE (8U << 20 >> 12) /* below: this program, and the generations */
#define CHECK_SECONDS 3U
#define FILL_US 20000U
#define NONE 0xffffffffU

typedef struct MultibootInfo {
        uint32_t flags, mem_lower, mem_upper, boot_device, cmdline;
} MultibootInfo;

typedef struct Guest {
        uint32_t ws, rate, tick_ms; /* MiB, MiB/s, ms */
        bool sleepy;
        uint32_t pages, n, gap_us, lost;
        uint64_t checked, written, credit;
        uint64_t tick_us, due_us, line_us, boot;
        bool full, disks;
} Guest;

static uint32_t option(const char *cmdline, const char *key, uint32_t value) {
        for (const char *p = cmdline; *p; p++) {
                const char *a = p, *b = key;

                if (p > cmdline && p[-1] != ' ')
                        continue;

                while (*b && *a == *b)
                        a++, b++;

                if (*b)
                        continue;

                for (value = 0; *a >= '0' && *a <= '9'; a++)
                        value = value * 10 + (uint32_t) (*a - '0');
        }

        return value;
}

static void say_boot(const Guest *g) {
        put_hex("VSM boot=", g->boot);
        put_number(" ws=", g->ws);
        put_number(" rate=", g->rate);
        put_number(" tick=", g->tick_ms);
        put_number(" khz=", clock_khz());
        put("\n");
}

static void say_tick(Guest *g, uint64_t now) {
        put_number("VSM tick n=", g->n);
        put_number(" t=", div64(now, 1000));
        put_number(" gap=", g->gap_us / 1000);
        put_number(" lost=", g->lost);
        put_number(" checked=", g->checked);
        put_number(" written=", g->written);
        put("\n");

        g->line_us = now;
        g->gap_us = 0;
}

static void say_pause(const Guest *g, uint32_t ms) {
        put_number("VSM pause ms=", ms);
        put_number(" n=", g->n);
        put("\n");
}

/* The power button of ACPI, where qboot and SeaBIOS put its ports on q35 and pc: so that "virsh shutdown" works. */
#define ACPI_STATUS 0x600
#define ACPI_ENABLE 0x602
#define ACPI_CONTROL 0x604
#define ACPI_BUTTON 0x0100
#define ACPI_SLEEP 0x2000
#define ACPI_S3 0x0400 /* type 1 */

static void obey_power_button(const Guest *g) {
        if (!(inw(ACPI_STATUS) & ACPI_BUTTON))
                return;

        if (g->sleepy) {
                outw(ACPI_STATUS, ACPI_BUTTON); /* or it would sleep again as soon as it is awake */
                put_number("VSM asleep n=", g->n);
                put("\n");
                outw(ACPI_CONTROL, ACPI_SLEEP | ACPI_S3);
                return;
        }

        put_number("VSM shutdown n=", g->n);
        put("\n");
        outw(ACPI_CONTROL, ACPI_SLEEP); /* type 0: off */
}

/* What the clock says is due: writes by rate, checks so that all is seen every three seconds. */
static void work(Guest *g, uint32_t passed_us) {
        uint32_t n, most = g->pages / 8 + 1;

        g->credit += (uint64_t) g->rate * 256 * passed_us;
        n = (uint32_t) div64(g->credit, 1000000);
        g->credit -= (uint64_t) n * 1000000;
        if (n > most)
                n = most; /* after a pause: no storm to make up for it */

        memory_write(n);
        g->written += n;

        n = g->pages * g->tick_ms / (CHECK_SECONDS * 1000) + 1;
        g->lost += memory_check(n);
        g->checked += n;
}

static void tick(Guest *g, uint64_t now) {
        uint32_t gap_us = (uint32_t) (now - g->tick_us);

        g->n++;
        g->tick_us = now;
        g->due_us += g->tick_ms * 1000;
        if (g->due_us < now)
                g->due_us = now; /* late: go on from here, no burst of ticks */
        if (gap_us > g->gap_us)
                g->gap_us = gap_us;
        if (gap_us > PAUSE_US)
                say_pause(g, gap_us / 1000);

        work(g, gap_us);
        obey_power_button(g);
}

/* In small bites, so that the ticks begin at once. True: there is more to do. */
static bool fill(Guest *g) {
        uint64_t end = clock_us() + FILL_US;

        if (g->full)
                return false;

        while (memory_fill())
                if (clock_us() >= end)
                        return true;

        if (g->disks && !disk_is_filled())
                return false;

        g->full = true;
        put_number("VSM full n=", g->n);
        put("\n");
        return false;
}

void guest_main(const MultibootInfo *info) {
        const char *cmdline = info->flags & 4 ? (const char *) info->cmdline : "";
        Guest g = {
                        .ws = option(cmdline, "ws=", 16),
                        .rate = option(cmdline, "rate=", 0),
                        .tick_ms = option(cmdline, "tick=", 50),
                        .sleepy = option(cmdline, "sleepy=", 0) != 0,
        };
        uint32_t disk_rate = option(cmdline, "disk=", NONE);
        uint32_t most = (info->mem_upper >> 2) + 256 - FIRST_PAGE - 16;

        serial_init();
        if (option(cmdline, "deaf=", 0) == 0)
                outw(ACPI_ENABLE, ACPI_BUTTON); /* no interrupt comes, but without it the status stays 0 */
        clock_init(HZ);

        g.pages = g.ws << 8;
        if (g.pages > most)
                g.pages = most;

        g.boot = rdtsc() * 0x9e3779b97f4a7c15ULL;
        say_boot(&g);
        memory_init(FIRST_PAGE, g.pages, option(cmdline, "sparse=", 0) != 0);
        g.disks = disk_rate != NONE; /* unasked, disks are not touched */
        if (g.disks)
                disk_init((uint32_t) (g.boot >> 32), disk_rate, option(cmdline, "region=", 1024));
        g.tick_us = g.due_us = clock_us();

        for (;;) {
                uint64_t now = clock_us();
                uint32_t stopped_ms = clock_stopped_ms();

                if (stopped_ms > 0) {
                        say_pause(&g, stopped_ms);
                        if (stopped_ms * 1000 > g.gap_us)
                                g.gap_us = stopped_ms * 1000;
                }

                if (now >= g.due_us)
                        tick(&g, now);
                if (now - g.line_us >= LINE_US)
                        say_tick(&g, now);

                if (g.disks)
                        disk_work(g.n);
                if (!fill(&g))
                        wait_for_timer();
        }
}
