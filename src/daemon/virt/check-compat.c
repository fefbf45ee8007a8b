/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whether the other host has what the guest needs: by comparison of what both libvirts tell, and by
 * having the other one make a command line of its definition, which changes nothing there. Workers. */

#include <string.h>

#include "daemon/move-type.h"
#include "daemon/virt/check.h"
#include "daemon/virt/compat-read.h"
#include "shared/error.h"

bool vsm_check_compat(VsmCheck *check, GError **error) {
        g_autoptr(VsmCompat) needs = NULL, there = NULL;

        needs = vsm_compat_read_system(check->source, check->domain, error);
        there = needs ? vsm_compat_read_host(check->there, needs, error) : NULL;
        if (!there)
                return false;

        vsm_compat_compare(needs, there, check->host, check->reasons);
        return true;
}

/* ---- dry run ---- */

/* Sentences of libvirt, in lower case, and what they are about. The comparison above and the questions about
 * storage and networks find the same and name it; one of these alone means that they could not ask. */
static const struct {
        const char *text;
        const char *code;
} refusals[] = {
        { "does not support machine type",      "machine-type-unknown"  },
        { "does not support virt type",         "hypervisor-mismatch"   },
        { "does not support arch",              "architecture-mismatch" },
        { "cannot check qemu binary",           "emulator-missing"      },
        { "unable to find any firmware",        "firmware-missing"      },
        { "unable to find any master var",      "firmware-missing"      },
        { "storage pool",                       "pool-missing"          },
        { "storage volume not found",           "volume-missing"        },
        { "network not found",                  "network-missing"       },
        { "secret not found",                   "secret-missing"        },
};

static const char* refusal_to_code(const char *text) {
        g_autofree char *lower = g_ascii_strdown(text, -1);

        for (size_t i = 0; i < G_N_ELEMENTS(refusals); i++)
                if (strstr(lower, refusals[i].text))
                        return refusals[i].code;

        return "not-migratable";
}

/* What the move takes along is not there yet, and where it goes is asked by questions of its own. */
static bool goes_along(const VsmCheck *check, const char *code, const char *text) {
        if (!vsm_move_type(check->options.type)->takes_disks)
                return false;

        /* one that is there without a value has the same code */
        return strcmp(code, "pool-missing") == 0 || strcmp(code, "volume-missing") == 0 ||
                (strcmp(code, "secret-missing") == 0 && strstr(text, "no secret with matching"));
}

static char* dry_run(virConnectPtr connection, const char *definition) {
        g_autofree char *arguments = virConnectDomainXMLToNative(connection, "qemu-argv", definition, 0);

        return arguments ? NULL : vsm_virt_text(virGetLastErrorMessage());
}

static const char* first_of(char **list) {
        return list[0] ?: "?";
}

/* With what the guest needs of that kind. */
static void add_refusal(VsmCheck *check, const char *code, const char *text) {
        g_autoptr(VsmCompat) needs = vsm_compat_read_system(check->source, check->domain, NULL);
        const VsmCompatPlatform *p = needs ? g_ptr_array_index(needs->platforms, 0) : NULL;
        const char *argument = "?";

        if (p && strcmp(code, "machine-type-unknown") == 0)
                argument = first_of(p->machines);
        else if (p && strcmp(code, "emulator-missing") == 0)
                argument = first_of(p->emulators);
        else if (p && strcmp(code, "firmware-missing") == 0)
                argument = first_of(p->firmware);
        else if (p && strcmp(code, "architecture-mismatch") == 0)
                argument = p->arch;
        else if (p && strcmp(code, "hypervisor-mismatch") == 0)
                argument = p->virt_type;
        else if (strcmp(code, "secret-missing") == 0 && vsm_needs_has(check->needs, VSM_NEED_SECRET))
                /* it is there, but has no value */
                argument = vsm_needs_next(check->needs, VSM_NEED_SECRET, NULL)->name;
        else {
                /* libvirt's words name it better than we can */
                vsm_reasons_add(check->reasons, "not-migratable", check->host, text, check->name, NULL);
                return;
        }

        vsm_reasons_add(check->reasons, code, argument, text, check->host, argument, p ? p->arch : "?", NULL);
}

bool vsm_check_definition(VsmCheck *check, GError **error) {
        g_autofree char *definition = NULL, *there = NULL, *here = NULL;
        const char *code;

        /* without passwords: nobody there needs them for this */
        definition = virDomainGetXMLDesc(check->domain, VIR_DOMAIN_XML_MIGRATABLE);
        if (!definition) {
                vsm_virt_error(error, "libvirt does not tell the definition of the system");
                return false;
        }

        there = dry_run(check->there, definition);
        if (!there)
                return true;

        /* What libvirt cannot do here either, where the guest runs, says nothing about that host. */
        here = dry_run(check->source, definition);
        if (here) {
                g_set_error_literal(error, VSM_ERROR, VSM_ERROR_FAILED, there);
                return false;
        }

        code = refusal_to_code(there);
        if (!vsm_reasons_has(check->reasons, code) && !goes_along(check, code, there))
                add_refusal(check, code, there);

        return true;
}
