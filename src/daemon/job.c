/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The object of a job: its properties, its one state setter, its end and its removal. What a caller
 * can ask of it is in job-methods.c. Bus thread only. */

#include <string.h>

#include "daemon/bring-back.h"
#include "daemon/check-job.h"
#include "daemon/evacuation-internal.h"
#include "daemon/job-error.h"
#include "daemon/fetch-job.h"
#include "daemon/five.h"
#include "daemon/job-keep.h"
#include "daemon/job-methods.h"
#include "daemon/job.h"
#include "daemon/log.h"
#include "daemon/move-type.h"
#include "daemon/move.h"
#include "daemon/system.h"
#include "shared/cleanup.h"
#include "shared/names.h"

static const char *const phases[] = {
        [VSM_PHASE_QUEUED]      = "queued",
        [VSM_PHASE_PREPARING]   = "preparing",
        [VSM_PHASE_DISKS]       = "disks",
        [VSM_PHASE_MEMORY]      = "memory",
        [VSM_PHASE_SWITCH_OVER] = "switch-over",
        [VSM_PHASE_POST_COPY]   = "post-copy",
        [VSM_PHASE_FINISHING]   = "finishing",
        [VSM_PHASE_DONE]        = "done",
};

const char* vsm_phase_to_string(VsmPhase phase) {
        return phases[phase];
}

static void changed(VsmJob *job, const char *property) {
        if (job->path)
                vsm_bus_changed(job->manager->bus, job->path, VSM_INTERFACE_JOB, property);
}

static void transfer_changed(VsmJob *job, const char *property) {
        if (job->path)
                vsm_bus_changed(job->manager->bus, job->path, VSM_INTERFACE_TRANSFER, property);
}

/* ---- properties ---- */

#define GETTER(name, signature, expression)                                                             \
        static int property_get_##name(sd_bus *bus, const char *path, const char *interface,            \
                                       const char *property, sd_bus_message *reply, void *userdata,     \
                                       sd_bus_error *error) {                                           \
                const VsmJob *job = userdata;                                                           \
                                                                                                        \
                (void) job;                                                                             \
                return sd_bus_message_append(reply, signature, expression);                             \
        }

static const char* caption_of(const VsmJob *job) {
        switch (job->type) {
        case VSM_JOB_TYPE_MOVE_SYSTEM:
                return "Moving Virtual System";
        case VSM_JOB_TYPE_MOVE_SYSTEM_AND_STORAGE:
                return "Moving Virtual System and Storage";
        case VSM_JOB_TYPE_MOVE_STORAGE:
                return "Moving Storage";
        case VSM_JOB_TYPE_STAGED:
                return "Creating Planned Virtual System";
        case VSM_JOB_TYPE_CHECK_SYSTEM:
                return "Checking Virtual System";
        case VSM_JOB_TYPE_CHECK_SYSTEM_AND_STORAGE:
                return "Checking Virtual System and Storage";
        case VSM_JOB_TYPE_CHECK_STORAGE:
        case VSM_JOB_TYPE_CHECK_STORAGE_MIGRATION:
                return "Checking Storage";
        case VSM_JOB_TYPE_EVACUATION:
                return "Evacuating Host";
        case VSM_JOB_TYPE_BRING_BACK:
                return "Bringing Virtual Systems Back";
        case VSM_JOB_TYPE_QUIESCE:
                return "Quiescing Migration Service";
        default:
                return "Migration Job";
        }
}

static uint64_t elapsed(const VsmJob *job) {
        if (job->started_mono == 0)
                return 0;

        return (job->ended_mono > 0 ? job->ended_mono : vsm_now_monotonic()) - job->started_mono;
}

static const char* mode_of(const VsmJob *job) {
        if (job->post_copy)
                return "post-copy";

        return job->request && job->request->migration_type == VSM_MIGRATION_TYPE_RESUME ? "paused" : "pre-copy";
}

GETTER(caption, "s", caption_of(job))
GETTER(job_status, "s", vsm_job_state_to_string(job->state))
GETTER(job_state, "q", job->state)
GETTER(job_type, "q", job->type)
GETTER(percent, "q", job->percent)
GETTER(error_code, "q", job->error_code)
GETTER(migration_type, "q", job->request ? job->request->migration_type : 0)
GETTER(health_state, "q", job->state == VSM_JOB_STATE_EXCEPTION ? 25 : 5)
GETTER(submitted, "t", job->submitted)
GETTER(started, "t", job->started)
GETTER(elapsed, "t", elapsed(job))
GETTER(changed, "t", job->changed)
GETTER(before_removal, "t", VSM_JOB_RETENTION_USEC)
GETTER(delete_on_completion, "b", 1)
GETTER(cancellable, "b", (int) job->cancellable)
GETTER(priority, "u", (uint32_t) (job->request ? job->request->priority : 0))
GETTER(owner, "s", job->owner)
GETTER(owner_uid, "u", job->owner_uid)
GETTER(error_description, "s", job->error)
GETTER(element_name, "s", job->system_name)
GETTER(system_name, "s", job->system_uuid) /* CIM: the unique name, which is the UUID */
GETTER(destination, "s", job->request ? job->request->destination : "")
GETTER(phase, "s", phases[job->phase])
GETTER(mode, "s", mode_of(job))
GETTER(verdict, "s", job->verdict)
GETTER(memory_total, "t", job->stats.memory_total)
GETTER(memory_processed, "t", job->stats.memory_processed)
GETTER(memory_remaining, "t", job->stats.memory_remaining)
GETTER(disk_total, "t", job->stats.disk_total)
GETTER(disk_processed, "t", job->stats.disk_processed)
GETTER(disk_remaining, "t", job->stats.disk_remaining)
GETTER(bandwidth, "t", job->stats.bandwidth)
GETTER(dirty_rate, "t", job->stats.dirty_rate)
GETTER(time_remaining, "t", job->time_remaining)
GETTER(iteration, "u", (uint32_t) job->stats.iteration)
GETTER(expected_downtime, "u", (uint32_t) job->stats.downtime)
GETTER(downtime, "u", (uint32_t) job->downtime)
GETTER(encrypted, "b", (int) job->encrypted)

static int property_get_instance_id(sd_bus *bus, const char *path, const char *interface,
                                    const char *property, sd_bus_message *reply, void *userdata,
                                    sd_bus_error *error) {
        const VsmJob *job = userdata;
        char id[64];

        g_snprintf(id, sizeof id, "org.example:MigrationJob/%" PRIu64, job->number);
        return sd_bus_message_append(reply, "s", id);
}

static int property_get_operational_status(sd_bus *bus, const char *path, const char *interface,
                                           const char *property, sd_bus_message *reply, void *userdata,
                                           sd_bus_error *error) {
        const VsmJob *job = userdata;

        /* 6 Error, 17 Completed, 2 OK */
        if (job->state == VSM_JOB_STATE_EXCEPTION)
                return sd_bus_message_append(reply, "aq", 1, 6);
        if (vsm_job_state_is_success(job->state))
                return sd_bus_message_append(reply, "aq", 2, 2, 17);

        return sd_bus_message_append(reply, "aq", 1, 2);
}

static int property_get_system(sd_bus *bus, const char *path, const char *interface, const char *property,
                               sd_bus_message *reply, void *userdata, sd_bus_error *error) {
        const VsmJob *job = userdata;
        VsmSystem *system = vsm_system_find(job->manager, job->system_uuid);

        return sd_bus_message_append(reply, "o", system ? vsm_system_path(system) : "/");
}

#define CONST  SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGE SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define METHOD(name, in, in_names, out, out_names, handler)                                             \
        SD_BUS_METHOD_WITH_NAMES(name, in, in_names, out, out_names, handler, SD_BUS_VTABLE_UNPRIVILEGED)

static const sd_bus_vtable job_vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("RequestStateChange", "qt", SD_BUS_PARAM(RequestedState) SD_BUS_PARAM(TimeoutPeriod), "u",
               SD_BUS_PARAM(ReturnValue), vsm_job_method_request_state_change),
        METHOD("KillJob", "b", SD_BUS_PARAM(DeleteOnKill), "u", SD_BUS_PARAM(ReturnValue),
               vsm_job_method_kill),
        METHOD("GetError", NULL,, "a{sv}", SD_BUS_PARAM(Error), vsm_job_method_get_error),
        METHOD("GetErrorEx", NULL,, "aa{sv}", SD_BUS_PARAM(Errors), vsm_job_method_get_error_ex),
        METHOD("GetRequest", NULL,, "a{sv}", SD_BUS_PARAM(Request), vsm_job_method_get_request),
        SD_BUS_PROPERTY("InstanceID", "s", property_get_instance_id, 0, CONST),
        SD_BUS_PROPERTY("Name", "s", property_get_instance_id, 0, CONST),
        SD_BUS_PROPERTY("Caption", "s", property_get_caption, 0, CONST),
        SD_BUS_PROPERTY("Description", "s", property_get_caption, 0, CONST),
        SD_BUS_PROPERTY("ElementName", "s", property_get_element_name, 0, CONST),
        SD_BUS_PROPERTY("JobStatus", "s", property_get_job_status, 0, CHANGE),
        SD_BUS_PROPERTY("JobState", "q", property_get_job_state, 0, CHANGE),
        SD_BUS_PROPERTY("JobType", "q", property_get_job_type, 0, CHANGE),
        SD_BUS_PROPERTY("PercentComplete", "q", property_get_percent, 0, CHANGE),
        SD_BUS_PROPERTY("ErrorCode", "q", property_get_error_code, 0, CHANGE),
        SD_BUS_PROPERTY("MigrationType", "q", property_get_migration_type, 0, CHANGE),
        SD_BUS_PROPERTY("HealthState", "q", property_get_health_state, 0, CHANGE),
        SD_BUS_PROPERTY("OperationalStatus", "aq", property_get_operational_status, 0, CHANGE),
        SD_BUS_PROPERTY("TimeSubmitted", "t", property_get_submitted, 0, CONST),
        SD_BUS_PROPERTY("StartTime", "t", property_get_started, 0, CHANGE),
        SD_BUS_PROPERTY("ElapsedTime", "t", property_get_elapsed, 0, 0),
        SD_BUS_PROPERTY("TimeOfLastStateChange", "t", property_get_changed, 0, CHANGE),
        SD_BUS_PROPERTY("TimeBeforeRemoval", "t", property_get_before_removal, 0, CHANGE),
        SD_BUS_PROPERTY("DeleteOnCompletion", "b", property_get_delete_on_completion, 0, CHANGE),
        SD_BUS_PROPERTY("Cancellable", "b", property_get_cancellable, 0, CHANGE),
        SD_BUS_PROPERTY("Priority", "u", property_get_priority, 0, CHANGE),
        SD_BUS_PROPERTY("Owner", "s", property_get_owner, 0, CONST),
        SD_BUS_PROPERTY("OwnerUID", "u", property_get_owner_uid, 0, CONST),
        SD_BUS_PROPERTY("ErrorDescription", "s", property_get_error_description, 0, CHANGE),
        SD_BUS_PROPERTY("ErrorSummaryDescription", "s", property_get_error_description, 0, CHANGE),
        SD_BUS_PROPERTY("VirtualSystemName", "s", property_get_system_name, 0, CHANGE),
        SD_BUS_PROPERTY("VirtualSystem", "o", property_get_system, 0, CHANGE),
        SD_BUS_PROPERTY("DestinationHost", "s", property_get_destination, 0, CHANGE),
        SD_BUS_VTABLE_END
};

static const sd_bus_vtable transfer_vtable[] = {
        SD_BUS_VTABLE_START(0),
        METHOD("SetParameters", "a{sv}", SD_BUS_PARAM(Parameters), NULL,, vsm_job_method_set_parameters),
        SD_BUS_METHOD("StartPostCopy", NULL, NULL, vsm_job_method_start_post_copy, SD_BUS_VTABLE_UNPRIVILEGED),
        SD_BUS_PROPERTY("Phase", "s", property_get_phase, 0, CHANGE),
        SD_BUS_PROPERTY("Mode", "s", property_get_mode, 0, CHANGE),
        SD_BUS_PROPERTY("Verdict", "s", property_get_verdict, 0, CHANGE),
        SD_BUS_PROPERTY("MemoryTotal", "t", property_get_memory_total, 0, CHANGE),
        SD_BUS_PROPERTY("MemoryProcessed", "t", property_get_memory_processed, 0, CHANGE),
        SD_BUS_PROPERTY("MemoryRemaining", "t", property_get_memory_remaining, 0, CHANGE),
        SD_BUS_PROPERTY("DiskTotal", "t", property_get_disk_total, 0, CHANGE),
        SD_BUS_PROPERTY("DiskProcessed", "t", property_get_disk_processed, 0, CHANGE),
        SD_BUS_PROPERTY("DiskRemaining", "t", property_get_disk_remaining, 0, CHANGE),
        SD_BUS_PROPERTY("Bandwidth", "t", property_get_bandwidth, 0, CHANGE),
        SD_BUS_PROPERTY("DirtyRate", "t", property_get_dirty_rate, 0, CHANGE),
        SD_BUS_PROPERTY("EstimatedTimeRemaining", "t", property_get_time_remaining, 0, CHANGE),
        SD_BUS_PROPERTY("Iteration", "u", property_get_iteration, 0, CHANGE),
        SD_BUS_PROPERTY("ExpectedDowntime", "u", property_get_expected_downtime, 0, CHANGE),
        SD_BUS_PROPERTY("Downtime", "u", property_get_downtime, 0, CHANGE),
        SD_BUS_PROPERTY("Encrypted", "b", property_get_encrypted, 0, CHANGE),
        SD_BUS_VTABLE_END
};

/* ---- the tree ---- */

static int find(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret,
                sd_bus_error *error) {
        VsmJob *job = vsm_job_find_path(userdata, path);

        if (!job)
                return 0;

        *ret = job;
        return 1;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret, sd_bus_error *error) {
        VsmManager *manager = userdata;
        GHashTableIter iter;
        VsmJob *job;
        char **paths;
        size_t n = 0;

        paths = g_new0(char*, g_hash_table_size(manager->jobs) + 1);
        g_hash_table_iter_init(&iter, manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &job))
                paths[n++] = g_strdup(job->path);

        *ret = paths;
        return 0;
}

int vsm_job_register(VsmManager *manager) {
        sd_bus *bus = vsm_bus_get(manager->bus);
        int r;

        r = sd_bus_add_fallback_vtable(bus, NULL, VSM_OBJECT_PATH_JOB, VSM_INTERFACE_JOB, job_vtable, find,
                                       manager);
        if (r >= 0)
                r = sd_bus_add_fallback_vtable(bus, NULL, VSM_OBJECT_PATH_JOB, VSM_INTERFACE_TRANSFER,
                                               transfer_vtable, find, manager);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus, NULL, VSM_OBJECT_PATH_JOB, enumerate, manager);

        return r;
}

VsmJob* vsm_job_find(VsmManager *manager, uint64_t number) {
        return g_hash_table_lookup(manager->jobs, &number);
}

VsmJob* vsm_job_find_path(VsmManager *manager, const char *path) {
        const char *tail = vsm_bus_path_tail(path, VSM_OBJECT_PATH_JOB);
        VsmJob *job;
        guint64 number;

        if (!tail || !g_ascii_string_to_unsigned(tail, 10, 1, INT64_MAX, &number, NULL))
                return NULL;

        /* "007" is not the path of 7 */
        job = vsm_job_find(manager, number);
        return job && g_str_equal(job->path, path) ? job : NULL;
}

/* ---- life ---- */

VsmJob* vsm_job_new(VsmManager *manager, uint16_t type) {
        VsmJob *job = g_new0(VsmJob, 1);

        job->manager = manager;
        job->type = type;
        job->state = VSM_JOB_STATE_NEW;
        job->phase = VSM_PHASE_QUEUED;
        job->verdict = "unknown";
        job->cancellable = true;
        job->system_name = g_strdup("");
        job->owner = g_strdup("");
        job->error = g_strdup("");
        job->submitted = job->changed = vsm_now_realtime();
        job->submitted_mono = vsm_now_monotonic();
        return job;
}

void vsm_job_free(VsmJob *job) {
        if (!job)
                return;

        sd_event_source_disable_unref(job->removal);
        vsm_request_free(job->request);
        vsm_check_job_free(job->check);
        vsm_fetch_job_free(job->fetch);
        vsm_bring_back_free(job->back);
        vsm_evacuation_free(job->evacuation);
        g_clear_pointer(&job->options, g_variant_unref);
        vsm_move_job_free(job->move);
        g_clear_pointer(&job->reasons, g_variant_unref);
        g_free(job->path);
        g_free(job->system_name);
        g_free(job->owner);
        g_free(job->error);
        g_free(job->address);
        g_free(job);
}

void vsm_job_publish(VsmJob *job, uint64_t number) {
        job->number = number;
        job->path = g_strdup_printf(VSM_OBJECT_PATH_JOB "/%" PRIu64, number);
        g_hash_table_insert(job->manager->jobs, &job->number, job);
        job->encrypted = job->request && vsm_request_is_encrypted(job->manager, job->request);
        vsm_bus_added(job->manager->bus, job->path);

        vsm_evacuation_jobs_changed(vsm_job_find(job->manager, job->parent));
        /* what holds up a shutdown, though nothing may ever stand in the queue for it */
        if (job->evacuation)
                vsm_manager_update_status(job->manager);
}

bool vsm_job_is_unfinished(const VsmJob *job) {
        return !vsm_job_state_is_final(job->state);
}

unsigned vsm_job_count_unfinished(VsmManager *manager, int64_t uid) {
        GHashTableIter iter;
        VsmJob *job;
        unsigned n = 0;

        g_hash_table_iter_init(&iter, manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &job))
                n += vsm_job_is_unfinished(job) && (uid < 0 || job->owner_uid == uid);

        for (guint i = 0; i < manager->accepting->len; i++) {
                job = manager->accepting->pdata[i];
                n += uid < 0 || job->owner_uid == uid;
        }

        return n;
}

void vsm_job_system_changed(VsmManager *manager, const char *uuid) {
        GHashTableIter iter;
        VsmJob *job;

        g_hash_table_iter_init(&iter, manager->jobs);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &job))
                if (g_str_equal(job->system_uuid, uuid))
                        changed(job, "VirtualSystem");
}

/* ---- what happens to it ---- */

void vsm_job_set_state(VsmJob *job, VsmJobState state) {
        if (job->state == state)
                return;

        job->state = state;
        job->changed = vsm_now_realtime();
        /* one that is cancelled in the queue was never started, and is not counted */
        if (state == VSM_JOB_STATE_STARTING && job->started == 0) {
                job->started = job->changed;
                job->started_mono = vsm_now_monotonic();
                changed(job, "StartTime");
        }

        changed(job, "JobState");
        changed(job, "JobStatus");
        changed(job, "TimeOfLastStateChange");
        vsm_bus_flush(job->manager->bus, job->path);
}

void vsm_job_set_percent(VsmJob *job, unsigned percent) {
        if (percent <= job->percent)
                return;

        job->percent = (uint16_t) MIN(percent, 100);
        changed(job, "PercentComplete");
}

void vsm_job_set_phase(VsmJob *job, VsmPhase phase) {
        if (job->phase == phase)
                return;

        job->phase = phase;
        transfer_changed(job, "Phase");
}

void vsm_job_set_cancellable(VsmJob *job, bool cancellable) {
        if (job->cancellable == cancellable)
                return;

        job->cancellable = cancellable;
        changed(job, "Cancellable");
}

/* µs until the rest is sent, if what is written meanwhile stays as it is; 0 = cannot be said */
static uint64_t estimate(const VsmTransferStats *stats) {
        uint64_t net;

        if (stats->bandwidth <= stats->dirty_rate)
                return 0;

        net = stats->bandwidth - stats->dirty_rate;
        return (stats->memory_remaining / net) * G_USEC_PER_SEC +
                (stats->memory_remaining % net) * G_USEC_PER_SEC / net;
}

void vsm_job_set_stats(VsmJob *job, const VsmTransferStats *stats) {
        VsmTransferStats old = job->stats;
        uint64_t remaining = estimate(stats);

        /* libvirt knows none before the first byte, and again when it tidies up: the last ones stay */
        if (stats->memory_total == 0 && stats->disk_total == 0)
                return;

        job->stats = *stats;

#define COMPARE(field, property)                \
        if (old.field != job->stats.field)      \
                transfer_changed(job, property)

        COMPARE(memory_total, "MemoryTotal");
        COMPARE(memory_processed, "MemoryProcessed");
        COMPARE(memory_remaining, "MemoryRemaining");
        COMPARE(disk_total, "DiskTotal");
        COMPARE(disk_processed, "DiskProcessed");
        COMPARE(disk_remaining, "DiskRemaining");
        COMPARE(bandwidth, "Bandwidth");
        COMPARE(dirty_rate, "DirtyRate");
        COMPARE(iteration, "Iteration");
        COMPARE(downtime, "ExpectedDowntime");
#undef COMPARE

        if (remaining != job->time_remaining) {
                job->time_remaining = remaining;
                transfer_changed(job, "EstimatedTimeRemaining");
        }
}

void vsm_job_set_verdict(VsmJob *job, const char *verdict) {
        if (g_str_equal(job->verdict, verdict))
                return;

        job->verdict = verdict;
        transfer_changed(job, "Verdict");
}

void vsm_job_set_downtime(VsmJob *job, unsigned ms) {
        if (job->downtime == ms)
                return;

        job->downtime = ms;
        transfer_changed(job, "Downtime");
}

void vsm_job_set_post_copy(VsmJob *job) {
        if (job->post_copy)
                return;

        job->post_copy = true;
        transfer_changed(job, "Mode");
}

static int on_removal(sd_event_source *source, uint64_t usec, void *userdata) {
        vsm_job_remove(userdata);
        return 0;
}

void vsm_job_remove_in(VsmJob *job, uint64_t usec) {
        if (sd_event_add_time_relative(job->manager->event, &job->removal, CLOCK_MONOTONIC, usec, G_USEC_PER_SEC,
                                       on_removal, job) < 0)
                vsm_log(LOG_WARNING, "Cannot arrange the removal of job %" PRIu64 "; it stays.", job->number);
}

void vsm_job_remove(VsmJob *job) {
        VsmManager *manager = job->manager;

        if (job->evacuation)
                vsm_evacuation_remove_children(job);

        vsm_bus_removed(manager->bus, job->path);
        (void) g_hash_table_remove(manager->jobs, &job->number);
}

void vsm_job_end(VsmJob *job, VsmJobState state, VsmError code, const char *sentence, const GError *detail) {
        job->ended = vsm_now_realtime();
        job->ended_mono = vsm_now_monotonic();

        if (sentence) {
                g_free(job->error);
                job->error = g_strdup(sentence);
                changed(job, "ErrorDescription");
                changed(job, "ErrorSummaryDescription");
        }
        if (sentence && state == VSM_JOB_STATE_EXCEPTION) {
                job->error_code = vsm_error_to_cim((int) code);
                changed(job, "ErrorCode");
                changed(job, "HealthState");
        }
        if (detail || (state == VSM_JOB_STATE_EXCEPTION && sentence &&
                       (!job->reasons || g_variant_n_children(job->reasons) == 0)))
                vsm_job_add_reason(job, state, code, sentence, detail);
        if (state != VSM_JOB_STATE_TERMINATED && state != VSM_JOB_STATE_KILLED)
                changed(job, "OperationalStatus");

        vsm_job_set_cancellable(job, false);
        if (vsm_job_state_is_success(state))
                vsm_job_set_percent(job, 100);
        vsm_job_set_phase(job, VSM_PHASE_DONE);
        vsm_job_set_state(job, state);

        if (!job->delete_on_end)
                vsm_job_keep(job);

        /* a child stays as long as its parent */
        if (job->delete_on_end || !vsm_job_find(job->manager, job->parent))
                vsm_job_remove_in(job, job->delete_on_end ? 0 : VSM_JOB_RETENTION_USEC);
}
