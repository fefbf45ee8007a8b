/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <libxml/tree.h>
#include <stdbool.h>

/* What a system's definition says that it uses of its host: the list of what the other host is asked
 * about. Pure: any thread. */

typedef enum {
        VSM_NEED_NETWORK,               /* name: of a libvirt network; device: MAC or graphics */
        VSM_NEED_BRIDGE,                /* name; device: MAC */
        VSM_NEED_OVS_BRIDGE,            /* the same, of Open vSwitch */
        VSM_NEED_LINK,                  /* name: of a network interface of the host; device: MAC */
        VSM_NEED_DISK,                  /* name: target; detail: "ro", "rw", "shared", "transient" */
        VSM_NEED_FILE,                  /* name: path; device: target of the disk */
        VSM_NEED_BLOCK,                 /* the same, a block device */
        VSM_NEED_VOLUME,                /* name: pool; detail: volume; device: target */
        VSM_NEED_STORAGE,               /* name: what it is, reached over a network or otherwise; device: target */
        VSM_NEED_SECRET,                /* name: UUID, or usage; detail: type of the usage, NULL with a UUID */
        VSM_NEED_TPM,                   /* name: model; detail: version, may be NULL; device: type of the backend */
        VSM_NEED_HOST_DEVICE,           /* name: alias, MAC or the like; detail: what it is */
        VSM_NEED_LENT_DEVICE,           /* the same, of a kind that libvirt migrates without: USB, teaming */
        VSM_NEED_VIRTIOFS,              /* name: folder; device: its tag */
        VSM_NEED_HUGE_PAGES,            /* name: KiB, "0" = the host's default; detail: nodes, may be NULL */
        VSM_NEED_PATH,                  /* name: path of the host; device: what uses it */
        VSM_NEED_ADDRESS,               /* name: of the host, or of what it connects to; device: what uses it */
        VSM_NEED_PINNING,               /* name: what it is bound to */
        VSM_NEED_ARGUMENTS,             /* name: what goes to QEMU past libvirt */
        VSM_NEED_UNKNOWN,               /* name: element or type that we do not know; device: which one */
        _VSM_NEED_MAX,
} VsmNeedKind;

typedef struct VsmNeed {
        VsmNeedKind kind;
        char *name;
        char *detail;                   /* or NULL */
        char *device;                   /* or NULL */
} VsmNeed;

typedef struct VsmNeeds {
        GPtrArray *list;                /* VsmNeed, each thing once, in the order of the definition */
        char *virt_type;                /* of the emulator; NULL where it does not say */
        char *arch;
        char *machine;
} VsmNeeds;

VsmNeeds* vsm_needs_new(void); /* nothing */
void vsm_needs_free(VsmNeeds *needs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmNeeds, vsm_needs_free)

/* From the text of a definition, live or not. */
VsmNeeds* vsm_needs_from_xml(const char *xml, GError **error);

bool vsm_needs_has(const VsmNeeds *needs, VsmNeedKind kind);

/* KiB of one page of VSM_NEED_HUGE_PAGES; 0 when it is not known: libvirt does not tell which one a host takes by
 * itself. */
unsigned vsm_needs_page_size(const VsmNeeds *needs, const VsmNeed *need);

const char* vsm_need_kind_to_string(VsmNeedKind kind);

/* for (const VsmNeed *need = NULL; (need = vsm_needs_next(needs, kind, need));) */
const VsmNeed* vsm_needs_next(const VsmNeeds *needs, VsmNeedKind kind, const VsmNeed *after);

/* ---- between the files that read ---- */

/* name NULL: nothing is added */
void vsm_needs_add(VsmNeeds *needs, VsmNeedKind kind, const char *name, const char *detail, const char *device);

/* The text of an attribute, or in an element (node may be NULL): valid and on one line, NULL when there
 * is none. g_free() it. */
char* vsm_needs_attribute(const xmlNode *node, const char *name);
char* vsm_needs_content(const xmlNode *node);

bool vsm_needs_is(const xmlNode *node, const char *name);
bool vsm_needs_attribute_is(const xmlNode *node, const char *name, const char *value);

/* check-needs-devices.c, check-needs-disk.c: the element <devices>; one <disk> */
void vsm_needs_read_devices(VsmNeeds *needs, const xmlNode *devices);
void vsm_needs_read_disk(VsmNeeds *needs, const xmlNode *disk);
