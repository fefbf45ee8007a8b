/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* GVariant to sd_bus_message: what both sides send that is not of one fixed type. Whoever owns the
 * message. */

#include <errno.h>
#include <string.h>

#include "shared/variant.h"

static int append_children(sd_bus_message *message, GVariant *value) {
        size_t n = g_variant_n_children(value);

        for (size_t i = 0; i < n; i++) {
                g_autoptr(GVariant) child = g_variant_get_child_value(value, i);
                int r = 0;

                r = vsm_bus_append_variant(message, child);
                if (r < 0)
                        return r;
        }

        return 0;
}

/* The container's type as sd-bus wants it, and the types of what is in it. */
static char container_type(GVariant *value, char **ret_contents) {
        const char *type = g_variant_get_type_string(value);

        switch (g_variant_classify(value)) {
        case G_VARIANT_CLASS_ARRAY:
                *ret_contents = g_strdup(type + 1);
                return SD_BUS_TYPE_ARRAY;
        case G_VARIANT_CLASS_TUPLE:
                *ret_contents = g_strndup(type + 1, strlen(type) - 2);
                return SD_BUS_TYPE_STRUCT;
        case G_VARIANT_CLASS_DICT_ENTRY:
                *ret_contents = g_strndup(type + 1, strlen(type) - 2);
                return SD_BUS_TYPE_DICT_ENTRY;
        default: {
                g_autoptr(GVariant) child = g_variant_get_variant(value);

                *ret_contents = g_variant_type_dup_string(g_variant_get_type(child));
                return SD_BUS_TYPE_VARIANT;
        }
        }
}

static int append_container(sd_bus_message *message, GVariant *value) {
        g_autofree char *contents = NULL;
        char type = container_type(value, &contents);
        int r = 0;

        r = sd_bus_message_open_container(message, type, contents);
        if (r < 0)
                return r;

        r = append_children(message, value);
        if (r < 0)
                return r;

        return sd_bus_message_close_container(message);
}

int vsm_bus_append_variant(sd_bus_message *message, GVariant *value) {
        switch (g_variant_classify(value)) {
        case G_VARIANT_CLASS_BOOLEAN:
                return sd_bus_message_append(message, "b", (int) g_variant_get_boolean(value));
        case G_VARIANT_CLASS_BYTE:
                return sd_bus_message_append(message, "y", g_variant_get_byte(value));
        case G_VARIANT_CLASS_INT16:
                return sd_bus_message_append(message, "n", g_variant_get_int16(value));
        case G_VARIANT_CLASS_UINT16:
                return sd_bus_message_append(message, "q", g_variant_get_uint16(value));
        case G_VARIANT_CLASS_INT32:
                return sd_bus_message_append(message, "i", g_variant_get_int32(value));
        case G_VARIANT_CLASS_UINT32:
                return sd_bus_message_append(message, "u", g_variant_get_uint32(value));
        case G_VARIANT_CLASS_INT64:
                return sd_bus_message_append(message, "x", g_variant_get_int64(value));
        case G_VARIANT_CLASS_UINT64:
                return sd_bus_message_append(message, "t", g_variant_get_uint64(value));
        case G_VARIANT_CLASS_DOUBLE:
                return sd_bus_message_append(message, "d", g_variant_get_double(value));
        case G_VARIANT_CLASS_STRING:
        case G_VARIANT_CLASS_OBJECT_PATH:
        case G_VARIANT_CLASS_SIGNATURE:
                return sd_bus_message_append_basic(message, g_variant_classify(value),
                                                   g_variant_get_string(value, NULL));
        case G_VARIANT_CLASS_ARRAY:
        case G_VARIANT_CLASS_TUPLE:
        case G_VARIANT_CLASS_DICT_ENTRY:
        case G_VARIANT_CLASS_VARIANT:
                return append_container(message, value);
        default:
                /* maybe types and file descriptors */
                return -EINVAL;
        }
}
