/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What GetErrorEx tells of a job that did not end as it should. Bus thread only. */

#include "daemon/job-error.h"
#include "daemon/move-type.h"

/* Stable, for programs: what has no reason of its own in the table (reason.c). */
static const char* message_id(const VsmJob *job, VsmJobState state, VsmError code) {
        if (vsm_job_state_is_success(state))
                return "not-tidied-up";

        switch (code) {
        case VSM_ERROR_CANCELLED:
                return "cancelled";
        case VSM_ERROR_TIMEOUT:
                return "timed-out";
        case VSM_ERROR_SYSTEM_IN_USE:
                return "migration-running";
        case VSM_ERROR_SYSTEM_NOT_AVAILABLE:
                return "libvirt-not-available";
        case VSM_ERROR_INCOMPATIBLE_PARAMETERS:
        case VSM_ERROR_INVALID_PARAMETER:
                return "destination-unsuitable";
        case VSM_ERROR_INVALID_STATE:
                return "wrong-state";
        default:
                return vsm_job_type_moves(job->type) ? "migration-failed" : "failed";
        }
}

/* CIM_Error with libvirt's own words, if there are any: for GetErrorEx, which is checked */
static GVariant* reason_of(const VsmJob *job, VsmJobState state, VsmError code, const char *sentence,
                           const GError *detail) {
        static const char *const none[] = { NULL };
        VsmError cause = detail ? vsm_error_code(detail) : code;
        uint16_t severity = VSM_SEVERITY_ERROR;
        GVariantDict dict;

        /* what was given up by ourselves ended as a cancel, which tells nobody why */
        bool given_up = state == VSM_JOB_STATE_EXCEPTION && cause == VSM_ERROR_CANCELLED;

        if (state == VSM_JOB_STATE_EXCEPTION)
                cause = code;
        if (vsm_job_state_is_success(state))
                severity = VSM_SEVERITY_WARNING;
        else if (cause == VSM_ERROR_CANCELLED)
                severity = VSM_SEVERITY_INFORMATION;

        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "MessageID", "s", message_id(job, state, cause));
        g_variant_dict_insert(&dict, "Message", "s", detail && !given_up ? detail->message : sentence);
        g_variant_dict_insert(&dict, "MessageArguments", "^as", none);
        g_variant_dict_insert(&dict, "PerceivedSeverity", "q", severity);
        g_variant_dict_insert(&dict, "ErrorSource", "s", job->request ? job->request->destination : "");
        g_variant_dict_insert(&dict, "RecommendedActions", "^as", none);
        if (detail)
                g_variant_dict_insert(&dict, "LibvirtError", "s", detail->message);

        return g_variant_dict_end(&dict);
}

void vsm_job_add_reason(VsmJob *job, VsmJobState state, VsmError code, const char *sentence, const GError *detail) {
        g_autoptr(GVariant) former = g_steal_pointer(&job->reasons);
        GVariantBuilder builder;

        /* the failure first, as GetError tells only the first; what is just different at a success comes after what was
         * known before it */
        g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
        if (!vsm_job_state_is_success(state))
                g_variant_builder_add_value(&builder, reason_of(job, state, code, sentence, detail));
        for (gsize i = 0; former && i < g_variant_n_children(former); i++) {
                g_autoptr(GVariant) child = g_variant_get_child_value(former, i);

                g_variant_builder_add_value(&builder, child);
        }

        if (vsm_job_state_is_success(state))
                g_variant_builder_add_value(&builder, reason_of(job, state, code, sentence, detail));
        job->reasons = g_variant_ref_sink(g_variant_builder_end(&builder));
}
