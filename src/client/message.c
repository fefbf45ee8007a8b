/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Bus messages to JSON (what is read, shown and printed) and GVariant to bus messages (what is sent).
 * Generic: no name of the contract stands here. */

#include <glib/gi18n.h>

#include "client/common.h"
#include "client/message.h"
#include "shared/variant.h"

/* JSON of json-glib has signed 64 bits; what does not fit is told roughly rather than as negative. */
static JsonNode* node_new_uint(uint64_t value) {
        JsonNode *node = json_node_alloc();

        return value <= G_MAXINT64 ? json_node_init_int(node, (int64_t) value)
                                   : json_node_init_double(node, value);
}

static JsonNode* read_basic(sd_bus_message *message, char type, int *ret_r) {
        union {
                uint8_t y;
                int b;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
                const char *s;
        } v = {};

        *ret_r = sd_bus_message_read_basic(message, type, &v);
        if (*ret_r < 0)
                return NULL;

        switch (type) {
        case SD_BUS_TYPE_BYTE:
                return node_new_uint(v.y);
        case SD_BUS_TYPE_BOOLEAN:
                return json_node_init_boolean(json_node_alloc(), v.b);
        case SD_BUS_TYPE_INT16:
                return json_node_init_int(json_node_alloc(), v.n);
        case SD_BUS_TYPE_UINT16:
                return node_new_uint(v.q);
        case SD_BUS_TYPE_INT32:
                return json_node_init_int(json_node_alloc(), v.i);
        case SD_BUS_TYPE_UINT32:
                return node_new_uint(v.u);
        case SD_BUS_TYPE_INT64:
                return json_node_init_int(json_node_alloc(), v.x);
        case SD_BUS_TYPE_UINT64:
                return node_new_uint(v.t);
        case SD_BUS_TYPE_DOUBLE:
                return json_node_init_double(json_node_alloc(), v.d);
        case SD_BUS_TYPE_STRING:
        case SD_BUS_TYPE_OBJECT_PATH:
        case SD_BUS_TYPE_SIGNATURE:
                return json_node_init_string(json_node_alloc(), v.s);
        default:
                *ret_r = -EBADMSG;
                return NULL;
        }
}

static JsonNode* read_value(sd_bus_message *message, int *ret_r);

static JsonNode* read_variant(sd_bus_message *message, const char *contents, int *ret_r) {
        g_autoptr(JsonNode) node = NULL;

        *ret_r = sd_bus_message_enter_container(message, SD_BUS_TYPE_VARIANT, contents);
        if (*ret_r < 0)
                return NULL;

        node = read_value(message, ret_r);
        if (!node)
                return NULL;

        *ret_r = sd_bus_message_exit_container(message);
        if (*ret_r < 0)
                return NULL;

        return g_steal_pointer(&node);
}

static JsonNode* read_sequence(sd_bus_message *message, char type, const char *contents, int *ret_r) {
        g_autoptr(JsonArray) array = json_array_new();
        JsonNode *child;

        *ret_r = sd_bus_message_enter_container(message, type, contents);
        if (*ret_r < 0)
                return NULL;

        for (;;) {
                *ret_r = sd_bus_message_at_end(message, false);
                if (*ret_r < 0)
                        return NULL;
                if (*ret_r > 0)
                        break;

                child = read_value(message, ret_r);
                if (!child)
                        return NULL;
                json_array_add_element(array, child);
        }

        *ret_r = sd_bus_message_exit_container(message);
        if (*ret_r < 0)
                return NULL;

        return json_node_init_array(json_node_alloc(), array);
}

/* One entry of a dictionary. Keys are strings or paths in all of the contract. */
static int read_entry(sd_bus_message *message, const char *contents, JsonObject *object) {
        g_autofree char *name = NULL;
        JsonNode *value;
        const char *key;
        int r;

        r = sd_bus_message_enter_container(message, SD_BUS_TYPE_DICT_ENTRY, contents);
        if (r < 0)
                return r;

        r = sd_bus_message_read_basic(message, contents[0], &key);
        if (r < 0)
                return r;

        name = g_strdup(key);
        value = read_value(message, &r);
        if (!value)
                return r;

        json_object_set_member(object, name, value);
        return sd_bus_message_exit_container(message);
}

static JsonNode* read_dict(sd_bus_message *message, const char *contents, int *ret_r) {
        g_autofree char *entry = g_strndup(contents + 1, strlen(contents) - 2);
        g_autoptr(JsonObject) object = json_object_new();

        if (!strchr("sog", entry[0])) {
                *ret_r = -EBADMSG;
                return NULL;
        }

        *ret_r = sd_bus_message_enter_container(message, SD_BUS_TYPE_ARRAY, contents);
        if (*ret_r < 0)
                return NULL;

        for (;;) {
                *ret_r = sd_bus_message_at_end(message, false);
                if (*ret_r < 0)
                        return NULL;
                if (*ret_r > 0)
                        break;

                *ret_r = read_entry(message, entry, object);
                if (*ret_r < 0)
                        return NULL;
        }

        *ret_r = sd_bus_message_exit_container(message);
        if (*ret_r < 0)
                return NULL;

        return json_node_init_object(json_node_alloc(), object);
}

/* The depth is limited by D-Bus itself, which refuses messages with more than 64 levels. */
static JsonNode* read_value(sd_bus_message *message, int *ret_r) {
        const char *contents;
        char type;

        *ret_r = sd_bus_message_peek_type(message, &type, &contents);
        if (*ret_r < 0)
                return NULL;
        if (*ret_r == 0) {
                *ret_r = -EBADMSG;
                return NULL;
        }

        switch (type) {
        case SD_BUS_TYPE_VARIANT:
                return read_variant(message, contents, ret_r);
        case SD_BUS_TYPE_ARRAY:
                if (contents[0] == SD_BUS_TYPE_DICT_ENTRY_BEGIN)
                        return read_dict(message, contents, ret_r);
                return read_sequence(message, SD_BUS_TYPE_ARRAY, contents, ret_r);
        case SD_BUS_TYPE_STRUCT:
                return read_sequence(message, SD_BUS_TYPE_STRUCT, contents, ret_r);
        default:
                return read_basic(message, type, ret_r);
        }
}

JsonNode* vsm_message_read(sd_bus_message *message, GError **error) {
        JsonNode *node;
        int r = 0;

        node = read_value(message, &r);
        if (!node)
                vsm_error_set_errno(error, r, _("The service's answer cannot be read"));

        return node;
}

JsonObject* vsm_message_read_object(sd_bus_message *message, GError **error) {
        g_autoptr(JsonNode) node = vsm_message_read(message, error);

        if (!node)
                return NULL;
        if (!JSON_NODE_HOLDS_OBJECT(node)) {
                vsm_error_set_errno(error, -EBADMSG, _("The service's answer cannot be read"));
                return NULL;
        }

        return json_node_dup_object(node);
}

JsonArray* vsm_message_read_array(sd_bus_message *message, GError **error) {
        g_autoptr(JsonNode) node = vsm_message_read(message, error);

        if (!node)
                return NULL;
        if (!JSON_NODE_HOLDS_ARRAY(node)) {
                vsm_error_set_errno(error, -EBADMSG, _("The service's answer cannot be read"));
                return NULL;
        }

        return json_node_dup_array(node);
}

bool vsm_message_append(sd_bus_message *message, GVariant *value, GError **error) {
        int r = vsm_bus_append_variant(message, value);

        if (r < 0)
                return vsm_error_set_errno(error, r, _("The request cannot be written"));

        return true;
}

/* The member if it is of the wanted kind. */
static JsonNode* member_of(JsonObject *object, const char *name, JsonNodeType type) {
        JsonNode *node = object ? json_object_get_member(object, name) : NULL;

        return node && json_node_get_node_type(node) == type ? node : NULL;
}

const char* vsm_object_get_string(JsonObject *object, const char *name) {
        JsonNode *node = member_of(object, name, JSON_NODE_VALUE);

        if (!node || json_node_get_value_type(node) != G_TYPE_STRING)
                return "";

        return json_node_get_string(node);
}

uint64_t vsm_object_get_uint(JsonObject *object, const char *name) {
        JsonNode *node = member_of(object, name, JSON_NODE_VALUE);
        int64_t value;

        if (!node)
                return 0;
        if (json_node_get_value_type(node) == G_TYPE_DOUBLE)
                return G_MAXUINT64;

        value = json_node_get_value_type(node) == G_TYPE_INT64 ? json_node_get_int(node) : 0;
        return value > 0 ? (uint64_t) value : 0;
}

bool vsm_object_get_bool(JsonObject *object, const char *name) {
        JsonNode *node = member_of(object, name, JSON_NODE_VALUE);

        return node && json_node_get_value_type(node) == G_TYPE_BOOLEAN && json_node_get_boolean(node);
}

JsonArray* vsm_object_get_array(JsonObject *object, const char *name) {
        JsonNode *node = member_of(object, name, JSON_NODE_ARRAY);

        return node ? json_node_get_array(node) : NULL;
}

JsonObject* vsm_object_get_object(JsonObject *object, const char *name) {
        JsonNode *node = member_of(object, name, JSON_NODE_OBJECT);

        return node ? json_node_get_object(node) : NULL;
}

char* vsm_array_join(JsonArray *array) {
        g_autoptr(GString) out = g_string_new(NULL);

        for (guint i = 0; array && i < json_array_get_length(array); i++) {
                JsonNode *node = json_array_get_element(array, i);

                if (json_node_get_value_type(node) == G_TYPE_STRING)
                        g_string_append_printf(out, "%s%s", out->len > 0 ? ", " : "",
                                               json_node_get_string(node));
        }

        return g_string_free(g_steal_pointer(&out), FALSE);
}
