/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Taking back after the end of a job. The store knows what waits; here is when it is tried: each job by
 * itself, a few at a time, later and later while it does not work. Bus thread, but for the run functions,
 * which say so. */

#include "daemon/five.h"
#include "daemon/host.h"
#include "daemon/journal.h"
#include "daemon/log.h"
#include "daemon/rollback.h"
#include "shared/cleanup.h"

#define DELAY_MIN_USEC  (UINT64_C(60) * G_USEC_PER_SEC)
#define DELAY_MAX_USEC  (UINT64_C(5) * 60 * G_USEC_PER_SEC)
#define ACCURACY_USEC   (UINT64_C(5) * G_USEC_PER_SEC)
#define RUNS_MAX        4       /* threads of the long lane: the rest is for migrations */

/* A job that has something left. */
typedef struct Entry {
        VsmStoredJob *job;
        uint64_t due;           /* monotonic, µs */
        unsigned tries;
        bool running;
        bool again;             /* what it ran into may be over: at once, when it is back */
        char *reason;           /* why it waits, as it was logged last */
} Entry;

struct VsmRollback {
        VsmManager *manager;
        GHashTable *entries;    /* number (int64 key, borrowed) -> Entry*, owned */
        unsigned running;
        bool scanning, scan_again;
        sd_event_source *timer;
};

static void entry_free(void *data) {
        Entry *entry = data;

        vsm_stored_job_free(entry->job);
        g_free(entry->reason);
        g_free(entry);
}

VsmRollback* vsm_rollback_new(VsmManager *manager) {
        VsmRollback *rollback = g_new0(VsmRollback, 1);

        rollback->manager = manager;
        rollback->entries = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, entry_free);
        return rollback;
}

void vsm_rollback_free(VsmRollback *rollback) {
        if (!rollback)
                return;

        sd_event_source_disable_unref(rollback->timer);
        g_hash_table_unref(rollback->entries);
        g_free(rollback);
}

static VsmLogContext context_of(const VsmStoredJob *job) {
        return (VsmLogContext) {
                .job = job->number, .system = job->system, .system_name = job->system_name,
                .destination = job->destination, .caller = job->owner, .caller_uid = job->owner_uid,
        };
}

/* ---- one job ---- */

typedef struct RunTask {
        VsmTask task;
        VsmVirt *virt;
        VsmStore *store;
        VsmDestination *destination;    /* NULL: it had no other host */
        uint64_t job;
        char uuid[VSM_UUID_SIZE];
        char *address;
        guint before, after;            /* effects */
} RunTask;

/* Long lane. */
static void run_run(VsmTask *task) {
        RunTask *t = (RunTask*) task;
        g_autoptr(VsmJournal) journal = vsm_journal_new(t->store, t->job);
        VsmStoredVerdict verdict = VSM_STORED_OPEN;
        g_autoptr(GPtrArray) effects = vsm_store_effects(t->store, t->job, &verdict, &task->error);

        if (!effects || verdict == VSM_STORED_OPEN)
                return;

        t->before = effects->len;
        (void) vsm_virt_finish_effects(t->virt, t->destination, t->address, t->uuid, effects,
                                       verdict == VSM_STORED_SUCCESS, journal, &task->error);
        t->after = effects->len;
}

static void start_due(VsmRollback *rollback);

static void take_result(VsmRollback *rollback, Entry *entry, const RunTask *t) {
        VsmLogContext context = context_of(entry->job);
        const GError *error = t->task.error;
        uint64_t delay;

        if (!error) {
                if (t->before > 0 && entry->reason)
                        vsm_log_full(LOG_NOTICE, &context, "Job %" PRIu64 ": nothing is left to be tidied up.",
                                     entry->job->number);
                g_hash_table_remove(rollback->entries, &entry->job->number);
                return;
        }

        /* not the same line every five minutes for a host that is off for a week */
        vsm_log_full(g_strcmp0(entry->reason, error->message) == 0 ? LOG_DEBUG : LOG_NOTICE, &context,
                     "Job %" PRIu64 ": tidying up after it waits, and is tried again: %s", entry->job->number,
                     error->message);
        g_free(entry->reason);
        entry->reason = g_strdup(error->message);

        delay = MIN(DELAY_MIN_USEC << MIN(entry->tries, 8), DELAY_MAX_USEC);
        entry->tries++;
        entry->due = entry->again ? 0 : vsm_now_monotonic() + delay;
        entry->again = false;
}

static void run_done(VsmTask *task, void *userdata) {
        VsmManager *manager = userdata;
        VsmRollback *rollback = manager->rollback;
        RunTask *t = (RunTask*) task;
        Entry *entry = g_hash_table_lookup(rollback->entries, &t->job);

        rollback->running--;
        if (entry) {
                entry->running = false;
                take_result(rollback, entry, t);
        }

        start_due(rollback);
}

static void run_free(VsmTask *task) {
        RunTask *t = (RunTask*) task;

        vsm_destination_free(t->destination);
        g_free(t->address);
        g_free(t);
}

/* How the other host is reached is in the request, and in what is known of that host today. */
static VsmDestination* destination_of(VsmManager *manager, const VsmStoredJob *job, GError **error) {
        g_autoptr(VsmRequest) request = vsm_request_from_text(job->request, error);

        return request && *request->destination ? vsm_destination_of(manager, request) : NULL;
}

static void start(VsmRollback *rollback, Entry *entry) {
        VsmManager *manager = rollback->manager;
        RunTask *t = vsm_task_new(RunTask, run_run, run_done, run_free);
        g_autoptr(GError) error = NULL;

        t->virt = manager->virt;
        t->store = manager->store;
        t->job = entry->job->number;
        t->address = g_strdup(entry->job->address);
        g_strlcpy(t->uuid, entry->job->system, sizeof t->uuid);
        t->destination = destination_of(manager, entry->job, &error);
        if (error)
                vsm_log(LOG_ERR, "Job %" PRIu64 " cannot be read back: %s", t->job, error->message);

        entry->running = true;
        entry->again = false;
        rollback->running++;
        vsm_worker_push(manager->worker, VSM_LANE_LONG, &t->task);
}

/* ---- when ---- */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        start_due(userdata);
        return 0;
}

static void arm(VsmRollback *rollback, uint64_t due) {
        int r;

        if (due == UINT64_MAX) {
                rollback->timer = sd_event_source_disable_unref(rollback->timer);
                return;
        }

        if (!rollback->timer)
                r = sd_event_add_time(rollback->manager->event, &rollback->timer, CLOCK_MONOTONIC, due,
                                      ACCURACY_USEC, on_timer, rollback);
        else {
                r = sd_event_source_set_time(rollback->timer, due);
                if (r >= 0)
                        r = sd_event_source_set_enabled(rollback->timer, SD_EVENT_ONESHOT);
        }
        if (r < 0)
                vsm_log(LOG_WARNING, "What waits to be tidied up is tried again at the next start only.");
}

/* What has waited longest goes first, as all are due at a start. */
static Entry* next_due(VsmRollback *rollback) {
        Entry *best = NULL, *entry;
        GHashTableIter iter;

        g_hash_table_iter_init(&iter, rollback->entries);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &entry))
                if (!entry->running && (!best || entry->due < best->due ||
                                        (entry->due == best->due && entry->job->number < best->job->number)))
                        best = entry;

        return best;
}

static void start_due(VsmRollback *rollback) {
        Entry *entry = next_due(rollback);

        /* it is tried anew when libvirt is back */
        if (!rollback->manager->libvirt_up) {
                arm(rollback, UINT64_MAX);
                return;
        }

        for (; entry && entry->due <= vsm_now_monotonic(); entry = next_due(rollback)) {
                if (rollback->running >= RUNS_MAX) {
                        /* the next one that comes back goes on here */
                        arm(rollback, UINT64_MAX);
                        return;
                }

                start(rollback, entry);
        }

        arm(rollback, entry ? entry->due : UINT64_MAX);
}

static void hurry(Entry *entry) {
        entry->due = 0;
        entry->tries = 0;
        entry->again = entry->running;
}

void vsm_rollback_host_up(VsmManager *manager, const char *name) {
        VsmRollback *rollback = manager->rollback;
        const VsmHost *host;
        GHashTableIter iter;
        Entry *entry;

        if (!rollback || g_hash_table_size(rollback->entries) == 0)
                return;

        host = vsm_host_match(manager, name);
        g_hash_table_iter_init(&iter, rollback->entries);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &entry))
                if (host && vsm_host_match(manager, entry->job->destination) == host)
                        hurry(entry);

        start_due(rollback);
}

/* ---- which jobs ---- */

typedef struct ScanTask {
        VsmTask task;
        VsmStore *store;
        GPtrArray *jobs;
} ScanTask;

/* Store lane. */
static void scan_run(VsmTask *task) {
        ScanTask *t = (ScanTask*) task;

        t->jobs = vsm_store_effects_pending(t->store, &task->error);
}

static void scan_done(VsmTask *task, void *userdata) {
        VsmManager *manager = userdata;
        VsmRollback *rollback = manager->rollback;
        ScanTask *t = (ScanTask*) task;

        rollback->scanning = false;
        if (task->error)
                vsm_log(LOG_ERR, "Cannot read what is to be tidied up: %s", task->error->message);

        for (guint i = 0; t->jobs && i < t->jobs->len; i++) {
                VsmStoredJob *job = t->jobs->pdata[i];
                Entry *entry = g_hash_table_lookup(rollback->entries, &job->number);

                if (!entry) {
                        entry = g_new0(Entry, 1);
                        entry->job = job;
                        t->jobs->pdata[i] = NULL;
                        g_hash_table_insert(rollback->entries, &entry->job->number, entry);
                }
        }

        if (rollback->scan_again)
                vsm_rollback_look(manager);
        start_due(rollback);
}

static void scan_free(VsmTask *task) {
        ScanTask *t = (ScanTask*) task;

        g_clear_pointer(&t->jobs, g_ptr_array_unref);
        g_free(t);
}

void vsm_rollback_look(VsmManager *manager) {
        VsmRollback *rollback = manager->rollback;
        ScanTask *t;

        /* the one on its way may have looked too early */
        rollback->scan_again = rollback->scanning;
        if (rollback->scanning)
                return;

        rollback->scanning = true;
        t = vsm_task_new(ScanTask, scan_run, scan_done, scan_free);
        t->store = manager->store;
        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
}

void vsm_rollback_run(VsmManager *manager) {
        GHashTableIter iter;
        Entry *entry;

        g_hash_table_iter_init(&iter, manager->rollback->entries);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &entry))
                hurry(entry);

        vsm_rollback_look(manager);
}
