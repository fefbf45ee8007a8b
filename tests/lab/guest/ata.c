/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest.h"

/* The disks of machine "pc": a PIIX controller, its old ports, its bus-master DMA. Chosen over virtio since
 * all of its state is the device's. A queue in memory that an emulator without KVM damages while it migrates
 * would end the migration, not just show. One request at a time; nobody waits for an interrupt. */

#define BUSY 0x80
#define READY_FOR_DATA 0x08
#define FAILED 0x21 /* error, device fault */

#define PCI_COMMAND 0x04
#define PCI_CLASS 0x08
#define PCI_BAR4 0x20
#define CLASS_IDE 0x0101
#define MASTER_PORTS 0xc000

typedef struct Unit {
        uint16_t command, control, master; /* ports */
        uint8_t select;
        uint32_t sectors;
} Unit;

typedef struct Piece {
        uint32_t address;
        uint16_t length, flags;
} Piece;

static Unit units[ATA_UNITS] = {
                {.command = 0x1f0, .control = 0x3f6, .select = 0xe0},
                {.command = 0x1f0, .control = 0x3f6, .select = 0xf0},
                {.command = 0x170, .control = 0x376, .select = 0xe0},
                {.command = 0x170, .control = 0x376, .select = 0xf0},
};

static Piece piece __attribute__((aligned(8)));
static const Unit *current;

static uint32_t pci_read(uint32_t function, uint32_t offset) {
        outl(0xcf8, 0x80000000U | function << 8 | offset);
        return inl(0xcfc);
}

static void pci_write(uint32_t function, uint32_t offset, uint32_t v) {
        outl(0xcf8, 0x80000000U | function << 8 | offset);
        outl(0xcfc, v);
}

/* The ports of the bus master, or 0. SeaBIOS has given it some, qboot has not. */
static uint16_t find_master(void) {
        for (uint32_t function = 0; function < 256; function++) {
                if (pci_read(function, PCI_CLASS) >> 16 != CLASS_IDE)
                        continue;

                if ((pci_read(function, PCI_BAR4) & 0xfffc) == 0)
                        pci_write(function, PCI_BAR4, MASTER_PORTS);
                pci_write(function, PCI_COMMAND, (pci_read(function, PCI_COMMAND) & 0xffff) | 0x05);
                return (uint16_t) (pci_read(function, PCI_BAR4) & 0xfffc);
        }

        return 0;
}

/* What is no disk, a CD drive for one, refuses the command. */
static uint32_t identify(const Unit *u) {
        uint32_t sectors = 0;

        outb(u->command + 6, u->select);
        if (inb(u->command + 7) == 0)
                return 0;

        outb(u->command + 7, 0xec);
        while (inb(u->control) & BUSY)
                ;

        if (!(inb(u->command + 7) & READY_FOR_DATA))
                return 0;

        for (uint32_t i = 0; i < 256; i++) {
                uint32_t word = inw(u->command);

                if (i == 60)
                        sectors |= word;
                if (i == 61)
                        sectors |= word << 16;
        }

        return sectors;
}

void ata_init(void) {
        uint16_t master = find_master();

        for (uint32_t i = 0; master != 0 && i < ATA_UNITS; i++) {
                units[i].master = (uint16_t) (master + i / 2 * 8);
                units[i].sectors = identify(&units[i]);
        }
}

uint32_t ata_sectors(uint32_t unit) {
        return units[unit].sectors;
}

void ata_start(uint32_t unit, AtaCommand command, uint32_t sector, uint32_t count, void *buffer) {
        const Unit *u = current = &units[unit];

        outb(u->command + 6, (uint8_t) (u->select | (sector >> 24 & 15)));
        if (command == ATA_FLUSH) {
                outb(u->command + 7, command);
                return;
        }

        piece = (Piece){(uint32_t) buffer, (uint16_t) (count * 512), 0x8000};
        __asm__ volatile("" : : : "memory");
        outb(u->master, 0);
        outb(u->master + 2, 0x06);
        outl(u->master + 4, (uint32_t) &piece);

        outb(u->command + 2, (uint8_t) count);
        outb(u->command + 3, (uint8_t) sector);
        outb(u->command + 4, (uint8_t) (sector >> 8));
        outb(u->command + 5, (uint8_t) (sector >> 16));
        outb(u->command + 7, command);
        outb(u->master, command == ATA_READ ? 0x09 : 0x01);
}

bool ata_is_busy(void) {
        return inb(current->control) & (BUSY | READY_FOR_DATA);
}

bool ata_finish(void) {
        uint8_t status = inb(current->command + 7);

        outb(current->master, 0);
        __asm__ volatile("" : : : "memory");
        return !(status & FAILED);
}
