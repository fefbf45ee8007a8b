/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A migration subnet from a command line, as the dictionary that the contract wants (dbus-api, section 5).
 * Only the form is looked at; whether a subnet overlaps another is for the service to say. Pure. */

#include <arpa/inet.h>
#include <glib/gi18n.h>
#include <inttypes.h>
#include <string.h>

#include "client/message.h"
#include "client/network-arg.h"

void vsm_network_arguments_done(VsmNetworkArguments *arguments) {
        g_clear_pointer(&arguments->subnet, g_free);
        g_clear_pointer(&arguments->metric, g_free);
        g_clear_pointer(&arguments->tags, g_strfreev);
}

static bool parse_subnet(const char *text, char **ret_number, uint8_t *ret_length, GError **error) {
        const char *slash = strrchr(text, '/');
        g_autofree char *number = slash ? g_strndup(text, slash - text) : NULL;
        struct in6_addr address;
        uint64_t length, bits = 0;

        if (number && inet_pton(AF_INET, number, &address) == 1)
                bits = 32;
        else if (number && inet_pton(AF_INET6, number, &address) == 1)
                bits = 128;

        if (bits == 0 || !g_ascii_string_to_unsigned(slash + 1, 10, 0, bits, &length, NULL)) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("'%s' is no subnet such as 192.168.1.0/24 or 2001:db8::/64"), text);
                return false;
        }

        *ret_number = g_steal_pointer(&number);
        *ret_length = (uint8_t) length;
        return true;
}

static bool insert_subnet(GVariantDict *dict, const char *text, GError **error) {
        g_autofree char *number = NULL;
        uint8_t length;

        if (!parse_subnet(text, &number, &length, error))
                return false;

        g_variant_dict_insert(dict, "SubnetNumber", "s", number);
        g_variant_dict_insert(dict, "PrefixLength", "y", length);
        return true;
}

static bool insert_metric(GVariantDict *dict, const char *text, GError **error) {
        uint64_t metric;

        if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &metric, NULL)) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("'%s' is no metric, which is a number from 0 to 4294967295"), text);
                return false;
        }

        g_variant_dict_insert(dict, "Metric", "u", (uint32_t) metric);
        return true;
}

static bool insert_given(const VsmNetworkArguments *arguments, GVariantDict *dict, GError **error) {
        if (arguments->subnet && !insert_subnet(dict, arguments->subnet, error))
                return false;
        if (arguments->metric && !insert_metric(dict, arguments->metric, error))
                return false;
        if (arguments->tags)
                g_variant_dict_insert_value(dict, "Tags",
                                            g_variant_new_strv((const char *const *) arguments->tags, -1));

        return true;
}

GVariant* vsm_network_build(const VsmNetworkArguments *arguments, GError **error) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

        if (!insert_given(arguments, &dict, error))
                return NULL;

        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

GVariant* vsm_network_change(const VsmNetworkArguments *arguments, JsonObject *network, GError **error) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);
        g_autoptr(GStrvBuilder) tags = g_strv_builder_new();
        JsonArray *array = vsm_object_get_array(network, "Tags");
        g_auto(GStrv) words = NULL;

        for (guint i = 0; array && i < json_array_get_length(array); i++)
                g_strv_builder_add(tags, json_array_get_string_element(array, i));
        words = g_strv_builder_end(tags);

        g_variant_dict_insert(&dict, "InstanceID", "s", vsm_object_get_string(network, "InstanceID"));
        g_variant_dict_insert(&dict, "SubnetNumber", "s", vsm_object_get_string(network, "SubnetNumber"));
        g_variant_dict_insert(&dict, "PrefixLength", "y",
                              (uint8_t) vsm_object_get_uint(network, "PrefixLength"));
        g_variant_dict_insert(&dict, "Metric", "u", (uint32_t) vsm_object_get_uint(network, "Metric"));
        g_variant_dict_insert(&dict, "Tags", "^as", words);

        if (!insert_given(arguments, &dict, error))
                return NULL;

        return g_variant_ref_sink(g_variant_dict_end(&dict));
}

char* vsm_network_path(const char *network, GError **error) {
        const char *text = network;
        uint64_t number;

        if (g_str_has_prefix(text, VSM_OBJECT_PATH_NETWORK "/"))
                text += strlen(VSM_OBJECT_PATH_NETWORK "/");

        if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &number, NULL)) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("'%s' is not the number of a network"), network);
                return NULL;
        }

        return g_strdup_printf(VSM_OBJECT_PATH_NETWORK "/%" PRIu64, number);
}
