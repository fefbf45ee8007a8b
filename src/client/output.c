/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Tables, lists of fields and JSON on stdout. Only the last third knows that there is a terminal. */

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "client/output.h"
#include "client/text.h"

#define GAP 2

/* below this a name or UUID is no use any more */
#define MIN_WIDTH 8

struct VsmTable {
        size_t n_columns;
        bool fields;
        bool *numeric;
        GPtrArray *cells;               /* row after row, headings first */
};

static VsmTable* table_new(size_t n_columns, bool fields) {
        VsmTable *table = g_new0(VsmTable, 1);

        table->n_columns = n_columns;
        table->fields = fields;
        table->numeric = g_new0(bool, n_columns);
        table->cells = g_ptr_array_new_with_free_func(g_free);
        return table;
}

VsmTable* vsm_table_new(const char *const *headings) {
        VsmTable *table = table_new(g_strv_length((char**) headings), /* fields= */ false);

        for (size_t i = 0; i < table->n_columns; i++) {
                table->numeric[i] = headings[i][0] == '>';
                vsm_table_add(table, headings[i] + table->numeric[i]);
        }

        return table;
}

VsmTable* vsm_table_new_fields(void) {
        VsmTable *table = table_new(2, /* fields= */ true);

        table->numeric[0] = true;
        return table;
}

void vsm_table_free(VsmTable *table) {
        if (!table)
                return;

        g_ptr_array_unref(table->cells);
        g_free(table->numeric);
        g_free(table);
}

void vsm_table_add(VsmTable *table, const char *text) {
        g_ptr_array_add(table->cells, text && *text ? vsm_text_escape(text) : g_strdup("-"));
}

void vsm_table_addf(VsmTable *table, const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);

        vsm_table_add(table, text);
}

void vsm_table_field(VsmTable *table, const char *name, const char *text) {
        if (!text || !*text)
                return;

        vsm_table_addf(table, "%s:", name);
        vsm_table_add(table, text);
}

void vsm_table_fieldf(VsmTable *table, const char *name, const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);

        vsm_table_field(table, name, text);
}

static const char* cell(const VsmTable *table, size_t row, size_t column) {
        return g_ptr_array_index(table->cells, row * table->n_columns + column);
}

/* The widest column gives way first, so that a UUID goes before a name does. */
static void shrink(const VsmTable *table, size_t *widths, size_t width) {
        size_t total = GAP * (table->n_columns - 1);

        for (size_t i = 0; i < table->n_columns; i++)
                total += widths[i];

        while (total > width) {
                size_t widest = SIZE_MAX;

                for (size_t i = 0; i < table->n_columns; i++)
                        if (!table->numeric[i] && widths[i] > MIN_WIDTH &&
                            (widest == SIZE_MAX || widths[i] > widths[widest]))
                                widest = i;
                if (widest == SIZE_MAX)
                        return;

                widths[widest]--;
                total--;
        }
}

static void format_cell(const VsmTable *table, GString *out, const char *text, size_t column, size_t width) {
        g_autofree char *shown = vsm_text_fit(text, width);
        int padding = (int) (width - vsm_text_width(shown));
        bool last = column + 1 == table->n_columns;

        if (table->numeric[column])
                g_string_append_printf(out, "%*s%s", padding, "", shown);
        else
                /* no blanks at the end of a line */
                g_string_append_printf(out, "%s%*s", shown, last ? 0 : padding, "");

        if (!last)
                g_string_append_printf(out, "%*s", table->fields ? 1 : GAP, "");
}

char* vsm_table_format(const VsmTable *table, size_t width) {
        g_autofree size_t *widths = g_new0(size_t, table->n_columns);
        g_autoptr(GString) out = g_string_new(NULL);
        size_t n_rows = table->cells->len / table->n_columns;

        for (size_t row = 0; row < n_rows; row++)
                for (size_t i = 0; i < table->n_columns; i++)
                        widths[i] = MAX(widths[i], vsm_text_width(cell(table, row, i)));

        /* values of fields may fold: there nothing is lost */
        if (width > 0 && !table->fields)
                shrink(table, widths, width);

        for (size_t row = 0; row < n_rows; row++) {
                for (size_t i = 0; i < table->n_columns; i++)
                        format_cell(table, out, cell(table, row, i), i, widths[i]);
                g_string_append_c(out, '\n');
        }

        return g_string_free(g_steal_pointer(&out), FALSE);
}

void vsm_table_print(const VsmTable *table) {
        g_autofree char *text = vsm_table_format(table, vsm_output_width(STDOUT_FILENO));

        g_print("%s", text);
}

size_t vsm_output_width(int fd) {
        struct winsize size = {};

        if (!isatty(fd))
                return 0;

        /* a serial line does not know */
        if (ioctl(fd, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                return 80;

        return size.ws_col;
}

void vsm_output_json(JsonNode *node, bool pretty) {
        g_autofree char *text = json_to_string(node, pretty);

        /* not g_print(): JSON is UTF-8, whatever the locale is */
        (void) fputs(text, stdout);
        (void) fputc('\n', stdout);
        (void) fflush(stdout);
}

void vsm_output_json_object(JsonObject *object, bool pretty) {
        g_autoptr(JsonNode) node = json_node_init_object(json_node_alloc(), object);

        vsm_output_json(node, pretty);
}

void vsm_output_json_array(JsonArray *array) {
        g_autoptr(JsonNode) node = json_node_init_array(json_node_alloc(), array);

        vsm_output_json(node, /* pretty= */ true);
}
