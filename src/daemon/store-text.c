/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Texts under keys: settings, networks, hosts, the service's own state. The store does not know what they
 * mean. Each function takes the mutex. Workers. */

#include "daemon/store-private.h"

void vsm_stored_text_free(VsmStoredText *text) {
        if (!text)
                return;

        g_free(text->key);
        g_free(text->value);
        g_free(text);
}

bool vsm_store_texts_change(VsmStore *store, VsmStoreKind kind, const VsmStoredText *changes, size_t n,
                            GError **error) {

        VSM_STORE_LOCK(store);
        bool ok = true;

        if (n == 0)
                return true;

        if (!vsm_store_transaction_begin(store, error))
                return false;

        for (size_t i = 0; ok && i < n; i++) {
                const VsmStoredText *change = &changes[i];
                sqlite3_stmt *statement = NULL;

                if (change->value)
                        statement = vsm_store_bind(store, STORE_TEXT_SET, "uss", (unsigned) kind,
                                                   change->key, change->value);
                else
                        statement = vsm_store_bind(store, STORE_TEXT_REMOVE, "us", (unsigned) kind,
                                                   change->key);

                ok = vsm_store_run(store, statement, "writing settings", error);
        }

        return vsm_store_transaction_end(store, ok, error);
}

GPtrArray* vsm_store_texts(VsmStore *store, VsmStoreKind kind, GError **error) {
        VSM_STORE_LOCK(store);
        g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_stored_text_free);
        g_autoptr(sqlite3_stmt) statement = vsm_store_bind(store, STORE_TEXTS, "u", (unsigned) kind);
        int r = 0;

        while ((r = vsm_store_step(statement)) == SQLITE_ROW) {
                VsmStoredText *text = g_new0(VsmStoredText, 1);

                text->key = vsm_store_column_text(statement, 0);
                text->value = vsm_store_column_text(statement, 1);
                g_ptr_array_add(texts, text);
        }

        if (r != SQLITE_DONE)
                (void) vsm_store_fail(store, "reading settings", error);

        return r == SQLITE_DONE ? g_steal_pointer(&texts) : NULL;
}
