/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The keys of NetworkSettingData and what they mean together. Pure: no bus, no store. Any thread. */

#include <string.h>
#include <sys/socket.h>

#include "daemon/key.h"
#include "daemon/network-data.h"
#include "shared/error.h"

#define ID_PREFIX "org.example:MigrationNetwork/"

/* "use any network": counts only while there is no other */
#define TAG_ALL_NETWORKS "org.example:UserManagedAllNetworks"

/* 1024 networks with their tags are kept in memory and shown to everybody */
#define TAGS_MAX 16
#define TAG_LENGTH_MAX 256

static char* text_id(const char *text, GError **error G_GNUC_UNUSED) {
        return vsm_network_id_parse(text) > 0 ? g_strdup(text) : NULL;
}

static char* text_tag(const char *text, GError **error G_GNUC_UNUSED) {
        if (text[0] == '\0' || strlen(text) > TAG_LENGTH_MAX)
                return NULL;

        for (const char *p = text; *p; p++)
                if (g_ascii_iscntrl(*p))
                        return NULL;

        return g_strdup(text);
}

#define KEY(key, bus, ...) { .name = key, .type = bus, __VA_ARGS__ }
#define WANT_SUBNET "the address of a network, IPv4 or IPv6"
#define WANT_PREFIX "an integer from 0 to 32 (IPv4) or 128 (IPv6)"
#define METRIC KEY("Metric", "u", .zero_counts = true)
#define TAGS                                                                                            \
        KEY("Tags", "as", .want = "a list of at most 16 words of at most 256 bytes", .text = text_tag,  \
            .elements_max = TAGS_MAX)

/* PrefixLength is a byte on the bus; here it is a number as others. 0 is a length and a metric. */
static const VsmKey keys_new[] = {
        KEY("SubnetNumber", "s", .want = WANT_SUBNET, .required = true),
        KEY("PrefixLength", "q", .want = WANT_PREFIX, .max = 128, .zero_counts = true, .required = true),
        METRIC, TAGS,
        {}
};

static const VsmKey keys_change[] = {
        KEY("InstanceID",   "s", .want = "the InstanceID of a network", .text = text_id, .required = true),
        KEY("SubnetNumber", "s", .want = WANT_SUBNET),
        KEY("PrefixLength", "q", .want = WANT_PREFIX, .max = 128, .zero_counts = true),
        METRIC, TAGS,
        {}
};

GVariant* vsm_network_list_read_new(GVariant *list, GError **error) {
        return vsm_keys_read_list(keys_new, "NetworkSettings", list, error);
}

GVariant* vsm_network_list_read_changes(GVariant *list, GError **error) {
        return vsm_keys_read_list(keys_change, "NetworkSettings", list, error);
}

void vsm_network_data_clear(VsmNetworkData *data) {
        g_clear_pointer(&data->tags, g_strfreev);
}

void vsm_network_data_copy(const VsmNetworkData *data, VsmNetworkData *ret) {
        *ret = (VsmNetworkData) { data->subnet, g_strdupv(data->tags) };
}

void vsm_network_data_default(unsigned number, VsmNetworkData *ret) {
        *ret = (VsmNetworkData) {
                .subnet = {
                        .family = number == 1 ? AF_INET : AF_INET6,
                        .metric = VSM_NETWORK_METRIC_DEFAULT,
                },
                .tags = g_strsplit(TAG_ALL_NETWORKS, " ", -1),
        };
}

static char* subnet_number(const VsmSubnet *subnet) {
        VsmInet inet = { .family = subnet->family };

        memcpy(inet.bytes, subnet->bytes, sizeof inet.bytes);
        return vsm_inet_to_text(&inet);
}

bool vsm_network_data_apply(VsmNetworkData *data, const char *where, GVariant *dict, GError **error) {
        g_autofree char *number = data->subnet.family ? subnet_number(&data->subnet) : NULL;
        uint32_t metric = data->subnet.metric;
        g_autofree const char **tags = NULL;
        uint16_t prefix = data->subnet.prefix;
        const char *text = number;
        VsmSubnet subnet;

        (void) g_variant_lookup(dict, "SubnetNumber", "&s", &text);
        (void) g_variant_lookup(dict, "PrefixLength", "q", &prefix);
        (void) g_variant_lookup(dict, "Metric", "u", &metric);
        (void) g_variant_lookup(dict, "Tags", "^a&s", &tags);

        if (!vsm_subnet_parse(text, prefix, &subnet, error)) {
                g_prefix_error(error, "%s: ", where);
                return false;
        }

        data->subnet = subnet;
        data->subnet.metric = metric;
        if (tags) {
                g_strfreev(data->tags);
                data->tags = g_strdupv((char **) tags);
        }

        return true;
}

char* vsm_network_data_to_text(const VsmNetworkData *data) {
        g_autofree char *number = subnet_number(&data->subnet);
        g_autoptr(GVariant) value = NULL;
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "SubnetNumber", "s", number);
        g_variant_dict_insert(&dict, "PrefixLength", "q", (uint16_t) data->subnet.prefix);
        g_variant_dict_insert(&dict, "Metric", "u", data->subnet.metric);
        g_variant_dict_insert(&dict, "Tags", "^as", data->tags);
        value = g_variant_ref_sink(g_variant_dict_end(&dict));
        return g_variant_print(value, TRUE);
}

bool vsm_network_data_from_text(const char *text, VsmNetworkData *ret, GError **error) {
        g_auto(VsmNetworkData) data = { .tags = g_new0(char *, 1) };
        g_autoptr(GVariant) value = NULL, dict = NULL;

        value = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, error);
        if (!value)
                return false;

        dict = vsm_keys_read(keys_new, "NetworkSettings", value, NULL, error);
        if (!dict || !vsm_network_data_apply(&data, "NetworkSettings", dict, error))
                return false;

        *ret = data;
        data = (VsmNetworkData) {};
        return true;
}

char* vsm_network_id(uint64_t number) {
        return g_strdup_printf(ID_PREFIX "%" G_GUINT64_FORMAT, number);
}

uint64_t vsm_network_id_parse(const char *id) {
        guint64 number = 0;

        if (!g_str_has_prefix(id, ID_PREFIX) || id[strlen(ID_PREFIX)] == '0' ||
            !g_ascii_string_to_unsigned(id + strlen(ID_PREFIX), 10, 1, G_MAXUINT64, &number, NULL))
                return 0;

        return number;
}
