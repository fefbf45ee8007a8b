/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store against files that are not what they should be. */

#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store-place.h"

static void test_truncated(Place *place, const void *data G_GNUC_UNUSED) {
        g_autofree char *whole = NULL, *numbers = NULL;
        size_t length = 0, numbers_length = 0;
        uint64_t last = fill(place, 100);

        g_assert_true(g_file_get_contents(place->file, &whole, &length, NULL));
        g_assert_true(g_file_get_contents(place->numbers, &numbers, &numbers_length, NULL));
        g_assert_cmpuint(length, >, 4 * 4096);

        for (size_t at = 0; at < length; at += 512) {
                uint64_t number = 0;

                empty_directory(place->directory);
                overwrite(place->file, whole, at);
                overwrite(place->numbers, numbers, numbers_length);
                number = assert_recovers(place, last);

                /* and the new one lives on */
                g_assert_cmpuint(fill(place, 1), ==, number + 1);
                g_assert_cmpuint(count_aside(place), ==, 1);
        }

        /* whole again: nothing is set aside, nothing is lost */
        empty_directory(place->directory);
        overwrite(place->file, whole, length);
        overwrite(place->numbers, numbers, numbers_length);
        g_assert_cmpuint(fill(place, 1), ==, last + 1);
}

/* Any one byte of the head and of some pages: opens, with or without setting aside, and never gives a
 * number again as long as one of the two files is whole. */
static void test_flipped(Place *place, const void *data G_GNUC_UNUSED) {
        g_autofree char *whole = NULL, *numbers = NULL;
        size_t length = 0, numbers_length = 0;
        uint64_t last = fill(place, 30);

        g_assert_true(g_file_get_contents(place->file, &whole, &length, NULL));
        g_assert_true(g_file_get_contents(place->numbers, &numbers, &numbers_length, NULL));

        for (size_t at = 0; at < length; at += at < 128 ? 1 : 97) {
                g_autoptr(VsmStore) store = NULL;

                empty_directory(place->directory);
                whole[at] ^= 0xff;
                overwrite(place->file, whole, length);
                whole[at] ^= 0xff;
                overwrite(place->numbers, numbers, numbers_length);

                store = open_good(place, NULL);
                g_assert_cmpuint(insert_good_job(store), >, last);
                (void) count_unfinished(store);
        }
}

static void test_zero_filled(Place *place, const void *data G_GNUC_UNUSED) {
        uint64_t last = fill(place, 5);
        g_autofree char *zeros = g_malloc0(16384);

        overwrite(place->file, zeros, 16384);
        last = assert_recovers(place, last);
        overwrite(place->file, zeros, 1);
        last = assert_recovers(place, last);
        overwrite(place->file, "", 0);
        last = assert_recovers(place, last);
        overwrite(place->file, "This is a text.\n", 16);
        assert_recovers(place, last);
        g_assert_cmpuint(count_aside(place), ==, 4);
}

/* An empty file at the very first start is a start that was cut short. */
static void test_empty_at_first(Place *place, const void *data G_GNUC_UNUSED) {
        overwrite(place->file, "", 0);
        g_assert_cmpuint(fill(place, 1), ==, 1);
}

static void test_foreign(Place *place, const void *data G_GNUC_UNUSED) {
        static const char *const changes[] = {
                "PRAGMA application_id = 1",
                "PRAGMA user_version = 1000",
                "DROP TABLE systems",
                "ALTER TABLE jobs DROP COLUMN boot_id",
                "ALTER TABLE jobs RENAME TO tasks",
        };
        uint64_t last = fill(place, 1);

        for (size_t i = 0; i < G_N_ELEMENTS(changes); i++) {
                run_sql(place, changes[i]);
                last = assert_recovers(place, last);
        }

        /* another program's, from before our first start */
        g_assert_cmpint(remove(place->file), ==, 0);
        run_sql(place, "CREATE TABLE t(x); INSERT INTO t VALUES(1)");
        assert_recovers(place, last);
        g_assert_cmpuint(count_aside(place), ==, G_N_ELEMENTS(changes) + 1);
}

static void test_not_a_file(Place *place, const void *data G_GNUC_UNUSED) {
        uint64_t last = fill(place, 1);

        g_assert_cmpint(remove(place->file), ==, 0);
        g_assert_cmpint(mkdir(place->file, 0700), ==, 0);
        last = assert_recovers(place, last);

        g_assert_cmpint(remove(place->file), ==, 0);
        g_assert_cmpint(symlink("/dev/zero", place->file), ==, 0);
        last = assert_recovers(place, last);

        g_assert_cmpint(remove(place->file), ==, 0);
        g_assert_cmpint(mkfifo(place->file, 0600), ==, 0);
        assert_recovers(place, last);
}

static void test_other_owner(Place *place, const void *data G_GNUC_UNUSED) {
        uint64_t last = fill(place, 1);

        if (geteuid() != 0) {
                g_test_skip("needs root to give a file away");
                return;
        }

        g_assert_cmpint(chown(place->file, 1, 1), ==, 0);
        assert_recovers(place, last);
}

/* The journal of the damaged one must not be played into the new one, and goes with it. */
static void test_journal_goes_along(Place *place, const void *data G_GNUC_UNUSED) {
        g_autofree char *wal = g_strconcat(place->file, "-wal", NULL);
        g_autofree char *aside = NULL, *aside_wal = NULL;
        g_autoptr(VsmStore) store = NULL;
        uint64_t last = fill(place, 100);
        pid_t pid = fork();

        if (pid == 0) {
                VsmStore *child = vsm_store_open(place->directory, NULL, NULL);

                for (unsigned i = 0; i < 5; i++)
                        insert_good_job(child);
                (void) raise(SIGKILL);
        }

        g_assert_cmpint(child_result(pid), ==, 128 + SIGKILL);
        g_assert_true(g_file_test(wal, G_FILE_TEST_EXISTS));
        g_assert_cmpint(truncate(place->file, 8192), ==, 0);

        store = open_good(place, &aside);
        g_assert_nonnull(aside);
        aside_wal = g_strconcat(aside, "-wal", NULL);
        g_assert_true(g_file_test(aside_wal, G_FILE_TEST_EXISTS));
        g_assert_cmpuint(count_unfinished(store), ==, 0);
        g_assert_cmpuint(insert_good_job(store), >, last + 5);
}

static void test_journal_alone(Place *place, const void *data G_GNUC_UNUSED) {
        g_autofree char *wal = g_strconcat(place->file, "-wal", NULL);
        g_autofree char *aside = NULL;
        uint64_t last = fill(place, 3);

        g_assert_cmpint(remove(place->file), ==, 0);
        overwrite(wal, "x", 1);
        vsm_store_close(open_good(place, &aside));
        g_assert_nonnull(aside);
        g_assert_cmpuint(fill(place, 1), >, last);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        PLACE_TEST("/store-damage/truncated", test_truncated);
        PLACE_TEST("/store-damage/flipped", test_flipped);
        PLACE_TEST("/store-damage/zero-filled", test_zero_filled);
        PLACE_TEST("/store-damage/empty-at-first", test_empty_at_first);
        PLACE_TEST("/store-damage/foreign", test_foreign);
        PLACE_TEST("/store-damage/not-a-file", test_not_a_file);
        PLACE_TEST("/store-damage/other-owner", test_other_owner);
        PLACE_TEST("/store-damage/journal-goes-along", test_journal_goes_along);
        PLACE_TEST("/store-damage/journal-alone", test_journal_alone);

        return g_test_run();
}
