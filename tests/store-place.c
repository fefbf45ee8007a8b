/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/enums.h"
#include "store-place.h"

void place_set_up(Place *place, const void *data G_GNUC_UNUSED) {
        place->directory = g_dir_make_tmp("vsm-test-store-XXXXXX", NULL);
        g_assert_nonnull(place->directory);
        place->file = g_build_filename(place->directory, "vsmd.db", NULL);
        place->numbers = g_build_filename(place->directory, "vsmd.numbers", NULL);
}

void empty_directory(const char *path) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name = NULL;

        while ((name = g_dir_read_name(dir))) {
                g_autofree char *child = g_build_filename(path, name, NULL);

                g_assert_cmpint(remove(child), ==, 0);
        }
}

void place_tear_down(Place *place, const void *data G_GNUC_UNUSED) {
        empty_directory(place->directory);
        g_assert_cmpint(rmdir(place->directory), ==, 0);
        g_free(place->directory);
        g_free(place->file);
        g_free(place->numbers);
}

void overwrite(const char *path, const void *bytes, size_t length) {
        g_assert_true(g_file_set_contents(path, bytes, length, NULL));
}

void run_sql(Place *place, const char *sql) {
        sqlite3 *db = NULL;
        char *message = NULL;

        g_assert_cmpint(sqlite3_open(place->file, &db), ==, SQLITE_OK);
        (void) sqlite3_exec(db, sql, NULL, NULL, &message);
        g_assert_cmpstr(message, ==, NULL);
        g_assert_cmpint(sqlite3_close(db), ==, SQLITE_OK);
        g_assert_cmpint(g_chmod(place->file, 0600), ==, 0);
}

VsmStore* open_good(Place *place, char **ret_aside) {
        g_autoptr(GError) error = NULL;
        VsmStore *store = vsm_store_open(place->directory, ret_aside, &error);

        g_assert_no_error(error);
        g_assert_nonnull(store);
        return store;
}

VsmStore* open_whole(Place *place) {
        g_autofree char *aside = NULL;
        VsmStore *store = open_good(place, &aside);

        g_assert_cmpstr(aside, ==, NULL);
        return store;
}

uint64_t insert_job(VsmStore *store, GError **error) {
        VsmStoredJob job = {
                .type = VSM_JOB_TYPE_MOVE_SYSTEM, .system = (char *) "u-1", .system_name = (char *) "guest",
                .owner = (char *) "root", .request = (char *) "('x',)", .destination = (char *) "b",
                .boot_id = (char *) "boot", .submitted = 1, .state = VSM_JOB_STATE_NEW,
        };

        return vsm_store_job_insert(store, &job, error) ? job.number : 0;
}

uint64_t insert_good_job(VsmStore *store) {
        g_autoptr(GError) error = NULL;
        uint64_t number = insert_job(store, &error);

        g_assert_no_error(error);
        g_assert_cmpuint(number, >, 0);
        return number;
}

void end_job(VsmStore *store, uint64_t number, uint32_t migration_state) {
        VsmStoredJob job = { .number = number, .ended = 9, .state = VSM_JOB_STATE_COMPLETED };
        g_autoptr(GError) error = NULL;

        vsm_store_job_end(store, &job, migration_state, 7, &error);
        g_assert_no_error(error);
}

unsigned count_unfinished(VsmStore *store) {
        g_autoptr(GPtrArray) jobs = vsm_store_jobs_unfinished(store, NULL);

        g_assert_nonnull(jobs);
        return jobs->len;
}

unsigned count_aside(Place *place) {
        g_autoptr(GDir) dir = g_dir_open(place->directory, 0, NULL);
        const char *name = NULL;
        unsigned n = 0;

        while ((name = g_dir_read_name(dir)))
                if (g_str_has_prefix(name, "vsmd.db.damaged-") && !strchr(name + 16, '-'))
                        n++;

        return n;
}

uint64_t fill(Place *place, unsigned n) {
        g_autoptr(VsmStore) store = open_whole(place);
        uint64_t last = 0;

        for (unsigned i = 0; i < n; i++)
                last = insert_good_job(store);

        return last;
}

uint64_t assert_recovers(Place *place, uint64_t last) {
        g_autofree char *aside = NULL;
        g_autoptr(VsmStore) store = open_good(place, &aside);
        uint64_t number = insert_good_job(store);

        g_assert_nonnull(aside);
        g_assert_true(g_file_test(aside, G_FILE_TEST_EXISTS) || g_file_test(aside, G_FILE_TEST_IS_SYMLINK));
        g_assert_cmpuint(number, >, last);
        g_assert_cmpuint(count_unfinished(store), ==, 1);
        return number;
}

int child_result(pid_t pid) {
        int status = 0;

        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
