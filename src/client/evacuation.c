/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plan of an evacuation and what is left over after it, in words. Pure. */

#include <glib/gi18n.h>
#include <inttypes.h>

#include "client/evacuation.h"
#include "client/message.h"
#include "client/output.h"
#include "client/reasons.h"
#include "client/text.h"
#include "client/words.h"
#include "shared/enums.h"

/* Members of the array that are no objects are left out. */
static GPtrArray* entries_of(JsonArray *array) {
        GPtrArray *entries = g_ptr_array_new();

        for (guint i = 0; array && i < json_array_get_length(array); i++) {
                JsonNode *node = json_array_get_element(array, i);

                if (JSON_NODE_HOLDS_OBJECT(node))
                        g_ptr_array_add(entries, json_node_get_object(node));
        }

        return entries;
}

static int compare_order(const void *a, const void *b) {
        JsonObject *const *x = a, *const *y = b;
        uint64_t m = vsm_object_get_uint(*x, "Order"), n = vsm_object_get_uint(*y, "Order");

        return m < n ? -1 : m > n;
}

static void add_entry(VsmTable *table, JsonObject *entry) {
        g_autofree char *start = vsm_text_duration(vsm_object_get_uint(entry, "Start"));
        g_autofree char *duration = vsm_text_duration(vsm_object_get_uint(entry, "Duration"));
        g_autofree char *bytes = vsm_text_bytes_short(vsm_object_get_uint(entry, "Bytes"));
        bool stays = g_str_equal(vsm_object_get_string(entry, "Method"), "leave");

        vsm_table_addf(table, "%" PRIu64, vsm_object_get_uint(entry, "Order"));
        vsm_table_add(table, vsm_object_get_string(entry, "SystemName"));
        vsm_table_add(table, vsm_object_get_string(entry, "DestinationHost"));
        vsm_table_add(table, vsm_word(vsm_object_get_string(entry, "Method")));
        vsm_table_add(table, stays ? NULL : start);
        vsm_table_add(table, stays ? NULL : duration);
        vsm_table_add(table, stays ? NULL : bytes);
}

static void append_reasons(GString *out, JsonObject *entry) {
        g_autofree char *reasons = vsm_reasons_format(vsm_object_get_array(entry, "Reasons"));
        g_autofree char *name = vsm_text_escape(vsm_object_get_string(entry, "SystemName"));

        g_string_append_printf(out, "%s:\n%s", name, reasons);
}

char* vsm_evacuation_format_plan(JsonArray *plan, size_t width) {
        const char *const headings[] = {
                /* Translators: a '>' in front means: aligned to the right. START: how long after the beginning */
                _(">NO"), _("SYSTEM"), _("DESTINATION"), _("HOW"), _(">START"), _(">TIME"), _(">BYTES"), NULL
        };
        g_autoptr(VsmTable) table = vsm_table_new(headings);
        g_autoptr(GPtrArray) entries = entries_of(plan);
        g_autoptr(GString) out = NULL;
        g_autofree char *text = NULL;

        g_ptr_array_sort(entries, compare_order);
        for (guint i = 0; i < entries->len; i++)
                add_entry(table, entries->pdata[i]);

        if (entries->len == 0)
                return g_strdup(_("No system has to leave this host.\n"));

        text = vsm_table_format(table, width);
        out = g_string_new(text);
        g_string_append_c(out, '\n');
        for (guint i = 0; i < entries->len; i++)
                append_reasons(out, entries->pdata[i]);

        return g_string_free(g_steal_pointer(&out), FALSE);
}

char* vsm_evacuation_format_count(JsonObject *job, JsonObject *evacuation) {
        uint64_t total = vsm_object_get_uint(evacuation, "Total"), done = vsm_object_get_uint(evacuation, "Done");
        bool home = vsm_object_get_uint(job, "JobType") == VSM_JOB_TYPE_BRING_BACK;

        return g_strdup_printf(home ? _("%" PRIu64 " of %" PRIu64 " systems are home again") :
                                      _("%" PRIu64 " of %" PRIu64 " systems have left this host"), done, total);
}

char* vsm_evacuation_format_leftovers(JsonObject *job, JsonArray *leftovers, const char *command) {
        bool home = vsm_object_get_uint(job, "JobType") == VSM_JOB_TYPE_BRING_BACK;
        g_autoptr(GPtrArray) entries = entries_of(leftovers);
        g_autoptr(GString) out = g_string_new(NULL);
        g_autofree char *advice = NULL;

        if (entries->len == 0)
                return g_strdup("");

        g_string_append(out, home ? _("Not home again:\n") : _("Left over:\n"));
        for (guint i = 0; i < entries->len; i++)
                append_reasons(out, entries->pdata[i]);

        advice = g_strdup_printf(home ? _("  - %s bring-back\n    tries it again with those that are away\n") :
                                        _("  - %s evacuate --plan\n    tells what can be done with them now\n"),
                                 command);
        g_string_append_printf(out, _("What to do next:\n%s"), advice);
        return g_string_free(g_steal_pointer(&out), FALSE);
}
