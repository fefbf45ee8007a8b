/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Texts under keys, numbers that are not jobs', and a file of version 1. */

#include <stdio.h>

#include "shared/error.h"
#include "store-place.h"

static bool change(VsmStore *store, VsmStoreKind kind, const char *key, const char *value) {
        VsmStoredText text = { (char*) key, (char*) value };

        return vsm_store_texts_change(store, kind, &text, 1, NULL);
}

/* "key=value key=value", as it is kept */
static char* all(VsmStore *store, VsmStoreKind kind) {
        g_autoptr(GString) line = g_string_new(NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) texts = vsm_store_texts(store, kind, &error);

        g_assert_no_error(error);

        for (guint i = 0; i < texts->len; i++) {
                const VsmStoredText *text = texts->pdata[i];

                g_string_append_printf(line, "%s%s=%s", i > 0 ? " " : "", text->key, text->value);
        }

        return g_string_free(g_steal_pointer(&line), FALSE);
}

#define assert_all(store, kind, want)                           \
        G_STMT_START {                                          \
                g_autofree char *have_ = all(store, kind);      \
                                                                \
                g_assert_cmpstr(have_, ==, want);               \
        } G_STMT_END

static void test_texts(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        VsmStoredText several[] = {
                { (char*) "c", (char*) "3" }, { (char*) "a", (char*) "ü" }, { (char*) "b", (char*) "" },
        };

        assert_all(store, VSM_STORE_SETTING, "");
        g_assert_true(vsm_store_texts_change(store, VSM_STORE_SETTING, NULL, 0, NULL));
        g_assert_true(vsm_store_texts_change(store, VSM_STORE_SETTING, several, 3, NULL));
        assert_all(store, VSM_STORE_SETTING, "a=ü b= c=3");

        /* kinds do not know each other */
        assert_all(store, VSM_STORE_NETWORK, "");
        g_assert_true(change(store, VSM_STORE_NETWORK, "a", "net"));
        g_assert_true(change(store, VSM_STORE_HOST, "a", "host"));
        g_assert_true(change(store, VSM_STORE_FACT, "a", "fact"));

        vsm_store_close(g_steal_pointer(&store));
        store = open_whole(place);
        assert_all(store, VSM_STORE_SETTING, "a=ü b= c=3");
        assert_all(store, VSM_STORE_NETWORK, "a=net");
        assert_all(store, VSM_STORE_HOST, "a=host");
        assert_all(store, VSM_STORE_FACT, "a=fact");

        /* replaced, removed, and removed without being there */
        g_assert_true(change(store, VSM_STORE_SETTING, "a", "new"));
        g_assert_true(change(store, VSM_STORE_SETTING, "b", NULL));
        g_assert_true(change(store, VSM_STORE_SETTING, "x", NULL));
        assert_all(store, VSM_STORE_SETTING, "a=new c=3");

        /* in the order given: the last one counts */
        several[0] = (VsmStoredText) { (char*) "a", NULL };
        several[1] = (VsmStoredText) { (char*) "a", (char*) "again" };
        several[2] = (VsmStoredText) { (char*) "c", NULL };
        g_assert_true(vsm_store_texts_change(store, VSM_STORE_SETTING, several, 3, NULL));
        assert_all(store, VSM_STORE_SETTING, "a=again");
}

static void test_whole_or_not(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        g_autoptr(GError) error = NULL;
        const VsmStoredText changes[] = {
                { (char*) "a", (char*) "other" }, { (char*) "b", NULL },
                { (char*) "c", (char*) "does not fit" }, { (char*) "d", (char*) "new" },
        };

        g_assert_true(change(store, VSM_STORE_SETTING, "a", "one"));
        g_assert_true(change(store, VSM_STORE_SETTING, "b", "two"));
        vsm_store_close(g_steal_pointer(&store));

        run_sql(place,
                "ALTER TABLE texts RENAME TO old;"
                "CREATE TABLE texts(kind INTEGER, key TEXT, value TEXT CHECK(length(value) < 8),"
                "                   PRIMARY KEY(kind, key)) WITHOUT ROWID;"
                "INSERT INTO texts SELECT * FROM old; DROP TABLE old");

        store = open_whole(place);
        g_assert_false(vsm_store_texts_change(store, VSM_STORE_SETTING, changes, 4, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
        assert_all(store, VSM_STORE_SETTING, "a=one b=two");

        /* and nothing hangs: the next transaction is one of its own */
        g_assert_true(vsm_store_texts_change(store, VSM_STORE_SETTING, changes, 2, NULL));
        assert_all(store, VSM_STORE_SETTING, "a=other");
}

static uint64_t next(VsmStore *store) {
        uint64_t number = 0;

        g_assert_true(vsm_store_number_next(store, &number, NULL));
        return number;
}

static void test_numbers(Place *place, const void *data G_GNUC_UNUSED) {
        g_autoptr(VsmStore) store = open_whole(place);
        uint64_t last = 0;

        /* as the very first one too, and in turn with the jobs */
        g_assert_cmpuint(next(store), ==, 1);
        g_assert_cmpuint(insert_good_job(store), ==, 2);
        g_assert_cmpuint(next(store), ==, 3);
        g_assert_cmpuint(next(store), ==, 4);

        vsm_store_close(g_steal_pointer(&store));
        store = open_whole(place);
        g_assert_cmpuint(next(store), ==, 5);

        /* the database is lost: the block that was reserved for them is not begun again */
        for (unsigned i = 0; i < 1100; i++)
                last = next(store);
        vsm_store_close(g_steal_pointer(&store));
        g_assert_cmpint(remove(place->file), ==, 0);

        store = open_whole(place);
        g_assert_cmpuint(next(store), >, last);
}

/* What the first released version left of two jobs, one at its end, as SQLite's shell prints it. */
static const char version_1[] =
        "PRAGMA application_id = 1987276132; PRAGMA user_version = 1;"
        "CREATE TABLE facts(  name         TEXT PRIMARY KEY,"
        "  value        INTEGER NOT NULL) WITHOUT ROWID;"
        "INSERT INTO facts VALUES('install-date',500);"
        "CREATE TABLE jobs(  number       INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  type         INTEGER NOT NULL,  system       TEXT NOT NULL,  system_name  TEXT NOT NULL,"
        "  owner        TEXT NOT NULL,  owner_uid    INTEGER NOT NULL,  request      TEXT NOT NULL,"
        "  destination  TEXT NOT NULL,  boot_id      TEXT NOT NULL,  submitted    INTEGER NOT NULL,"
        "  started      INTEGER NOT NULL DEFAULT 0,  ended        INTEGER NOT NULL DEFAULT 0,"
        "  state        INTEGER NOT NULL,  error_code   INTEGER NOT NULL DEFAULT 0,"
        "  error        TEXT NOT NULL DEFAULT '',  begun        INTEGER NOT NULL DEFAULT 0,"
        "  persistent   INTEGER NOT NULL DEFAULT 0,  autostart    INTEGER NOT NULL DEFAULT 0,"
        "  paused       INTEGER NOT NULL DEFAULT 0,  address      TEXT NOT NULL DEFAULT '',"
        "  bytes        INTEGER NOT NULL DEFAULT 0,  downtime     INTEGER NOT NULL DEFAULT 0);"
        "INSERT INTO jobs VALUES(1,305,'1b9a56b4-4f4b-4d0e-9f2c-3a5a1d7d3c11','web','root',0,"
        "  '(''b'', {''MigrationType'': <uint16 32768>})','b','boot-1',1000,1100,1900,10,32768,"
        "  'The migration failed.',1,1,1,0,'10.0.0.2',4096,0);"
        "INSERT INTO jobs VALUES(2,305,'2b9a56b4-4f4b-4d0e-9f2c-3a5a1d7d3c22','mail','admin',1000,"
        "  '(''c'', {''MigrationType'': <uint16 32768>})','c','boot-1',2000,0,0,2,0,'',0,0,0,0,'',0,0);"
        "CREATE TABLE systems(  uuid         TEXT PRIMARY KEY,  state        INTEGER NOT NULL,"
        "  reason       INTEGER NOT NULL) WITHOUT ROWID;"
        "INSERT INTO systems VALUES('1b9a56b4-4f4b-4d0e-9f2c-3a5a1d7d3c11',5,2147500037);"
        "DELETE FROM sqlite_sequence; INSERT INTO sqlite_sequence VALUES('jobs',2);";

static void test_upgrade(Place *place, const void *data G_GNUC_UNUSED) {
        g_autofree char *numbers = g_build_filename(place->directory, "vsmd.numbers", NULL);
        g_autoptr(GPtrArray) unfinished = NULL, history = NULL, systems = NULL;
        g_autoptr(VsmStore) store = NULL;
        const VsmStoredJob *job;

        run_sql(place, version_1);
        g_assert_true(g_file_set_contents(numbers, "vsmd-numbers 1 1025\n", -1, NULL));

        /* twice: the second time it is of the present version */
        vsm_store_close(open_whole(place));
        store = open_whole(place);

        unfinished = vsm_store_jobs_unfinished(store, NULL);
        g_assert_cmpuint(unfinished->len, ==, 1);
        job = unfinished->pdata[0];
        g_assert_cmpuint(job->number, ==, 2);
        g_assert_cmpstr(job->owner, ==, "admin");
        g_assert_cmpstr(job->request, ==, "('c', {'MigrationType': <uint16 32768>})");
        g_assert_cmpstr(job->source, ==, "");

        history = vsm_store_history(store, &(VsmHistoryFilter) {}, NULL);
        g_assert_cmpuint(history->len, ==, 1);
        job = history->pdata[0];
        g_assert_cmpstr(job->system_name, ==, "web");
        g_assert_cmpstr(job->address, ==, "10.0.0.2");
        g_assert_cmpuint(job->bytes, ==, 4096);

        systems = vsm_store_systems(store, NULL);
        g_assert_cmpuint(systems->len, ==, 1);
        g_assert_cmpuint(vsm_store_install_date(store, 9, NULL), ==, 500);
        assert_all(store, VSM_STORE_SETTING, "");
        g_assert_true(change(store, VSM_STORE_SETTING, "a", "1"));
        g_assert_cmpuint(next(store), ==, 3);
        g_assert_cmpuint(insert_good_job(store), ==, 4);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        PLACE_TEST("/store-text/texts", test_texts);
        PLACE_TEST("/store-text/whole-or-not", test_whole_or_not);
        PLACE_TEST("/store-text/numbers", test_numbers);
        PLACE_TEST("/store-text/upgrade", test_upgrade);

        return g_test_run();
}
