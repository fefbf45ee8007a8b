/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Numbers of jobs and networks are never used again, not even when the database is lost: numbers are reserved in blocks
 * in a second, tiny file before the first of a block is given. Workers, with the store's mutex held.
 *
 *   vsmd.numbers: "vsmd-numbers 1 <reserved>\n"; no number >= reserved was ever given.
 *
 * A damaged database costs the rest of a block. When this file is lost too, the new numbers begin at
 * the seconds since the epoch, which no counter from 1 on has reached. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/store-private.h"
#include "shared/error.h"

#define NUMBERS_FILE "vsmd.numbers"
#define NUMBERS_FILE_NEW "vsmd.numbers.new"
#define NUMBERS_HEADER "vsmd-numbers 1 "

/* One rename and three fsyncs for so many jobs. */
#define BLOCK UINT64_C(1024)

/* What floating point holds exactly: more is no number of ours. */
#define NUMBER_MAX (UINT64_C(1) << 53)

bool vsm_store_number_exists(VsmStore *store) {
        return faccessat(store->directory_fd, NUMBERS_FILE, F_OK, AT_SYMLINK_NOFOLLOW) >= 0;
}

/* 0: nothing there, or nothing that can be trusted. */
static uint64_t read_reserved(VsmStore *store) {
        char buffer[64] = "";
        uint64_t reserved = 0;
        ssize_t n = 0;
        int fd = -1;

        fd = openat(store->directory_fd, NUMBERS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd < 0)
                return 0;

        n = read(fd, buffer, sizeof(buffer) - 1);
        close(fd);

        /* the newline is the last byte: without it the number may have lost digits */
        if (n <= (ssize_t) strlen(NUMBERS_HEADER) || strlen(buffer) != (size_t) n || buffer[n - 1] != '\n')
                return 0;

        buffer[n - 1] = '\0';
        if (!g_str_has_prefix(buffer, NUMBERS_HEADER))
                return 0;

        if (!g_ascii_string_to_unsigned(buffer + strlen(NUMBERS_HEADER), 10, 1, NUMBER_MAX, &reserved, NULL))
                return 0;

        return reserved;
}

static bool write_whole(int fd, const char *text) {
        size_t length = strlen(text);

        while (length > 0) {
                ssize_t n = write(fd, text, length);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return false;

                text += n;
                length -= n;
        }

        return fsync(fd) >= 0;
}

static bool write_reserved(VsmStore *store, uint64_t reserved, GError **error) {
        g_autofree char *text = g_strdup_printf(NUMBERS_HEADER "%" G_GUINT64_FORMAT "\n", reserved);
        int dir = store->directory_fd, fd = -1, saved = 0;
        bool ok = false;

        fd = openat(dir, NUMBERS_FILE_NEW,
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        if (fd >= 0) {
                ok = write_whole(fd, text);
                saved = errno;
                close(fd);
                errno = saved;
        }

        /* the directory too: the number must not be on the disk before its block is */
        if (ok)
                ok = renameat(dir, NUMBERS_FILE_NEW, dir, NUMBERS_FILE) >= 0 && fsync(dir) >= 0;

        if (!ok) {
                saved = errno;
                (void) unlinkat(dir, NUMBERS_FILE_NEW, 0);
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED,
                            "The job numbers cannot be written to " NUMBERS_FILE " beside %s: %s",
                            store->path, g_strerror(saved));
                return false;
        }

        store->reserved = reserved;
        return true;
}

bool vsm_store_number_reserve(VsmStore *store, uint64_t number, GError **error) {
        if (number < store->reserved)
                return true;

        return write_reserved(store, number + BLOCK, error);
}

/* The next number is last + 1. */
static bool set_last(VsmStore *store, uint64_t last, GError **error) {
        g_autofree char *sql = NULL;

        sql = g_strdup_printf("BEGIN IMMEDIATE;"
                              "DELETE FROM sqlite_sequence WHERE name = 'jobs';"
                              "INSERT INTO sqlite_sequence(name, seq) VALUES('jobs', %" G_GUINT64_FORMAT ");"
                              "COMMIT", last);

        if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
                return vsm_store_transaction_end(store, vsm_store_fail(store, "job numbers", error), NULL);

        return true;
}

bool vsm_store_number_open(VsmStore *store, bool was_used, GError **error) {
        uint64_t last = 0, reserved = read_reserved(store);

        if (!vsm_store_number_get(store, "SELECT seq FROM sqlite_sequence WHERE name = 'jobs'", 0, &last,
                                  error))
                return false;

        /* None given, or a last one far below the block: the database is new, or somebody put an old one
         * back. (An old one of the same block cannot be told from a crash, but is no accident.) */
        if (reserved > 0) {
                store->reserved = reserved;

                if (last + 1 >= reserved || (last > 0 && last + 1 + BLOCK >= reserved))
                        return true;

                return set_last(store, reserved - 1, error);
        }

        if (last == 0 && (was_used || vsm_store_number_exists(store))) {
                last = g_get_real_time() / G_USEC_PER_SEC;

                if (!set_last(store, last, error))
                        return false;
        }

        return write_reserved(store, last + 1, error);
}

static bool read_number(VsmStore *store, StoreStatement which, const char *what, uint64_t *ret,
                        GError **error) {

        g_autoptr(sqlite3_stmt) statement = vsm_store_bind(store, which, "");

        if (vsm_store_step(statement) != SQLITE_ROW)
                return vsm_store_fail(store, what, error);

        *ret = sqlite3_column_int64(statement, 0);
        return true;
}

bool vsm_store_number_next(VsmStore *store, uint64_t *ret, GError **error) {
        VSM_STORE_LOCK(store);
        static const char *const what = "taking a number";
        uint64_t number = 0;
        bool ok = false;

        if (!vsm_store_transaction_begin(store, error))
                return false;

        ok = vsm_store_run(store, vsm_store_bind(store, STORE_NUMBER_FIRST, ""), what, error) &&
                vsm_store_run_one(store, vsm_store_bind(store, STORE_NUMBER_NEXT, ""), what, error) &&
                read_number(store, STORE_NUMBER_LAST, what, &number, error) &&
                vsm_store_number_reserve(store, number, error);
        ok = vsm_store_transaction_end(store, ok, error);

        if (ok)
                *ret = number;

        return ok;
}
