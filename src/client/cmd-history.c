/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl history: who moved what when, from where to where, how, and what came of it. */

#include <glib/gi18n.h>
#include <unistd.h>

#include "client/agent.h"
#include "client/history-arg.h"
#include "client/message.h"
#include "client/output.h"
#include "client/pager.h"
#include "client/text.h"
#include "client/verbs.h"
#include "client/words.h"
#include "shared/enums.h"

/* What is the same in all lines, or hardly ever anything else, would only take room away. */
typedef struct Columns {
        bool from;
        bool type;
        bool owner;
} Columns;

static JsonObject* entry_at(JsonArray *entries, guint i) {
        JsonNode *node = json_array_get_element(entries, i);

        return JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

static Columns choose_columns(JsonArray *entries) {
        JsonObject *first = json_array_get_length(entries) > 0 ? entry_at(entries, 0) : NULL;
        Columns columns = { .owner = true };

        for (guint i = 0; i < json_array_get_length(entries); i++) {
                JsonObject *entry = entry_at(entries, i);
                uint64_t type = vsm_object_get_uint(entry, "MigrationType");

                columns.type |= type != VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM && type != VSM_MIGRATION_TYPE_LIVE;
                columns.from |= !g_str_equal(vsm_object_get_string(entry, "SourceHost"),
                                             vsm_object_get_string(first, "SourceHost"));
        }

        return columns;
}

/* To the minute: the line is long enough. */
static void add_moment(VsmTable *table, uint64_t usec) {
        g_autofree char *text = vsm_text_time(usec);

        vsm_table_addf(table, "%.16s", text);
}

static void add_entry(VsmTable *table, const Columns *columns, JsonObject *entry) {
        uint64_t submitted = vsm_object_get_uint(entry, "TimeSubmitted");
        uint64_t start = vsm_object_get_uint(entry, "StartTime"), end = vsm_object_get_uint(entry, "EndTime");
        uint64_t bytes = vsm_object_get_uint(entry, "Bytes"), pause = vsm_object_get_uint(entry, "Downtime");
        uint16_t type = (uint16_t) vsm_object_get_uint(entry, "MigrationType");
        uint16_t state = (uint16_t) vsm_object_get_uint(entry, "JobState");
        g_autofree char *time = vsm_text_duration(start > 0 && end > start ? end - start : 0);
        g_autofree char *sent = vsm_text_bytes_short(bytes), *stood = vsm_text_duration(pause * 1000);

        add_moment(table, start > 0 ? start : submitted);
        vsm_table_add(table, vsm_object_get_string(entry, "SystemName"));
        if (columns->from)
                vsm_table_add(table, vsm_object_get_string(entry, "SourceHost"));
        vsm_table_add(table, vsm_object_get_string(entry, "DestinationHost"));
        if (columns->type)
                vsm_table_add(table, vsm_word(vsm_migration_type_to_string(type)));
        vsm_table_add(table, vsm_word(vsm_job_state_to_string(state)));
        vsm_table_add(table, start > 0 && end > start ? time : NULL);
        vsm_table_add(table, bytes > 0 ? sent : NULL);
        vsm_table_add(table, pause > 0 ? stood : NULL);
        if (columns->owner)
                vsm_table_add(table, vsm_object_get_string(entry, "Owner"));
}

static VsmTable* build_table(const Columns *columns, JsonArray *entries) {
        const char *headings[11] = {};
        VsmTable *table;
        size_t n = 0;

        /* Translators: a '>' in front means: never cut, and aligned to the right */
        headings[n++] = _(">STARTED");
        headings[n++] = _("SYSTEM");
        if (columns->from)
                headings[n++] = _("FROM");
        headings[n++] = _("TO");
        if (columns->type)
                headings[n++] = _("HOW");
        headings[n++] = _("RESULT");
        headings[n++] = _(">TIME");
        headings[n++] = _(">SENT");
        headings[n++] = _(">PAUSE");
        if (columns->owner)
                headings[n++] = _("OWNER");
        table = vsm_table_new(headings);

        for (guint i = 0; i < json_array_get_length(entries); i++)
                add_entry(table, columns, entry_at(entries, i));

        return table;
}

static bool fits(const VsmTable *table, size_t width) {
        g_autofree char *text = vsm_table_format(table, width);
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        for (char **line = lines; *line; line++)
                if (vsm_text_width(*line) > width)
                        return false;

        return true;
}

/* The next column to do without; false when there is none. */
static bool drop_column(Columns *columns) {
        bool *optional[] = { &columns->from, &columns->type, &columns->owner };

        for (size_t i = 0; i < G_N_ELEMENTS(optional); i++)
                if (*optional[i]) {
                        *optional[i] = false;
                        return true;
                }

        return false;
}

static void print_entries(VsmClient *client, JsonArray *entries) {
        size_t width = vsm_output_width(STDOUT_FILENO);
        Columns columns = choose_columns(entries);
        g_autoptr(VsmTable) table = NULL;

        if (json_array_get_length(entries) == 0) {
                g_print(_("There are no such migrations.\n"));
                return;
        }

        table = build_table(&columns, entries);
        while (width > 0 && !fits(table, width) && drop_column(&columns)) {
                g_clear_pointer(&table, vsm_table_free);
                table = build_table(&columns, entries);
        }

        vsm_pager_print(client, table);
}

static JsonArray* ask(VsmClient *client, GVariant *filter, GError **error) {
        g_autoptr(sd_bus_message) reply = NULL;

        if (!vsm_client_connect(client, error))
                return NULL;

        vsm_agent_open(client);
        reply = vsm_client_call_value(client, VSM_OBJECT_PATH, VSM_INTERFACE_MANAGER, "ListHistory", filter,
                                      error);
        return reply ? vsm_message_read_array(reply, error) : NULL;
}

int vsm_verb_history(VsmClient *client, int argc, char **argv) {
        g_auto(VsmHistoryArguments) arguments = {};
        const GOptionEntry entries[] = {
                { "system", 's', 0, G_OPTION_ARG_FILENAME, &arguments.system,
                  N_("Only of this system"), N_("VM") },
                { "to", 0, 0, G_OPTION_ARG_FILENAME, &arguments.to,
                  N_("Only to this host"), N_("HOST") },
                { "since", 'S', 0, G_OPTION_ARG_FILENAME, &arguments.since,
                  N_("Only since then: '2026-01-31 23:15', yesterday, 2h"), N_("TIME") },
                { "until", 'U', 0, G_OPTION_ARG_FILENAME, &arguments.until,
                  N_("Only until then"), N_("TIME") },
                { "state", 0, 0, G_OPTION_ARG_FILENAME, &arguments.state,
                  N_("Only those that ended so: completed, failed, cancelled, …"), N_("STATE") },
                { "limit", 'n', 0, G_OPTION_ARG_FILENAME, &arguments.limit,
                  N_("At most so many (default 100)"), N_("N") },
                { "offset", 0, 0, G_OPTION_ARG_FILENAME, &arguments.offset,
                  N_("Leave so many of the newest out"), N_("N") },
                {}
        };
        g_autoptr(JsonArray) history = NULL;
        g_autoptr(GVariant) filter = NULL;
        GError *error = NULL;

        if (!vsm_client_parse(client, entries, &argc, &argv, 0, 0, &error))
                return vsm_client_fail(client, error);

        filter = vsm_history_build(&arguments, (uint64_t) g_get_real_time(), &error);
        if (!filter)
                return vsm_client_fail(client, error);

        history = ask(client, filter, &error);
        if (!history)
                return vsm_client_fail(client, error);

        if (client->json)
                vsm_output_json_array(history);
        else
                print_entries(client, history);

        return VSM_EXIT_SUCCESS;
}
