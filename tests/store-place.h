/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <sys/types.h>

#include "daemon/store.h"

/* A directory of its own for each test of the store, and what all of these tests do with it. What goes
 * wrong in here ends the test. */

typedef struct Place {
        char *directory, *file, *numbers;
} Place;

#define PLACE_TEST(path, function) g_test_add(path, Place, NULL, place_set_up, function, place_tear_down)

void place_set_up(Place *place, const void *data);
void empty_directory(const char *path);
void place_tear_down(Place *place, const void *data);
void overwrite(const char *path, const void *bytes, size_t length);

/* What SQLite alone makes of it; nobody else has the file open. */
void run_sql(Place *place, const char *sql);

VsmStore* open_good(Place *place, char **ret_aside);

/* Opens, and it must have set nothing aside. */
VsmStore* open_whole(Place *place);

/* The number it got, 0 when it did not. */
uint64_t insert_job(VsmStore *store, GError **error);
uint64_t insert_good_job(VsmStore *store);
void end_job(VsmStore *store, uint64_t number, uint32_t migration_state);
unsigned count_unfinished(VsmStore *store);
unsigned count_aside(Place *place);

/* A database of a few pages, closed. */
uint64_t fill(Place *place, unsigned n);

/* Whatever was done to the file: it opens, tells that it set it aside, and goes on with numbers that
 * were never given. */
uint64_t assert_recovers(Place *place, uint64_t last);
int child_result(pid_t pid);
