/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* There is no C library below: what is needed of one is here. */

#define PAGE_WORDS 1024U

static inline void outb(uint16_t port, uint8_t v) {
        __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t v) {
        __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t v) {
        __asm__ volatile("outl %0, %1" : : "a"(v), "Nd"(port));
}

static inline uint8_t inb(uint16_t port) {
        uint8_t v;

        __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
        return v;
}

static inline uint16_t inw(uint16_t port) {
        uint16_t v;

        __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
        return v;
}

static inline uint32_t inl(uint16_t port) {
        uint32_t v;

        __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
        return v;
}

static inline uint64_t rdtsc(void) {
        uint32_t low, high;

        __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
        return (uint64_t) high << 32 | low;
}

static inline void copy_words(uint32_t *to, const uint32_t *from, uint32_t n) {
        __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static inline bool same_words(const uint32_t *a, const uint32_t *b, uint32_t n) {
        bool same;

        __asm__ volatile("repe cmpsl" : "=@cce"(same), "+D"(a), "+S"(b), "+c"(n) : : "memory");
        return same;
}

/* 64 by 32 bit, since gcc's own helper would come from a 32-bit libgcc that is rarely installed */
static inline uint64_t div64(uint64_t n, uint32_t d) {
        uint32_t high = (uint32_t) (n >> 32), low = (uint32_t) n, qhigh = high / d, rest = high % d, qlow;

        __asm__("divl %4" : "=a"(qlow), "=d"(rest) : "0"(low), "1"(rest), "rm"(d));
        return (uint64_t) qhigh << 32 | qlow;
}

/* clock.c */
void clock_init(uint32_t hz);    /* and the timer interrupt */
uint64_t clock_us(void);         /* since clock_init(), as far as the TSC knows */
uint32_t clock_khz(void);
uint32_t clock_stopped_ms(void); /* how long the TSC itself stood still, as far as not told yet */

/* start.S */
void wait_for_timer(void);
void irq0(void);

/* serial.c */
void serial_init(void);
void put(const char *s);
void put_number(const char *key, uint64_t v);
void put_hex(const char *key, uint64_t v);

/* memory.c */
void memory_init(uint32_t first_page, uint32_t n_pages, bool marks_only);
bool memory_fill(void);                     /* one page more; false when all are filled */
void memory_write(uint32_t n);              /* gives the next n pages a new generation */
uint32_t memory_check(uint32_t n);          /* looks at the next n pages; returns how many are wrong */
const uint32_t *memory_noise(uint32_t key); /* a page of random words, another one for each key */

/* ata.c: units are hda to hdd; one request at a time */
#define ATA_UNITS 4U
typedef enum AtaCommand {
        ATA_READ = 0xc8,
        ATA_WRITE = 0xca,
        ATA_FLUSH = 0xe7,
} AtaCommand;

void ata_init(void);
uint32_t ata_sectors(uint32_t unit); /* 0: no disk */
void ata_start(uint32_t unit, AtaCommand command, uint32_t sector, uint32_t count, void *buffer);
bool ata_is_busy(void);
bool ata_finish(void); /* false: it failed */

/* disk.c */
void disk_init(uint32_t boot_id, uint32_t kib_per_second, uint32_t region_kib);
bool disk_is_filled(void); /* each region was written once */
void disk_work(uint32_t n);
