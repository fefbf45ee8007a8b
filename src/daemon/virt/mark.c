/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Workers. */

#include "daemon/virt/mark.h"
#include "daemon/virt/side.h"
#include "daemon/virt/undo.h"
#include "daemon/virt/xml.h"
#include "shared/names.h"

#define PREFIX "vsm-planned"

bool vsm_mark_read(virDomainPtr domain, VsmPlanned **ret, GError **error) {
        char *xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
        bool ok;

        *ret = NULL;
        if (!xml) {
                vsm_virt_error(error, "its definition cannot be read");
                return false;
        }

        ok = vsm_planned_from_xml(xml, ret, error);
        free(xml);
        return ok;
}

/* Without the namespace, which libvirt puts. g_free() it. */
static char *mark_to_xml(const VsmPlanned *planned) {
        g_autoptr(xmlDoc) doc = xmlNewDoc(BAD_CAST "1.0");
        xmlNode *mark = xmlNewNode(NULL, BAD_CAST VSM_METADATA_PLANNED_ELEMENT);

        xmlDocSetRootElement(doc, mark);
        xmlNewProp(mark, BAD_CAST "source", BAD_CAST planned->source);
        xmlNewProp(mark, BAD_CAST "job", BAD_CAST planned->job);
        for (guint i = 0; i < planned->volumes->len; i++) {
                const VsmPlannedVolume *volume = g_ptr_array_index(planned->volumes, i);
                xmlNode *node = xmlNewChild(mark, NULL, BAD_CAST "volume", NULL);

                xmlNewProp(node, BAD_CAST "path", BAD_CAST volume->path);
                xmlNewProp(node, BAD_CAST "pool", BAD_CAST volume->pool);
        }

        return vsm_xml_to_text(doc);
}

static bool set(virDomainPtr domain, const char *xml, GError **error) {
        if (virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, xml, xml ? PREFIX : NULL,
                                 VSM_METADATA_PLANNED_URI, VIR_DOMAIN_AFFECT_CONFIG) >= 0)
                return true;

        vsm_virt_error(error, "the mark of its definition cannot be changed");
        return false;
}

bool vsm_mark_put(virDomainPtr domain, const VsmPlanned *planned, GError **error) {
        g_autofree char *xml = mark_to_xml(planned);

        return set(domain, xml, error);
}

bool vsm_mark_remove(virDomainPtr domain, GError **error) {
        return set(domain, NULL, error);
}

/* When it was gone here already, what is there is all that is left of it. */
static bool is_only_one(const VsmUndo *undo, bool *ret, GError **error) {
        g_autoptr(virDomain) here = NULL;

        *ret = false;
        if (!undo->effect->there)
                return true;

        if (!undo->here) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_SYSTEM_NOT_AVAILABLE,
                            "it is not known whether it is still on this host");
                return false;
        }

        if (!vsm_domain_lookup(undo->here, undo->effect->object, &here, error))
                return false;

        *ret = !here;
        return true;
}

/* Marked again, it is known for what we placed, and its definition can be taken back as well. */
bool vsm_undo_unmarked(const VsmUndo *undo, char **ret_told, GError **error) {
        const char *uuid = undo->effect->object;
        g_autoptr(VsmPlanned) planned = NULL;
        bool only = false;
        g_autoptr(virDomain) domain = NULL;
        VsmSide side;

        if (!vsm_domain_lookup(undo->connection, uuid, &domain, error))
                return false;
        if (!domain)
                return true;

        side = vsm_side_of(domain, undo->effect->there ? VSM_HOST_THERE : VSM_HOST_HERE);
        if (side == VSM_SIDE_ABSENT)
                return true;

        if (side == VSM_SIDE_UNKNOWN || side == VSM_SIDE_INCOMING || side == VSM_SIDE_STOPPING) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "it is %s", vsm_side_to_string(side));
                return false;
        }

        if (side != VSM_SIDE_OFF && side != VSM_SIDE_OFF_MIGRATED) {
                *ret_told = g_strdup_printf("The definition of '%s' is in use: it is %s", uuid,
                                            vsm_side_to_string(side));
                return true;
        }

        /* somebody has used it, and what he wrote is to be lost by nobody's tidying up */
        if (vsm_side_has_run(domain)) {
                *ret_told = g_strdup_printf("The definition of '%s' is kept: it has run there", uuid);
                return true;
        }

        if (!is_only_one(undo, &only, error))
                return false;
        if (only) {
                *ret_told = g_strdup_printf("The definition of '%s' is kept: there is none on this host any more",
                                            uuid);
                return true;
        }

        if (!vsm_mark_read(domain, &planned, error))
                return false;
        if (planned)
                return true;

        planned = vsm_planned_new("", undo->effect->detail);
        return vsm_mark_put(domain, planned, error);
}
