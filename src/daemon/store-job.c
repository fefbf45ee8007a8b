/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the store keeps: jobs, the systems' MigrationState, facts. Each function takes the mutex, and has
 * reached the disk when it returns true. Workers. */

#include "daemon/store-private.h"
#include "shared/error.h"

void vsm_stored_job_free(VsmStoredJob *job) {
        if (!job)
                return;

        g_free(job->system);
        g_free(job->system_name);
        g_free(job->owner);
        g_free(job->request);
        g_free(job->destination);
        g_free(job->boot_id);
        g_free(job->error);
        g_free(job->address);
        g_free(job->source);
        g_free(job->remains);
        g_free(job);
}

void vsm_stored_system_free(VsmStoredSystem *system) {
        if (!system)
                return;

        g_free(system->uuid);
        g_free(system);
}

bool vsm_store_job_insert(VsmStore *store, VsmStoredJob *job, GError **error) {
        VSM_STORE_LOCK(store);
        sqlite3_stmt *insert = NULL;
        uint64_t number = 0;
        bool ok = false;

        if (!vsm_store_transaction_begin(store, error))
                return false;

        insert = vsm_store_bind(store, STORE_JOB_INSERT, "usssusssttt" "uus" "uuuus" "tus" "t",
                                (unsigned) job->type, job->system, job->system_name, job->owner,
                                job->owner_uid, job->request, job->destination, job->boot_id,
                                job->submitted, job->started, job->ended,
                                (unsigned) job->state, (unsigned) job->error_code, job->error,
                                (unsigned) job->begun, (unsigned) job->persistent,
                                (unsigned) job->autostart, (unsigned) job->paused, job->address,
                                job->bytes, job->downtime, job->source, job->parent);

        ok = vsm_store_run(store, insert, "adding a job", error);
        number = sqlite3_last_insert_rowid(store->db);

        /* reserved before it is given: a crash between the two costs numbers, never gives one twice */
        ok = ok && vsm_store_number_reserve(store, number, error);
        ok = vsm_store_transaction_end(store, ok, error);

        if (ok)
                job->number = number;

        return ok;
}

bool vsm_store_job_begin(VsmStore *store, uint64_t number, bool persistent, bool autostart, bool paused,
                         const char *address, GError **error) {

        VSM_STORE_LOCK(store);

        return vsm_store_run_one(store,
                                 vsm_store_bind(store, STORE_JOB_BEGIN, "uuust", (unsigned) persistent,
                                                (unsigned) autostart, (unsigned) paused, address, number),
                                 "noting that a job begins", error);
}

bool vsm_store_job_cancel(VsmStore *store, uint64_t number, uint32_t state, GError **error) {
        VSM_STORE_LOCK(store);

        return vsm_store_run_one(store, vsm_store_bind(store, STORE_JOB_CANCEL, "ut", state, number),
                                 "noting that a job is to be cancelled", error);
}

bool vsm_store_job_percent(VsmStore *store, uint64_t number, uint16_t percent, GError **error) {
        VSM_STORE_LOCK(store);

        return vsm_store_run_one(store, vsm_store_bind(store, STORE_JOB_PERCENT, "ut", (unsigned) percent, number),
                                 "noting how far a job is", error);
}

bool vsm_store_job_remains(VsmStore *store, uint64_t number, const char *text, GError **error) {
        VSM_STORE_LOCK(store);

        /* a quiesce has a number, but no row */
        return vsm_store_run(store, vsm_store_bind(store, STORE_JOB_REMAINS, "st", text, number),
                             "noting what a job leaves", error);
}

bool vsm_store_job_started(VsmStore *store, uint64_t number, uint64_t when, GError **error) {
        VSM_STORE_LOCK(store);

        return vsm_store_run_one(store, vsm_store_bind(store, STORE_JOB_STARTED, "tt", when, number),
                                 "noting a job's start", error);
}

static bool end_of_system(VsmStore *store, uint64_t number, uint32_t migration_state, uint32_t reason,
                          GError **error) {

        sqlite3_stmt *statement = NULL;

        if (migration_state == VSM_STORE_STATE_KEEP)
                return true;

        if (migration_state == 0)
                statement = vsm_store_bind(store, STORE_SYSTEM_CLEAR_OF_JOB, "t", number);
        else
                statement = vsm_store_bind(store, STORE_SYSTEM_SET_OF_JOB, "uut", migration_state, reason,
                                           number);

        return vsm_store_run(store, statement, "noting a system's state", error);
}

bool vsm_store_job_end(VsmStore *store, const VsmStoredJob *end, uint32_t migration_state, uint32_t reason,
                       GError **error) {

        VSM_STORE_LOCK(store);
        sqlite3_stmt *statement = NULL;
        bool ok = false;

        /* it would be unfinished for ever */
        if (end->ended == 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "Job %" G_GUINT64_FORMAT " ends without a time.", end->number);
                return false;
        }

        if (!vsm_store_transaction_begin(store, error))
                return false;

        statement = vsm_store_bind(store, STORE_JOB_END, "ttuustut", end->started, end->ended,
                                   (unsigned) end->state, (unsigned) end->error_code, end->error,
                                   end->bytes, end->downtime, end->number);

        ok = vsm_store_run_one(store, statement, "noting a job's end", error) &&
                end_of_system(store, end->number, migration_state, reason, error);

        return vsm_store_transaction_end(store, ok, error);
}

static VsmStoredJob* job_from_row(sqlite3_stmt *row) {
        VsmStoredJob *job = g_new0(VsmStoredJob, 1);
        int c = 0;

        /* the order of JOB_COLUMNS */
        job->number = sqlite3_column_int64(row, c++);
        job->type = sqlite3_column_int64(row, c++);
        job->system = vsm_store_column_text(row, c++);
        job->system_name = vsm_store_column_text(row, c++);
        job->owner = vsm_store_column_text(row, c++);
        job->owner_uid = sqlite3_column_int64(row, c++);
        job->request = vsm_store_column_text(row, c++);
        job->destination = vsm_store_column_text(row, c++);
        job->boot_id = vsm_store_column_text(row, c++);
        job->submitted = sqlite3_column_int64(row, c++);
        job->started = sqlite3_column_int64(row, c++);
        job->ended = sqlite3_column_int64(row, c++);
        job->state = sqlite3_column_int64(row, c++);
        job->error_code = sqlite3_column_int64(row, c++);
        job->error = vsm_store_column_text(row, c++);
        job->begun = sqlite3_column_int64(row, c++);
        job->persistent = sqlite3_column_int64(row, c++);
        job->autostart = sqlite3_column_int64(row, c++);
        job->paused = sqlite3_column_int64(row, c++);
        job->address = vsm_store_column_text(row, c++);
        job->bytes = sqlite3_column_int64(row, c++);
        job->downtime = sqlite3_column_int64(row, c++);
        job->source = vsm_store_column_text(row, c++);
        job->cancel = sqlite3_column_int64(row, c++);
        job->percent = sqlite3_column_int64(row, c++);
        job->remains = vsm_store_column_text(row, c++);
        job->parent = sqlite3_column_int64(row, c++);

        return job;
}

static VsmStoredSystem* system_from_row(sqlite3_stmt *row) {
        VsmStoredSystem *system = g_new0(VsmStoredSystem, 1);

        system->uuid = vsm_store_column_text(row, 0);
        system->migration_state = sqlite3_column_int64(row, 1);
        system->reason = sqlite3_column_int64(row, 2);

        return system;
}

GPtrArray* vsm_store_jobs_read(VsmStore *store, sqlite3_stmt *statement, GError **error) {
        g_autoptr(GPtrArray) jobs = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_stored_job_free);
        int r = 0;

        while ((r = vsm_store_step(statement)) == SQLITE_ROW)
                g_ptr_array_add(jobs, job_from_row(statement));

        if (r != SQLITE_DONE)
                (void) vsm_store_fail(store, "reading jobs", error);

        (void) sqlite3_finalize(statement);
        return r == SQLITE_DONE ? g_steal_pointer(&jobs) : NULL;
}

GPtrArray* vsm_store_jobs_unfinished(VsmStore *store, GError **error) {
        VSM_STORE_LOCK(store);

        return vsm_store_jobs_read(store, vsm_store_bind(store, STORE_JOBS_UNFINISHED, ""), error);
}

GPtrArray* vsm_store_jobs_recent(VsmStore *store, uint64_t since, GError **error) {
        VSM_STORE_LOCK(store);

        return vsm_store_jobs_read(store, vsm_store_bind(store, STORE_JOBS_RECENT, "t", since), error);
}

GPtrArray* vsm_store_history(VsmStore *store, const VsmHistoryFilter *filter, GError **error) {
        VSM_STORE_LOCK(store);
        uint32_t limit = filter->limit > 0 ? filter->limit : VSM_HISTORY_LIMIT_DEFAULT;
        sqlite3_stmt *statement = NULL;

        statement = vsm_store_bind(store, STORE_HISTORY, "ssttuuu", filter->system, filter->destination,
                                   filter->since, filter->until, (unsigned) filter->state,
                                   MIN(limit, VSM_HISTORY_LIMIT_MAX), filter->offset);

        return vsm_store_jobs_read(store, statement, error);
}

bool vsm_store_history_trim(VsmStore *store, uint32_t limit, GError **error) {
        VSM_STORE_LOCK(store);
        bool ok = false;

        if (!vsm_store_transaction_begin(store, error))
                return false;

        /* what is left of those whose end nobody knows (no verdict) is for a person, as long as the job is
         * there to tell of it */
        ok = vsm_store_run(store, vsm_store_bind(store, STORE_HISTORY_TRIM, "u", limit),
                           "forgetting old jobs", error) &&
                vsm_store_run(store, vsm_store_bind(store, STORE_EFFECTS_OF_NONE, ""),
                              "forgetting what old jobs did", error);

        return vsm_store_transaction_end(store, ok, error);
}

bool vsm_store_system_set(VsmStore *store, const char *uuid, uint32_t migration_state, uint32_t reason,
                          GError **error) {

        VSM_STORE_LOCK(store);
        sqlite3_stmt *statement = NULL;

        if (migration_state == 0)
                statement = vsm_store_bind(store, STORE_SYSTEM_CLEAR, "s", uuid);
        else
                statement = vsm_store_bind(store, STORE_SYSTEM_SET, "suu", uuid, migration_state, reason);

        return vsm_store_run(store, statement, "noting a system's state", error);
}

GPtrArray* vsm_store_systems(VsmStore *store, GError **error) {
        VSM_STORE_LOCK(store);
        g_autoptr(GPtrArray) systems =
                g_ptr_array_new_with_free_func((GDestroyNotify) vsm_stored_system_free);
        g_autoptr(sqlite3_stmt) statement = vsm_store_bind(store, STORE_SYSTEMS, "");
        int r = 0;

        while ((r = vsm_store_step(statement)) == SQLITE_ROW)
                g_ptr_array_add(systems, system_from_row(statement));

        if (r != SQLITE_DONE)
                (void) vsm_store_fail(store, "reading systems", error);

        return r == SQLITE_DONE ? g_steal_pointer(&systems) : NULL;
}

uint64_t vsm_store_install_date(VsmStore *store, uint64_t now, GError **error) {
        VSM_STORE_LOCK(store);
        g_autoptr(sqlite3_stmt) statement = NULL;

        if (!vsm_store_run(store, vsm_store_bind(store, STORE_FACT_KEEP, "st", "install-date", now),
                           "noting the date of installation", error))
                return 0;

        statement = vsm_store_bind(store, STORE_FACT_GET, "s", "install-date");

        if (vsm_store_step(statement) == SQLITE_ROW)
                return sqlite3_column_int64(statement, 0);

        (void) vsm_store_fail(store, "reading the date of installation", error);
        return 0;
}
