/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <libxml/tree.h>

#include "daemon/virt/virt.h"
#include "shared/error.h"

/* What the files of this folder share. Nobody outside includes it: it speaks libvirt. */

/* The cleanup functions below are not called for NULL. All vir*Free() clear the thread's last
 * error: convert it (vsm_virt_error) before the block ends. */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virConnect, virConnectClose)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virDomain, virDomainFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virInterface, virInterfaceFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virNetwork, virNetworkFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virSecret, virSecretFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStoragePool, virStoragePoolFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virStorageVol, virStorageVolFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)

/* ---- loop.c ---- */

/* Registers libvirt's default event implementation, silences its stderr and starts the event
 * thread. Any thread, before the first connection; later calls do nothing. The thread never ends. */
bool vsm_loop_start(GError **error);

/* ---- conn.c ---- */

/* A reference to the shared connection for short calls: virConnectClose() drops it. Does not wait.
 * VSM_ERROR_SYSTEM_NOT_AVAILABLE when there is none. */
virConnectPtr vsm_virt_ref_connection(VsmVirt *virt, GError **error);

/* Blocks. A connection of its own, for one long migration: it carries no events. */
virConnectPtr vsm_virt_open_own(VsmVirt *virt, GError **error);

/* Hands one event to the owner of virt. Event thread or a worker; uuid NULL where no domain is concerned. */
void vsm_virt_emit(VsmVirt *virt, VsmVirtEventType type, const char *uuid, int iteration);

/* ---- events.c ---- */

typedef struct VsmEvents VsmEvents; /* the registrations on one connection */

/* Blocks. Events go to vsm_virt_emit(). */
VsmEvents* vsm_events_register(VsmVirt *virt, virConnectPtr connection, GError **error);

/* Blocks, unless the connection is broken. Takes all back: a registration keeps its connection. */
void vsm_events_free(VsmEvents *events);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmEvents, vsm_events_free)

/* ---- domain.c: for local and remote connections alike ---- */

/* Blocks. Everything about one domain; *ret is NULL, and the result true, when it has gone. */
bool vsm_domain_snapshot(virDomainPtr domain, VsmDomainInfo **ret, GError **error);

/* Blocks. Our policy in its metadata, a{sv} (full reference); empty when there is none or it cannot be told. */
GVariant* vsm_domain_policy(virDomainPtr domain);

/* Blocks. It is being received and its CPUs have not run. At once on the receiving side; elsewhere it
 * may wait for QEMU, and for a domain that is being started (VSM_DOMAIN_STARTING) up to 30 s. */
bool vsm_domain_is_incoming(virDomainPtr domain);

/* Blocks. Looks it up; *ret is NULL, and the result true, when there is no such domain. */
bool vsm_domain_lookup(virConnectPtr connection, const char *uuid, virDomainPtr *ret, GError **error);

/* Blocks. The same, but that there is none is VSM_ERROR_INVALID_STATE. */
virDomainPtr vsm_domain_find(virConnectPtr connection, const char *uuid, GError **error);

/* Blocks. Look-up and snapshot in one. */
bool vsm_domain_look(virConnectPtr connection, const char *uuid, VsmDomainInfo **ret, GError **error);

/* Blocks. libvirt needs the domain's modify job for it: while a migration of it runs, this waits
 * 30 s and is VSM_ERROR_TIMEOUT then. Putting what is already so is left out. */
bool vsm_domain_set_autostart(virConnectPtr connection, const char *uuid, bool autostart, GError **error);

/* ---- stats.c ---- */

/* Pure. active is left false by those of a completed job: they carry no type. */
void vsm_stats_from_params(virTypedParameterPtr params, int n_params, VsmTransferStats *ret);

/* Blocks. Statistics of the domain's running job, or (completed) of its last one, which stay
 * readable. No job, no domain any more and the receiving side of a migration are no errors: all
 * is 0 then. *ret_operation (may be NULL) is a VIR_DOMAIN_JOB_OPERATION_*, UNKNOWN without job. */
bool vsm_stats_read(
                virDomainPtr domain,
                bool completed,
                VsmTransferStats *ret,
                virDomainJobOperation *ret_operation,
                GError **error);

/* Blocks. vsm_virt_sample() and vsm_virt_abort(), on any connection. */
bool vsm_stats_look(virConnectPtr connection, const char *uuid, VsmTransferStats *ret, GError **error);
bool vsm_stats_abort(virConnectPtr connection, const char *uuid, bool *ret_running, GError **error);

/* ---- policy.c: pure ---- */

/* Parses with what is safe for text of others: no network, no entities, no DTD, at most limit
 * bytes. VSM_ERROR_FAILED when it is none. xmlFreeDoc() it. */
xmlDoc* vsm_xml_parse(const char *text, size_t limit, GError **error);

/* The first child element of that name, in that namespace (NULL: in none); NULL when there is none. */
xmlNode* vsm_xml_child(const xmlNode *parent, const char *name, const char *namespace);

/* Our policy element as a{sv} (full reference) with the contract's keys; what is not understood is
 * left out, as who wrote it may be newer. NULL, with error, when it is no XML or not our element. */
GVariant* vsm_policy_from_xml(const char *xml, GError **error);

/* The same from a parsed element. */
GVariant* vsm_policy_from_node(const xmlNode *node);

/* The element as virDomainSetMetadata() wants it: without the namespace, which libvirt puts. policy
 * must have been checked: keys and types of the contract, others are left out. g_free() it. */
char* vsm_policy_to_xml(GVariant *policy);

/* ---- error.c ---- */

/* The VsmError for a VIR_ERR_* (code) of a VIR_FROM_* (domain). Pure. What comes from the RPC layer
 * is SYSTEM_NOT_AVAILABLE; that is wrong for a peer-to-peer call, where it may be the other host's:
 * such callers use vsm_virt_error_as(). */
VsmError vsm_virt_error_code(int code, int domain);

/* Puts "<format>: <libvirt's text>" with the code of the calling thread's last libvirt error. To be
 * called in the thread that failed, before anything else of libvirt: every function of it clears
 * the last error, virDomainGetName() in the arguments of this one included. */
void vsm_virt_error(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* The same with a code of the caller's choice. */
void vsm_virt_error_as(GError **error, VsmError code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* As much of libvirt's (or another host's) text as may go into a message: valid UTF-8, one line, at
 * most 500 bytes. NULL gives "unknown error". g_free() it. */
char* vsm_virt_text(const char *text);
