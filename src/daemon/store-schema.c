/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The tables, how an older file becomes a present one, and whether a file is whole and ours. Called at
 * open only, before other threads know the store.
 *
 * journal_mode WAL with synchronous FULL: a commit is on the disk when it returns and costs one fsync.
 * (A rollback journal costs three and more, and with FULL its unlink is not synced: a commit may be
 * undone by a loss of power.) locking_mode EXCLUSIVE keeps WAL's index in memory, so there is no mapped
 * file to get SIGBUS from on a full disk, and a second daemon is refused rather than mixed in. */

#include <unistd.h>

#include "daemon/store-private.h"
#include "shared/error.h"

#define APPLICATION_ID 0x76736d64       /* "vsmd" */
#define TEXT(number) G_STRINGIFY(number)

/* Step n makes version n + 1 of version n. Steps are never changed once released: add one. No indexes:
 * the jobs are read once, at start, and now and then for the history, by number; and quick_check sees
 * all there is without them. */
static const char *const steps[] = {
        "PRAGMA application_id = " TEXT(APPLICATION_ID) ";"
        "CREATE TABLE jobs("
        "  number       INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  type         INTEGER NOT NULL,"
        "  system       TEXT NOT NULL,"
        "  system_name  TEXT NOT NULL,"
        "  owner        TEXT NOT NULL,"
        "  owner_uid    INTEGER NOT NULL,"
        "  request      TEXT NOT NULL,"
        "  destination  TEXT NOT NULL,"
        "  boot_id      TEXT NOT NULL,"
        "  submitted    INTEGER NOT NULL,"
        "  started      INTEGER NOT NULL DEFAULT 0,"
        "  ended        INTEGER NOT NULL DEFAULT 0,"
        "  state        INTEGER NOT NULL,"
        "  error_code   INTEGER NOT NULL DEFAULT 0,"
        "  error        TEXT NOT NULL DEFAULT '',"
        "  begun        INTEGER NOT NULL DEFAULT 0,"
        "  persistent   INTEGER NOT NULL DEFAULT 0,"
        "  autostart    INTEGER NOT NULL DEFAULT 0,"
        "  paused       INTEGER NOT NULL DEFAULT 0,"
        "  address      TEXT NOT NULL DEFAULT '',"
        "  bytes        INTEGER NOT NULL DEFAULT 0,"
        "  downtime     INTEGER NOT NULL DEFAULT 0);"
        "CREATE TABLE systems("
        "  uuid         TEXT PRIMARY KEY,"
        "  state        INTEGER NOT NULL,"
        "  reason       INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE facts("
        "  name         TEXT PRIMARY KEY,"
        "  value        INTEGER NOT NULL) WITHOUT ROWID;",

        "CREATE TABLE texts("
        "  kind         INTEGER NOT NULL,"
        "  key          TEXT NOT NULL,"
        "  value        TEXT NOT NULL,"
        "  PRIMARY KEY(kind, key)) WITHOUT ROWID;"
        "ALTER TABLE jobs ADD COLUMN source TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE jobs ADD COLUMN cancel INTEGER NOT NULL DEFAULT 0;",

        "ALTER TABLE jobs ADD COLUMN percent INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE jobs ADD COLUMN remains TEXT NOT NULL DEFAULT '';",

        "CREATE TABLE effects("
        "  id           INTEGER PRIMARY KEY AUTOINCREMENT,"
        "  job          INTEGER NOT NULL,"
        "  kind         INTEGER NOT NULL,"
        "  there        INTEGER NOT NULL,"
        "  object       TEXT NOT NULL,"
        "  detail       TEXT NOT NULL,"
        "  ended        INTEGER NOT NULL DEFAULT 0);",   /* VsmStoredVerdict */

        "ALTER TABLE jobs ADD COLUMN parent INTEGER NOT NULL DEFAULT 0;",
};

#define JOB_COLUMNS                                                                                     \
        "number, type, system, system_name, owner, owner_uid, request, destination, boot_id,"           \
        " submitted, started, ended, state, error_code, error,"                                         \
        " begun, persistent, autostart, paused, address, bytes, downtime, source, cancel, percent, remains,"  \
        " parent"

/* They move nothing: they are no history (VSM_JOB_TYPE_CHECK_*). */
#define IS_CHECK "type BETWEEN 301 AND 304"

static const char *const statements[_STORE_STATEMENT_MAX] = {
        [STORE_BEGIN]  = "BEGIN IMMEDIATE",
        [STORE_COMMIT] = "COMMIT",

        [STORE_JOB_INSERT] =
        "INSERT INTO jobs(type, system, system_name, owner, owner_uid, request, destination, boot_id,"
        "                 submitted, started, ended, state, error_code, error,"
        "                 begun, persistent, autostart, paused, address, bytes, downtime, source, parent)"
        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [STORE_JOB_BEGIN] =
        "UPDATE jobs SET begun = 1, persistent = ?, autostart = ?, paused = ?, address = ?"
        " WHERE number = ? AND ended = 0",
        [STORE_JOB_CANCEL] = "UPDATE jobs SET cancel = max(cancel, ?) WHERE number = ? AND ended = 0",
        [STORE_JOB_PERCENT] = "UPDATE jobs SET percent = max(percent, ?) WHERE number = ? AND ended = 0",
        [STORE_JOB_STARTED] = "UPDATE jobs SET started = ? WHERE number = ? AND ended = 0",
        [STORE_JOB_END] =
        "UPDATE jobs SET started = max(started, ?), ended = ?, state = ?, error_code = ?, error = ?,"
        "                bytes = ?, downtime = ?"
        " WHERE number = ?",
        [STORE_JOB_REMAINS] = "UPDATE jobs SET remains = ? WHERE number = ?",
        [STORE_JOBS_RECENT] =
        "SELECT " JOB_COLUMNS " FROM jobs"
        " WHERE ended <> 0 AND remains <> ''"
        "   AND (ended > ? OR parent IN (SELECT number FROM jobs WHERE ended = 0))"
        " ORDER BY number",
        [STORE_JOBS_UNFINISHED] =
        "SELECT " JOB_COLUMNS " FROM jobs WHERE ended = 0 ORDER BY number",
        [STORE_HISTORY_TRIM] =
        "DELETE FROM jobs WHERE ended <> 0 AND (" IS_CHECK " OR number <="
        " (SELECT number FROM jobs WHERE ended <> 0 AND NOT " IS_CHECK
        "  ORDER BY number DESC LIMIT 1 OFFSET ?))"
        " AND number NOT IN (SELECT job FROM effects WHERE ended <> 0)",

        /* system, destination, since, until, state, limit, offset: '' or 0 is any */
        [STORE_HISTORY] =
        "SELECT " JOB_COLUMNS " FROM jobs"
        " WHERE ended <> 0 AND system <> '' AND NOT " IS_CHECK
        "   AND (?1 = '' OR system = ?1 OR system_name = ?1)"
        "   AND (?2 = '' OR destination = ?2)"
        "   AND ended >= ?3"
        "   AND (?4 = 0 OR submitted <= ?4)"
        "   AND (?5 = 0 OR state = ?5)"
        " ORDER BY number DESC LIMIT ?6 OFFSET ?7",
        [STORE_NUMBER_FIRST] =
        "INSERT INTO sqlite_sequence(name, seq)"
        " SELECT 'jobs', 0 WHERE NOT EXISTS(SELECT 1 FROM sqlite_sequence WHERE name = 'jobs')",
        [STORE_NUMBER_NEXT] = "UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'jobs'",
        [STORE_NUMBER_LAST] = "SELECT seq FROM sqlite_sequence WHERE name = 'jobs'",

        [STORE_TEXT_SET]    = "REPLACE INTO texts(kind, key, value) VALUES(?, ?, ?)",
        [STORE_TEXT_REMOVE] = "DELETE FROM texts WHERE kind = ? AND key = ?",
        [STORE_TEXTS]       = "SELECT key, value FROM texts WHERE kind = ? ORDER BY key",

        [STORE_SYSTEM_SET] = "REPLACE INTO systems(uuid, state, reason) VALUES(?, ?, ?)",
        [STORE_SYSTEM_SET_OF_JOB] =
        "REPLACE INTO systems(uuid, state, reason)"
        " SELECT system, ?, ? FROM jobs WHERE number = ? AND system <> ''",
        [STORE_SYSTEM_CLEAR] = "DELETE FROM systems WHERE uuid = ?",
        [STORE_SYSTEM_CLEAR_OF_JOB] =
        "DELETE FROM systems WHERE uuid = (SELECT system FROM jobs WHERE number = ?)",
        [STORE_SYSTEMS] = "SELECT uuid, state, reason FROM systems ORDER BY uuid",

        /* only before the verdict: afterwards nothing is made any more */
        [STORE_EFFECT_ADD] =
        "INSERT INTO effects(job, kind, there, object, detail)"
        " SELECT ?1, ?2, ?3, ?4, ?5"
        " WHERE EXISTS(SELECT 1 FROM jobs WHERE number = ?1 AND ended = 0)"
        "   AND NOT EXISTS(SELECT 1 FROM effects WHERE job = ?1 AND ended <> 0)",
        [STORE_EFFECT_FORGET]  = "DELETE FROM effects WHERE id = ?",
        [STORE_EFFECTS]        = "SELECT id, kind, there, object, detail, ended FROM effects WHERE job = ? ORDER BY id",
        [STORE_EFFECTS_DECIDE] = "UPDATE effects SET ended = ?2 WHERE job = ?1 AND ended = 0",
        [STORE_EFFECTS_OF_NONE] = "DELETE FROM effects WHERE job NOT IN (SELECT number FROM jobs)",
        [STORE_EFFECTS_PENDING] =
        "SELECT " JOB_COLUMNS " FROM jobs"
        " WHERE ended <> 0 AND number IN (SELECT job FROM effects WHERE ended <> 0) ORDER BY number",

        [STORE_FACT_KEEP] = "INSERT OR IGNORE INTO facts(name, value) VALUES(?, ?)",
        [STORE_FACT_GET]  = "SELECT value FROM facts WHERE name = ?",
};

/* What is read-only all the same is so by its header, which is damaged or of the future. */
static bool can_be_written(VsmStore *store) {
        return access(store->path, W_OK) >= 0;
}

/* Does the error come from what is in the file? The rest (full, read-only, input/output) may pass, and
 * setting the file aside would lose it for nothing. */
static bool error_is_damage(VsmStore *store) {
        switch (sqlite3_errcode(store->db) & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_ERROR:              /* a table or column is not there, or a format of the future */
        case SQLITE_MISMATCH:
        case SQLITE_CONSTRAINT:
                return true;
        case SQLITE_READONLY:
                return can_be_written(store);
        default:
                return false;
        }
}

static bool run(VsmStore *store, const char *sql, const char *what, bool *ret_damaged, GError **error) {
        if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK)
                return true;

        *ret_damaged = error_is_damage(store);
        return vsm_store_fail(store, what, error);
}

static bool not_ours(bool *ret_damaged, VsmStore *store, const char *why, GError **error) {
        *ret_damaged = true;
        g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "%s: %s", store->path, why);
        return false;
}

bool vsm_store_number_get(VsmStore *store, const char *sql, uint64_t missing, uint64_t *ret,
                          GError **error) {

        sqlite3_stmt *statement = NULL;
        uint64_t value = missing;
        int r = 0;

        r = sqlite3_prepare_v2(store->db, sql, -1, &statement, NULL);
        if (r == SQLITE_OK)
                r = sqlite3_step(statement);
        if (r == SQLITE_ROW)
                value = sqlite3_column_int64(statement, 0);

        if (r != SQLITE_ROW && r != SQLITE_DONE) {
                (void) vsm_store_fail(store, sql, error);
                sqlite3_finalize(statement);
                return false;
        }

        sqlite3_finalize(statement);
        *ret = value;
        return true;
}

/* Nothing that a file brings along may run, and little memory: this is a few hundred rows. */
static void configure(VsmStore *store) {
        static const int off[] = {
                SQLITE_DBCONFIG_ENABLE_TRIGGER, SQLITE_DBCONFIG_ENABLE_VIEW, SQLITE_DBCONFIG_TRUSTED_SCHEMA,
        };

        for (size_t i = 0; i < G_N_ELEMENTS(off); i++)
                (void) sqlite3_db_config(store->db, off[i], 0, NULL);

        (void) sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);

        /* until it is known to be ours: what is set aside shall be as it was found */
        (void) sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        (void) sqlite3_db_config(store->db, SQLITE_DBCONFIG_LOOKASIDE, NULL, 0, 0);
        (void) sqlite3_extended_result_codes(store->db, 1);
}

static bool check_whole(VsmStore *store, bool *ret_damaged, GError **error) {
        sqlite3_stmt *statement = NULL;
        bool ok = false;
        int r = 0;

        r = sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &statement, NULL);
        if (r == SQLITE_OK)
                r = sqlite3_step(statement);

        if (r == SQLITE_ROW) {
                ok = g_strcmp0((const char *) sqlite3_column_text(statement, 0), "ok") == 0;
                if (!ok)
                        (void) not_ours(ret_damaged, store, "the file is damaged", error);
        } else {
                *ret_damaged = error_is_damage(store);
                (void) vsm_store_fail(store, "looking whether the file is whole", error);
        }

        sqlite3_finalize(statement);
        return ok;
}

static bool upgrade(VsmStore *store, uint64_t version, bool *ret_damaged, GError **error) {
        g_autoptr(GString) sql = g_string_new("BEGIN IMMEDIATE;");

        if (version == G_N_ELEMENTS(steps))
                return true;

        for (size_t i = version; i < G_N_ELEMENTS(steps); i++)
                g_string_append(sql, steps[i]);

        /* all steps or none: a loss of power between leaves the old version */
        g_string_append_printf(sql, "PRAGMA user_version = %zu; COMMIT", G_N_ELEMENTS(steps));

        if (!run(store, sql->str, "upgrading the tables", ret_damaged, error))
                return vsm_store_transaction_end(store, false, NULL);

        return true;
}

sqlite3_stmt* vsm_store_prepare(VsmStore *store, StoreStatement which) {
        sqlite3_stmt *statement = NULL;

        (void) sqlite3_prepare_v2(store->db, statements[which], -1, &statement, NULL);
        return statement;
}

/* A table or a column that is not there is found out now, not in the middle of a migration. */
static bool check_statements(VsmStore *store, bool *ret_damaged, GError **error) {
        for (int i = 0; i < _STORE_STATEMENT_MAX; i++) {
                g_autoptr(sqlite3_stmt) statement = vsm_store_prepare(store, (StoreStatement) i);

                if (!statement) {
                        *ret_damaged = error_is_damage(store);
                        return vsm_store_fail(store, "preparing", error);
                }
        }

        return true;
}

bool vsm_store_schema_open(VsmStore *store, bool *ret_damaged, GError **error) {
        uint64_t application = 0, version = 0, objects = 0;

        configure(store);

        if (!run(store,
                 "PRAGMA locking_mode = EXCLUSIVE;"
                 "PRAGMA synchronous = FULL;"
                 "PRAGMA temp_store = MEMORY;"
                 "PRAGMA mmap_size = 0;"
                 "PRAGMA cache_size = -16",         /* KiB */
                 "opening", ret_damaged, error))
                return false;

        /* a file that is not ours is not written to: look first */
        if (!vsm_store_number_get(store, "PRAGMA application_id", 0, &application, error) ||
            !vsm_store_number_get(store, "PRAGMA user_version", 0, &version, error) ||
            !vsm_store_number_get(store, "SELECT count(*) FROM sqlite_schema", 0, &objects, error)) {
                *ret_damaged = error_is_damage(store);
                return false;
        }

        if (application != APPLICATION_ID && (application != 0 || version != 0 || objects != 0))
                return not_ours(ret_damaged, store, "this is another program's database", error);

        if (version > G_N_ELEMENTS(steps))
                return not_ours(ret_damaged, store, "the file was written by a newer version", error);

        if (!check_whole(store, ret_damaged, error) ||
            !run(store,
                 "PRAGMA journal_mode = WAL;"
                 "PRAGMA wal_autocheckpoint = 256;"         /* pages: 1 MiB */
                 "PRAGMA journal_size_limit = 1048576",
                 "opening its journal", ret_damaged, error))
                return false;

        /* now, not at the first job */
        if (sqlite3_db_readonly(store->db, "main") > 0) {
                *ret_damaged = can_be_written(store);
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "%s: the file is read-only", store->path);
                return false;
        }

        if (!upgrade(store, version, ret_damaged, error) || !check_statements(store, ret_damaged, error))
                return false;

        (void) sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
        return true;
}
