/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Keeps the file of libvirt's hook true. It is made beside and renamed: the hook sees the old one, the new
 * one or none, never half of it. Bus thread, but for what runs on the store lane, which says so. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "daemon/draining.h"
#include "daemon/log.h"
#include "daemon/refuse.h"
#include "daemon/service.h"
#include "shared/error.h"
#include "shared/names.h"

#define REFUSE_FILE     "refuse"
#define REFUSE_FILE_NEW "refuse.new"

/* Both begin alike: who sends a guest knows a refusal by that. */
char* vsm_refuse_sentence(VsmManager *manager, bool enable_migration, bool draining) {
        if (!enable_migration)
                return g_strdup_printf("Host %s " VSM_REFUSAL ": the setting EnableVirtualSystemMigration of its "
                                       "migration service is off.", vsm_service_host_name(manager));
        if (draining)
                return g_strdup_printf("Host %s " VSM_REFUSAL ": it is being emptied (drained).",
                                       vsm_service_host_name(manager));

        return NULL;
}

/* ---- store lane ---- */

static bool fail(const char *what, GError **error) {
        int saved = errno;

        g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "The file that refuses incoming guests (" REFUSE_FILE
                    " in the state directory) cannot be %s: %s", what, g_strerror(saved));
        return false;
}

static bool says_already(const char *directory, const char *line) {
        g_autofree char *path = g_build_filename(directory, REFUSE_FILE, NULL), *contents = NULL;

        return g_file_get_contents(path, &contents, NULL, NULL) && g_str_equal(contents, line);
}

static bool write_line(int dir, const char *line) {
        size_t length = strlen(line);
        bool ok;
        int fd, saved;

        fd = openat(dir, REFUSE_FILE_NEW, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
        if (fd < 0)
                return false;

        /* a short write is a full disk: the next one would say so */
        errno = ENOSPC;
        ok = write(fd, line, length) == (ssize_t) length && fsync(fd) >= 0;
        saved = errno;
        close(fd);
        errno = saved;
        return ok && renameat(dir, REFUSE_FILE_NEW, dir, REFUSE_FILE) >= 0;
}

bool vsm_refuse_write(const char *directory, const char *sentence, GError **error) {
        g_autofree char *line = sentence ? g_strconcat(sentence, "\n", NULL) : NULL;
        bool ok;
        int dir;

        if (line && says_already(directory, line))
                return true;

        dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir < 0)
                return fail("reached", error);

        if (line)
                ok = write_line(dir, line) || fail("written", error);
        else
                ok = unlinkat(dir, REFUSE_FILE, 0) >= 0 || errno == ENOENT || fail("removed", error);

        if (ok && fsync(dir) < 0)
                ok = fail("written", error);
        close(dir);
        return ok;
}

typedef struct UpdateTask {
        VsmTask task;
        char *directory;
        char *sentence;
} UpdateTask;

static void update_run(VsmTask *task) {
        UpdateTask *t = (UpdateTask*) task;

        (void) vsm_refuse_write(t->directory, t->sentence, &task->error);
}

static void update_done(VsmTask *task, void *userdata) {
        if (task->error)
                vsm_log(LOG_ERR, "%s", task->error->message);
}

static void update_free(VsmTask *task) {
        UpdateTask *t = (UpdateTask*) task;

        g_free(t->directory);
        g_free(t->sentence);
        g_free(t);
}

void vsm_refuse_update(VsmManager *manager) {
        UpdateTask *t = vsm_task_new(UpdateTask, update_run, update_done, update_free);

        t->directory = g_strdup(manager->state_directory);
        t->sentence = vsm_refuse_sentence(manager, manager->settings.enable_migration, vsm_draining(manager));
        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
}
