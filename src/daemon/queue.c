/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The queue of accepted jobs, and the rule when one starts. Bus thread only. */

#include "daemon/move-type.h"
#include "daemon/move.h"
#include "daemon/queue.h"
#include "daemon/service-state.h"
#include "daemon/service.h"

struct VsmQueue {
        VsmManager *manager;
        GSequence *jobs;        /* borrowed; sorted by turn */
};

static int compare_turn(const void *a, const void *b, void *userdata) {
        const VsmJob *x = a, *y = b;

        if (x->request->priority != y->request->priority)
                return x->request->priority < y->request->priority ? -1 : 1;

        return x->number < y->number ? -1 : x->number > y->number;
}

VsmQueue* vsm_queue_new(VsmManager *manager) {
        VsmQueue *queue = g_new0(VsmQueue, 1);

        queue->manager = manager;
        queue->jobs = g_sequence_new(NULL);
        return queue;
}

void vsm_queue_free(VsmQueue *queue) {
        if (!queue)
                return;

        g_sequence_free(queue->jobs);
        g_free(queue);
}

static void length_changed(VsmQueue *queue) {
        vsm_lookup_queue_changed(queue->manager);
        vsm_manager_update_status(queue->manager);
}

void vsm_queue_add(VsmQueue *queue, VsmJob *job) {
        (void) g_sequence_insert_sorted(queue->jobs, job, compare_turn, NULL);
        length_changed(queue);
}

bool vsm_queue_remove(VsmQueue *queue, VsmJob *job) {
        GSequenceIter *iter = g_sequence_lookup(queue->jobs, job, compare_turn, NULL);

        if (!iter)
                return false;

        g_sequence_remove(iter);
        length_changed(queue);
        return true;
}

/* The first that may start now. One that waits for room keeps those behind it from taking what it needs, so
 * that one that needs room of both kinds gets its turn; one that may not start at all keeps nobody. */
static GSequenceIter* find_next(VsmQueue *queue) {
        VsmServiceRoom room = vsm_service_room(queue->manager);
        GSequenceIter *iter = g_sequence_get_begin_iter(queue->jobs);

        for (; !g_sequence_iter_is_end(iter); iter = g_sequence_iter_next(iter)) {
                const VsmJob *job = g_sequence_get(iter);
                const VsmMoveType *type = vsm_move_type(job->request->migration_type);

                if (!room.system && !room.storage)
                        return NULL;
                if (!vsm_service_may_start(queue->manager, type->type, job->parent > 0))
                        continue;
                if ((room.system || !type->counts_system) && (room.storage || !type->counts_storage))
                        return iter;

                room.system &= !type->counts_system;
                room.storage &= !type->counts_storage;
        }

        return NULL;
}

void vsm_queue_run(VsmQueue *queue) {
        GSequenceIter *next;

        while ((next = find_next(queue))) {
                VsmJob *job = g_sequence_get(next);

                g_sequence_remove(next);
                length_changed(queue);
                vsm_move_job_start(job);
        }

        vsm_service_state_look(queue->manager);
}

unsigned vsm_queue_length(VsmQueue *queue) {
        return (unsigned) g_sequence_get_length(queue->jobs);
}
