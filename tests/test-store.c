/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store: what it keeps, who may read it, and who else has it. Two threads in one test. */

#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/enums.h"
#include "shared/error.h"
#include "store-place.h"

static void test_round_trip(Place *place, const void *data G_GNUC_UNUSED) {
        VsmStoredJob in = {
                .type = 305, .system = (char *) "u", .system_name = (char *) "g\303\274st'\"; --",
                .owner = (char *) "o", .owner_uid = UINT32_MAX, .request = (char *) "r",
                .destination = (char *) "d", .boot_id = (char *) "i", .submitted = UINT64_MAX, .started = 2,
                .state = 32768, .error_code = 32775, .error = (char *) "e", .bytes = UINT64_MAX,
                .downtime = UINT32_MAX, .parent = 12,
        };
        g_autoptr(VsmStore) store = open_whole(place);
        g_autoptr(GPtrArray) jobs = NULL;
        VsmStoredJob *out = NULL;

        g_assert_true(vsm_store_job_insert(store, &in, NULL));
        g_assert_cmpuint(in.number, ==, 1);
        g_assert_true(vsm_store_job_begin(store, 1, true, false, true, "192.0.2.1", NULL));
        g_assert_true(vsm_store_job_started(store, 1, 77, NULL));
        g_assert_true(vsm_store_job_percent(store, 1, 42, NULL));
        g_assert_true(vsm_store_job_percent(store, 1, 41, NULL));

        g_clear_pointer(&store, vsm_store_close);
        store = open_whole(place);

        jobs = vsm_store_jobs_unfinished(store, NULL);
        g_assert_cmpuint(jobs->len, ==, 1);
        out = jobs->pdata[0];

        g_assert_cmpuint(out->number, ==, 1);
        g_assert_cmpuint(out->type, ==, in.type);
        g_assert_cmpstr(out->system, ==, in.system);
        g_assert_cmpstr(out->system_name, ==, in.system_name);
        g_assert_cmpstr(out->owner, ==, in.owner);
        g_assert_cmpuint(out->owner_uid, ==, in.owner_uid);
        g_assert_cmpstr(out->request, ==, in.request);
        g_assert_cmpstr(out->destination, ==, in.destination);
        g_assert_cmpstr(out->boot_id, ==, in.boot_id);
        g_assert_cmpuint(out->submitted, ==, in.submitted);
        g_assert_cmpuint(out->started, ==, 77);
        g_assert_cmpuint(out->ended, ==, 0);
        g_assert_cmpuint(out->state, ==, in.state);
        g_assert_cmpuint(out->error_code, ==, in.error_code);
        g_assert_cmpstr(out->error, ==, in.error);
        g_assert_true(out->begun);
        g_assert_true(out->persistent);
        g_assert_false(out->autostart);
        g_assert_true(out->paused);
        g_assert_cmpstr(out->address, ==, "192.0.2.1");
        g_assert_cmpuint(out->bytes, ==, in.bytes);
        g_assert_cmpuint(out->downtime, ==, in.downtime);
        g_assert_cmpuint(out->percent, ==, 42);
        g_assert_cmpuint(out->parent, ==, 12);
}

/* NULL is "", and a job that is not there is an error rather than nothing. */
static void test_edges(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        VsmStoredJob empty = {}, no_time = { .number = 1 }, gone = { .number = 99, .ended = 1 };
        g_autoptr(GPtrArray) jobs = NULL;
        g_autoptr(GError) error = NULL;

        g_assert_true(vsm_store_job_insert(store, &empty, NULL));
        jobs = vsm_store_jobs_unfinished(store, NULL);
        g_assert_cmpstr(((VsmStoredJob *) jobs->pdata[0])->error, ==, "");

        g_assert_false(vsm_store_job_begin(store, 99, true, true, true, NULL, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
        g_clear_error(&error);
        g_assert_false(vsm_store_job_started(store, 99, 1, NULL));
        g_assert_false(vsm_store_job_end(store, &gone, 4, 1, NULL));
        g_assert_false(vsm_store_job_end(store, &no_time, 4, 1, NULL));
        g_assert_cmpuint(count_unfinished(store), ==, 1);

        /* what has ended is not begun again; ending twice is allowed */
        end_job(store, 1, 0);
        end_job(store, 1, 0);
        g_assert_false(vsm_store_job_begin(store, 1, true, true, true, "", NULL));
        g_assert_cmpuint(count_unfinished(store), ==, 0);

        vsm_store_close(NULL);
        vsm_stored_job_free(NULL);
        vsm_stored_system_free(NULL);
}

static void assert_systems(VsmStore *store, const char *wanted) {
        g_autoptr(GPtrArray) systems = vsm_store_systems(store, NULL);
        g_autoptr(GString) text = g_string_new(NULL);

        for (size_t i = 0; i < systems->len; i++) {
                VsmStoredSystem *system = systems->pdata[i];

                g_string_append_printf(text, "%s=%u/%x ", system->uuid, system->migration_state,
                                       system->reason);
        }

        g_assert_cmpstr(text->str, ==, wanted);
}

static void test_systems(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        VsmStoredJob parent = { .type = VSM_JOB_TYPE_EVACUATION };

        assert_systems(store, "");
        g_assert_true(vsm_store_system_set(store, "a", 5, VSM_REASON_FAIL, NULL));
        g_assert_true(vsm_store_system_set(store, "b", 4, 0, NULL));
        assert_systems(store, "a=5/80004005 b=4/0 ");

        g_assert_true(vsm_store_system_set(store, "a", 0, 0, NULL));
        end_job(store, insert_good_job(store), 5);
        assert_systems(store, "b=4/0 u-1=5/7 ");

        end_job(store, insert_good_job(store), VSM_STORE_STATE_KEEP);
        assert_systems(store, "b=4/0 u-1=5/7 ");

        end_job(store, insert_good_job(store), 4);
        assert_systems(store, "b=4/0 u-1=4/7 ");

        end_job(store, insert_good_job(store), 0);
        assert_systems(store, "b=4/0 ");

        /* a job without a system makes no row */
        g_assert_true(vsm_store_job_insert(store, &parent, NULL));
        end_job(store, parent.number, 5);
        assert_systems(store, "b=4/0 ");
}

static unsigned count_rows(Place *place) {
        sqlite3 *db = NULL;
        sqlite3_stmt *statement = NULL;
        unsigned n = 0;

        g_assert_cmpint(sqlite3_open(place->file, &db), ==, SQLITE_OK);
        (void) sqlite3_prepare_v2(db, "SELECT count(*) FROM jobs", -1, &statement, NULL);
        g_assert_cmpint(sqlite3_step(statement), ==, SQLITE_ROW);
        n = sqlite3_column_int(statement, 0);
        sqlite3_finalize(statement);
        sqlite3_close(db);
        return n;
}

static void test_trim(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        uint64_t last = 0;

        /* 1 stays unfinished, 2 to 10 end */
        for (unsigned i = 1; i <= 10; i++) {
                last = insert_good_job(store);
                if (i > 1)
                        end_job(store, last, 0);
        }

        g_assert_true(vsm_store_history_trim(store, 9, NULL));
        vsm_store_close(g_steal_pointer(&store));
        g_assert_cmpuint(count_rows(place), ==, 10);

        store = open_whole(place);
        g_assert_true(vsm_store_history_trim(store, 4, NULL));
        vsm_store_close(g_steal_pointer(&store));
        g_assert_cmpuint(count_rows(place), ==, 5);

        store = open_whole(place);
        g_assert_true(vsm_store_history_trim(store, 0, NULL));
        g_assert_cmpuint(count_unfinished(store), ==, 1);
        vsm_store_close(g_steal_pointer(&store));
        g_assert_cmpuint(count_rows(place), ==, 1);

        /* the numbers of the forgotten are not free */
        store = open_whole(place);
        g_assert_cmpuint(insert_good_job(store), ==, last + 1);
}

static void test_install_date(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);

        g_assert_cmpuint(vsm_store_install_date(store, 1000, NULL), ==, 1000);
        g_assert_cmpuint(vsm_store_install_date(store, 2000, NULL), ==, 1000);
        vsm_store_close(g_steal_pointer(&store));

        store = open_whole(place);
        g_assert_cmpuint(vsm_store_install_date(store, 3000, NULL), ==, 1000);
}

/* ---- who may read it, and who else has it ---- */

static void test_mode(Place *place, const void *data G_GNUC_UNUSED) {
        static const char *const files[] = { "vsmd.db", "vsmd.db-wal", "vsmd.numbers" };
        mode_t mask = umask(0);
        g_autoptr(VsmStore) store = open_whole(place);
        struct stat st = {};

        insert_good_job(store);
        umask(mask);

        for (size_t i = 0; i < G_N_ELEMENTS(files); i++) {
                g_autofree char *path = g_build_filename(place->directory, files[i], NULL);

                g_assert_cmpint(stat(path, &st), ==, 0);
                g_assert_cmpint(st.st_mode & 07777, ==, 0600);
        }

        /* an administrator's slip is put right */
        vsm_store_close(g_steal_pointer(&store));
        g_assert_cmpint(chmod(place->file, 0644), ==, 0);
        store = open_whole(place);
        g_assert_cmpint(stat(place->file, &st), ==, 0);
        g_assert_cmpint(st.st_mode & 07777, ==, 0600);
}

static void test_second_process(Place *place, const void *data G_GNUC_UNUSED) {
        int ready[2] = { -1, -1 };
        g_autofree char *aside = NULL;
        g_autoptr(GError) error = NULL;
        char byte = 0;
        pid_t pid = 0;

        g_assert_cmpint(pipe(ready), ==, 0);

        pid = fork();
        if (pid == 0) {
                if (vsm_store_open(place->directory, NULL, NULL) && write(ready[1], "x", 1) == 1)
                        pause();
                _exit(1);
        }

        g_assert_cmpint(read(ready[0], &byte, 1), ==, 1);
        g_assert_null(vsm_store_open(place->directory, &aside, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
        g_assert_nonnull(strstr(error->message, "another process"));
        g_assert_cmpstr(aside, ==, NULL);
        g_assert_cmpuint(count_aside(place), ==, 0);

        g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
        g_assert_cmpint(child_result(pid), ==, 128 + SIGKILL);
        close(ready[0]);
        close(ready[1]);
        vsm_store_close(open_whole(place));
}

static void test_no_directory(Place *place, const void *data G_GNUC_UNUSED) {
        g_autofree char *missing = g_build_filename(place->directory, "missing", NULL);
        g_autoptr(GError) error = NULL;

        g_assert_null(vsm_store_open(missing, NULL, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
        g_assert_nonnull(strstr(error->message, missing));
}

/* ---- two threads ---- */

#define THREAD_JOBS 100

static void* insert_many(void *userdata) {
        VsmStore *store = userdata;
        GArray *numbers = g_array_new(FALSE, FALSE, sizeof(uint64_t));

        for (unsigned i = 0; i < THREAD_JOBS; i++) {
                uint64_t number = insert_good_job(store);

                g_array_append_val(numbers, number);
                end_job(store, number, i % 2 ? 4 : 0);
                g_assert_cmpuint(count_unfinished(store), <=, 2);
        }

        return numbers;
}

static void test_threads(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
        GThread *threads[2] = {};

        for (size_t i = 0; i < G_N_ELEMENTS(threads); i++)
                threads[i] = g_thread_new("insert", insert_many, store);

        for (size_t i = 0; i < G_N_ELEMENTS(threads); i++) {
                g_autoptr(GArray) numbers = g_thread_join(threads[i]);

                for (size_t j = 0; j < numbers->len; j++) {
                        uint64_t number = g_array_index(numbers, uint64_t, j);

                        g_assert_true(g_hash_table_add(seen, GSIZE_TO_POINTER(number)));
                }
        }

        g_assert_cmpuint(g_hash_table_size(seen), ==, 2 * THREAD_JOBS);
        g_assert_cmpuint(count_unfinished(store), ==, 0);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        PLACE_TEST("/store/round-trip", test_round_trip);
        PLACE_TEST("/store/edges", test_edges);
        PLACE_TEST("/store/systems", test_systems);
        PLACE_TEST("/store/trim", test_trim);
        PLACE_TEST("/store/install-date", test_install_date);
        PLACE_TEST("/store/mode", test_mode);
        PLACE_TEST("/store/second-process", test_second_process);
        PLACE_TEST("/store/no-directory", test_no_directory);
        PLACE_TEST("/store/threads", test_threads);

        return g_test_run();
}
