/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "daemon/manager.h"

/* A call that is answered later, from a task, and within the time that the contract gives. The task and
 * the time limit both know it; the first one answers. Bus thread only. */

typedef struct VsmAnswer VsmAnswer;

/* late: the sentence for the caller when the time is over; static. */
VsmAnswer* vsm_answer_new(VsmManager *manager, sd_bus_message *call, const char *late);
void vsm_answer_free(VsmAnswer *answer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmAnswer, vsm_answer_free)

/* Fires when the time is over; for the worker, which takes a reference. Borrowed. */
VsmCancel* vsm_answer_cancel(VsmAnswer *answer);

/* The first of these answers; what comes after it, or after the time limit, does nothing. Values follow
 * the ReturnValue, each of its own type, ended by NULL; floating ones are taken. */
void vsm_answer_return(VsmAnswer *answer, uint32_t return_value, ...) G_GNUC_NULL_TERMINATED;
void vsm_answer_values(VsmAnswer *answer, ...) G_GNUC_NULL_TERMINATED; /* of a method without ReturnValue */
void vsm_answer_done(VsmAnswer *answer); /* of a method that returns nothing */
void vsm_answer_error(VsmAnswer *answer, const GError *error);
