/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "guest.h"

/* The working set. Pages are filled from a pool of random words, each from another place of it, so
 * nothing is zero and nothing compresses; or, where each word takes a microsecond, only marked: no page is
 * zero then either, and as many bytes move. Each page has a generation, and a few words in it, the first
 * and the last among them, follow from page number and generation. The generations are kept apart from
 * the pages: when one of the two loses a write, they no longer agree. Writing only these few words makes
 * a page as dirty as writing all, and is quick even where a hypervisor has to emulate each instruction of
 * a 32-bit guest. */

#define POOL_WORDS 8192U
#define MARK_STEP 341U /* words 0, 341, 682, 1023 */

static uint32_t *const generations = (uint32_t *) 0x400000; /* up to 4 MiB of them: 4 GiB of pages */

static uint32_t pool[POOL_WORDS + PAGE_WORDS];
static uint32_t first, count, filled, write_at, check_at;
static bool sparse;

static uint32_t xorshift(uint32_t x) {
        x ^= x << 13;
        x ^= x >> 17;
        x ^= x << 5;
        return x;
}

static inline uint32_t page_seed(uint32_t page) {
        return xorshift((page + 1) * 0x9e3779b1U ^ generations[page] * 0x85ebca6bU) | 1;
}

static uint32_t *page_address(uint32_t page) {
        return (uint32_t *) ((first + page) << 12);
}

static void page_mark(uint32_t page) {
        uint32_t *p = page_address(page), mark = page_seed(page);

        for (uint32_t i = 0; i < PAGE_WORDS; i += MARK_STEP, mark += MARK_STEP)
                p[i] = mark;
}

static bool page_is_right(uint32_t page) {
        const volatile uint32_t *p = page_address(page);
        uint32_t mark = page_seed(page);

        for (uint32_t i = 0; i < PAGE_WORDS; i += MARK_STEP, mark += MARK_STEP)
                if (p[i] != mark)
                        return false;

        return true;
}

void memory_init(uint32_t first_page, uint32_t n_pages, bool marks_only) {
        uint32_t x = 0x2545f491U;

        sparse = marks_only;
        first = first_page;
        count = n_pages;

        for (uint32_t i = 0; i < sizeof(pool) / sizeof(*pool); i++)
                pool[i] = x = xorshift(x);
}

const uint32_t *memory_noise(uint32_t key) {
        return pool + xorshift(key + 1) % POOL_WORDS;
}

bool memory_fill(void) {
        if (filled == count)
                return false;

        if (!sparse)
                copy_words(page_address(filled), memory_noise(filled), PAGE_WORDS);
        generations[filled] = 1;
        page_mark(filled++);
        return true;
}

void memory_write(uint32_t n) {
        for (; n > 0 && filled > 0; n--) {
                generations[write_at]++;
                page_mark(write_at);
                write_at = write_at + 1 < filled ? write_at + 1 : 0;
        }
}

uint32_t memory_check(uint32_t n) {
        uint32_t wrong = 0;

        for (; n > 0 && filled > 0; n--) {
                if (!page_is_right(check_at)) {
                        wrong++;
                        page_mark(check_at); /* once found, count it once */
                }

                check_at = check_at + 1 < filled ? check_at + 1 : 0;
        }

        return wrong;
}
