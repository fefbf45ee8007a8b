/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Asks both hosts whether a guest could be migrated, and answers in time with all that was found.
 * The questions themselves are in check-source.c and check-destination.c. Workers. */

#include <string.h>

#include "daemon/virt/check.h"
#include "daemon/virt/patience.h"
#include "daemon/virt/side.h"
#include "shared/error.h"

/* Owned by the helper thread, which may outlast who asked. */
typedef struct Run {
        VsmVirt *virt;
        VsmMoveOptions options;
        VsmReasons *reasons;
        VsmCancel *cancel;
        int64_t deadline;
} Run;

static void run_free(void *userdata) {
        Run *run = userdata;

        vsm_destination_free(run->options.destination);
        vsm_reasons_unref(run->reasons);
        vsm_cancel_unref(run->cancel);
        g_free(run);
}

static void ask(VsmCheck *check, const VsmCheckFunc *questions, VsmCancel *cancel) {
        for (; questions->func && !vsm_cancel_fired(cancel); questions++) {
                g_autoptr(GError) error = NULL;

                if (questions->func(check, &error))
                        continue;

                vsm_reasons_add(check->reasons, "not-verifiable", check->peer ? check->host : check->name,
                                error->message, questions->question, NULL);
        }
}

static void ask_source(VsmCheck *check, VsmSide side, VsmCancel *cancel) {
        VsmTransferStats stats;
        virDomainJobOperation operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
        bool job = false;

        if (side != VSM_SIDE_RUNNING && side != VSM_SIDE_PAUSED && side != VSM_SIDE_HANDED_OVER) {
                vsm_reasons_add(check->reasons, "not-running", check->name, NULL, check->name, NULL);
                return;
        }

        /* While a job runs, libvirt would let the questions wait 30 s for it. */
        (void) vsm_side_has_job(check->domain, &job, NULL);
        if (job) {
                (void) vsm_stats_read(check->domain, false, &stats, &operation, NULL);
                vsm_reasons_add(check->reasons, operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT ||
                                operation == VIR_DOMAIN_JOB_OPERATION_MIGRATION_IN ?
                                "migration-running" : "job-running", check->name, NULL, check->name, NULL);
                return;
        }

        ask(check, vsm_check_source, cancel);
}

static const char* unreachable_code(const GError *error) {
        switch (error->code) {

        case VSM_ERROR_INVALID_PARAMETER:
                return "same-host";

        case VSM_ERROR_INCOMPATIBLE_PARAMETERS:
                return "address-not-of-host";

        default:
                return "destination-unreachable";
        }
}

/* NULL when this host does not answer or the guest has gone. */
static void* run_thread(void *input, GError **error) {
        Run *run = input;
        g_autoptr(virConnect) source = NULL;
        g_autoptr(virDomain) domain = NULL;
        g_autoptr(VsmPeer) peer = NULL;
        g_autoptr(GError) local = NULL;
        VsmCheck check = {
                .reasons = run->reasons,
                .options = &run->options,
                .host = run->options.destination->host,
        };
        int64_t left;

        source = vsm_virt_open_own(run->virt, error);
        if (!source)
                return NULL;

        domain = vsm_domain_find(source, run->options.uuid, error);
        if (!domain)
                return NULL;

        check.source = source;
        check.domain = domain;
        check.name = virDomainGetName(domain);
        check.persistent = virDomainIsPersistent(domain) == 1;
        ask_source(&check, vsm_side_of(domain, VSM_HOST_HERE), run->cancel);

        left = run->deadline - g_get_monotonic_time();
        peer = vsm_peer_open(run->options.destination, MAX(left, 0), run->cancel, &local);
        if (!peer) {
                g_autofree char *prefix = g_strdup_printf("Host '%s': ", check.host);
                const char *text = local->message;

                /* The reason names the host itself. */
                if (g_str_has_prefix(text, prefix))
                        text += strlen(prefix);
                if (local->code != VSM_ERROR_CANCELLED)
                        vsm_reasons_add(run->reasons, unreachable_code(local), check.host, text, check.host, NULL);
                return run->reasons;
        }

        check.peer = peer;
        ask(&check, vsm_check_destination, run->cancel);
        return run->reasons;
}

GVariant* vsm_check_run(
                VsmVirt *virt,
                const VsmMoveOptions *options,
                uint64_t deadline,
                VsmCancel *cancel,
                GError **error) {

        int64_t until = g_get_monotonic_time() + (int64_t) deadline;
        g_autoptr(VsmReasons) reasons = vsm_reasons_new();
        g_autoptr(GError) local = NULL;
        const char *host = options->destination->host;
        Run *run = g_new(Run, 1);

        *run = (Run) {
                .virt = virt,
                .options = *options,
                .reasons = vsm_reasons_ref(reasons),
                .cancel = cancel ? vsm_cancel_ref(cancel) : NULL,
                .deadline = until - (int64_t) deadline / 10,
        };
        run->options.destination = vsm_destination_copy(options->destination);

        if (!vsm_patience_run(&(VsmPatience) {
                                .what = "Checking",
                                .host = host,
                                .func = run_thread,
                                .input = run,
                                .input_free = run_free,
                        }, until, cancel, &local)) {

                if (local->code != VSM_ERROR_TIMEOUT || vsm_cancel_fired(cancel)) {
                        g_propagate_error(error, g_steal_pointer(&local));
                        return NULL;
                }

                vsm_reasons_add(reasons, "not-verifiable", host, NULL,
                                "whether all is well, for the hosts did not answer in time", NULL);
        }

        return vsm_reasons_to_variant(reasons);
}
