/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The words of the Hyper-V sample that move disks, with the system or without it. There each disk of the system
 * is named; here "*" means them all. */

#include <glib/gi18n.h>

#include "client/migrate.h"
#include "client/site.h"
#include "client/verbs.h"

/* What an argument of a word is, in its order. */
typedef struct Place {
        const char *type;               /* of the migration, as --type has it */
        const char *path;               /* a directory; "" = the destination's pool decides */
        const char *pool;               /* NULL = none is named */
} Place;

static bool build(VsmRequest *request, const Place *place, GError **error) {
        const char *const paths[] = { place->path, NULL };
        g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE("aa{sv}"));
        g_auto(GVariantDict) disk = G_VARIANT_DICT_INIT(NULL);

        request->type = g_strdup(place->type);
        if (!vsm_request_build(request, error))
                return false;

        g_variant_dict_insert(&disk, "ResourceType", "q", 31);
        g_variant_dict_insert(&disk, "InstanceID", "s", "*");
        g_variant_dict_insert(&disk, "HostResource", "^as", paths);
        if (place->pool)
                g_variant_dict_insert(&disk, "PoolID", "s", place->pool);
        g_variant_builder_add_value(&list, g_variant_dict_end(&disk));

        g_variant_unref(request->resources);
        request->resources = g_variant_ref_sink(g_variant_builder_end(&list));
        return true;
}

static int run(VsmClient *client, const Place *place, const char *source, const char *vm, const char *destination) {
        g_autofree char *host = destination ? vsm_site_host(destination) : g_strdup("");
        g_auto(VsmRequest) request = {};
        GError *error = NULL;

        if (!build(&request, place, &error) || !vsm_site_select(client, source, &error))
                return vsm_client_fail(client, error);

        return vsm_migrate_run(client, &request, vm, host, /* wait= */ true);
}

static bool parse(VsmClient *client, int n, int *argc, char ***argv, int *ret_status) {
        GError *error = NULL;

        if (vsm_client_parse(client, NULL, argc, argv, n, n, &error))
                return true;

        *ret_status = vsm_client_fail(client, error);
        return false;
}

int vsm_word_system_and_storage_simple(VsmClient *client, int argc, char **argv) {
        int status;

        if (!parse(client, 3, &argc, &argv, &status))
                return status;

        return run(client, &(Place) { "live-and-storage", "", NULL }, argv[1], argv[3], argv[2]);
}

int vsm_word_system_and_storage(VsmClient *client, int argc, char **argv) {
        int status;

        if (!parse(client, 4, &argc, &argv, &status))
                return status;

        return run(client, &(Place) { "live-and-storage", argv[4], NULL }, argv[1], argv[3], argv[2]);
}

int vsm_word_storage_simple(VsmClient *client, int argc, char **argv) {
        int status;

        if (!parse(client, 3, &argc, &argv, &status))
                return status;

        return run(client, &(Place) { "storage", argv[3], NULL }, argv[1], argv[2], NULL);
}

int vsm_word_storage_with_pool(VsmClient *client, int argc, char **argv) {
        int status;

        if (!parse(client, 4, &argc, &argv, &status))
                return status;

        return run(client, &(Place) { "storage", argv[4], argv[3] }, argv[1], argv[2], NULL);
}
