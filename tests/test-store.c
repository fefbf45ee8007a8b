/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store against what disks and kills do to it. Each test has a directory of its own; the one about
 * a full disk mounts a small tmpfs and is skipped, loudly, where that is not allowed. Two threads in one
 * test. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store.h"
#include "shared/enums.h"
#include "shared/error.h"

/* In place of libc's, for SQLite too: how often the disk was asked, and an answer that is no. */
static unsigned syncs;
static bool sync_fails;

int fsync(int fd) {
        syncs++;

        if (sync_fails) {
                errno = EIO;
                return -1;
        }

        return syscall(SYS_fsync, fd);
}

int fdatasync(int fd) {
        return fsync(fd);
}

typedef struct Place {
        char *directory, *file, *numbers;
} Place;

static void place_set_up(Place *place, const void *data G_GNUC_UNUSED) {
        place->directory = g_dir_make_tmp("vsm-test-store-XXXXXX", NULL);
        g_assert_nonnull(place->directory);
        place->file = g_build_filename(place->directory, "vsmd.db", NULL);
        place->numbers = g_build_filename(place->directory, "vsmd.numbers", NULL);
}

static void empty_directory(const char *path) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
        const char *name = NULL;

        while ((name = g_dir_read_name(dir))) {
                g_autofree char *child = g_build_filename(path, name, NULL);

                g_assert_cmpint(remove(child), ==, 0);
        }
}

static void place_tear_down(Place *place, const void *data G_GNUC_UNUSED) {
        empty_directory(place->directory);
        g_assert_cmpint(rmdir(place->directory), ==, 0);
        g_free(place->directory);
        g_free(place->file);
        g_free(place->numbers);
}

static VsmStore* open_good(Place *place, char **ret_aside) {
        g_autoptr(GError) error = NULL;
        VsmStore *store = vsm_store_open(place->directory, ret_aside, &error);

        g_assert_no_error(error);
        g_assert_nonnull(store);
        return store;
}

/* Opens, and it must have set nothing aside. */
static VsmStore* open_whole(Place *place) {
        g_autofree char *aside = NULL;
        VsmStore *store = open_good(place, &aside);

        g_assert_cmpstr(aside, ==, NULL);
        return store;
}

/* The number it got, 0 when it did not. */
static uint64_t insert(VsmStore *store, GError **error) {
        VsmStoredJob job = {
                .type = VSM_JOB_TYPE_MOVE_SYSTEM, .system = (char *) "u-1", .system_name = (char *) "guest",
                .owner = (char *) "root", .request = (char *) "('x',)", .destination = (char *) "b",
                .boot_id = (char *) "boot", .submitted = 1, .state = VSM_JOB_STATE_NEW,
        };

        return vsm_store_job_insert(store, &job, error) ? job.number : 0;
}

static uint64_t insert_good(VsmStore *store) {
        g_autoptr(GError) error = NULL;
        uint64_t number = insert(store, &error);

        g_assert_no_error(error);
        g_assert_cmpuint(number, >, 0);
        return number;
}

static void end(VsmStore *store, uint64_t number, uint32_t migration_state) {
        VsmStoredJob job = { .number = number, .ended = 9, .state = VSM_JOB_STATE_COMPLETED };
        g_autoptr(GError) error = NULL;

        vsm_store_job_end(store, &job, migration_state, 7, &error);
        g_assert_no_error(error);
}

static unsigned count_unfinished(VsmStore *store) {
        g_autoptr(GPtrArray) jobs = vsm_store_jobs_unfinished(store, NULL);

        g_assert_nonnull(jobs);
        return jobs->len;
}

static unsigned count_aside(Place *place) {
        g_autoptr(GDir) dir = g_dir_open(place->directory, 0, NULL);
        const char *name = NULL;
        unsigned n = 0;

        while ((name = g_dir_read_name(dir)))
                if (g_str_has_prefix(name, "vsmd.db.damaged-") && !strchr(name + 16, '-'))
                        n++;

        return n;
}

static void overwrite(const char *path, const void *bytes, size_t length) {
        g_assert_true(g_file_set_contents(path, bytes, length, NULL));
}

/* ---- what it keeps ---- */

static void test_round_trip(Place *place, const void *data G_GNUC_UNUSED) {
        VsmStoredJob in = {
                .type = 305, .system = (char *) "u", .system_name = (char *) "g\303\274st'\"; --",
                .owner = (char *) "o", .owner_uid = UINT32_MAX, .request = (char *) "r",
                .destination = (char *) "d", .boot_id = (char *) "i", .submitted = UINT64_MAX, .started = 2,
                .state = 32768, .error_code = 32775, .error = (char *) "e", .bytes = UINT64_MAX,
                .downtime = UINT32_MAX,
        };
        g_autoptr(VsmStore) store = open_whole(place);
        g_autoptr(GPtrArray) jobs = NULL;
        VsmStoredJob *out = NULL;

        g_assert_true(vsm_store_job_insert(store, &in, NULL));
        g_assert_cmpuint(in.number, ==, 1);
        g_assert_true(vsm_store_job_begin(store, 1, true, false, true, "192.0.2.1", NULL));
        g_assert_true(vsm_store_job_started(store, 1, 77, NULL));

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
        end(store, 1, 0);
        end(store, 1, 0);
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
        end(store, insert_good(store), 5);
        assert_systems(store, "b=4/0 u-1=5/7 ");

        end(store, insert_good(store), VSM_STORE_STATE_KEEP);
        assert_systems(store, "b=4/0 u-1=5/7 ");

        end(store, insert_good(store), 4);
        assert_systems(store, "b=4/0 u-1=4/7 ");

        end(store, insert_good(store), 0);
        assert_systems(store, "b=4/0 ");

        /* a job without a system makes no row */
        g_assert_true(vsm_store_job_insert(store, &parent, NULL));
        end(store, parent.number, 5);
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
                last = insert_good(store);
                if (i > 1)
                        end(store, last, 0);
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
        g_assert_cmpuint(insert_good(store), ==, last + 1);
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

        insert_good(store);
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

static int child_result(pid_t pid) {
        int status = 0;

        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
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
                uint64_t number = insert_good(store);

                g_array_append_val(numbers, number);
                end(store, number, i % 2 ? 4 : 0);
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

/* ---- damage ---- */

/* Whatever was done to the file: it opens, tells that it set it aside, and goes on with numbers that
 * were never given. */
static uint64_t assert_recovers(Place *place, uint64_t last) {
        g_autofree char *aside = NULL;
        g_autoptr(VsmStore) store = open_good(place, &aside);
        uint64_t number = insert_good(store);

        g_assert_nonnull(aside);
        g_assert_true(g_file_test(aside, G_FILE_TEST_EXISTS) || g_file_test(aside, G_FILE_TEST_IS_SYMLINK));
        g_assert_cmpuint(number, >, last);
        g_assert_cmpuint(count_unfinished(store), ==, 1);
        return number;
}

/* A database of a few pages, closed. */
static uint64_t fill(Place *place, unsigned n) {
        g_autoptr(VsmStore) store = open_whole(place);
        uint64_t last = 0;

        for (unsigned i = 0; i < n; i++)
                last = insert_good(store);

        return last;
}

static void test_numbers_after_reopen(Place *place, const void *data G_GNUC_UNUSED) {
        /* starts without jobs cost no numbers */
        vsm_store_close(open_whole(place));
        vsm_store_close(open_whole(place));

        g_assert_cmpuint(fill(place, 3), ==, 3);
        g_assert_cmpuint(fill(place, 2), ==, 5);

        for (unsigned i = 6; i < 10; i++)
                g_assert_cmpuint(fill(place, 1), ==, i);
}

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
                g_assert_cmpuint(insert_good(store), >, last);
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

static void run_sql(Place *place, const char *sql) {
        sqlite3 *db = NULL;

        g_assert_cmpint(sqlite3_open(place->file, &db), ==, SQLITE_OK);
        g_assert_cmpint(sqlite3_exec(db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
        sqlite3_close(db);
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
                        insert_good(child);
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
        g_assert_cmpuint(insert_good(store), >, last + 5);
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

/* ---- numbers ---- */

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

/* ---- kills and full disks ---- */

/* Kills a writer at any moment; every insert that returned true is there, whole, and nothing is set
 * aside. The writer tells through a pipe, after each. */
static void test_kill(Place *place, const void *data G_GNUC_UNUSED) {
        unsigned rounds = g_test_slow() ? 200 : 25, told = 0;

        for (unsigned round = 0; round < rounds; round++) {
                g_autoptr(VsmStore) store = NULL;
                int fds[2] = { -1, -1 };
                uint64_t number = 0;
                pid_t pid = 0;

                g_assert_cmpint(pipe(fds), ==, 0);

                pid = fork();
                if (pid == 0) {
                        VsmStore *child = vsm_store_open(place->directory, NULL, NULL);

                        while (child && (number = insert(child, NULL)) > 0)
                                if (write(fds[1], &number, sizeof(number)) != sizeof(number))
                                        break;
                        _exit(1);
                }

                close(fds[1]);

                /* not before it is at work, then after some more */
                for (int n = g_test_rand_int_range(1, 40); n > 0; n--) {
                        g_assert_cmpint(read(fds[0], &number, sizeof(number)), ==, sizeof(number));
                        told++;
                }

                g_usleep(g_test_rand_int_range(0, 1500));
                g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
                g_assert_cmpint(child_result(pid), ==, 128 + SIGKILL);

                while (read(fds[0], &number, sizeof(number)) == sizeof(number))
                        told++;
                close(fds[0]);

                store = open_whole(place);
                {
                        g_autoptr(GPtrArray) jobs = vsm_store_jobs_unfinished(store, NULL);

                        /* in each round one may be written that was not told of */
                        g_assert_cmpuint(jobs->len, >=, told);
                        g_assert_cmpuint(jobs->len, <=, told + round + 1);
                        g_assert_cmpuint(((VsmStoredJob *) jobs->pdata[jobs->len - 1])->number, >=, number);

                        for (size_t i = 0; i < jobs->len; i++)
                                g_assert_cmpstr(((VsmStoredJob *) jobs->pdata[i])->request, ==, "('x',)");
                }
        }
}

/* What returned true was synced, once; what could not be synced is not there. */
static void test_sync(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        uint64_t number = insert_good(store);
        unsigned before = syncs;

        insert_good(store);
        g_assert_cmpuint(syncs, ==, before + 1);
        g_assert_true(vsm_store_job_begin(store, number, true, true, true, "", NULL));
        g_assert_cmpuint(syncs, ==, before + 2);
        end(store, number, 5);
        g_assert_cmpuint(syncs, ==, before + 3);
        g_assert_true(vsm_store_system_set(store, "a", 4, 0, NULL));
        g_assert_cmpuint(syncs, ==, before + 4);

        sync_fails = true;
        g_assert_cmpuint(insert(store, NULL), ==, 0);
        g_assert_false(vsm_store_job_begin(store, number + 1, true, true, true, "", NULL));
        sync_fails = false;
        g_assert_cmpuint(count_unfinished(store), ==, 1);
        g_assert_cmpuint(insert_good(store), ==, number + 2);
}

/* In a child with a mount namespace of its own, so that nothing stays mounted. 77 = not allowed. */
static int full_disk_child(Place *place) {
        g_autofree char *ballast = g_build_filename(place->directory, "ballast", NULL);
        g_autofree char *block = g_strnfill(4096, 'x');
        g_autoptr(VsmStore) store = NULL;
        g_autoptr(GError) error = NULL;
        uint64_t last = 0, number = 0;
        int fd = -1;

        if (unshare(CLONE_NEWNS) < 0 ||
            mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", place->directory, "tmpfs", 0, "size=512k") < 0)
                return 77;

        store = open_whole(place);
        last = insert_good(store);

        fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        while (write(fd, block, 4096) > 0)
                ;
        close(fd);

        /* until the last bit of the journal is full too */
        while ((number = insert(store, &error)) > 0)
                last = number;

        g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
        g_assert_nonnull(strstr(error->message, "full"));

        /* reading goes on, and what was true stays true */
        g_assert_cmpuint(count_unfinished(store), ==, last);
        g_assert_cmpint(insert(store, NULL), ==, 0);

        g_assert_cmpint(remove(ballast), ==, 0);
        g_assert_cmpuint(insert_good(store), ==, last + 1);
        vsm_store_close(g_steal_pointer(&store));

        store = open_whole(place);
        g_assert_cmpuint(count_unfinished(store), ==, last + 1);
        vsm_store_close(g_steal_pointer(&store));

        /* a first start on a full disk: an error, and nothing set aside */
        empty_directory(place->directory);
        fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        while (write(fd, block, 4096) > 0)
                ;
        close(fd);
        g_assert_null(vsm_store_open(place->directory, NULL, NULL));
        g_assert_cmpuint(count_aside(place), ==, 0);
        g_assert_cmpint(remove(ballast), ==, 0);
        g_assert_cmpuint(fill(place, 1), ==, 1);

        /* a disk that the kernel made read-only */
        g_assert_cmpint(mount("none", place->directory, "none", MS_REMOUNT | MS_RDONLY, NULL), ==,
                        0);
        g_clear_error(&error);
        store = vsm_store_open(place->directory, NULL, &error);
        g_assert_null(store);
        g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
        g_assert_cmpuint(count_aside(place), ==, 0);

        return 0;
}

static void test_full_disk(Place *place, const void *data G_GNUC_UNUSED) {
        pid_t pid = fork();
        int result = 0;

        if (pid == 0)
                _exit(full_disk_child(place));

        result = child_result(pid);
        if (result == 77) {
                g_test_skip("may not mount a tmpfs in a namespace of its own (needs root)");
                return;
        }

        g_assert_cmpint(result, ==, 0);
}

#define ADD(name, function) \
        g_test_add("/store/" name, Place, NULL, place_set_up, function, place_tear_down)

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        ADD("round-trip", test_round_trip);
        ADD("edges", test_edges);
        ADD("systems", test_systems);
        ADD("trim", test_trim);
        ADD("install-date", test_install_date);
        ADD("mode", test_mode);
        ADD("second-process", test_second_process);
        ADD("no-directory", test_no_directory);
        ADD("threads", test_threads);
        ADD("numbers-after-reopen", test_numbers_after_reopen);
        ADD("truncated", test_truncated);
        ADD("flipped", test_flipped);
        ADD("zero-filled", test_zero_filled);
        ADD("empty-at-first", test_empty_at_first);
        ADD("foreign", test_foreign);
        ADD("not-a-file", test_not_a_file);
        ADD("other-owner", test_other_owner);
        ADD("journal-goes-along", test_journal_goes_along);
        ADD("journal-alone", test_journal_alone);
        ADD("both-lost", test_both_lost);
        ADD("numbers-file-lost", test_numbers_file_lost);
        ADD("old-copy", test_old_copy);
        ADD("blocks", test_blocks);
        ADD("kill", test_kill);
        ADD("sync", test_sync);
        ADD("full-disk", test_full_disk);

        return g_test_run();
}
