/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Opens the store, sets aside what is not one, and runs its statements. Workers; the mutex is taken by
 * the exported functions. vsm_store_open() on the bus thread, at start only. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/store-private.h"
#include "shared/error.h"

#define DATABASE "vsmd.db"

/* SQLite's files beside the database. */
static const char *const suffixes[] = { "-wal", "-shm", "-journal" };

bool vsm_store_fail(VsmStore *store, const char *what, GError **error) {
        bool busy = store->db && (sqlite3_errcode(store->db) & 0xff) == SQLITE_BUSY;

        g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "%s: %s: %s", store->path, what,
                    busy ? "another process has it open" : sqlite3_errmsg(store->db));
        return false;
}

sqlite3_stmt* vsm_store_bind(VsmStore *store, StoreStatement which, const char *format, ...) {
        sqlite3_stmt *statement = vsm_store_prepare(store, which);
        va_list ap;

        if (!statement)
                return NULL;

        va_start(ap, format);

        for (int i = 1; *format; format++, i++)
                switch (*format) {
                case 's': {
                        const char *text = va_arg(ap, const char *);

                        (void) sqlite3_bind_text(statement, i, text ?: "", -1, SQLITE_STATIC);
                        break;
                }
                case 'u':
                        (void) sqlite3_bind_int64(statement, i, va_arg(ap, unsigned));
                        break;
                case 't':
                        (void) sqlite3_bind_int64(statement, i, va_arg(ap, uint64_t));
                        break;
                default:
                        g_assert_not_reached();
                }

        va_end(ap);
        return statement;
}

int vsm_store_step(sqlite3_stmt *statement) {
        return statement ? sqlite3_step(statement) : SQLITE_ERROR;
}

bool vsm_store_run(VsmStore *store, sqlite3_stmt *statement, const char *what, GError **error) {
        bool ok = vsm_store_step(statement) == SQLITE_DONE;

        /* before it is finalized, which may change the message */
        if (!ok)
                (void) vsm_store_fail(store, what, error);

        (void) sqlite3_finalize(statement);
        return ok;
}

bool vsm_store_run_one(VsmStore *store, sqlite3_stmt *statement, const char *what, GError **error) {
        if (!vsm_store_run(store, statement, what, error))
                return false;

        if (sqlite3_changes(store->db) != 1) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "%s: %s: there is no such job, or it has ended", store->path, what);
                return false;
        }

        return true;
}

bool vsm_store_transaction_begin(VsmStore *store, GError **error) {
        return vsm_store_run(store, vsm_store_bind(store, STORE_BEGIN, ""), "beginning a transaction", error);
}

bool vsm_store_transaction_end(VsmStore *store, bool ok, GError **error) {
        if (ok)
                ok = vsm_store_run(store, vsm_store_bind(store, STORE_COMMIT, ""), "writing a transaction", error);

        /* some errors have taken it back already */
        if (!ok && !sqlite3_get_autocommit(store->db))
                (void) sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);

        return ok;
}

char* vsm_store_column_text(sqlite3_stmt *statement, int column) {
        const char *text = (const char *) sqlite3_column_text(statement, column);

        return g_utf8_make_valid(text ?: "", -1);
}

static void close_database(VsmStore *store) {
        g_clear_pointer(&store->db, sqlite3_close);
}

static bool set_errno(VsmStore *store, const char *what, GError **error) {
        g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "%s: %s: %s", store->path, what, g_strerror(errno));
        return false;
}

static bool exists(VsmStore *store, const char *name) {
        return faccessat(store->directory_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

static bool exists_with_suffix(VsmStore *store, const char *name) {
        for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
                g_autofree char *beside = g_strconcat(name, suffixes[i], NULL);

                if (exists(store, beside))
                        return true;
        }

        return exists(store, name);
}

/* Moves the database and what belongs to it to the first free vsmd.db.damaged-<n>. The database goes
 * first: without it its journal means nothing, but without its journal it may look whole and be old. */
static bool set_aside(VsmStore *store, char **ret_path, GError **error) {
        g_autofree char *name = NULL, *directory = NULL;

        for (unsigned n = 1; !name || exists_with_suffix(store, name); n++) {
                g_free(name);
                name = g_strdup_printf(DATABASE ".damaged-%u", n);
        }

        if (renameat(store->directory_fd, DATABASE, store->directory_fd, name) < 0 && errno != ENOENT)
                return set_errno(store, "setting the damaged file aside", error);

        for (size_t i = 0; i < G_N_ELEMENTS(suffixes); i++) {
                g_autofree char *from = g_strconcat(DATABASE, suffixes[i], NULL);
                g_autofree char *to = g_strconcat(name, suffixes[i], NULL);

                if (renameat(store->directory_fd, from, store->directory_fd, to) < 0 && errno != ENOENT)
                        return set_errno(store, "setting the damaged file's journal aside", error);
        }

        if (fsync(store->directory_fd) < 0)
                return set_errno(store, "setting the damaged file aside", error);

        directory = g_path_get_dirname(store->path);
        *ret_path = g_build_filename(directory, name, NULL);
        return true;
}

/* Looks at the file before SQLite does, and makes one, 0600, when there is none. */
static bool prepare_file(VsmStore *store, bool *ret_damaged, GError **error) {
        struct stat st = {};
        int fd = -1;

        if (fstatat(store->directory_fd, DATABASE, &st, AT_SYMLINK_NOFOLLOW) >= 0) {
                /* Of another user: he could write to it while we trust it. An empty one is a first start
                 * that was cut short, unless numbers have been given; to SQLite one byte is empty too. */
                if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() ||
                    (st.st_size <= 1 && vsm_store_number_exists(store))) {
                        *ret_damaged = true;
                        errno = EINVAL;
                        return set_errno(store, "this is no database of this service", error);
                }

                if ((st.st_mode & 07777) != 0600 && fchmodat(store->directory_fd, DATABASE, 0600, 0) < 0)
                        return set_errno(store, "changing its mode", error);

                return true;
        }

        if (errno != ENOENT)
                return set_errno(store, "looking for it", error);

        /* a journal alone is the rest of a database that somebody lost */
        if (exists_with_suffix(store, DATABASE)) {
                *ret_damaged = true;
                errno = ENOENT;
                return set_errno(store, "only its journal is there", error);
        }

        fd = openat(store->directory_fd, DATABASE, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd < 0)
                return set_errno(store, "making it", error);

        close(fd);

        if (fsync(store->directory_fd) < 0)
                return set_errno(store, "making it", error);

        return true;
}

static bool open_database(VsmStore *store, bool *ret_damaged, GError **error) {
        /* the mutex is ours */
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;

        /* no pages before they are needed: 20 at once are more than a young database has. Refused, and the
         * better so, once SQLite is in use. */
        (void) sqlite3_config(SQLITE_CONFIG_PAGECACHE, NULL, 0, 0);

        if (!prepare_file(store, ret_damaged, error))
                return false;

        if (sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK)
                return vsm_store_fail(store, "opening", error);

        return vsm_store_schema_open(store, ret_damaged, error);
}

static bool open_directory(VsmStore *store, const char *directory, GError **error) {
        /* the state directory may be a symbolic link, the file may not */
        g_autofree char *real = realpath(directory, NULL);

        store->path = g_build_filename(real ?: directory, DATABASE, NULL);

        store->directory_fd = open(real ?: directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (store->directory_fd < 0)
                return set_errno(store, "opening its directory", error);

        return true;
}

VsmStore* vsm_store_open(const char *directory, char **ret_set_aside, GError **error) {
        g_autoptr(VsmStore) store = g_new0(VsmStore, 1);
        g_autofree char *aside = NULL;
        bool was_used = false;

        g_mutex_init(&store->mutex);
        store->directory_fd = -1;

        if (!open_directory(store, directory, error))
                return NULL;

        for (;;) {
                g_autoptr(GError) reason = NULL;
                bool damaged = false;

                if (open_database(store, &damaged, &reason))
                        break;

                close_database(store);

                /* once is enough: what comes after it is new */
                if (!damaged || aside) {
                        g_propagate_error(error, g_steal_pointer(&reason));
                        return NULL;
                }

                if (!set_aside(store, &aside, error))
                        return NULL;
        }

        was_used = aside || exists(store, DATABASE ".damaged-1");
        if (!vsm_store_number_open(store, was_used, error))
                return NULL;

        if (ret_set_aside)
                *ret_set_aside = g_steal_pointer(&aside);

        return g_steal_pointer(&store);
}

void vsm_store_close(VsmStore *store) {
        if (!store)
                return;

        close_database(store);

        if (store->directory_fd >= 0)
                close(store->directory_fd);

        g_mutex_clear(&store->mutex);
        g_free(store->path);
        g_free(store);
}
