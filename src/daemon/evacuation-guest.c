/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One guest of an evacuation: how it is moved, saved or shut down, and what becomes of it when that fails. What fails
 * at one host is tried at another, and when no host is left by the next way of its chain. Bus thread, but for
 * still_run(). */

#include <string.h>

#include "daemon/bandwidth.h"
#include "daemon/evacuation-run.h"
#include "daemon/log.h"
#include "daemon/move-internal.h"
#include "daemon/reason.h"
#include "shared/cleanup.h"

#define SHUT_DOWN_USEC (UINT64_C(180) * G_USEC_PER_SEC)

void vsm_evacuee_free(VsmEvacuee *evacuee) {
        /* the child goes on to its end by itself; so does a guest that is being saved */
        if (evacuee->cancel)
                vsm_cancel_unref(evacuee->cancel);
        g_free(evacuee->host);
        g_clear_pointer(&evacuee->entry, g_variant_unref);
        g_free(evacuee);
}

static void set_reasons(VsmEvacuee *evacuee, GVariant *reasons) {
        if (!reasons)
                return;

        g_variant_ref_sink(reasons);
        g_variant_unref(evacuee->leaver->reasons);
        evacuee->leaver->reasons = reasons;
}

void vsm_evacuee_end(VsmEvacuationRun *run, VsmEvacuee *evacuee, VsmLeaving end, GVariant *reasons) {
        evacuee->state = VSM_EVACUEE_ENDED;
        evacuee->leaver->end = end;
        set_reasons(evacuee, reasons);
        vsm_evacuation_run_keep(run);
        vsm_evacuation_run_wake(run);
}

/* ---- down its chain ---- */

bool vsm_evacuee_can_go_down(const VsmEvacuee *evacuee) {
        for (size_t i = evacuee->leaver->level + 1; i < evacuee->chain.n; i++)
                if (vsm_method_moves(evacuee->chain.methods[i]))
                        return true;

        return false;
}

static gboolean is_of_guest(void *key, void *value, void *uuid) {
        return g_str_has_prefix(key, uuid);
}

void vsm_evacuee_forget_failures(VsmEvacuationRun *run, const VsmEvacuee *evacuee) {
        (void) g_hash_table_foreach_remove(run->soft, is_of_guest, evacuee->leaver->uuid);
}

static void set_level(VsmEvacuationRun *run, VsmEvacuee *evacuee, size_t level) {
        evacuee->leaver->level = (uint32_t) MIN(level, evacuee->chain.n - 1);
        vsm_evacuee_forget_failures(run, evacuee);
        evacuee->planned = false;
        vsm_evacuation_run_keep(run);
        vsm_evacuation_run_replan(run);
}

/* What the plan has come to may be several ways down already: from there on. */
void vsm_evacuee_go_down(VsmEvacuationRun *run, VsmEvacuee *evacuee) {
        size_t level = evacuee->leaver->level;

        for (size_t i = level; evacuee->planned && i < evacuee->chain.n; i++)
                if (evacuee->chain.methods[i] == evacuee->method)
                        level = i;

        set_level(run, evacuee, level + 1);
}

bool vsm_evacuee_has_failed(VsmEvacuationRun *run, const VsmEvacuee *evacuee) {
        return g_hash_table_find(run->soft, is_of_guest, evacuee->leaver->uuid);
}

static void leave(VsmEvacuationRun *run, VsmEvacuee *evacuee) {
        set_level(run, evacuee, evacuee->chain.n - 1);
}

static void go_down_to_still(VsmEvacuationRun *run, VsmEvacuee *evacuee) {
        size_t level = evacuee->leaver->level;

        while (level < evacuee->chain.n - 1 && vsm_method_moves(evacuee->chain.methods[level]))
                level++;
        set_level(run, evacuee, level);
}

/* ---- moving ---- */

bool vsm_evacuee_start_move(VsmEvacuationRun *run, VsmEvacuee *evacuee, bool held) {
        VsmManager *manager = run->job->manager;
        VsmSystem *system = vsm_system_find(manager, evacuee->leaver->uuid);
        g_autoptr(GError) error = NULL;
        VsmRequest *request;

        /* what it is now is seen at the next look */
        if (!system || !vsm_system_is_active(system) || vsm_system_is_asleep(system) ||
            vsm_system_active_job(system) > 0) {
                vsm_evacuation_run_replan(run);
                return false;
        }

        request = vsm_evacuation_request(manager, evacuee->host, vsm_system_policy(system), evacuee->method,
                                         evacuee->order, &error);
        if (!request) {
                vsm_log(LOG_NOTICE, "Job %" PRIu64 ": %s cannot leave by '%s': %s", run->job->number,
                        evacuee->leaver->name, vsm_method_to_string(evacuee->method), error->message);
                vsm_evacuee_go_down(run, evacuee);
                return false;
        }

        evacuee->leaver->autostart = vsm_system_autostart(system);
        evacuee->leaver->running = !vsm_system_is_paused(system);
        evacuee->leaver->stilling = VSM_LEAVING_WAITS;
        evacuee->state = VSM_EVACUEE_MOVING;
        evacuee->hurried = false;
        vsm_evacuation_run_keep(run);
        evacuee->job = vsm_move_job_accept_child(run->job, system, request, held);
        return true;
}

static VsmPlacingHost* host_of(VsmEvacuationRun *run, const VsmEvacuee *evacuee) {
        return evacuee->host ? g_hash_table_lookup(run->hosts, evacuee->host) : NULL;
}

static bool has_code(GVariant *reasons, const char *const *codes) {
        for (gsize i = 0; reasons && i < g_variant_n_children(reasons); i++) {
                g_autoptr(GVariant) reason = g_variant_get_child_value(reasons, i);
                const char *code;

                if (g_variant_lookup(reason, "MessageID", "&s", &code) && g_strv_contains(codes, code))
                        return true;
        }

        return false;
}

/* No guest at all can go there: it refuses them, or does not answer. */
static void host_is_out(VsmEvacuationRun *run, const char *host, GVariant *reasons) {
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

        if (g_strv_contains((const char *const *) run->record->out, host))
                return;

        g_strv_builder_addv(builder, (const char**) run->record->out);
        g_strv_builder_add(builder, host);
        g_strfreev(run->record->out);
        run->record->out = g_strv_builder_end(builder);

        (void) g_hash_table_replace(run->out, g_strdup(host), g_variant_ref(reasons));

        for (guint i = 0; i < run->evacuees->len; i++) {
                VsmEvacuee *other = run->evacuees->pdata[i];

                if (other->state == VSM_EVACUEE_WAITING && g_strcmp0(other->host, host) == 0)
                        other->planned = false;
        }

        vsm_log(LOG_WARNING, "Job %" PRIu64 ": host '%s' takes no guests any more; those that were to go there go "
                "elsewhere.", run->job->number, host);
}

/* Is it the host, that guest at that host, or just this way of moving it? */
static void take_failure(VsmEvacuationRun *run, VsmEvacuee *evacuee, const VsmJob *child) {
        static const char *const of_host[] = { "destination-refuses", "destination-unreachable", NULL };
        static const char *const of_way[] = {
                "migration-failed", "timed-out", "failed", "migration-running", "job-running", "wrong-state",
                "libvirt-not-available", NULL
        };
        g_autofree char *key = g_strconcat(evacuee->leaver->uuid, " ", evacuee->host, NULL);
        bool soft = has_code(child->reasons, of_way);
        GVariant *reasons = child->reasons ? g_variant_ref(child->reasons) :
                g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));

        set_reasons(evacuee, child->reasons);
        if (has_code(child->reasons, of_host))
                host_is_out(run, evacuee->host, child->reasons);
        (void) g_hash_table_replace(soft ? run->soft : run->hard, g_steal_pointer(&key), reasons);
}

void vsm_leaver_has_moved(const VsmLeaver *leaver, const VsmJob *child) {
        VsmAway *away = vsm_away_new(leaver->uuid, leaver->name, child->request->destination, child->address);

        away->since = vsm_now_realtime();
        away->autostart = leaver->autostart;
        away->running = leaver->running;
        vsm_evacuation_away_add(child->manager, away);
}

void vsm_evacuee_child_ended(VsmEvacuationRun *run, VsmEvacuee *evacuee, const VsmJob *child) {
        VsmSystem *system = vsm_system_find(run->job->manager, evacuee->leaver->uuid);
        VsmPlacingHost *host = host_of(run, evacuee);

        evacuee->job = NULL;
        evacuee->planned = false;
        evacuee->state = VSM_EVACUEE_WAITING;
        run->settled = false;

        if (vsm_job_state_is_success(child->state)) {
                vsm_leaver_has_moved(evacuee->leaver, child);
                vsm_evacuee_end(run, evacuee, VSM_LEAVING_MOVED, NULL);
                return;
        }

        if (host)
                host->given -= MIN(host->given, evacuee->memory);

        /* where its reasons say that somebody has to look it is left as it is: no other host, no saving */
        if (child->doubtful)
                vsm_evacuee_end(run, evacuee, VSM_LEAVING_STAYED, child->reasons);
        else if (!system || !vsm_system_is_active(system))
                vsm_evacuee_end(run, evacuee, VSM_LEAVING_GONE, child->reasons);
        else if (run->cancel)
                set_reasons(evacuee, child->reasons);
        else if (evacuee->hurried)
                go_down_to_still(run, evacuee);
        else if (child->state != VSM_JOB_STATE_EXCEPTION) {
                /* somebody wants it to stay */
                set_reasons(evacuee, child->reasons);
                leave(run, evacuee);
        } else
                take_failure(run, evacuee, child);

        vsm_evacuation_run_keep(run);
        vsm_evacuation_run_replan(run);
}

void vsm_evacuee_hurry(VsmEvacuationRun *run, VsmEvacuee *evacuee) {
        if (!evacuee->job || !evacuee->job->move || evacuee->hurried || evacuee->job->number == 0)
                return;

        evacuee->hurried = true;
        vsm_log(LOG_NOTICE, "Job %" PRIu64 ": %s does not arrive in time; it is given up for what its chain has "
                "next.", run->job->number, evacuee->leaver->name);
        vsm_move_job_give_up(evacuee->job, VSM_ERROR_TIMEOUT,
                             "The time allowed for the evacuation leaves none for this migration");
}

/* ---- saving, and shutting down ---- */

typedef struct StillTask {
        VsmTask task;
        VsmVirt *virt;
        uint64_t job;
        char uuid[VSM_UUID_SIZE];
        VsmMethod method;
        uint64_t deadline;              /* µs */
        VsmCancel *cancel;
} StillTask;

/* Long lane. */
static void still_run(VsmTask *task) {
        StillTask *t = (StillTask*) task;

        if (t->method == VSM_METHOD_SAVE)
                (void) vsm_virt_save(t->virt, t->uuid, t->cancel, &task->error);
        else
                (void) vsm_virt_shutdown(t->virt, t->uuid, t->deadline, t->cancel, &task->error);
}

GVariant* vsm_evacuee_reason(const VsmEvacuee *evacuee, const char *code, const char *message) {
        static const char *const none[] = { NULL };
        GVariantBuilder builder;
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "MessageID", "s", code);
        g_variant_dict_insert(&dict, "Message", "s", message);
        g_variant_dict_insert(&dict, "MessageArguments", "^as", none);
        g_variant_dict_insert(&dict, "PerceivedSeverity", "q", (uint16_t) VSM_SEVERITY_ERROR);
        g_variant_dict_insert(&dict, "ErrorSource", "s", evacuee->leaver->name);
        g_variant_dict_insert(&dict, "RecommendedActions", "^as", none);

        g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
        g_variant_builder_add_value(&builder, g_variant_dict_end(&dict));
        return g_variant_builder_end(&builder);
}

static GVariant* still_failed(const VsmEvacuee *evacuee, const GError *error) {
        g_autofree char *message = g_strdup_printf("System '%s' cannot leave by '%s': %s", evacuee->leaver->name,
                                                   vsm_method_to_string(evacuee->method), error->message);

        return vsm_evacuee_reason(evacuee, evacuee->method == VSM_METHOD_SAVE ? "save-failed" : "shutdown-failed",
                                  message);
}

void vsm_evacuee_has_been_stilled(VsmEvacuationRun *run, VsmEvacuee *evacuee) {
        VsmLeaving end = evacuee->leaver->stilling;

        vsm_evacuation_away_add(run->job->manager, vsm_away_new_stilled(evacuee->leaver, vsm_now_realtime()));
        vsm_log(LOG_NOTICE, "Job %" PRIu64 ": %s was %s.", run->job->number, evacuee->leaver->name,
                end == VSM_LEAVING_SAVED ? "saved on this host" : "shut down");
        vsm_evacuee_end(run, evacuee, end, NULL);
}

static void still_done(VsmTask *task, void *userdata) {
        StillTask *t = (StillTask*) task;
        VsmManager *manager = userdata;
        VsmSystem *system = vsm_system_find(manager, t->uuid);
        VsmJob *job = vsm_job_find(manager, t->job);
        VsmEvacuationRun *run = job && job->evacuation ? job->evacuation->run : NULL;
        VsmEvacuee *evacuee = run ? vsm_evacuation_run_find(run, t->uuid) : NULL;

        if (system)
                vsm_system_release(system);
        if (!evacuee)
                return;

        vsm_cancel_unref(g_steal_pointer(&evacuee->cancel));
        if (!task->error) {
                vsm_evacuee_has_been_stilled(run, evacuee);
                return;
        }

        evacuee->leaver->stilling = VSM_LEAVING_WAITS;
        evacuee->state = VSM_EVACUEE_WAITING;
        if (run->cancel) {
                vsm_evacuation_run_wake(run);
                return;
        }

        vsm_log(LOG_WARNING, "Job %" PRIu64 ": %s cannot leave by '%s': %s", t->job, evacuee->leaver->name,
                vsm_method_to_string(t->method), task->error->message);
        set_reasons(evacuee, still_failed(evacuee, task->error));
        vsm_evacuee_go_down(run, evacuee);
}

static void still_free(VsmTask *task) {
        vsm_cancel_unref(((StillTask*) task)->cancel);
        g_free(task);
}

void vsm_evacuee_start_still(VsmEvacuationRun *run, VsmEvacuee *evacuee) {
        VsmManager *manager = run->job->manager;
        VsmSystem *system = vsm_system_find(manager, evacuee->leaver->uuid);
        StillTask *t;

        if (!system || !vsm_system_is_active(system) || vsm_system_active_job(system) > 0)
                return;

        /* it has gone to sleep since the plan was made, which knows better */
        if (vsm_system_is_asleep(system)) {
                vsm_evacuation_run_replan(run);
                return;
        }

        /* nobody else moves it meanwhile */
        vsm_system_claim(system);
        evacuee->leaver->autostart = vsm_system_autostart(system);
        evacuee->leaver->stilling = evacuee->method == VSM_METHOD_SAVE ? VSM_LEAVING_SAVED : VSM_LEAVING_SHUT_DOWN;
        evacuee->state = VSM_EVACUEE_STILLING;
        evacuee->cancel = vsm_cancel_new();

        t = vsm_task_new(StillTask, still_run, still_done, still_free);
        t->virt = manager->virt;
        t->job = run->job->number;
        g_strlcpy(t->uuid, evacuee->leaver->uuid, sizeof t->uuid);
        t->method = evacuee->method;
        t->deadline = MIN(SHUT_DOWN_USEC, vsm_evacuation_run_time_left(run));
        t->cancel = vsm_cancel_ref(evacuee->cancel);
        vsm_evacuation_run_keep_then(run, &t->task);
}

void vsm_evacuee_go_on_stilling(VsmEvacuationRun *run, VsmEvacuee *evacuee) {
        /* as a plan would have it, so that what fails is not tried once more */
        evacuee->planned = true;
        evacuee->method = evacuee->leaver->stilling == VSM_LEAVING_SAVED ? VSM_METHOD_SAVE : VSM_METHOD_SHUTDOWN;
        vsm_evacuee_start_still(run, evacuee);
}
