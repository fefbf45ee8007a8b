/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What this host's libvirt can say about a migration without the other host. Workers. */

#include <string.h>

#include "daemon/virt/check.h"
#include "daemon/virt/params.h"
#include "shared/error.h"

/* A socket below something that is no directory: nobody can ever listen there. libvirt makes all its
 * checks of the source before it connects, so this call runs them and can go no further. */
#define NOWHERE "qemu+unix:///system?socket=/dev/null/nowhere"

#define LOOPBACK "127.0.0.1"    /* where the memory would go, were there a connection */

/* libvirt has no codes for these, only English sentences; who asks libvirtd gets them untranslated
 * when libvirtd runs in the C locale, as services do. What is not recognised is not-migratable. */
static const struct {
        const char *text;
        const char *code;
} refusals[] = {
        { "without shared storage",             "disk-not-shared"   },
        { "snapshot",                           "has-snapshots"     },
        { "active block job",                   "block-job-running" },
        { "block job",                          "block-job-running" },
        { "another migration job",              "migration-running" },
        { "state change lock",                  "job-running"       },
        { "host device",                        "host-device"       },
        { "hostdev",                            "host-device"       },
        { "vfio",                               "host-device"       },
        { "virtiofs",                           "virtiofs"          },
        { "virtio-fs",                          "virtiofs"          },
        { "transient disk",                     "transient-disk"    },
        { "not running",                        "not-running"       },
};

static const char* refusal_to_code(const char *text) {
        g_autofree char *lower = g_ascii_strdown(text, -1);

        for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++)
                if (strstr(lower, refusals[i].text))
                        return refusals[i].code;

        return "not-migratable";
}

bool vsm_check_dry_run(VsmCheck *check, GError **error) {
        const VsmMoveDefinition definition = { .disks = check->copied };
        g_auto(VsmMoveParams) params = {};
        g_autofree char *text = NULL;
        const char *code;
        int r;

        if (!vsm_move_params_build(&check->options, &definition, check->persistent, LOOPBACK, &params, error))
                return false;

        r = virDomainMigrateToURI3(check->domain, NOWHERE, params.params, params.n_params, params.flags);
        text = vsm_virt_text(virGetLastErrorMessage());

        if (r >= 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "libvirt went on without a destination");
                return false;
        }

        /* The refusal that is wanted: all is well but for the connection. */
        if (strstr(text, "/dev/null/nowhere"))
                return true;

        /* libvirt names the first thing that it minds. The questions before have named all of their
         * kind, with the device. */
        code = refusal_to_code(text);
        if (strcmp(code, "not-migratable") == 0 || !vsm_reasons_has(check->reasons, code))
                vsm_reasons_add(check->reasons, code, check->name, text, check->name,
                                strcmp(code, "virtiofs") == 0 ? "?" : NULL, NULL);

        return true;
}

/* libvirt does not ask about it, and with QEMU 7.2 its migration then never ends (measured: 10 minutes, paused at the
 * destination, shown as running here); only QEMU 9.0 carries such a guest. */
bool vsm_check_awake(VsmCheck *check, GError **error) {
        int state;

        if (virDomainGetState(check->domain, &state, NULL, 0) < 0) {
                vsm_virt_error(error, "libvirt does not tell its state");
                return false;
        }

        if (state == VIR_DOMAIN_PMSUSPENDED)
                vsm_reasons_add(check->reasons, "guest-asleep", check->name, NULL, check->name, NULL);

        return true;
}

bool vsm_check_snapshots(VsmCheck *check, GError **error) {
        int n = virDomainSnapshotNum(check->domain, 0);

        if (n < 0) {
                vsm_virt_error(error, "libvirt does not count its snapshots");
                return false;
        }

        if (n > 0)
                vsm_reasons_add(check->reasons, "has-snapshots", check->name, NULL, check->name, NULL);

        return true;
}

/* Not migrated by libvirt, and not looked at by it either. */
bool vsm_check_checkpoints(VsmCheck *check, GError **error) {
        g_autofree char *text = NULL;
        int n;

        n = virDomainListAllCheckpoints(check->domain, NULL, 0);
        if (n < 0) {
                vsm_virt_error(error, "libvirt does not list its checkpoints");
                return false;
        }

        if (n == 0)
                return true;

        text = g_strdup_printf("%d", n);
        vsm_reasons_add(check->reasons, "has-checkpoints", check->name, NULL, check->name, text, NULL);
        return true;
}
