/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tables, lists of fields and JSON on stdout. */

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <stddef.h>

/* Rows of cells. With headings it is a table that grows and, on a terminal, shrinks to fit; without headings
 * a list of "Name: value". Cells are escaped when they are added. */
typedef struct VsmTable VsmTable;

/* The columns' headings in the user's language, NULL ends them. A heading in front of which '>' stands is of
 * numbers: aligned to the right and never cut. */
VsmTable* vsm_table_new(const char *const *headings);
VsmTable* vsm_table_new_fields(void);
void vsm_table_free(VsmTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmTable, vsm_table_free)

/* The next cell of a row. NULL and "" are shown as "-". */
void vsm_table_add(VsmTable *table, const char *text);
void vsm_table_addf(VsmTable *table, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* A row of a list of fields. The first leaves the row out when there is nothing to show. */
void vsm_table_field(VsmTable *table, const char *name, const char *text);
void vsm_table_fieldf(VsmTable *table, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Text of at most so many columns to a line if that can be; 0 = as wide as it wants. */
char* vsm_table_format(const VsmTable *table, size_t width);
void vsm_table_print(const VsmTable *table);

/* How wide the terminal is, 0 when the descriptor is none. */
size_t vsm_output_width(int fd);

/* One value to stdout: indented for reading, or in one line for streams. */
void vsm_output_json(JsonNode *node, bool pretty);
void vsm_output_json_object(JsonObject *object, bool pretty);
void vsm_output_json_array(JsonArray *array);
