/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a check came to, with all reasons. */

#include <glib/gi18n.h>

#include "client/output.h"
#include "client/reasons.h"
#include "client/text.h"
#include "client/verdict.h"

static void print_json(const char *member, bool verdict, JsonArray *reasons) {
        g_autoptr(JsonObject) object = json_object_new();

        json_object_set_boolean_member(object, member, verdict);
        json_object_set_array_member(object, "Reasons", reasons ? json_array_ref(reasons) : json_array_new());
        vsm_output_json_object(object, /* pretty= */ true);
}

static int exit_status(bool verdict) {
        return verdict ? VSM_EXIT_SUCCESS : VSM_EXIT_NOT_MIGRATABLE;
}

int vsm_verdict_print(
                const VsmClient *client,
                const char *vm,
                const char *host,
                bool migratable,
                JsonArray *reasons) {

        g_autofree char *text = vsm_reasons_format(reasons), *name = vsm_text_escape(vm);
        g_autofree char *destination = vsm_text_escape(host);

        if (client->json) {
                print_json("IsMigratable", migratable, reasons);
                return exit_status(migratable);
        }

        if (*host == '\0')
                g_print(migratable ? _("The disks of %s can be moved.\n") : _("The disks of %s cannot be moved:\n"),
                        name);
        else if (migratable)
                g_print(_("%s can be migrated to %s.\n"), name, destination);
        else
                g_print(_("%s cannot be migrated to %s:\n"), name, destination);

        g_print("%s", text);
        return exit_status(migratable);
}

int vsm_verdict_print_compatible(
                const VsmClient *client,
                const char *host,
                bool compatible,
                JsonArray *reasons) {

        g_autofree char *text = vsm_reasons_format(reasons), *name = vsm_text_escape(host);

        if (client->json) {
                print_json("IsCompatible", compatible, reasons);
                return exit_status(compatible);
        }

        if (host)
                g_print(compatible ? _("Compatible with %s.\n") : _("Not compatible with %s:\n"), name);
        else
                g_print("%s", compatible ? _("Compatible with this host.\n")
                                         : _("Not compatible with this host:\n"));

        g_print("%s", text);
        return exit_status(compatible);
}
