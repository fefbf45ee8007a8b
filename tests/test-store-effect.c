/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What moves did on their way, in the store: what is written is there after a kill, in order, and goes on
 * in the direction that was written first. Each test has a directory of its own. */

#include <glib/gstdio.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/store.h"
#include "shared/enums.h"
#include "shared/error.h"

typedef struct Place {
        char *directory, *file;
} Place;

static void place_set_up(Place *place, const void *data G_GNUC_UNUSED) {
        place->directory = g_dir_make_tmp("vsm-test-store-XXXXXX", NULL);
        g_assert_nonnull(place->directory);
        place->file = g_build_filename(place->directory, "vsmd.db", NULL);
}

static void place_tear_down(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(GDir) dir = g_dir_open(place->directory, 0, NULL);
        const char *name = NULL;

        while ((name = g_dir_read_name(dir))) {
                g_autofree char *child = g_build_filename(place->directory, name, NULL);

                g_assert_cmpint(remove(child), ==, 0);
        }

        g_assert_cmpint(rmdir(place->directory), ==, 0);
        g_free(place->directory);
        g_free(place->file);
}

/* Opens, and it must have set nothing aside. */
static VsmStore* open_whole(Place *place) {
        g_autofree char *aside = NULL;
        g_autoptr(GError) error = NULL;
        VsmStore *store = vsm_store_open(place->directory, &aside, &error);

        g_assert_no_error(error);
        g_assert_nonnull(store);
        g_assert_cmpstr(aside, ==, NULL);
        return store;
}

static uint64_t insert(VsmStore *store) {
        VsmStoredJob job = {
                .type = VSM_JOB_TYPE_MOVE_SYSTEM, .system = (char*) "u-1", .system_name = (char*) "guest",
                .owner = (char*) "root", .request = (char*) "('x',)", .destination = (char*) "b",
                .address = (char*) "192.0.2.7", .boot_id = (char*) "boot", .submitted = 1,
                .state = VSM_JOB_STATE_NEW,
        };
        g_autoptr(GError) error = NULL;

        vsm_store_job_insert(store, &job, &error);
        g_assert_no_error(error);
        return job.number;
}

static void end(VsmStore *store, uint64_t number) {
        VsmStoredJob job = { .number = number, .ended = 9, .state = VSM_JOB_STATE_EXCEPTION };
        g_autoptr(GError) error = NULL;

        vsm_store_job_end(store, &job, 0, 0, &error);
        g_assert_no_error(error);
}

static uint64_t add(VsmStore *store, uint64_t job, VsmEffectKind kind, bool there, const char *object,
                    const char *detail) {
        g_autoptr(VsmEffect) effect = vsm_effect_new(kind, there, object, detail);
        g_autoptr(GError) error = NULL;

        vsm_store_effect_add(store, job, effect, &error);
        g_assert_no_error(error);
        g_assert_cmpuint(effect->id, >, 0);
        return effect->id;
}

static void assert_refused(VsmStore *store, uint64_t job) {
        g_autoptr(VsmEffect) effect = vsm_effect_new(VSM_EFFECT_VOLUME, true, "/late", "p");
        g_autoptr(GError) error = NULL;

        g_assert_false(vsm_store_effect_add(store, job, effect, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
        g_assert_cmpuint(effect->id, ==, 0);
}

/* "verdict kind:there:object:detail ..." */
static void assert_effects(VsmStore *store, uint64_t job, const char *want) {
        VsmStoredVerdict verdict = 99;
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) effects = vsm_store_effects(store, job, &verdict, &error);
        g_autoptr(GString) line = g_string_new(NULL);

        g_assert_no_error(error);
        g_string_printf(line, "%d", (int) verdict);

        for (guint i = 0; i < effects->len; i++) {
                const VsmEffect *effect = effects->pdata[i];

                g_string_append_printf(line, " %d:%d:%s:%s", (int) effect->kind, effect->there, effect->object,
                                       effect->detail);
        }

        g_assert_cmpstr(line->str, ==, want);
}

/* numbers of the jobs */
static void assert_pending(VsmStore *store, const char *want) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) jobs = vsm_store_effects_pending(store, &error);
        g_autoptr(GString) line = g_string_new(NULL);

        g_assert_no_error(error);

        for (guint i = 0; i < jobs->len; i++) {
                const VsmStoredJob *job = jobs->pdata[i];

                g_assert_cmpstr(job->system, ==, "u-1");
                g_assert_cmpstr(job->destination, ==, "b");
                g_assert_cmpstr(job->address, ==, "192.0.2.7");
                g_string_append_printf(line, "%s%" G_GUINT64_FORMAT, i > 0 ? " " : "", job->number);
        }

        g_assert_cmpstr(line->str, ==, want);
}

static void test_written(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        uint64_t one = insert(store), other = insert(store), first, last;

        assert_effects(store, one, "0");
        first = add(store, one, VSM_EFFECT_VOLUME, true, "/a", "pool");
        add(store, other, VSM_EFFECT_VOLUME, false, "/o", "");
        add(store, one, VSM_EFFECT_DEFINITION, true, "u-1", "");
        last = add(store, one, VSM_EFFECT_BLOCK_COPY, false, "u-1", "vda");

        vsm_store_close(g_steal_pointer(&store));
        store = open_whole(place);
        assert_effects(store, one, "0 1:1:/a:pool 2:1:u-1: 4:0:u-1:vda");
        assert_effects(store, other, "0 1:0:/o:");

        /* forgotten ones stay so; one that is not there is no error; no number is given twice */
        g_assert_true(vsm_store_effect_forget(store, last, NULL));
        g_assert_true(vsm_store_effect_forget(store, last, NULL));
        g_assert_cmpuint(add(store, one, VSM_EFFECT_SECRET, true, "s", "2:x"), >, last);
        g_assert_true(vsm_store_effect_forget(store, first, NULL));
        vsm_store_close(g_steal_pointer(&store));
        store = open_whole(place);
        assert_effects(store, one, "0 2:1:u-1: 3:1:s:2:x");
}

static void test_verdict(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        uint64_t bad = insert(store), good = insert(store), unknown = insert(store), ended = insert(store);
        uint64_t id;

        id = add(store, bad, VSM_EFFECT_VOLUME, true, "/a", "p");
        add(store, good, VSM_EFFECT_SOURCE_VOLUME, false, "/b", "p");
        add(store, unknown, VSM_EFFECT_VOLUME, true, "/c", "p");
        g_assert_true(vsm_store_effects_decide(store, bad, false, NULL));
        g_assert_true(vsm_store_effects_decide(store, good, true, NULL));

        /* written once, and nothing is made after it */
        g_assert_true(vsm_store_effects_decide(store, bad, true, NULL));
        assert_effects(store, bad, "1 1:1:/a:p");
        assert_effects(store, good, "2 6:0:/b:p");
        assert_refused(store, bad);
        assert_refused(store, 4711);

        /* a job that goes on takes care of its own; one without a verdict is left alone */
        assert_pending(store, "");
        end(store, good);
        end(store, unknown);
        assert_pending(store, "2");
        end(store, bad);
        end(store, ended);
        assert_pending(store, "1 2");
        assert_refused(store, ended);

        g_assert_true(vsm_store_effect_forget(store, id, NULL));
        assert_pending(store, "2");
}

static void test_killed(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = NULL;
        int status = 0;
        pid_t pid;

        pid = fork();
        g_assert_cmpint(pid, >=, 0);
        if (pid == 0) {
                VsmStore *doomed = open_whole(place);
                uint64_t job = insert(doomed), id;

                id = add(doomed, job, VSM_EFFECT_VOLUME, true, "/a", "p");
                add(doomed, job, VSM_EFFECT_VOLUME, true, "/b", "p");
                (void) vsm_store_effects_decide(doomed, job, false, NULL);
                (void) vsm_store_effect_forget(doomed, id, NULL);
                raise(SIGKILL);
        }

        g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
        g_assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);

        store = open_whole(place);
        assert_effects(store, 1, "1 1:1:/b:p");
        assert_refused(store, 1);
}

static void test_history(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        static const VsmHistoryFilter all = {};
        g_autoptr(GPtrArray) left = NULL, later = NULL;
        uint64_t numbers[4], id = 0;

        for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
                numbers[i] = insert(store);
        id = add(store, numbers[0], VSM_EFFECT_VOLUME, true, "/a", "p");
        add(store, numbers[1], VSM_EFFECT_VOLUME, true, "/b", "p");
        g_assert_true(vsm_store_effects_decide(store, numbers[0], false, NULL));
        for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++)
                end(store, numbers[i]);

        g_assert_true(vsm_store_history_trim(store, 1, NULL));
        left = vsm_store_history(store, &all, NULL);
        g_assert_cmpuint(left->len, ==, 2);
        g_assert_cmpuint(((VsmStoredJob*) left->pdata[0])->number, ==, numbers[3]);
        g_assert_cmpuint(((VsmStoredJob*) left->pdata[1])->number, ==, numbers[0]);
        assert_pending(store, "1");
        assert_effects(store, numbers[0], "1 1:1:/a:p");
        assert_effects(store, numbers[1], "0"); /* gone with its job */

        g_assert_true(vsm_store_effect_forget(store, id, NULL));
        g_assert_true(vsm_store_history_trim(store, 1, NULL));
        later = vsm_store_history(store, &all, NULL);
        g_assert_cmpuint(later->len, ==, 1);
}

/* What SQLite alone makes of it; nobody else has the file open. */
static void run_sql(Place *place, const char *sql) {
        sqlite3 *db = NULL;
        char *message = NULL;

        g_assert_cmpint(sqlite3_open(place->file, &db), ==, SQLITE_OK);
        (void) sqlite3_exec(db, sql, NULL, NULL, &message);
        g_assert_cmpstr(message, ==, NULL);
        g_assert_cmpint(sqlite3_close(db), ==, SQLITE_OK);
        g_assert_cmpint(g_chmod(place->file, 0600), ==, 0);
}

/* Version 2 is what it was before this table. */
static void test_upgrade(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        uint64_t job = insert(store);

        vsm_store_close(g_steal_pointer(&store));
        run_sql(place, "DROP TABLE effects; ALTER TABLE jobs DROP COLUMN percent; "
                       "ALTER TABLE jobs DROP COLUMN remains; ALTER TABLE jobs DROP COLUMN parent; PRAGMA user_version = 2");

        store = open_whole(place);
        assert_effects(store, job, "0");
        add(store, job, VSM_EFFECT_SHUT_DOWN, false, "u-1", "");
        vsm_store_close(g_steal_pointer(&store));
        store = open_whole(place);
        assert_effects(store, job, "0 5:0:u-1:");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add("/store-effect/written", Place, NULL, place_set_up, test_written, place_tear_down);
        g_test_add("/store-effect/verdict", Place, NULL, place_set_up, test_verdict, place_tear_down);
        g_test_add("/store-effect/killed", Place, NULL, place_set_up, test_killed, place_tear_down);
        g_test_add("/store-effect/history", Place, NULL, place_set_up, test_history, place_tear_down);
        g_test_add("/store-effect/upgrade", Place, NULL, place_set_up, test_upgrade, place_tear_down);

        return g_test_run();
}
