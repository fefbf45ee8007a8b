/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* From options to libvirt's flags and typed parameters. Pure: any thread. */

#include "daemon/virt/internal.h"
#include "daemon/virt/params.h"
#include "daemon/virt/uri.h"
#include "shared/enums.h"
#include "shared/error.h"

#define MIB (UINT64_C(1) << 20)

/* How hard auto-converge slows the guest down: percent of CPU time taken at first, and more each
 * time it was not enough. libvirt's own values (20, 10) are "normal". */
static const struct {
        int initial;
        int increment;
} throttles[] = {
        [1] = { 10, 5  },
        [2] = { 40, 20 },
};

void vsm_move_params_clear(VsmMoveParams *params) {
        virTypedParamsFree(params->params, params->n_params);
        *params = (VsmMoveParams) {};
}

static bool add_string(VsmMoveParams *p, const char *name, const char *value) {
        return virTypedParamsAddString(&p->params, &p->n_params, &p->n_allocated, name, value) >= 0;
}

static bool add_int(VsmMoveParams *p, const char *name, int value) {
        return virTypedParamsAddInt(&p->params, &p->n_params, &p->n_allocated, name, value) >= 0;
}

static bool add_ullong(VsmMoveParams *p, const char *name, uint64_t value) {
        return virTypedParamsAddULLong(&p->params, &p->n_params, &p->n_allocated, name, value) >= 0;
}

static bool add_transport(
                const VsmMoveOptions *options,
                const char *address,
                VsmMoveParams *p,
                GError **error) {

        const VsmDestination *destination = options->destination;
        g_autofree char *uri = NULL;

        if (destination->transport == VSM_TRANSPORT_SSH) {
                /* Through the control connection, which knows nothing of streams side by side. */
                if (destination->authentication != VSM_AUTHENTICATION_SSH || options->connections > 0) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS,
                                    "TransportType 2 (SSH) needs AuthenticationType 32769 (SSH) and no "
                                    "ParallelConnections");
                        return false;
                }

                p->flags |= VIR_MIGRATE_TUNNELLED;
                return true;
        }

        uri = vsm_uri_migration(address, error);
        if (!uri)
                return false;

        /* The port that waits for the memory is open to the network that was chosen, not to all. */
        if (!add_string(p, VIR_MIGRATE_PARAM_URI, uri) ||
            !add_string(p, VIR_MIGRATE_PARAM_LISTEN_ADDRESS, address))
                goto fail;

        if (destination->transport == VSM_TRANSPORT_TCP)
                return true;

        if (destination->transport != VSM_TRANSPORT_TLS &&
            destination->transport != VSM_TRANSPORT_TLS_STRICT) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_NOT_SUPPORTED, "TransportType %u is not supported",
                            destination->transport);
                return false;
        }

        /* The certificate must be that of the host that was asked for, whatever address answered. */
        p->flags |= VIR_MIGRATE_TLS;
        if (add_string(p, VIR_MIGRATE_PARAM_TLS_DESTINATION, destination->host))
                return true;

fail:
        vsm_virt_error(error, "Cannot describe the migration to libvirt");
        return false;
}

static bool add_tuning(const VsmMoveOptions *options, VsmMoveParams *p, GError **error) {
        bool ok = true;

        if (options->bandwidth > 0)
                ok = add_ullong(p, VIR_MIGRATE_PARAM_BANDWIDTH, (options->bandwidth - 1) / MIB + 1);

        if (options->post_copy != VSM_POST_COPY_NEVER) {
                p->flags |= VIR_MIGRATE_POSTCOPY;

                /* Of what is sent unasked; what the guest waits for is not held up by it. */
                if (options->bandwidth > 0)
                        ok = ok && add_ullong(p, VIR_MIGRATE_PARAM_BANDWIDTH_POSTCOPY,
                                              (options->bandwidth - 1) / MIB + 1);
        }

        if (options->compression)
                p->flags |= VIR_MIGRATE_COMPRESSED;

        /* Both are for a guest that writes too fast. Throttling slows it down for minutes, in which it may seem to
         * converge, and the switch would come late; post-copy needs no help. */
        if (options->throttling && options->post_copy == VSM_POST_COPY_NEVER) {
                p->flags |= VIR_MIGRATE_AUTO_CONVERGE;

                if (options->throttle_magnitude > 0 && options->throttle_magnitude < G_N_ELEMENTS(throttles))
                        ok = ok && add_int(p, VIR_MIGRATE_PARAM_AUTO_CONVERGE_INITIAL,
                                           throttles[options->throttle_magnitude].initial) &&
                                add_int(p, VIR_MIGRATE_PARAM_AUTO_CONVERGE_INCREMENT,
                                        throttles[options->throttle_magnitude].increment);
        }

        if (options->connections > 0) {
                p->flags |= VIR_MIGRATE_PARALLEL;
                ok = ok && add_int(p, VIR_MIGRATE_PARAM_PARALLEL_CONNECTIONS, (int) options->connections);
        }

        if (!ok)
                vsm_virt_error(error, "Cannot describe the migration to libvirt");
        return ok;
}

/* libvirt takes another name by a parameter only: in the texts it must be the old one. Both texts are
 * always given together: with the first alone, the stored definition there would have the old disks. */
static bool add_definition(const VsmMoveDefinition *definition, VsmMoveParams *p, GError **error) {
        bool ok = true;

        if (definition->name)
                ok = add_string(p, VIR_MIGRATE_PARAM_DEST_NAME, definition->name);
        if (definition->live_xml)
                ok = ok && add_string(p, VIR_MIGRATE_PARAM_DEST_XML, definition->live_xml);
        if (definition->stored_xml)
                ok = ok && add_string(p, VIR_MIGRATE_PARAM_PERSIST_XML, definition->stored_xml);

        for (char **disk = definition->disks; ok && disk && *disk; disk++)
                ok = add_string(p, VIR_MIGRATE_PARAM_MIGRATE_DISKS, *disk);
        if (definition->disks && definition->disks[0])
                p->flags |= definition->incremental ? VIR_MIGRATE_NON_SHARED_INC : VIR_MIGRATE_NON_SHARED_DISK;

        if (!ok)
                vsm_virt_error(error, "Cannot describe the system to libvirt");
        return ok;
}

bool vsm_move_params_build(
                const VsmMoveOptions *options,
                const VsmMoveDefinition *definition,
                bool persistent,
                const char *address,
                VsmMoveParams *ret,
                GError **error) {

        g_auto(VsmMoveParams) p = {
                /* Never UNSAFE: a disk that is not shared is a reason, not an option. Never
                 * UNDEFINE_SOURCE: the definition here goes after the guest was seen there. */
                .flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER,
        };

        if (persistent)
                p.flags |= VIR_MIGRATE_PERSIST_DEST;

        if (!add_transport(options, address, &p, error) || !add_tuning(options, &p, error) ||
            (definition && !add_definition(definition, &p, error)))
                return false;

        *ret = p;
        p = (VsmMoveParams) {};
        return true;
}
