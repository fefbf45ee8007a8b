/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Numbers of jobs are given once, whatever becomes of the store's two files. */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "store-place.h"

static void test_numbers_after_reopen(Place *place, const void *data G_GNUC_UNUSED) {
        /* starts without jobs cost no numbers */
        vsm_store_close(open_whole(place));
        vsm_store_close(open_whole(place));

        g_assert_cmpuint(fill(place, 3), ==, 3);
        g_assert_cmpuint(fill(place, 2), ==, 5);

        for (unsigned i = 6; i < 10; i++)
                g_assert_cmpuint(fill(place, 1), ==, i);
}

/* With the second file lost or bent as well, numbers begin where no counter has been. */
static void test_both_lost(Place *place, const void *data G_GNUC_UNUSED) {
        static const char *const bent[] = {
                "", "vsmd-numbers 1 ", "vsmd-numbers 1 10", "vsmd-numbers 1 0\n", "vsmd-numbers 2 10\n",
                "vsmd-numbers 1 10\n\n", "vsmd-numbers 1 -1\n", "vsmd-numbers 1 9223372036854775807\n",
                "vsmd-numbers 1 99999999999999999999999\n",
                NULL                    /* not there */
        };
        uint64_t last = fill(place, 3);

        g_assert_cmpuint(last, ==, 3);

        for (size_t i = 0; i < G_N_ELEMENTS(bent); i++) {
                empty_directory(place->directory);
                overwrite(place->file, "garbage, garbage", 16);
                if (bent[i])
                        overwrite(place->numbers, bent[i], strlen(bent[i]));

                last = assert_recovers(place, last);
                g_assert_cmpuint(last, >, 1000000000);
                g_assert_cmpuint(last, <, UINT64_C(1) << 53);
                last = 3;
        }

        /* the database is gone without a trace, but its file of numbers is there, bent */
        empty_directory(place->directory);
        overwrite(place->numbers, "x", 1);
        g_assert_cmpuint(fill(place, 1), >, 1000000000);

        /* a crash right after setting aside */
        empty_directory(place->directory);
        g_assert_cmpint(mkdir(place->file, 0700), ==, 0);
        {
                g_autofree char *aside = g_strconcat(place->file, ".damaged-1", NULL);

                g_assert_cmpint(rename(place->file, aside), ==, 0);
        }
        g_assert_cmpuint(fill(place, 1), >, 1000000000);
}

/* A whole database needs nobody's help. */
static void test_numbers_file_lost(Place *place, const void *data G_GNUC_UNUSED) {
        g_assert_cmpuint(fill(place, 3), ==, 3);
        g_assert_cmpint(remove(place->numbers), ==, 0);
        g_assert_cmpuint(fill(place, 1), ==, 4);
        overwrite(place->numbers, "x", 1);
        g_assert_cmpuint(fill(place, 1), ==, 5);

        /* and reserves anew */
        overwrite(place->file, "garbage, garbage", 16);
        assert_recovers(place, 5);
}

/* Somebody puts an old copy back. */
static void test_old_copy(Place *place, const void *data G_GNUC_UNUSED) {
        g_autofree char *copy = NULL;
        size_t length = 0;
        uint64_t last = fill(place, 1);

        g_assert_true(g_file_get_contents(place->file, &copy, &length, NULL));
        last = fill(place, 2500);
        overwrite(place->file, copy, length);
        g_assert_cmpuint(fill(place, 1), >, last);
}

/* Over the end of a block. */
static void test_blocks(Place *place, const void *data G_GNUC_UNUSED) {
        uint64_t last = fill(place, 2100);

        g_assert_cmpuint(last, ==, 2100);
        overwrite(place->file, "garbage, garbage", 16);
        g_assert_cmpuint(assert_recovers(place, last), <, 2100 + 2 * 1024);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        PLACE_TEST("/store-numbers/numbers-after-reopen", test_numbers_after_reopen);
        PLACE_TEST("/store-numbers/both-lost", test_both_lost);
        PLACE_TEST("/store-numbers/numbers-file-lost", test_numbers_file_lost);
        PLACE_TEST("/store-numbers/old-copy", test_old_copy);
        PLACE_TEST("/store-numbers/blocks", test_blocks);

        return g_test_run();
}
