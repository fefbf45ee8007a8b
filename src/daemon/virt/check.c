/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Asks both hosts whether a guest could be migrated, and answers in time with all that was found. The
 * questions are listed here, and are in files by what they are about. Workers. */

#include <stdarg.h>

#include "daemon/move-type.h"
#include "daemon/virt/check.h"
#include "daemon/virt/disk-plan.h"
#include "daemon/virt/patience.h"
#include "daemon/virt/side.h"
#include "shared/enums.h"
#include "shared/error.h"

/* For one question. The first one that is not answered uses this up; for those after it libvirt is
 * known to be slow, and all of them are to have their turn. */
#define QUESTION_USEC      (8 * G_USEC_PER_SEC)
#define QUESTION_SLOW_USEC (G_USEC_PER_SEC / 2)

static const VsmCheckFunc of_definition[] = {
        { "whether it uses devices of this host",               vsm_check_host_devices          },
        { "whether it shares folders of this host",             vsm_check_virtiofs              },
        { "whether changes of its disks are thrown away",       vsm_check_transient_disks       },
        {}
};

static const VsmCheckFunc of_source[] = {
        { "whether it is awake",                                vsm_check_awake                 },
        { "whether it has snapshots",                           vsm_check_snapshots             },
        { "whether it has checkpoints",                         vsm_check_checkpoints           },
        { "whether block jobs of it run",                       vsm_check_block_jobs            },
        { "whether libvirt here can migrate it",                vsm_check_dry_run               },
        {}
};

/* Where libvirt does not migrate it but only its definition goes, what is right there is another question: see
 * vsm_check_disk_plan(). */
static const VsmCheckFunc of_placed[] = {
        { "whether block jobs of it run",                       vsm_check_block_jobs            },
        {}
};

static const VsmCheckFunc of_destination[] = {
        { "whether it is another host",                         vsm_check_same_host             },
        { "whether the name is free there",                     vsm_check_name                  },
        { "whether the UUID is free there",                     vsm_check_uuid                  },
        { "whether there is enough memory there",               vsm_check_memory                },
        { "whether there are enough huge pages there",          vsm_check_huge_pages            },
        { "whether libvirt there is as new as here",            vsm_check_libvirt_version       },
        { "whether the hypervisor there is as new as here",     vsm_check_hypervisor_version    },
        { "whether that host offers what it needs",             vsm_check_compat                },
        { "whether its networks are there",                     vsm_check_networks              },
        { "whether its bridges are there",                      vsm_check_links                 },
        { "where its disks would go",                           vsm_check_disk_plan             },
        { "where its interfaces would be connected",            vsm_check_interface_plan        },
        { "whether its disks are there",                        vsm_check_files                 },
        { "whether its storage pools are there",                vsm_check_volumes               },
        { "whether its other storage can be reached from there", vsm_check_other_storage        },
        { "whether disks are locked there",                     vsm_check_locks                 },
        { "whether that host has TPMs",                         vsm_check_tpm                   },
        { "whether its secrets are there",                      vsm_check_secrets               },
        { "whether devices that it can do without are there",   vsm_check_lent_devices          },
        { "whether paths that it uses are there",               vsm_check_paths                 },
        { "whether addresses that it uses are there",           vsm_check_addresses             },
        { "whether processors that it is bound to are there",   vsm_check_pinning               },
        { "whether unusual parts of its definition fit there",  vsm_check_unknown               },
        { "whether libvirt there takes its definition",         vsm_check_definition            },
        { "whether certificates for its memory are there",      vsm_check_tls                   },
        { "whether ports for migrations are open there",        vsm_check_ports                 },
        { "whether post-copy is possible there",                vsm_check_post_copy             },
        {}
};

/* A Storage move stays on this host: nothing but its disks is asked about. */
static const VsmCheckFunc of_storage[] = {
        { "whether changes of its disks are thrown away",       vsm_check_transient_disks       },
        { "whether block jobs of it run",                       vsm_check_block_jobs            },
        { "where its disks would go",                           vsm_check_disk_plan             },
        {}
};

/* ---- what is known while asking ---- */

VsmCheck* vsm_check_new(const VsmMoveOptions *options) {
        VsmCheck *check = g_new(VsmCheck, 1);

        *check = (VsmCheck) {
                .n_ref = 1,
                .reasons = vsm_reasons_new(),
                .needs = vsm_needs_new(),
        };
        vsm_move_options_copy(&check->options, options);
        check->host = check->options.destination ? check->options.destination->host : "localhost";
        return check;
}

VsmCheck* vsm_check_ref(VsmCheck *check) {
        g_atomic_int_inc(&check->n_ref);
        return check;
}

void vsm_check_unref(VsmCheck *check) {
        if (!check || !g_atomic_int_dec_and_test(&check->n_ref))
                return;

        vsm_peer_free(check->peer);
        if (check->domain)
                virDomainFree(check->domain);
        if (check->source)
                virConnectClose(check->source);
        vsm_needs_free(check->needs);
        vsm_move_options_clear(&check->options);
        vsm_reasons_unref(check->reasons);
        g_free(check->name);
        g_free(check->xml);
        g_strfreev(check->copied);
        g_free(check);
}

void vsm_check_not_verifiable(
                VsmCheck *check,
                const char *source,
                const char *libvirt_text,
                const char *format,
                ...) {

        g_autofree char *question = NULL;
        va_list ap;

        va_start(ap, format);
        question = g_strdup_vprintf(format, ap);
        va_end(ap);

        vsm_reasons_add(check->reasons, "not-verifiable", source, libvirt_text, question, NULL);
}

void vsm_check_not_told(VsmCheck *check, const char *source, const char *format, ...) {
        g_autofree char *text = vsm_virt_text(virGetLastErrorMessage()), *question = NULL;
        va_list ap;

        va_start(ap, format);
        question = g_strdup_vprintf(format, ap);
        va_end(ap);

        vsm_reasons_add(check->reasons, "not-verifiable", source, text, question, NULL);
}

/* ---- asking ---- */

typedef struct Ask {
        VsmCheck *check;
        const VsmCheckFunc *question;
} Ask;

static void ask_free(void *userdata) {
        Ask *ask = userdata;

        vsm_check_unref(ask->check);
        g_free(ask);
}

static void* ask_thread(void *input, GError **error) {
        Ask *ask = input;

        return ask->question->func(ask->check, error) ? ask->check : NULL;
}

static bool ask_one(VsmCheck *check, const VsmCheckFunc *question, int64_t until, VsmCancel *cancel,
                    GError **error) {
        Ask *ask = g_new(Ask, 1);

        *ask = (Ask) { vsm_check_ref(check), question };
        return vsm_patience_run(&(VsmPatience) {
                                        .what = check->peer ? "libvirt there" : "libvirt here",
                                        /* here by guest: one whose QEMU hangs speaks for itself only */
                                        .host = check->peer ? check->host : check->options.uuid,
                                        .func = ask_thread,
                                        .input = ask,
                                        .input_free = ask_free,
                                }, until, cancel, error);
}

/* All of them, whatever they find; those for which no time is left are named as well. */
static void ask_all(VsmCheck *check, const VsmCheckFunc *questions, int64_t deadline, VsmCancel *cancel) {
        int64_t patience = QUESTION_USEC;

        for (; questions->func && !vsm_cancel_fired(cancel); questions++) {
                g_autoptr(GError) error = NULL;

                if (ask_one(check, questions, MIN(g_get_monotonic_time() + patience, deadline), cancel, &error))
                        continue;
                if (vsm_cancel_fired(cancel))
                        return;

                if (g_error_matches(error, VSM_ERROR, VSM_ERROR_TIMEOUT))
                        patience = QUESTION_SLOW_USEC;
                vsm_reasons_add(check->reasons, "not-verifiable", check->peer ? check->host : check->name,
                                error->message, questions->question, NULL);
        }
}

/* Once for all questions. Without SECURE: nobody needs passwords here. */
static void read_definition(VsmCheck *check) {
        g_autofree char *xml = virDomainGetXMLDesc(check->domain, 0);
        g_autoptr(GError) error = NULL;
        VsmNeeds *needs;

        if (!xml) {
                vsm_check_not_told(check, check->name, "what the system uses of its host");
                return;
        }

        needs = vsm_needs_from_xml(xml, &error);
        if (!needs) {
                vsm_check_not_verifiable(check, check->name, error->message, "what the system uses of its host");
                return;
        }

        vsm_needs_free(check->needs);
        check->needs = needs;
        check->xml = g_steal_pointer(&xml);
        check->copied = vsm_disk_plan_copied(check->xml, &check->options, NULL);
}

/* Without libvirt's migration */
static bool is_placed(uint16_t type) {
        return type == VSM_MIGRATION_TYPE_STAGED || type == VSM_MIGRATION_TYPE_RESTART ||
                type == VSM_MIGRATION_TYPE_OTHER;
}

static void ask_source(VsmCheck *check, int64_t deadline, VsmCancel *cancel) {
        const uint16_t type = check->options.type;
        VsmSide side = vsm_side_of(check->domain, VSM_HOST_HERE);
        VsmTransferStats stats;
        virDomainJobOperation operation = VIR_DOMAIN_JOB_OPERATION_UNKNOWN;
        bool job = false;

        if ((side == VSM_SIDE_OFF || side == VSM_SIDE_OFF_MIGRATED) && vsm_move_type(type)->guest != VSM_GUEST_ACTIVE)
                return;

        /* a paused one would not notice that it is to shut down */
        if (side != VSM_SIDE_RUNNING && side != VSM_SIDE_HANDED_OVER &&
            (side != VSM_SIDE_PAUSED || type == VSM_MIGRATION_TYPE_RESTART)) {
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

        ask_all(check, is_placed(type) ? of_placed : of_source, deadline, cancel);
}

bool vsm_check_open_source(VsmCheck *check, VsmVirt *virt, GError **error) {
        check->source = vsm_virt_open_own(virt, error);
        if (!check->source)
                return false;

        check->domain = vsm_domain_find(check->source, check->options.uuid, error);
        if (!check->domain)
                return false;

        check->name = g_strdup(virDomainGetName(check->domain));
        check->persistent = virDomainIsPersistent(check->domain) == 1;
        read_definition(check);
        return true;
}

void vsm_check_ask_source(VsmCheck *check, int64_t deadline, VsmCancel *cancel) {
        ask_all(check, of_definition, deadline, cancel);
        ask_source(check, deadline, cancel);
}

static void add_policy(VsmCheck *check) {
        if (check->options.not_allowed)
                vsm_reasons_add(check->reasons, "host-not-allowed", check->host, NULL, check->name, check->host,
                                check->options.not_allowed, NULL);
}

/* ---- reaching the destination ---- */

void vsm_check_unreachable(VsmReasons *reasons, const VsmDestination *destination, const GError *error) {
        const char *host = destination->host, *fault = NULL, *code;

        if (destination->authentication == VSM_AUTHENTICATION_X509)
                fault = vsm_tls_fault(error->message);
        if (fault) {
                vsm_reasons_add(reasons, "tls-certificate", host, error->message, host, fault, NULL);
                return;
        }

        switch (error->code) {

        case VSM_ERROR_INVALID_PARAMETER:
                code = "same-host";
                break;

        case VSM_ERROR_INCOMPATIBLE_PARAMETERS:
                code = "address-not-of-host";
                break;

        default:
                code = "destination-unreachable";
        }

        vsm_reasons_add(reasons, code, host, error->message, host, NULL);
}

/* ---- running ---- */

/* Owned by the helper thread, which may outlast who asked. */
typedef struct Run {
        VsmVirt *virt;
        VsmCheck *check;
        VsmCancel *cancel;
        int64_t deadline;
} Run;

static void run_free(void *userdata) {
        Run *run = userdata;

        vsm_check_unref(run->check);
        vsm_cancel_unref(run->cancel);
        g_free(run);
}

/* NULL when this host does not answer or the guest has gone. */
static void* run_thread(void *input, GError **error) {
        Run *run = input;
        VsmCheck *check = run->check;
        g_autoptr(VsmPeer) peer = NULL;
        g_autoptr(GError) local = NULL;
        int64_t left;

        if (!vsm_check_open_source(check, run->virt, error))
                return NULL;

        if (check->options.type == VSM_MIGRATION_TYPE_STORAGE) {
                check->there = check->source;
                ask_all(check, of_storage, run->deadline, run->cancel);
                return check;
        }

        add_policy(check);
        vsm_check_ask_source(check, run->deadline, run->cancel);

        left = run->deadline - g_get_monotonic_time();
        peer = vsm_peer_open(check->options.destination, MAX(left, 0), run->cancel, &local);
        if (!peer) {
                if (local->code != VSM_ERROR_CANCELLED)
                        vsm_check_unreachable(check->reasons, check->options.destination, local);
                return check;
        }

        check->there = vsm_peer_connection(peer);
        check->peer = g_steal_pointer(&peer);
        ask_all(check, of_destination, run->deadline, run->cancel);
        return check;
}

GVariant* vsm_check_run(
                VsmVirt *virt,
                const VsmMoveOptions *options,
                uint64_t deadline,
                VsmCancel *cancel,
                GError **error) {

        int64_t until = g_get_monotonic_time() + (int64_t) deadline;
        g_autoptr(VsmCheck) check = vsm_check_new(options);
        g_autoptr(GError) local = NULL;
        Run *run = g_new(Run, 1);

        *run = (Run) {
                .virt = virt,
                .check = vsm_check_ref(check),
                .cancel = cancel ? vsm_cancel_ref(cancel) : NULL,
                .deadline = until - (int64_t) deadline / 10,
        };

        if (!vsm_patience_run(&(VsmPatience) {
                                .what = "Checking",
                                .host = check->host,
                                .func = run_thread,
                                .input = run,
                                .input_free = run_free,
                        }, until, cancel, &local)) {

                if (local->code != VSM_ERROR_TIMEOUT || vsm_cancel_fired(cancel)) {
                        g_propagate_error(error, g_steal_pointer(&local));
                        return NULL;
                }

                vsm_reasons_add(check->reasons, "not-verifiable", check->host, NULL,
                                "whether all is well, for the hosts did not answer in time", NULL);
        }

        return vsm_reasons_to_variant(check->reasons);
}
