/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* One look at another host: does its libvirt answer, and how much memory can be had there. The whole
 * of it ends with its deadline, also when the host freezes between two answers. Workers. */

#include <string.h>

#include "daemon/virt/patience.h"
#include "daemon/virt/peer.h"
#include "shared/error.h"

/* What the kernel would give up counts, which virNodeGetFreeMemory() leaves out. libvirt's are KiB. */
bool vsm_peer_memory(VsmPeer *peer, uint64_t *ret_available, uint64_t *ret_total, GError **error) {
        virConnectPtr connection = vsm_peer_connection(peer);
        g_autofree virNodeMemoryStats *stats = NULL;
        uint64_t sum = 0, total = 0;
        int n = 0;

        if (virNodeGetMemoryStats(connection, VIR_NODE_MEMORY_STATS_ALL_CELLS, NULL, &n, 0) < 0 || n <= 0)
                goto fail;

        stats = g_new0(virNodeMemoryStats, n);
        if (virNodeGetMemoryStats(connection, VIR_NODE_MEMORY_STATS_ALL_CELLS, stats, &n, 0) < 0)
                goto fail;

        for (int i = 0; i < n; i++)
                if (strcmp(stats[i].field, VIR_NODE_MEMORY_STATS_FREE) == 0 ||
                    strcmp(stats[i].field, VIR_NODE_MEMORY_STATS_BUFFERS) == 0 ||
                    strcmp(stats[i].field, VIR_NODE_MEMORY_STATS_CACHED) == 0)
                        sum += stats[i].value;
                else if (strcmp(stats[i].field, VIR_NODE_MEMORY_STATS_TOTAL) == 0)
                        total = stats[i].value;

        *ret_available = sum * 1024;
        *ret_total = total * 1024;
        return true;

fail:
        vsm_virt_error_as(error, VSM_ERROR_FAILED, "Host '%s' does not tell how much memory it has",
                          vsm_peer_host(peer));
        return false;
}

bool vsm_peer_available_memory(VsmPeer *peer, uint64_t *ret, GError **error) {
        uint64_t total;

        return vsm_peer_memory(peer, ret, &total, error);
}

typedef struct Probe {
        VsmDestination *destination;
        int64_t deadline;
} Probe;

static void probe_free(void *p) {
        Probe *probe = p;

        vsm_destination_free(probe->destination);
        g_free(probe);
}

static void* probe_thread(void *input, GError **error) {
        Probe *probe = input;
        int64_t left = probe->deadline - g_get_monotonic_time();
        g_autoptr(VsmPeer) peer = NULL;
        uint64_t memory;

        peer = vsm_peer_open(probe->destination, (uint64_t) MAX(left, 0), NULL, error);
        if (!peer || !vsm_peer_available_memory(peer, &memory, error))
                return NULL;

        return g_memdup2(&memory, sizeof memory);
}

bool vsm_peer_probe(
                const VsmDestination *destination,
                uint64_t deadline,
                uint64_t *ret_memory,
                GError **error) {

        int64_t until = g_get_monotonic_time() + (int64_t) deadline;
        g_autofree char *what = g_strdup_printf("Host '%s'", destination->host);
        g_autofree uint64_t *memory = NULL;
        Probe *probe = g_new(Probe, 1);

        *probe = (Probe) { vsm_destination_copy(destination), until };
        memory = vsm_patience_run(
                        &(VsmPatience) {
                                .what = what,
                                .host = destination->host,
                                .func = probe_thread,
                                .input = probe,
                                .input_free = probe_free,
                                .result_free = g_free,
                        },
                        until, NULL, error);
        if (!memory)
                return false;

        *ret_memory = *memory;
        return true;
}
