/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest.h"

/* Two clocks. The TSC is the fine one. While a guest is stopped, a hypervisor may stop its TSC too (QEMU
 * saves and loads it: TCG always, KVM where the TSC has an offset) or let it run on (seen in nested
 * machines). The CMOS clock follows the host's wall clock in all of them. So a pause is what the TSC saw,
 * plus what the CMOS clock gained on the TSC from one turn of its second to the next. */

#define PIT_HZ 1193182U
#define NOISE_US 20000

typedef struct Turn {
        uint64_t after_us, before_us; /* the second turned between these two looks at it */
        uint32_t second;              /* of the hour */
} Turn;

static uint64_t tsc_start, last_look_us;
static uint32_t tsc_khz;
static uint32_t pending_ms;
static Turn turn;

/* Channel 2 counts down once without an interrupt; its output shows at port 0x61. */
static uint32_t calibrate_once(void) {
        const uint32_t ms = 40, ticks = PIT_HZ / 1000 * ms;
        uint64_t t;

        outb(0x61, (uint8_t) ((inb(0x61) & ~0x02) | 0x01));
        outb(0x43, 0xb0);
        outb(0x42, ticks & 0xff);
        outb(0x42, ticks >> 8);

        t = rdtsc();
        while (!(inb(0x61) & 0x20))
                ;

        return (uint32_t) div64(rdtsc() - t, ms);
}

static uint32_t cmos(uint8_t index) {
        uint8_t bcd;

        outb(0x70, index);
        bcd = inb(0x71);
        return (uint32_t) (bcd >> 4) * 10 + (bcd & 15);
}

/* Channel 0, periodic: it ends the hlts. All other interrupts stay masked. */
static void timer_init(uint32_t hz) {
        static struct {
                uint16_t low, selector, type, high;
        } idt[0x21];
        volatile uint32_t *apic = (volatile uint32_t *) 0xfee00000;
        struct {
                uint16_t limit;
                uint32_t base;
        } __attribute__((packed)) pointer = { sizeof(idt) - 1, (uint32_t) idt };

        idt[0x20].low = (uint16_t) (uint32_t) irq0;
        idt[0x20].high = (uint16_t) ((uint32_t) irq0 >> 16);
        idt[0x20].selector = 0x08;
        idt[0x20].type = 0x8e00;
        __asm__ volatile("lidt %0" : : "m"(pointer));

        apic[0xf0 / 4] = 0x1ff; /* on, */
        apic[0x350 / 4] = 0x700; /* and LINT0 is where the controllers below come in: SeaBIOS does that, qboot not */

        outb(0x20, 0x11); /* the two interrupt controllers to vectors 0x20 and 0x28 */
        outb(0xa0, 0x11);
        outb(0x21, 0x20);
        outb(0xa1, 0x28);
        outb(0x21, 0x04);
        outb(0xa1, 0x02);
        outb(0x21, 0x01);
        outb(0xa1, 0x01);
        outb(0x21, 0xfe);
        outb(0xa1, 0xff);

        outb(0x43, 0x34);
        outb(0x40, (uint8_t) (PIT_HZ / hz));
        outb(0x40, (uint8_t) (PIT_HZ / hz >> 8));
}

void clock_init(uint32_t hz) {
        tsc_khz = calibrate_once();

        /* A busy host makes it too long, never too short. */
        for (int i = 0; i < 4; i++) {
                uint32_t khz = calibrate_once();

                if (khz < tsc_khz)
                        tsc_khz = khz;
        }

        tsc_start = rdtsc();
        turn.second = cmos(0);
        timer_init(hz);
}

uint32_t clock_khz(void) {
        return tsc_khz;
}

uint64_t clock_us(void) {
        return div64((rdtsc() - tsc_start) * 1000, tsc_khz); /* good for weeks */
}

uint32_t clock_stopped_ms(void) {
        uint64_t now = clock_us(), after = last_look_us;
        uint32_t second = cmos(0);
        int32_t wall, least, gained;
        uint32_t ms = pending_ms;
        Turn last = turn;

        last_look_us = now;
        if (second == last.second % 60)
                return 0;

        turn = (Turn) { after, now, cmos(2) * 60 + second };

        /* The first turn that is seen has nothing before it to compare with. */
        if (last.before_us == 0)
                return 0;

        wall = (int32_t) ((turn.second + 3600 - last.second) % 3600) * 1000000;
        least = wall - (int32_t) (turn.before_us - last.after_us);
        gained = wall - (int32_t) ((turn.before_us + turn.after_us - last.before_us - last.after_us) / 2);

        /* A second that turns in the middle of a pause divides it: told when a turn is on time again. */
        pending_ms = least > NOISE_US ? ms + (uint32_t) gained / 1000 : 0;
        return pending_ms > 0 ? 0 : ms;
}
