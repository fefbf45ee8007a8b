/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One place that writes to the journal, with fields by which a job, a guest or a caller is found
 * again (journalctl VSM_JOB=42). Without a journal the same lines go to stderr. Any thread. */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "daemon/log.h"

#define TEXT_MAX 1000   /* bytes of a message */
#define FIELD_MAX 200   /* bytes of a field */

static int max_level = LOG_INFO;

void vsm_log_set_level(int priority) {
        max_level = priority;
}

/* A newline would start a record of the caller's own, an escape sequence a show on the reader's
 * terminal. What is valid UTF-8 and printable is left: names are in all languages. */
static char* harmless(const char *text, size_t max) {
        g_autofree char *cut = g_strndup(text, max);
        g_autofree char *valid = g_utf8_make_valid(cut, -1);
        GString *safe = g_string_sized_new(strlen(valid));

        for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
                gunichar c = g_utf8_get_char(p);

                if (g_unichar_isprint(c))
                        g_string_append_unichar(safe, c);
                else
                        g_string_append_printf(safe, "\\u%04x", c);
        }

        return g_string_free(safe, FALSE);
}

static void add_field(GPtrArray *fields, const char *key, const char *value) {
        g_autofree char *safe = NULL;

        if (!value || !*value)
                return;

        safe = harmless(value, FIELD_MAX);
        g_ptr_array_add(fields, g_strconcat(key, safe, NULL));
}

static void add_context(GPtrArray *fields, const VsmLogContext *context) {
        if (context->job > 0)
                g_ptr_array_add(fields, g_strdup_printf("VSM_JOB=%" PRIu64, context->job));
        if (context->caller_uid >= 0 && context->caller)
                g_ptr_array_add(fields, g_strdup_printf("VSM_CALLER_UID=%" PRIi64, context->caller_uid));

        add_field(fields, "VSM_SYSTEM=", context->system);
        add_field(fields, "VSM_SYSTEM_NAME=", context->system_name);
        add_field(fields, "VSM_DESTINATION=", context->destination);
        add_field(fields, "VSM_CALLER=", context->caller);
}

void vsm_log_full(int priority, const VsmLogContext *context, const char *format, ...) {
        g_autoptr(GPtrArray) fields = NULL;
        g_autofree struct iovec *iov = NULL;
        g_autofree char *text = NULL, *safe = NULL;
        va_list ap;

        if (priority > max_level)
                return;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);
        safe = harmless(text, TEXT_MAX);

        fields = g_ptr_array_new_with_free_func(g_free);
        g_ptr_array_add(fields, g_strconcat("MESSAGE=", safe, NULL));
        g_ptr_array_add(fields, g_strdup_printf("PRIORITY=%i", priority));
        g_ptr_array_add(fields, g_strdup("SYSLOG_IDENTIFIER=vsmd"));
        if (context)
                add_context(fields, context);

        iov = g_new(struct iovec, fields->len);
        for (guint i = 0; i < fields->len; i++)
                iov[i] = (struct iovec) { fields->pdata[i], strlen(fields->pdata[i]) };

        if (access("/run/systemd/journal/socket", F_OK) < 0 || sd_journal_sendv(iov, (int) fields->len) < 0)
                fprintf(stderr, "<%i>%s\n", priority, safe);
}
