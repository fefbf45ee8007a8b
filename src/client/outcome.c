/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* How a job ended, in words. Pure. */

#include <glib/gi18n.h>

#include "client/message.h"
#include "client/outcome.h"
#include "client/reasons.h"
#include "client/text.h"
#include "client/words.h"
#include "shared/enums.h"

static char* text_of(JsonObject *job, const char *name) {
        return vsm_text_escape(vsm_object_get_string(job, name));
}

bool vsm_outcome_is_migration(JsonObject *job) {
        uint64_t type = vsm_object_get_uint(job, "JobType");

        return type == VSM_JOB_TYPE_MOVE_SYSTEM || type == VSM_JOB_TYPE_MOVE_SYSTEM_AND_STORAGE ||
                type == VSM_JOB_TYPE_MOVE_STORAGE || type == VSM_JOB_TYPE_STAGED;
}

uint64_t vsm_outcome_duration(JsonObject *job, uint64_t now) {
        uint64_t start = vsm_object_get_uint(job, "StartTime"), end = now;

        if (vsm_job_state_is_final((uint16_t) vsm_object_get_uint(job, "JobState")))
                end = vsm_object_get_uint(job, "TimeOfLastStateChange");

        return start > 0 && end > start ? end - start : 0;
}

char* vsm_outcome_format_task(JsonObject *job) {
        g_autofree char *name = text_of(job, "ElementName"), *host = text_of(job, "DestinationHost");
        uint64_t type = vsm_object_get_uint(job, "JobType");

        if (!vsm_outcome_is_migration(job))
                /* Translators: a job, as in "check-system of web" */
                return g_strdup_printf(*name ? _("%s of %s") : "%s",
                                       vsm_word(vsm_job_type_to_string((uint16_t) type)), name);

        if (type == VSM_JOB_TYPE_MOVE_STORAGE)
                return g_strdup_printf(_("storage migration of %s"), name);

        return *host ? g_strdup_printf(_("migration of %s to %s"), name, host) :
                       g_strdup_printf(_("migration of %s"), name);
}

/* What is true now that was not before. */
static char* format_success(JsonObject *job) {
        g_autofree char *name = text_of(job, "ElementName"), *host = text_of(job, "DestinationHost");
        g_autofree char *task = NULL;

        if (vsm_outcome_is_migration(job))
                switch (vsm_object_get_uint(job, "MigrationType")) {
                case VSM_MIGRATION_TYPE_STORAGE:
                        return g_strdup_printf(_("The disks of %s are moved"), name);
                case VSM_MIGRATION_TYPE_STAGED:
                        return g_strdup_printf(_("%s is planned on %s now"), name, host);
                case VSM_MIGRATION_TYPE_OTHER:
                        return g_strdup_printf(_("%s is on %s now, switched off"), name, host);
                default:
                        return g_strdup_printf(_("%s runs on %s now"), name, host);
                }

        task = vsm_outcome_format_task(job);
        return g_strdup_printf(_("Done: %s"), task);
}

static char* format_numbers(JsonObject *job, JsonObject *transfer) {
        g_autoptr(GString) out = g_string_new(NULL);
        uint64_t duration = vsm_outcome_duration(job, 0);
        uint64_t sent = vsm_object_get_uint(transfer, "MemoryProcessed") +
                vsm_object_get_uint(transfer, "DiskProcessed");
        uint64_t pause = vsm_object_get_uint(transfer, "Downtime");

        if (duration > 0) {
                g_autofree char *s = vsm_text_duration(duration);

                g_string_append(out, s);
        }

        if (sent > 0) {
                g_autofree char *s = vsm_text_bytes(sent);

                g_string_append(out, out->len > 0 ? ", " : "");
                /* Translators: "512.3 MiB sent" */
                g_string_append_printf(out, _("%s sent"), s);
        }

        if (pause > 0) {
                g_autofree char *s = vsm_text_duration(pause * 1000);

                g_string_append(out, out->len > 0 ? ", " : "");
                /* Translators: how long the guest did not run, as in "paused 212 ms" */
                g_string_append_printf(out, _("paused %s"), s);
        }

        return g_string_free(g_steal_pointer(&out), FALSE);
}

char* vsm_outcome_format(JsonObject *job, JsonObject *transfer) {
        g_autofree char *task = vsm_outcome_format_task(job), *name = text_of(job, "ElementName");
        g_autofree char *success = NULL, *numbers = NULL, *why = NULL;
        uint64_t state = vsm_object_get_uint(job, "JobState");

        if (vsm_job_state_is_success((uint16_t) state)) {
                success = format_success(job);
                numbers = format_numbers(job, transfer);
                return *numbers ? g_strdup_printf("%s: %s", success, numbers) : g_steal_pointer(&success);
        }

        if (state == VSM_JOB_STATE_TERMINATED || state == VSM_JOB_STATE_KILLED)
                return vsm_outcome_is_migration(job) ?
                        g_strdup_printf(_("Cancelled: %s. %s is still here, as it was."), task, name) :
                        g_strdup_printf(_("Cancelled: %s"), task);

        why = text_of(job, "ErrorDescription");
        if (!*why)
                return g_strdup_printf(_("Failed: %s"), task);

        return g_strdup_printf(_("Failed: %s: %s"), task, why);
}

char* vsm_outcome_format_advice(JsonObject *job, JsonArray *reasons, const char *command) {
        g_autoptr(GString) out = g_string_new(NULL);
        g_autofree char *actions = vsm_reasons_format_actions(reasons);
        g_autofree char *name = vsm_text_shell(vsm_object_get_string(job, "ElementName"));
        g_autofree char *host = vsm_text_shell(vsm_object_get_string(job, "DestinationHost"));

        g_string_append(out, actions);
        if (!vsm_outcome_is_migration(job))
                return g_string_free(g_steal_pointer(&out), FALSE);

        if (*vsm_object_get_string(job, "DestinationHost"))
                g_string_append_printf(out,
                                       _("  - %s check %s %s\n    tells all that can be known beforehand\n"),
                                       command, name, host);
        g_string_append_printf(out, _("  - %s reset %s\n    takes the mark of the failure off\n"), command,
                               name);

        return g_string_free(g_steal_pointer(&out), FALSE);
}
