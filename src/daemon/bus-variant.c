/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Arguments of calls as GVariants, and GVariants as arguments. Counts before it copies: whoever may
 * reach the bus may send anything. Bus thread. */

#include <errno.h>
#include <string.h>

#include "daemon/bus-variant.h"
#include "shared/error.h"

static GVariant* read_value(sd_bus_message *message, unsigned depth, size_t *budget, GError **error);

static void* set_limit(GError **error, const char *what, unsigned limit) {
        g_set_error(error, VSM_ERROR, VSM_ERROR_LIMITS_EXCEEDED,
                    "The call brings more than this service takes: the limit is %u %s.", limit, what);
        return NULL;
}

static void* set_unreadable(GError **error, int r) {
        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                    "The call's arguments cannot be read: %s", g_strerror(-r));
        return NULL;
}

/* Nothing costs nothing: else empty containers would be free. */
static bool charge(size_t *budget, size_t bytes, GError **error) {
        if (bytes > *budget) {
                set_limit(error, "bytes in a message", VSM_LIMIT_MESSAGE);
                return false;
        }

        *budget -= bytes;
        return true;
}

static GVariant* read_text(sd_bus_message *message, char type, size_t *budget, GError **error) {
        const char *text = NULL;
        size_t length = 0;
        int r = 0;

        /* borrowed from the message */
        r = sd_bus_message_read_basic(message, type, &text);
        if (r <= 0)
                return set_unreadable(error, r ?: -EBADMSG);

        length = strlen(text);
        if (length > VSM_LIMIT_STRING)
                return set_limit(error, "bytes in a string", VSM_LIMIT_STRING);

        if (!charge(budget, 4 + length + 1, error))
                return NULL;

        /* sd-bus has looked at them too; GLib would abort on what it does not like */
        if (type == 's' && g_utf8_validate(text, length, NULL))
                return g_variant_new_string(text);
        if (type == 'o' && g_variant_is_object_path(text))
                return g_variant_new_object_path(text);
        if (type == 'g' && g_variant_is_signature(text))
                return g_variant_new_signature(text);

        return set_unreadable(error, -EBADMSG);
}

static GVariant* read_number(sd_bus_message *message, char type, size_t *budget, GError **error) {
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
        } value = {};
        int r = 0;

        if (!charge(budget, strchr("xtd", type) ? 8 : strchr("ynq", type) ? 2 : 4, error))
                return NULL;

        r = sd_bus_message_read_basic(message, type, &value);
        if (r <= 0)
                return set_unreadable(error, r ?: -EBADMSG);

        switch (type) {
        case 'y':
                return g_variant_new_byte(value.y);
        case 'b':
                return g_variant_new_boolean(value.b);
        case 'n':
                return g_variant_new_int16(value.n);
        case 'q':
                return g_variant_new_uint16(value.q);
        case 'i':
                return g_variant_new_int32(value.i);
        case 'u':
                return g_variant_new_uint32(value.u);
        case 'x':
                return g_variant_new_int64(value.x);
        case 't':
                return g_variant_new_uint64(value.t);
        default:
                return g_variant_new_double(value.d);
        }
}

/* All values up to the end of the container that was entered. limit: how many it may hold. */
static GPtrArray* read_children(sd_bus_message *message, unsigned depth, unsigned limit, size_t *budget,
                                GError **error) {

        g_autoptr(GPtrArray) children = g_ptr_array_new_with_free_func((GDestroyNotify) g_variant_unref);

        for (;;) {
                GVariant *child = NULL;
                int r = 0;

                r = sd_bus_message_at_end(message, /* complete = */ false);
                if (r < 0)
                        return set_unreadable(error, r);
                if (r > 0)
                        return g_steal_pointer(&children);

                if (children->len >= limit)
                        return set_limit(error, "elements in a list", limit);

                child = read_value(message, depth + 1, budget, error);
                if (!child)
                        return NULL;

                g_ptr_array_add(children, child);
        }
}

static GVariant* make_container(char type, const char *contents, GPtrArray *children, GError **error) {
        GVariant **values = (GVariant **) children->pdata;

        switch (type) {
        case SD_BUS_TYPE_ARRAY:
                return g_variant_new_array(G_VARIANT_TYPE(contents), values, children->len);
        case SD_BUS_TYPE_STRUCT:
                return g_variant_new_tuple(values, children->len);
        case SD_BUS_TYPE_DICT_ENTRY:
                if (children->len != 2)
                        return set_unreadable(error, -EBADMSG);
                return g_variant_new_dict_entry(values[0], values[1]);
        default:
                if (children->len != 1)
                        return set_unreadable(error, -EBADMSG);
                return g_variant_new_variant(values[0]);
        }
}

static GVariant* read_container(sd_bus_message *message, char type, const char *contents, unsigned depth,
                                size_t *budget, GError **error) {

        g_autoptr(GPtrArray) children = NULL;
        GVariant *container = NULL;
        int r = 0;

        if (depth >= VSM_LIMIT_DEPTH) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                            "An argument has more than %u containers in one another.", VSM_LIMIT_DEPTH);
                return NULL;
        }

        if (!charge(budget, 4, error))
                return NULL;

        r = sd_bus_message_enter_container(message, type, contents);
        if (r <= 0)
                return set_unreadable(error, r ?: -EBADMSG);

        children = read_children(message, depth, VSM_LIMIT_ELEMENTS, budget, error);
        if (!children)
                return NULL;

        container = make_container(type, contents, children, error);
        if (!container)
                return NULL;

        r = sd_bus_message_exit_container(message);
        if (r < 0) {
                g_variant_unref(g_variant_ref_sink(container));
                return set_unreadable(error, r);
        }

        return container;
}

/* Full reference. The depth is limited, so the recursion is. */
static GVariant* read_value(sd_bus_message *message, unsigned depth, size_t *budget, GError **error) {
        const char *contents = NULL;
        GVariant *value = NULL;
        char type = 0;
        int r = 0;

        r = sd_bus_message_peek_type(message, &type, &contents);
        if (r < 0)
                return set_unreadable(error, r);
        if (r == 0) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER, "The call lacks an argument.");
                return NULL;
        }

        /* in an empty array too */
        if (type == SD_BUS_TYPE_UNIX_FD || (contents && strchr(contents, SD_BUS_TYPE_UNIX_FD))) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                            "File descriptors are not accepted.");
                return NULL;
        }

        switch (type) {
        case SD_BUS_TYPE_STRING:
        case SD_BUS_TYPE_OBJECT_PATH:
        case SD_BUS_TYPE_SIGNATURE:
                value = read_text(message, type, budget, error);
                break;
        case SD_BUS_TYPE_ARRAY:
        case SD_BUS_TYPE_STRUCT:
        case SD_BUS_TYPE_DICT_ENTRY:
        case SD_BUS_TYPE_VARIANT:
                value = read_container(message, type, contents, depth, budget, error);
                break;
        default:
                value = read_number(message, type, budget, error);
        }

        return value ? g_variant_ref_sink(value) : NULL;
}

GVariant* vsm_bus_read_variant(sd_bus_message *message, size_t *budget, GError **error) {
        return read_value(message, 0, budget, error);
}
