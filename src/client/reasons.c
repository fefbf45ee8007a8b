/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reasons of the contract (CIM_Error dictionaries), as checks, plans and failed jobs have them. Pure. */

#include <glib/gi18n.h>
#include <string.h>

#include "client/message.h"
#include "client/reason-text.h"
#include "client/reasons.h"
#include "client/text.h"
#include "client/words.h"
#include "shared/enums.h"

static JsonObject* reason_at(JsonArray *reasons, guint i) {
        JsonNode *node = json_array_get_element(reasons, i);

        return JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static const char* severity_word(JsonObject *reason) {
        uint64_t severity = vsm_object_get_uint(reason, "PerceivedSeverity");

        return vsm_word(vsm_severity_to_string((uint16_t) MIN(severity, G_MAXUINT16)));
}

/* In the user's language, else as the service said it. */
static char* get_message(JsonObject *reason) {
        char *text = vsm_reason_text_message(vsm_object_get_string(reason, "MessageID"),
                                             vsm_object_get_array(reason, "MessageArguments"));

        return text ?: g_strdup(vsm_object_get_string(reason, "Message"));
}

/* libvirt's own words, where we have them and they are not in the sentence already */
static void append_libvirt_error(GString *out, JsonObject *reason, const char *message) {
        const char *text = vsm_object_get_string(reason, "LibvirtError");
        g_autofree char *escaped = NULL;

        if (!*text || strstr(message, text))
                return;

        escaped = vsm_text_escape(text);
        g_string_append_printf(out, _("    libvirt: %s\n"), escaped);
}

char* vsm_reasons_format(JsonArray *reasons) {
        g_autoptr(GString) out = g_string_new(NULL);

        for (guint i = 0; reasons && i < json_array_get_length(reasons); i++) {
                JsonObject *reason = reason_at(reasons, i);
                g_autofree char *text = get_message(reason), *message = vsm_text_escape(text);
                g_autofree char *source = vsm_text_escape(vsm_object_get_string(reason, "ErrorSource"));
                g_autofree char *id = vsm_text_escape(vsm_object_get_string(reason, "MessageID"));
                JsonArray *actions = vsm_object_get_array(reason, "RecommendedActions");

                g_string_append_printf(out, "  %s: %s", severity_word(reason), *message ? message : id);
                if (*source)
                        g_string_append_printf(out, " (%s)", source);
                if (*id && *message)
                        g_string_append_printf(out, " [%s]", id);
                g_string_append_c(out, '\n');

                append_libvirt_error(out, reason, text);
                for (guint j = 0; actions && j < json_array_get_length(actions); j++) {
                        const char *known = vsm_reason_text_action(json_array_get_string_element(actions, j));
                        g_autofree char *action = vsm_text_escape(known);

                        g_string_append_printf(out, "    -> %s\n", action);
                }
        }

        return g_string_free(g_steal_pointer(&out), FALSE);
}

char* vsm_reasons_format_actions(JsonArray *reasons) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
        g_autoptr(GString) out = g_string_new(NULL);

        for (guint i = 0; reasons && i < json_array_get_length(reasons); i++) {
                JsonArray *actions = vsm_object_get_array(reason_at(reasons, i), "RecommendedActions");

                for (guint j = 0; actions && j < json_array_get_length(actions); j++) {
                        const char *action = json_array_get_string_element(actions, j);
                        g_autofree char *escaped = vsm_text_escape(vsm_reason_text_action(action));

                        if (action && g_hash_table_add(seen, (void*) action))
                                g_string_append_printf(out, "  - %s\n", escaped);
                }
        }

        return g_string_free(g_steal_pointer(&out), FALSE);
}
