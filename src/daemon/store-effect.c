/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What moves did on their way, and which of the two ends it is. Each function takes the mutex, and has
 * reached the disk when it returns true. Workers. */

#include "daemon/store-private.h"
#include "shared/error.h"

bool vsm_store_effect_add(VsmStore *store, uint64_t job, VsmEffect *effect, GError **error) {
        VSM_STORE_LOCK(store);
        sqlite3_stmt *statement = NULL;

        statement = vsm_store_bind(store, STORE_EFFECT_ADD, "tuuss", job, (unsigned) effect->kind,
                                   (unsigned) effect->there, effect->object, effect->detail);
        if (!vsm_store_run_one(store, statement, "noting what a job is about to do", error))
                return false;

        effect->id = sqlite3_last_insert_rowid(store->db);
        return true;
}

bool vsm_store_effect_forget(VsmStore *store, uint64_t id, GError **error) {
        VSM_STORE_LOCK(store);

        return vsm_store_run(store, vsm_store_bind(store, STORE_EFFECT_FORGET, "t", id),
                             "noting what was taken back", error);
}

static VsmEffect* effect_from_row(sqlite3_stmt *row) {
        g_autofree char *object = vsm_store_column_text(row, 3), *detail = vsm_store_column_text(row, 4);
        VsmEffect *effect = vsm_effect_new(sqlite3_column_int(row, 1), sqlite3_column_int(row, 2), object, detail);

        effect->id = sqlite3_column_int64(row, 0);
        return effect;
}

GPtrArray* vsm_store_effects(VsmStore *store, uint64_t job, VsmStoredVerdict *ret_verdict, GError **error) {
        VSM_STORE_LOCK(store);
        g_autoptr(GPtrArray) effects = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_effect_free);
        sqlite3_stmt *statement = vsm_store_bind(store, STORE_EFFECTS, "t", job);
        VsmStoredVerdict verdict = VSM_STORED_OPEN;
        int r = 0;

        while ((r = vsm_store_step(statement)) == SQLITE_ROW) {
                g_ptr_array_add(effects, effect_from_row(statement));
                verdict = MAX(verdict, (VsmStoredVerdict) sqlite3_column_int(statement, 5));
        }

        if (r != SQLITE_DONE)
                (void) vsm_store_fail(store, "reading what a job did", error);

        (void) sqlite3_finalize(statement);
        if (r != SQLITE_DONE)
                return NULL;

        if (ret_verdict)
                *ret_verdict = verdict;
        return g_steal_pointer(&effects);
}

bool vsm_store_effects_decide(VsmStore *store, uint64_t job, bool success, GError **error) {
        VSM_STORE_LOCK(store);
        unsigned verdict = success ? VSM_STORED_SUCCESS : VSM_STORED_FAILED;

        return vsm_store_run(store, vsm_store_bind(store, STORE_EFFECTS_DECIDE, "tu", job, verdict),
                             "noting how a job ends", error);
}

GPtrArray* vsm_store_effects_pending(VsmStore *store, GError **error) {
        VSM_STORE_LOCK(store);

        return vsm_store_jobs_read(store, vsm_store_bind(store, STORE_EFFECTS_PENDING, ""), error);
}
