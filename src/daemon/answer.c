/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls that a worker answers, and the clock that runs meanwhile. Bus thread only. */

#include <stdarg.h>

#include "daemon/answer.h"
#include "daemon/bus-variant.h"
#include "daemon/log.h"
#include "shared/cleanup.h"
#include "shared/error.h"

/* The contract gives 20 s from the authorization on. */
#define ANSWER_USEC (UINT64_C(20) * G_USEC_PER_SEC)

struct VsmAnswer {
        sd_bus_message *call;   /* NULL once answered */
        sd_event_source *limit;
        VsmCancel *cancel;
        const char *late;
};

static int on_limit(sd_event_source *source, uint64_t usec, void *userdata) {
        VsmAnswer *answer = userdata;
        g_autoptr(GError) error = NULL;

        if (!answer->call)
                return 0;

        vsm_cancel_fire(answer->cancel);
        error = g_error_new_literal(VSM_ERROR, VSM_ERROR_TIMEOUT, answer->late);
        vsm_answer_error(answer, error);
        return 0;
}

VsmAnswer* vsm_answer_new(VsmManager *manager, sd_bus_message *call, const char *late) {
        VsmAnswer *answer = g_new(VsmAnswer, 1);

        *answer = (VsmAnswer) {
                .call = sd_bus_message_ref(call),
                .cancel = vsm_cancel_new(),
                .late = late,
        };
        if (sd_event_add_time_relative(manager->event, &answer->limit, CLOCK_MONOTONIC, ANSWER_USEC,
                                       G_USEC_PER_SEC / 10, on_limit, answer) < 0)
                vsm_log(LOG_WARNING, "Cannot limit the time of a call.");

        return answer;
}

void vsm_answer_free(VsmAnswer *answer) {
        if (!answer)
                return;

        sd_event_source_disable_unref(answer->limit);
        sd_bus_message_unref(answer->call);
        vsm_cancel_unref(answer->cancel);
        g_free(answer);
}

VsmCancel* vsm_answer_cancel(VsmAnswer *answer) {
        return answer->cancel;
}

static int append_value(sd_bus_message *reply, GVariant *value) {
        const void *bytes;
        gsize n = 0;

        if (!g_variant_is_of_type(value, G_VARIANT_TYPE_BYTESTRING))
                return vsm_bus_append_variant(reply, value);

        /* one byte at a time would take as long as all the rest */
        bytes = g_variant_get_fixed_array(value, &n, 1);
        return sd_bus_message_append_array(reply, SD_BUS_TYPE_BYTE, bytes, n);
}

static int send_return(sd_bus_message *call, GPtrArray *values) {
        g_autoptr(sd_bus_message) reply = NULL;
        int r;

        r = sd_bus_message_new_method_return(call, &reply);
        for (guint i = 0; r >= 0 && i < values->len; i++)
                r = append_value(reply, g_ptr_array_index(values, i));
        if (r >= 0)
                r = sd_bus_send(NULL, reply, NULL);

        return r;
}

static void take_values(GPtrArray *values, va_list ap) {
        for (GVariant *value; (value = va_arg(ap, GVariant*));)
                g_ptr_array_add(values, g_variant_ref_sink(value));
}

static void answer_values(VsmAnswer *answer, GPtrArray *values) {
        int r;

        if (!answer->call)
                return;

        r = send_return(answer->call, values);
        if (r < 0)
                vsm_log(LOG_WARNING, "Cannot answer a call: %s", g_strerror(-r));

        answer->call = sd_bus_message_unref(answer->call);
}

void vsm_answer_return(VsmAnswer *answer, uint32_t return_value, ...) {
        g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func((GDestroyNotify) g_variant_unref);
        va_list ap;

        g_ptr_array_add(values, g_variant_ref_sink(g_variant_new_uint32(return_value)));
        va_start(ap, return_value);
        take_values(values, ap);
        va_end(ap);
        answer_values(answer, values);
}

void vsm_answer_values(VsmAnswer *answer, ...) {
        g_autoptr(GPtrArray) values = g_ptr_array_new_with_free_func((GDestroyNotify) g_variant_unref);
        va_list ap;

        va_start(ap, answer);
        take_values(values, ap);
        va_end(ap);
        answer_values(answer, values);
}

void vsm_answer_done(VsmAnswer *answer) {
        if (!answer->call)
                return;

        (void) sd_bus_reply_method_return(answer->call, NULL);
        answer->call = sd_bus_message_unref(answer->call);
}

void vsm_answer_error(VsmAnswer *answer, const GError *error) {
        if (!answer->call)
                return;

        vsm_bus_reply_error(answer->call, error);
        answer->call = sd_bus_message_unref(answer->call);
}
