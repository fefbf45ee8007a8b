/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>

/* Key files line by line: a bad line costs nothing but itself, and who complains knows its number. Any thread;
 * waits for the disk. */

typedef struct VsmConfLine {
        const char *group;
        const char *key;                /* NULL: the head of the group */
        const char *value;              /* unescaped, without blanks around it; NULL at a head */
} VsmConfLine;

/* What is wrong with a line, as a sentence without its place; NULL = nothing. g_free()d. */
typedef char* (*VsmConfFunc)(const VsmConfLine *line, void *userdata);

/* Reads FILE and then each *.conf of DIR in the order of their names. A missing one is no fault. Returns what was
 * complained about, as sentences with file and line: a NULL-terminated array, never NULL. */
char** vsm_conf_read(const char *file, const char *directory, VsmConfFunc func, void *userdata);
