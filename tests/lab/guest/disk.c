/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest.h"

/* Each disk has a region that is written round and round, and read round and round. A sector says which one
 * it is, who wrote it, and in which turn; the turns are remembered here. So a write that is lost, on one
 * disk or on the way to another, is found within some seconds. Nothing outside of the region is ever
 * written.
 *
 * A request is started and looked at again later: a slow disk makes no pause of the guest. */

#define FIRST_SECTOR 128U /* 64 KiB */
#define MOST_SECTORS 32768U
#define STEP 32U /* sectors of a request */
#define WORDS 128U
#define MAGIC 0x644d5356U /* "VSMd" */
#define ROUND_SECONDS 4U  /* checks see all in this time, or faster where writes are */
#define BUDGET_US 5000U
#define POLLS 40U
#define FLUSH_US 1000000U
#define LINE_US 1000000U
#define MOST_LINES 8U

/* Words of a sector: what makes it, a sum of that, noise that only this sector has, the sum again */
enum { MARK, SECTOR, DEVICE, BOOT, TURN, SUM, NOISE, SUM_AGAIN = WORDS - 1 };

typedef struct Disk {
        uint32_t sectors, write_at, check_at;
        uint32_t turn, lost, errors, flushed, rounds, wait_us;
        uint64_t written, checked, write_credit, check_credit, flush_us;
        bool filled, dirty;
} Disk;

static Disk disks[ATA_UNITS];
static uint32_t turns[ATA_UNITS][MOST_SECTORS]; /* 0: not known */
static uint32_t buffer[STEP * WORDS] __attribute__((aligned(STEP * 512)));

static uint32_t boot, rate; /* KiB/s for each disk */
static uint64_t last_us, line_us;

static struct {
        bool running;
        AtaCommand command;
        uint32_t device;
        uint64_t start_us;
} request;

void disk_init(uint32_t boot_id, uint32_t kib_per_second, uint32_t region_kib) {
        boot = boot_id;
        rate = kib_per_second;
        ata_init();

        for (uint32_t i = 0; i < ATA_UNITS; i++) {
                uint32_t have = ata_sectors(i), n = region_kib * 2;

                have = have > FIRST_SECTOR ? have - FIRST_SECTOR : 0;
                n = n < have ? n : have;
                n = n < MOST_SECTORS ? n : MOST_SECTORS;
                disks[i].sectors = n / STEP * STEP;
        }

        last_us = clock_us();
}

bool disk_is_filled(void) {
        for (uint32_t i = 0; i < ATA_UNITS; i++)
                if (disks[i].sectors > 0 && !disks[i].filled)
                        return false;

        return true;
}

static uint32_t sum(const uint32_t *sector) {
        uint32_t s = 0;

        for (uint32_t i = MARK; i < SUM; i++)
                s = (s ^ sector[i]) * 0x9e3779b1U + i;

        return s;
}

static const uint32_t *noise(uint32_t device, uint32_t i) {
        return memory_noise(device * MOST_SECTORS + i);
}

static void stamp(uint32_t device, uint32_t i, uint32_t turn, uint32_t *to) {
        to[MARK] = MAGIC;
        to[SECTOR] = FIRST_SECTOR + i;
        to[DEVICE] = device;
        to[BOOT] = boot;
        to[TURN] = turn;
        to[SUM] = to[SUM_AGAIN] = sum(to);
        copy_words(to + NOISE, noise(device, i), SUM_AGAIN - NOISE);
}

/* A turn newer than the remembered one is no loss on the disk: it is memory that lost it, which has checks
 * of its own, and is not to be trusted without KVM. */
static bool is_right(uint32_t device, uint32_t i, const uint32_t *have) {
        return have[MARK] == MAGIC && have[SECTOR] == FIRST_SECTOR + i && have[DEVICE] == device &&
               have[BOOT] == boot && have[TURN] >= turns[device][i] && have[SUM] == sum(have) &&
               have[SUM_AGAIN] == have[SUM] && same_words(have + NOISE, noise(device, i), SUM_AGAIN - NOISE);
}

static void say_lost(uint32_t n, uint32_t device, uint32_t i, const uint32_t *have) {
        put_number("VSM disk-lost n=", n);
        put_number(" dev=", device);
        put_number(" sector=", FIRST_SECTOR + i);
        put_number(" turn=", turns[device][i]);
        put_number(" found=", have[MARK] == MAGIC && have[SUM] == sum(have) ? have[TURN] : 0);
        put("\n");
}

static void look_at(uint32_t n, uint32_t device) {
        Disk *d = &disks[device];

        for (uint32_t k = 0; k < STEP; k++) {
                uint32_t i = d->check_at + k;

                if (turns[device][i] == 0)
                        continue;

                d->checked++;
                if (is_right(device, i, buffer + k * WORDS))
                        continue;

                if (d->lost++ < MOST_LINES)
                        say_lost(n, device, i, buffer + k * WORDS);
                turns[device][i] = 0; /* once found, count it once */
        }
}

static void prepare_write(uint32_t device) {
        Disk *d = &disks[device];

        d->turn++;
        for (uint32_t k = 0; k < STEP; k++)
                stamp(device, d->write_at + k, d->turn, buffer + k * WORDS);
}

/* What failed may have been written or not. */
static void remember_write(uint32_t device, bool good) {
        Disk *d = &disks[device];

        for (uint32_t k = 0; k < STEP; k++)
                turns[device][d->write_at + k] = good ? d->turn : 0;

        if (good)
                d->written += STEP;
        d->dirty = true;
        d->write_at += STEP;
        if (d->write_at == d->sectors) {
                d->write_at = 0;
                d->filled = true;
        }
}

static void finish(uint32_t n, uint64_t now) {
        Disk *d = &disks[request.device];
        uint32_t us = (uint32_t) (now - request.start_us);
        bool good = ata_finish();

        request.running = false;
        if (us > d->wait_us)
                d->wait_us = us;
        if (!good)
                d->errors++;

        switch (request.command) {
        case ATA_WRITE:
                remember_write(request.device, good);
                break;
        case ATA_READ:
                if (good)
                        look_at(n, request.device);
                d->check_at += STEP;
                if (d->check_at == d->sectors) {
                        d->check_at = 0;
                        d->rounds++;
                }
                break;
        case ATA_FLUSH:
                d->flushed += good;
                d->flush_us = now;
                d->dirty = false;
                break;
        }
}

static bool pay(uint64_t *credit) {
        if (*credit < (uint64_t) STEP * 1000000)
                return false;

        *credit -= (uint64_t) STEP * 1000000;
        return true;
}

static void start(uint32_t device, AtaCommand command, uint32_t at, uint64_t now) {
        request.running = true;
        request.command = command;
        request.device = device;
        request.start_us = now;
        ata_start(device, command, FIRST_SECTOR + at, STEP, buffer);
}

static bool start_on(uint32_t device, uint64_t now) {
        Disk *d = &disks[device];

        if (d->sectors == 0)
                return false;

        if (d->dirty && now - d->flush_us >= FLUSH_US) {
                start(device, ATA_FLUSH, 0, now);
        } else if (d->check_credit >= d->write_credit && d->filled && pay(&d->check_credit)) {
                start(device, ATA_READ, d->check_at, now);
        } else if (!d->filled || pay(&d->write_credit)) {
                prepare_write(device);
                start(device, ATA_WRITE, d->write_at, now);
        } else {
                return false;
        }

        return true;
}

/* Disks take turns. */
static bool start_next(uint64_t now) {
        for (uint32_t k = 1; k <= ATA_UNITS; k++)
                if (start_on((request.device + k) % ATA_UNITS, now))
                        return true;

        return false;
}

/* As much as the clock says; after a pause no more than for a quarter of a second: no storm. */
static void earn(uint64_t now) {
        uint64_t us = now - last_us;

        last_us = now;
        if (us > 250000)
                us = 250000;

        for (uint32_t i = 0; i < ATA_UNITS; i++) {
                Disk *d = &disks[i];
                uint32_t write = rate * 2, check = d->sectors / ROUND_SECONDS;

                if (check < write)
                        check = write;

                d->write_credit += write * us;
                d->check_credit += check * us;
                if (d->write_credit > (uint64_t) write * 250000 + STEP * 1000000)
                        d->write_credit = (uint64_t) write * 250000 + STEP * 1000000;
                if (d->check_credit > (uint64_t) check * 250000 + STEP * 1000000)
                        d->check_credit = (uint64_t) check * 250000 + STEP * 1000000;
        }
}

static void say_disk(uint32_t n, uint32_t device) {
        Disk *d = &disks[device];

        put_number("VSM disk n=", n);
        put_number(" dev=", device);
        put_number(" written=", d->written);
        put_number(" checked=", d->checked);
        put_number(" lost=", d->lost);
        put_number(" errors=", d->errors);
        put_number(" flushed=", d->flushed);
        put_number(" rounds=", d->rounds);
        put_number(" wait=", d->wait_us / 1000);
        put("\n");
        d->wait_us = 0;
}

void disk_work(uint32_t n) {
        uint64_t now = clock_us(), end = now + BUDGET_US;

        earn(now);

        for (; now < end; now = clock_us()) {
                if (!request.running && !start_next(now))
                        break;

                for (uint32_t i = 0; i < POLLS && ata_is_busy(); i++)
                        ;

                if (ata_is_busy())
                        break;
                finish(n, clock_us());
        }

        if (now - line_us < LINE_US)
                return;

        line_us = now;
        for (uint32_t i = 0; i < ATA_UNITS; i++)
                if (disks[i].sectors > 0)
                        say_disk(n, i);
}
