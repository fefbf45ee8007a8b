/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/store.h"

/* Shared by store*.c and nothing else. Everything here is called with the mutex held, or before
 * anybody else knows the store. */

typedef enum {
        STORE_BEGIN,
        STORE_COMMIT,
        STORE_JOB_INSERT,
        STORE_JOB_BEGIN,
        STORE_JOB_CANCEL,
        STORE_JOB_STARTED,
        STORE_JOB_PERCENT,
        STORE_JOB_END,
        STORE_JOB_REMAINS,
        STORE_JOBS_RECENT,
        STORE_JOBS_UNFINISHED,
        STORE_HISTORY_TRIM,
        STORE_HISTORY,
        STORE_NUMBER_FIRST,
        STORE_NUMBER_NEXT,
        STORE_NUMBER_LAST,
        STORE_TEXT_SET,
        STORE_TEXT_REMOVE,
        STORE_TEXTS,
        STORE_SYSTEM_SET,
        STORE_SYSTEM_SET_OF_JOB,
        STORE_SYSTEM_CLEAR,
        STORE_SYSTEM_CLEAR_OF_JOB,
        STORE_SYSTEMS,
        STORE_EFFECT_ADD,
        STORE_EFFECT_FORGET,
        STORE_EFFECTS,
        STORE_EFFECTS_DECIDE,
        STORE_EFFECTS_OF_NONE,
        STORE_EFFECTS_PENDING,
        STORE_FACT_KEEP,
        STORE_FACT_GET,
        _STORE_STATEMENT_MAX,
} StoreStatement;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(sqlite3_stmt, sqlite3_finalize)

struct VsmStore {
        GMutex mutex;                   /* one connection, one transaction at a time */
        sqlite3 *db;
        char *path;                     /* of the database */
        int directory_fd;
        uint64_t reserved;              /* no number from here on was given (store-number.c) */
};

#define VSM_STORE_LOCK(store) \
        g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&(store)->mutex)

/* ---- store.c ---- */

/* The last error of the connection as "path: what: reason"; always false. */
bool vsm_store_fail(VsmStore *store, const char *what, GError **error);

/* A statement with its parameters bound, one letter each: 's' const char* (NULL is ""), 'u' anything
 * up to unsigned int, 't' uint64_t. Strings are borrowed until the statement has run. NULL when it cannot be
 * prepared: then those below fail with the connection's error, which tells why. */
sqlite3_stmt* vsm_store_bind(VsmStore *store, StoreStatement which, const char *format, ...);

/* SQLITE_ROW, SQLITE_DONE, or an error of the connection. */
int vsm_store_step(sqlite3_stmt *statement);

/* Runs a statement that returns no rows, and finalizes it. */
bool vsm_store_run(VsmStore *store, sqlite3_stmt *statement, const char *what, GError **error);

/* The same, and it must have met exactly one row. */
bool vsm_store_run_one(VsmStore *store, sqlite3_stmt *statement, const char *what, GError **error);

bool vsm_store_transaction_begin(VsmStore *store, GError **error);

/* ok false: takes everything back and returns false. */
bool vsm_store_transaction_end(VsmStore *store, bool ok, GError **error);

/* A column as text that is valid UTF-8, to be freed. */
char* vsm_store_column_text(sqlite3_stmt *statement, int column);

/* ---- store-schema.c ---- */

/* Sets the connection up, looks whether the file is whole and ours, upgrades it, sees whether all
 * statements fit it. *ret_damaged: it is not, or is newer than we are: set it aside. */
bool vsm_store_schema_open(VsmStore *store, bool *ret_damaged, GError **error);

/* Prepares one for its next run. They are not kept: all together are some 90 KiB, which is much for what
 * runs a few times in a migration. NULL: the connection has the error. */
sqlite3_stmt* vsm_store_prepare(VsmStore *store, StoreStatement which);

/* One number from one statement without parameters; missing when there is no row. */
bool vsm_store_number_get(VsmStore *store, const char *sql, uint64_t missing, uint64_t *ret, GError **error);

/* ---- store-job.c ---- */

/* Runs a statement whose columns are JOB_COLUMNS, and finalizes it; the rows as VsmStoredJob. */
GPtrArray* vsm_store_jobs_read(VsmStore *store, sqlite3_stmt *statement, GError **error);

/* ---- store-number.c ---- */

/* Sees to it that the next number was never given, also when the database is new because the old one
 * was damaged (was_used). */
bool vsm_store_number_open(VsmStore *store, bool was_used, GError **error);

/* Before a transaction that gives out number is committed. */
bool vsm_store_number_reserve(VsmStore *store, uint64_t number, GError **error);

/* Is the file there that tells that numbers were given? */
bool vsm_store_number_exists(VsmStore *store);
