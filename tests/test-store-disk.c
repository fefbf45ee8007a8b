/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The store against kills and full disks. The test of a full disk mounts a small tmpfs and is skipped,
 * loudly, where that is not allowed. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "shared/error.h"
#include "store-place.h"

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

                        while (child && (number = insert_job(child, NULL)) > 0)
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
        uint64_t number = insert_good_job(store);
        unsigned before = syncs;

        insert_good_job(store);
        g_assert_cmpuint(syncs, ==, before + 1);
        g_assert_true(vsm_store_job_begin(store, number, true, true, true, "", NULL));
        g_assert_cmpuint(syncs, ==, before + 2);
        end_job(store, number, 5);
        g_assert_cmpuint(syncs, ==, before + 3);
        g_assert_true(vsm_store_system_set(store, "a", 4, 0, NULL));
        g_assert_cmpuint(syncs, ==, before + 4);

        sync_fails = true;
        g_assert_cmpuint(insert_job(store, NULL), ==, 0);
        g_assert_false(vsm_store_job_begin(store, number + 1, true, true, true, "", NULL));
        sync_fails = false;
        g_assert_cmpuint(count_unfinished(store), ==, 1);
        g_assert_cmpuint(insert_good_job(store), ==, number + 2);
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
        last = insert_good_job(store);

        fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        while (write(fd, block, 4096) > 0)
                ;
        close(fd);

        /* until the last bit of the journal is full too */
        while ((number = insert_job(store, &error)) > 0)
                last = number;

        g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
        g_assert_nonnull(strstr(error->message, "full"));

        /* reading goes on, and what was true stays true */
        g_assert_cmpuint(count_unfinished(store), ==, last);
        g_assert_cmpint(insert_job(store, NULL), ==, 0);

        g_assert_cmpint(remove(ballast), ==, 0);
        g_assert_cmpuint(insert_good_job(store), ==, last + 1);
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

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        PLACE_TEST("/store-disk/kill", test_kill);
        PLACE_TEST("/store-disk/sync", test_sync);
        PLACE_TEST("/store-disk/full-disk", test_full_disk);

        return g_test_run();
}
