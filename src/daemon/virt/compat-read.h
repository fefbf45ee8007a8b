/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/compat.h"
#include "daemon/virt/internal.h"

/* What guests need and hosts offer, as their libvirts tell it. For local and remote connections alike;
 * all of it blocks for some tens of milliseconds, or for seconds when libvirt has to look at an emulator
 * for the first time. */

/* only: in full just the platforms that it has, others are there without contents; NULL: all that KVM can
 * run there, and the host's own architecture. Its paths are never handed to libvirt, which would run them:
 * it may come from a blob. */
VsmCompat* vsm_compat_read_host(virConnectPtr connection, const VsmCompat *only, GError **error);

/* In the state that it is in: a guest that is off takes the CPU that it finds, one that has started (or
 * was saved) has the CPU that it has. */
VsmCompat* vsm_compat_read_system(virConnectPtr connection, virDomainPtr domain, GError **error);

/* Features of the CPU that an element <cpu> describes, with those of its model, on a host's platform;
 * sorted. NULL, with VSM_ERROR_NOT_SUPPORTED, where libvirt has no names for them. */
char** vsm_compat_expand(virConnectPtr connection, const VsmCompatPlatform *platform, const xmlNode *cpu,
                         GError **error);

/* An attribute; NULL when there is none, or its text may not stand in a blob. g_free() it. */
char* vsm_compat_attribute(const xmlNode *node, const char *name);

/* The text in an element, as above; node may be NULL. */
char* vsm_compat_content(const xmlNode *node);
