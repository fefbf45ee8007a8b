/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The options of an evacuation and of bringing back, held against their keys. Form only: whether a host or a
 * system of that name exists is seen by who acts on it. Pure; any thread. */

#include <stddef.h>
#include <string.h>

#include "daemon/evacuation-options.h"
#include "daemon/key.h"
#include "daemon/request.h"
#include "shared/error.h"

#define DESTINATIONS_MAX 256
#define SYSTEMS_MAX 65536
#define PLAN_ID_MAX 64
#define DEADLINE_MAX (UINT64_C(365) * 24 * 3600 * G_USEC_PER_SEC) /* so that now + it never overflows */

/* Fallback is words until it is a chain. */
typedef struct Landed {
        VsmEvacuationOptions options;
        char **fallback;
} Landed;

static char* text_host(const char *text, GError **error) {
        return vsm_host_parse(text, NULL, error);
}

static char* text_uuid(const char *text, GError **error) {
        return g_uuid_string_is_valid(text) ? g_ascii_strdown(text, -1) : NULL;
}

static char* text_plan(const char *text, GError **error) {
        for (const char *p = text; *p; p++)
                if (!g_ascii_isalnum(*p) && *p != '-')
                        return NULL;

        return strlen(text) <= PLAN_ID_MAX ? g_strdup(text) : NULL;
}

#define KEY(key, bus, ...) { .name = key, .type = bus, __VA_ARGS__ }
#define LAND(where, member) .landing = VSM_LAND_##where, .offset = offsetof(Landed, member)

static const VsmKey evacuation_keys[] = {
        KEY("Destinations", "as", .want = "a list of at most 256 host names, IPv4 or IPv6 addresses",
            .text = text_host, .elements_max = DESTINATIONS_MAX, LAND(STRV, options.destinations)),
        KEY("Systems",      "ao", .elements_max = SYSTEMS_MAX, LAND(STRV, options.systems)),
        KEY("Deadline",     "t",  .max = DEADLINE_MAX, LAND(UINT64, options.deadline)),
        KEY("Fallback",     "as", LAND(STRV, fallback)),
        KEY("PlanID",       "s",  .want = "the PlanID of a plan that was made before", .text = text_plan,
            LAND(STRING, options.plan_id)),
        KEY("KeepDraining", "b",  LAND(BOOL, options.keep_draining)),
        {}
};

static const VsmKey bring_back_keys[] = {
        KEY("Systems", "as", .want = "a list of UUIDs", .text = text_uuid, .elements_max = SYSTEMS_MAX,
            LAND(STRV, options.systems)),
        {}
};

void vsm_evacuation_options_free(VsmEvacuationOptions *options) {
        if (!options)
                return;

        g_strfreev(options->destinations);
        g_strfreev(options->systems);
        g_free(options->plan_id);
        g_free(options);
}

static bool check_once(const char *key, char **list, GError **error) {
        g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

        for (char **p = list; p && *p; p++) {
                g_autofree char *quoted = NULL;

                if (g_hash_table_add(seen, *p))
                        continue;

                quoted = vsm_text_quote(*p);
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                            "Options: %s has \"%s\" twice and must have it once.", key, quoted);
                return false;
        }

        return true;
}

/* A plan has its hosts, its systems and their ways in it. */
static bool check_plan_id(const VsmEvacuationOptions *options, GError **error) {
        const char *beside = options->destinations ? "Destinations" :
                options->systems ? "Systems" : options->fallback.n > 0 ? "Fallback" : NULL;

        if (!options->plan_id || !beside)
                return true;

        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                    "Options: %s may not stand beside PlanID: the plan has it already.", beside);
        return false;
}

static VsmEvacuationOptions* options_read(const VsmKey *keys, GVariant *dict, GError **error) {
        g_autoptr(VsmEvacuationOptions) options = g_new0(VsmEvacuationOptions, 1);
        g_autoptr(GVariant) canonical = NULL;
        g_auto(GStrv) fallback = NULL;
        Landed landed = {};

        canonical = vsm_keys_read(keys, "Options", dict, &landed, error);
        *options = landed.options;
        fallback = landed.fallback;
        if (!canonical)
                return NULL;

        if (fallback && !vsm_chain_parse((const char *const *) fallback, &options->fallback, error)) {
                g_prefix_error(error, "Options: Fallback: ");
                return NULL;
        }

        if (!check_once("Destinations", options->destinations, error) ||
            !check_once("Systems", options->systems, error) ||
            !check_plan_id(options, error))
                return NULL;

        return g_steal_pointer(&options);
}

VsmEvacuationOptions* vsm_evacuation_options_new(GVariant *dict, GError **error) {
        return options_read(evacuation_keys, dict, error);
}

VsmEvacuationOptions* vsm_bring_back_options_new(GVariant *dict, GError **error) {
        return options_read(bring_back_keys, dict, error);
}

GVariant* vsm_evacuation_options_to_variant(const VsmEvacuationOptions *options) {
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        if (options->destinations)
                g_variant_dict_insert(&dict, "Destinations", "^as", options->destinations);
        if (options->systems)
                g_variant_dict_insert(&dict, "Systems", options->systems[0][0] == '/' ? "^ao" : "^as",
                                      options->systems);
        if (options->deadline > 0)
                g_variant_dict_insert(&dict, "Deadline", "t", options->deadline);
        if (options->fallback.n > 0) {
                g_auto(GStrv) words = vsm_chain_to_strv(&options->fallback);

                g_variant_dict_insert(&dict, "Fallback", "^as", words);
        }
        if (options->plan_id)
                g_variant_dict_insert(&dict, "PlanID", "s", options->plan_id);
        if (options->keep_draining)
                g_variant_dict_insert(&dict, "KeepDraining", "b", TRUE);

        return g_variant_ref_sink(g_variant_dict_end(&dict));
}
