/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/draining.h"
#include "daemon/service-facts.h"
#include "daemon/service-state.h"

/* What service-state.c, service-request.c and draining.c share. Bus thread only. */

struct VsmServiceState {
        VsmServiceFacts facts;
        sd_event_source *limit;         /* TimeoutPeriod of the quiesce */
        bool ending;                    /* its end is being written down */
        GQueue changes;                 /* Change: the first one is at the disk */
};

typedef enum {
        VSM_CHANGE_REQUEST,             /* somebody asks for a state */
        VSM_CHANGE_QUIESCED,            /* the job of a quiesce ends */
        VSM_CHANGE_DRAIN,               /* draining begins or ends */
} VsmServiceChangeKind;

/* Worked out at its turn, written down, then acted on. */
typedef struct VsmServiceChange {
        VsmTask task;
        VsmManager *manager;
        VsmStore *store;
        VsmServiceChangeKind kind;

        /* a request */
        sd_bus_message *call;
        bool replies_job;
        uint16_t wanted;
        uint64_t timeout;
        uid_t caller;

        /* the end of a quiesce */
        uint64_t ends;                  /* number of the job that ends */
        VsmJobState end;
        VsmError code;
        const char *sentence;           /* static */

        /* draining */
        bool draining, keep;
        VsmDrained drained;             /* NULL = nobody waits */
        void *userdata;
        char *directory;                /* of the file that refuses guests, when that changes */
        char *refusal;                  /* what it is to say; NULL = it goes */

        VsmServiceFacts next;           /* once it is written down */
        bool needs_job;
} VsmServiceChange;

VsmServiceChange* vsm_service_change_new(VsmManager *manager, VsmServiceChangeKind kind);

/* Takes it; they are made in the order of the pushes. */
void vsm_service_change_push(VsmServiceChange *change);
