/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Bus messages to JSON (what is read, shown and printed) and GVariant to bus messages (what is sent). */

#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

/* Reads the next complete value. Dictionaries become objects, structures and arrays become arrays, variants
 * what is in them. NULL and an error when the message is damaged. */
JsonNode* vsm_message_read(sd_bus_message *message, GError **error);

/* The same for a dictionary, or an array of them, as objects are: always of that type when it returns. */
JsonObject* vsm_message_read_object(sd_bus_message *message, GError **error);
JsonArray* vsm_message_read_array(sd_bus_message *message, GError **error);

/* Appends a value of any type but handles. */
bool vsm_message_append(sd_bus_message *message, GVariant *value, GError **error);

/* Members of an object that came from the bus. NULL objects, missing members and members of another type
 * give "", 0, false and NULL: what is not there is Null in the contract's sense. */
const char* vsm_object_get_string(JsonObject *object, const char *name);
uint64_t vsm_object_get_uint(JsonObject *object, const char *name);
bool vsm_object_get_bool(JsonObject *object, const char *name);
JsonArray* vsm_object_get_array(JsonObject *object, const char *name);
JsonObject* vsm_object_get_object(JsonObject *object, const char *name);

/* An array of strings in one line, separated by ", "; NULL gives "". */
char* vsm_array_join(JsonArray *array);
