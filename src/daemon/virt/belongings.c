/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include <string.h>

#include "daemon/virt/belongings.h"
#include "daemon/virt/definition-private.h"
#include "daemon/virt/move-place.h"
#include "daemon/virt/xml.h"
#include "shared/error.h"

static bool refuse(GError **error, const VsmBelongings *belongings, const char *what) {
        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS, "System '%s' %s",
                    virDomainGetName(belongings->domain), what);
        return false;
}

/* One file that both hosts have: the same to the microsecond. */
static bool is_same_file(const VsmBelongings *belongings, const char *path) {
        g_autoptr(VsmVolume) here = NULL, there = NULL;

        return vsm_volume_look(belongings->here, path, &here, NULL) && here && here->changed != 0 &&
               vsm_volume_look(belongings->there, path, &there, NULL) && there &&
               there->changed == here->changed && there->physical == here->physical;
}

static bool is_shared_file(const VsmBelongings *belongings, const char *path) {
        return vsm_path_is_on_network(path, /* otherwise = */ false) || is_same_file(belongings, path);
}

/* A pool and a volume are but names, which may mean something else there. */
static bool is_shared_volume(const VsmBelongings *belongings, const VsmLayer *layer) {
        g_autoptr(VsmPool) pool = vsm_pool_look(belongings->here, layer->pool);
        g_autofree char *here = NULL, *there = NULL;

        if (!pool)
                return false;
        if (vsm_pool_is_on_network(pool))
                return true;

        here = vsm_layer_find(belongings->here, layer);
        there = here ? vsm_layer_find(belongings->there, layer) : NULL;
        if (!there || strcmp(here, there) != 0)
                return false;

        return pool->kind == VSM_POOL_FILES ? is_shared_file(belongings, here) : vsm_path_is_network_device(here);
}

/* As libvirt has it for live migrations, and more careful with block devices, which it takes all for shared:
 * what is on no network is another disk there, whatever its path. */
static bool is_shared(const VsmBelongings *belongings, const VsmDiskStep *step) {
        const VsmLayer *layer = &step->from_layer;

        if (layer->volume)
                return layer->pool && is_shared_volume(belongings, layer);
        if (!step->from_path)
                return true;

        return strcmp(layer->type, "block") == 0 ? vsm_path_is_network_device(step->from_path) :
                                                   is_shared_file(belongings, step->from_path);
}

static bool check_shared(const VsmBelongings *belongings, GError **error) {
        for (guint i = 0; i < belongings->plan->disks->len; i++) {
                const VsmDiskStep *step = belongings->plan->disks->pdata[i];

                if (step->kind != VSM_DISK_SHARED || is_shared(belongings, step))
                        continue;

                g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                            "Disk '%s' of system '%s' is not on storage that host '%s' has as well: name it "
                            "in "
                            "NewResourceSettingData, so that it is copied",
                            step->target, virDomainGetName(belongings->domain), belongings->host);
                return false;
        }

        return true;
}

static bool has_emulated_tpm(xmlDoc *doc) {
        for (xmlNode *node = NULL; (node = vsm_definition_next(doc, "tpm", node));) {
                const xmlNode *backend = vsm_xml_child(node, "backend", NULL);

                if (backend && vsm_xml_attribute_is(backend, "type", "emulator"))
                        return true;
        }

        return false;
}

static bool check_nvram(const VsmBelongings *belongings, GError **error) {
        g_autoptr(xmlDoc) doc = vsm_definition_parse(belongings->xml, error);
        g_autofree char *nvram = NULL;
        xmlNode *os;

        if (!doc)
                return false;

        os = vsm_xml_child(xmlDocGetRootElement(doc), "os", NULL);
        nvram = os ? vsm_xml_content(vsm_xml_child(os, "nvram", NULL)) : NULL;
        if (nvram && !is_same_file(belongings, nvram))
                return refuse(error, belongings,
                              "keeps its firmware's variables (NVRAM) in a file that libvirt can "
                              "send to another host only while it runs: start it, and move it live");

        return true;
}

static bool check_tpm(const VsmBelongings *belongings, GError **error) {
        g_autoptr(xmlDoc) doc = vsm_definition_parse(belongings->xml, error);

        if (!doc)
                return false;

        if (has_emulated_tpm(doc))
                return refuse(error, belongings,
                              "has a TPM whose state libvirt can send to another host only while it "
                              "runs: start it, and move it live");

        return true;
}

static bool check_checkpoints(const VsmBelongings *belongings, GError **error) {
        if (virDomainListAllCheckpoints(belongings->domain, NULL, 0) > 0)
                return refuse(error, belongings,
                              "has checkpoints, which libvirt does not take along: remove them");

        return true;
}

static bool check_snapshots(const VsmBelongings *belongings, GError **error) {
        return vsm_snapshots_check(belongings->domain, belongings->plan, belongings->renamed, error);
}

static const struct {
        const char *code;
        bool (*func)(const VsmBelongings *belongings, GError **error);
} questions[] = {
                {"disk-not-shared", check_shared},
                {"nvram-not-carried", check_nvram},
                {"tpm-not-carried", check_tpm},
                {"not-migratable", check_checkpoints},
                {"has-snapshots", check_snapshots},
};

bool vsm_belongings_check(const VsmBelongings *belongings, VsmReasons *reasons, GError **error) {
        for (size_t i = 0; i < G_N_ELEMENTS(questions); i++) {
                const char *name = virDomainGetName(belongings->domain);
                g_autoptr(GError) local = NULL;

                if (questions[i].func(belongings, &local))
                        continue;

                if (!reasons || local->code != VSM_ERROR_INCOMPATIBLE_PARAMETERS) {
                        g_propagate_error(error, g_steal_pointer(&local));
                        return false;
                }

                vsm_reasons_add(reasons, questions[i].code, name, local->message, name, NULL);
        }

        return true;
}
