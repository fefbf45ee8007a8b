/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The keys of a MigrationPolicy, and what they mean for one migration. Pure: no bus, no libvirt. Any thread. */

#include <string.h>

#include "daemon/key.h"
#include "daemon/policy-rules.h"
#include "daemon/request.h"
#include "shared/error.h"
#include "shared/method.h"

#define GROUP_MAX       256     /* bytes */
#define FALLBACK_WORDS  "\"live\", \"post-copy\", \"resume\", \"save\", \"shutdown\" and \"leave\""

static char* text_host(const char *text, GError **error) {
        return vsm_host_parse(text, NULL, error);
}

static char* text_fallback(const char *text, GError **error G_GNUC_UNUSED) {
        VsmMethod method;

        return vsm_method_from_string(text, &method) ? g_strdup(text) : NULL;
}

/* It becomes an attribute in XML, which forgets blanks round it and has no control characters. */
static char* text_group(const char *text, GError **error G_GNUC_UNUSED) {
        size_t length = strlen(text);

        if (length > GROUP_MAX || g_ascii_isspace(text[0]) || (length > 0 && g_ascii_isspace(text[length - 1])))
                return NULL;

        for (const char *p = text; *p; p++)
                if (g_ascii_iscntrl(*p))
                        return NULL;

        return g_strdup(text);
}

static const VsmKey keys[] = {
        { .name = "Priority", .type = "q" },
        { .name = "AllowedHosts", .type = "as", .want = "a list of host names, IPv4 or IPv6 addresses, 256 at most",
          .text = text_host, .elements_max = VSM_POLICY_HOSTS_MAX },
        { .name = "AntiAffinityGroup", .type = "s",
          .want = "a name of at most 256 bytes without control characters, and without blanks round it",
          .text = text_group },
        { .name = "Fallback", .type = "as", .want = "a list of " FALLBACK_WORDS ", each once at most",
          .text = text_fallback, .elements_max = _VSM_METHOD_MAX },
        { .name = "MaximumDowntime", .type = "u" },
        {}
};

static bool check_fallback(GVariant *policy, GError **error) {
        g_autofree const char **words = NULL;

        if (!g_variant_lookup(policy, "Fallback", "^a&s", &words))
                return true;

        for (const char **word = words; *word; word++)
                if (g_strv_contains(word + 1, *word)) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                                    "MigrationPolicy: Fallback has \"%s\" twice.", *word);
                        return false;
                }

        return true;
}

GVariant* vsm_policy_read(GVariant *dict, GError **error) {
        g_autoptr(GVariant) policy = vsm_keys_read(keys, "MigrationPolicy", dict, NULL, error);

        return policy && check_fallback(policy, error) ? g_steal_pointer(&policy) : NULL;
}

char* vsm_policy_changes(GVariant *before, GVariant *after) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();

        for (const VsmKey *key = keys; key->name; key++) {
                g_autoptr(GVariant) old = g_variant_lookup_value(before, key->name, NULL);
                g_autoptr(GVariant) new = g_variant_lookup_value(after, key->name, NULL);

                if ((old || new) && (!old || !new || !g_variant_equal(old, new)))
                        g_ptr_array_add(names, (char*) key->name);
        }

        g_ptr_array_add(names, NULL);
        return g_strjoinv(",", (char**) names->pdata);
}

bool vsm_policy_allows(GVariant *policy, const char *const *names) {
        g_autofree const char **hosts = NULL;

        if (!g_variant_lookup(policy, "AllowedHosts", "^a&s", &hosts))
                return true;

        /* what cannot be understood allows nobody: a list that forbids must not become one that allows */
        for (const char **host = hosts; *host; host++) {
                g_autofree char *canonical = vsm_host_parse(*host, NULL, NULL);

                if (canonical && g_strv_contains(names, canonical))
                        return true;
        }

        return false;
}

char* vsm_policy_hosts_to_text(GVariant *policy) {
        g_autofree const char **hosts = NULL;

        if (!g_variant_lookup(policy, "AllowedHosts", "^a&s", &hosts))
                return g_strdup("");

        return g_strjoinv(", ", (char**) hosts);
}

uint16_t vsm_policy_priority(GVariant *policy) {
        uint16_t priority;

        return g_variant_lookup(policy, "Priority", "q", &priority) ? priority : VSM_PRIORITY_DEFAULT;
}

/* A Null of a caller's who sends whole instances counts as absent. */
static bool is_absent(GVariant *dict, const char *name) {
        g_autoptr(GVariant) value = g_variant_lookup_value(dict, name, NULL), canonical = NULL;
        const VsmKey *key = vsm_key_find(keys, "MigrationPolicy", name, NULL);

        return !value || (vsm_key_read(key, "MigrationSettingData", value, NULL, &canonical, NULL) && !canonical);
}

static void fill_in(GVariantDict *dict, GVariant *policy, GVariant *migration, const char *name) {
        g_autoptr(GVariant) value = g_variant_lookup_value(policy, name, NULL);

        if (value && is_absent(migration, name))
                g_variant_dict_insert_value(dict, name, value);
}

GVariant* vsm_policy_fill_in(GVariant *policy, GVariant *migration, bool live) {
        GVariantDict dict;

        g_variant_dict_init(&dict, migration);
        fill_in(&dict, policy, migration, "Priority");
        if (live)
                fill_in(&dict, policy, migration, "MaximumDowntime");

        return g_variant_ref_sink(g_variant_dict_end(&dict));
}
