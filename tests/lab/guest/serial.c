/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest.h"

/* The first serial port, 115200 8N1, by polling. QEMU takes a byte as soon as it is written. */

#define COM1 0x3f8

void serial_init(void) {
        outb(COM1 + 1, 0x00);
        outb(COM1 + 3, 0x80);
        outb(COM1 + 0, 0x01);
        outb(COM1 + 1, 0x00);
        outb(COM1 + 3, 0x03);
        outb(COM1 + 2, 0x07);
        outb(COM1 + 4, 0x03);
}

static void put_char(char c) {
        while (!(inb(COM1 + 5) & 0x20))
                ;

        outb(COM1, (uint8_t) c);
}

void put(const char *s) {
        for (; *s; s++)
                put_char(*s);
}

void put_number(const char *key, uint64_t v) {
        char digits[21];
        unsigned i = sizeof(digits) - 1;

        digits[i] = 0;
        do {
                uint64_t q = div64(v, 10);

                digits[--i] = (char) ('0' + (uint32_t) (v - q * 10));
                v = q;
        } while (v > 0);

        put(key);
        put(digits + i);
}

void put_hex(const char *key, uint64_t v) {
        put(key);

        for (int shift = 60; shift >= 0; shift -= 4)
                put_char("0123456789abcdef"[(v >> shift) & 15]);
}
