/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What an evacuation shall do, from a command line (dbus-api, 3.3). Pure. */

#include <glib/gi18n.h>

#include "client/evacuate-arg.h"
#include "client/settings-arg.h"
#include "shared/method.h"

void vsm_evacuate_arguments_done(VsmEvacuateArguments *arguments) {
        g_clear_pointer(&arguments->to, g_strfreev);
        g_clear_pointer(&arguments->systems, g_strfreev);
        g_clear_pointer(&arguments->deadline, g_free);
        g_clear_pointer(&arguments->fallback, g_free);
        g_clear_pointer(&arguments->plan_id, g_free);
}

/* The service checks it too, but who mistypes shall know at once. */
static bool check_method(const char *word, GError **error) {
        VsmMethod method;

        if (vsm_method_from_string(word, &method))
                return true;

        g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                    _("'%s' is no value for %s, which wants %s"), word, "--fallback",
                    _("some of live, post-copy, resume, save, shutdown and leave, with commas between"));
        return false;
}

static bool insert_fallback(GVariantDict *dict, const char *text, GError **error) {
        g_auto(GStrv) words = NULL;

        if (!text)
                return true;

        words = g_strsplit(text, ",", -1);
        for (char **word = words; *word; word++)
                if (!check_method(g_strstrip(*word), error))
                        return false;
        if (!*words)
                return check_method("", error);

        g_variant_dict_insert_value(dict, "Fallback", g_variant_new_strv((const char *const *) words, -1));
        return true;
}

/* What may stand beside a PlanID, too */
static bool insert_common(GVariantDict *dict, const VsmEvacuateArguments *arguments, GError **error) {
        uint64_t deadline;

        if (arguments->deadline) {
                if (!vsm_settings_parse_time_option("--deadline", arguments->deadline, &deadline, error))
                        return false;
                g_variant_dict_insert(dict, "Deadline", "t", deadline);
        }

        if (arguments->keep_draining)
                g_variant_dict_insert(dict, "KeepDraining", "b", TRUE);

        return true;
}

GVariant* vsm_evacuate_build(const VsmEvacuateArguments *arguments, const char *const *paths, GError **error) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

        if (!insert_common(&dict, arguments, error) || !insert_fallback(&dict, arguments->fallback, error))
                return NULL;

        if (arguments->to)
                g_variant_dict_insert_value(&dict, "Destinations",
                                            g_variant_new_strv((const char *const *) arguments->to, -1));
        if (paths)
                g_variant_dict_insert_value(&dict, "Systems", g_variant_new_objv(paths, -1));

        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

GVariant* vsm_evacuate_build_run(const VsmEvacuateArguments *arguments, const char *plan_id, GError **error) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

        if (!insert_common(&dict, arguments, error))
                return NULL;

        g_variant_dict_insert(&dict, "PlanID", "s", plan_id);
        return g_variant_ref_sink(g_variant_dict_end(&dict));
}
