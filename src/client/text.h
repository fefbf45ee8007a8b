/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Text for people: escaping, display width, sizes, times, the nearest known word. Pure. */

#include <stddef.h>
#include <stdint.h>

/* What a terminal could take for a command, or what would hide or reorder text, as \n, \x1b, \u202e; bytes
 * that are no UTF-8 as \xNN. NULL gives "". */
char* vsm_text_escape(const char *s);

/* A word of a command that people can copy: quoted if that is needed, then escaped. */
char* vsm_text_shell(const char *s);

/* Columns on a terminal: two for wide characters, none for combining ones. */
size_t vsm_text_width(const char *s);

/* At most so many columns, with a mark at the end when something was cut off. */
char* vsm_text_fit(const char *s, size_t width);

/* "512.3 MiB" and, where room is scarce, "512.3M". */
char* vsm_text_bytes(uint64_t bytes);
char* vsm_text_bytes_short(uint64_t bytes);

/* A length of time in microseconds: "212 ms", "7.2 s", "3 min 12 s", "2 h 5 min", "3 d 4 h". */
char* vsm_text_duration(uint64_t usec);

/* A moment in microseconds since the epoch, in local time; "-" for 0. */
char* vsm_text_time(uint64_t usec);

/* "9.0.0" for libvirt's 9000000; "-" for 0. */
char* vsm_text_version(uint64_t version);

/* The known word (NULL ends the list) that was probably meant, or NULL. */
const char* vsm_text_nearest(const char *word, const char *const *known);
