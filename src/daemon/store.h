/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "daemon/effect.h"

/* What has to survive: jobs with what was asked, what was done to a guest on their behalf, each
 * system's MigrationState; settings, networks, hosts and the service's own state as texts. SQLite in the state directory. Every function may wait for the disk:
 * for workers, never for the bus thread, except vsm_store_open() at start. Any worker may call at
 * any time; a call has reached the disk when it returns true. */

typedef struct VsmStore VsmStore;

typedef struct VsmStoredJob {
        uint64_t number;                /* given by insert, never used again */
        uint16_t type;                  /* VSM_JOB_TYPE_* */
        char *system;                   /* UUID */
        char *system_name;
        char *owner;                    /* user name */
        uint32_t owner_uid;
        char *request;                  /* vsm_request_to_text() */
        char *destination;
        char *boot_id;                  /* of the boot in which it was accepted */
        uint64_t submitted;             /* µs, wall clock; so are the next two, 0 = not yet */
        uint64_t started;
        uint64_t ended;
        uint16_t state;                 /* VSM_JOB_STATE_* */
        uint16_t error_code;
        char *error;                    /* sentence of ours, "" */

        /* written down before libvirt's call: what to give back */
        bool begun;                     /* libvirt may have been called */
        bool persistent;
        bool autostart;
        bool paused;
        uint32_t cancel;                /* a cancel that was accepted: 4 or 5 as it was asked for; 0 = none */
        char *address;                  /* of the destination, as dialled */

        /* what it cost */
        uint64_t bytes;
        uint32_t downtime;              /* ms */
        uint16_t percent;               /* when the daemon stopped; not at its end */
        char *remains;                  /* of an ended one: what its object shows besides, "" = nothing; text of
                                         * job-keep.c */
        char *source;                   /* name of the host that it left, as it was then; "" = from a
                                         * version that did not write it down */
        uint64_t parent;                /* number of the evacuation or bring-back that it belongs to; 0 = none */
} VsmStoredJob;

void vsm_stored_job_free(VsmStoredJob *job);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmStoredJob, vsm_stored_job_free)

typedef struct VsmStoredSystem {
        char *uuid;
        uint32_t migration_state;       /* 4 or 5: 0 is not kept; 1-3 belong to an unfinished job */
        uint32_t reason;
} VsmStoredSystem;

void vsm_stored_system_free(VsmStoredSystem *system);

/* directory exists. A damaged or foreign file is set aside beside the new one; *ret_set_aside (if
 * not NULL) then is its new path, to be reported (NULL else). A full or read-only disk, or another
 * process that has the store open, is an error and sets nothing aside. */
VsmStore* vsm_store_open(const char *directory, char **ret_set_aside, GError **error);
void vsm_store_close(VsmStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmStore, vsm_store_close)

/* Sets job->number. */
bool vsm_store_job_insert(VsmStore *store, VsmStoredJob *job, GError **error);

/* Before libvirt is called: begun and what to give back. */
bool vsm_store_job_begin(VsmStore *store, uint64_t number, bool persistent, bool autostart, bool paused,
                         const char *address, GError **error);

/* A cancel was accepted: it is kept up after a restart. state is 4 (Terminate) or 5 (Kill). */
bool vsm_store_job_cancel(VsmStore *store, uint64_t number, uint32_t state, GError **error);

/* How far it was when the daemon stopped: it will not be shown below that. */
bool vsm_store_job_percent(VsmStore *store, uint64_t number, uint16_t percent, GError **error);

bool vsm_store_job_started(VsmStore *store, uint64_t number, uint64_t when, GError **error);

/* For jobs that never touch their system's MigrationState (checks, evacuations). */
#define VSM_STORE_STATE_KEEP UINT32_MAX

/* The end: the job and the state of the system it was inserted with in one transaction, from number,
 * started (the later counts), ended (not 0), state, error_code, error, bytes and downtime. May be
 * repeated. migration_state 0 removes the system's row, VSM_STORE_STATE_KEEP leaves it. */
bool vsm_store_job_end(VsmStore *store, const VsmStoredJob *end, uint32_t migration_state, uint32_t reason,
                       GError **error);

/* What its object shows for as long as it stays after the end; "" when it does not stay. */
bool vsm_store_job_remains(VsmStore *store, uint64_t number, const char *text, GError **error);

/* Those that ended after since (µs, wall clock) and stay, oldest first, as VsmStoredJob; and those whose parent has
 * no end yet. */
GPtrArray* vsm_store_jobs_recent(VsmStore *store, uint64_t since, GError **error);

/* All without an end, oldest first, as VsmStoredJob. */
GPtrArray* vsm_store_jobs_unfinished(VsmStore *store, GError **error);

/* Which finished migrations; "", NULL and 0 are any. */
typedef struct VsmHistoryFilter {
        char *system;                   /* UUID or name */
        char *destination;
        uint64_t since, until;          /* µs, wall clock: those that went on at a time between */
        uint16_t state;
        uint32_t limit;                 /* 0 = VSM_HISTORY_LIMIT_DEFAULT */
        uint32_t offset;
} VsmHistoryFilter;

#define VSM_HISTORY_LIMIT_DEFAULT 100
#define VSM_HISTORY_LIMIT_MAX     1000

/* The newest first, as VsmStoredJob. Checks and what has no system are not among them. */
GPtrArray* vsm_store_history(VsmStore *store, const VsmHistoryFilter *filter, GError **error);

/* Forgets finished ones beyond the newest limit, and finished checks; none of which something is still
 * to be taken back or made final. */
bool vsm_store_history_trim(VsmStore *store, uint32_t limit, GError **error);

/* The one of system's rows: 4 or 5 with its reason, 0 removes it. */
bool vsm_store_system_set(VsmStore *store, const char *uuid, uint32_t migration_state, uint32_t reason,
                          GError **error);

/* All, as VsmStoredSystem. */
GPtrArray* vsm_store_systems(VsmStore *store, GError **error);

/* A time that is kept from the first start on: InstallDate of the service. µs, wall clock; 0 with
 * error. */
uint64_t vsm_store_install_date(VsmStore *store, uint64_t now, GError **error);

/* A number that was never given before and never will be again, from the counter of the jobs. */
bool vsm_store_number_next(VsmStore *store, uint64_t *ret, GError **error);

/* What is kept as text under a key of its own, for those who know what it means. */
typedef enum {
        VSM_STORE_SETTING = 1,          /* numbers in the file: never renumber */
        VSM_STORE_NETWORK = 2,
        VSM_STORE_HOST    = 3,
        VSM_STORE_FACT    = 4,          /* what the service knows about itself */
} VsmStoreKind;

typedef struct VsmStoredText {
        char *key;
        char *value;                    /* NULL = remove; never NULL when read */
} VsmStoredText;

void vsm_stored_text_free(VsmStoredText *text);

/* All of them or none, in this order. */
bool vsm_store_texts_change(VsmStore *store, VsmStoreKind kind, const VsmStoredText *changes, size_t n,
                            GError **error);

/* All of a kind, as VsmStoredText, ordered by key. */
GPtrArray* vsm_store_texts(VsmStore *store, VsmStoreKind kind, GError **error);

/* ---- what moves do on their way (effect.h) ---- */

typedef enum {
        VSM_STORED_OPEN    = 0,         /* numbers in the file: never renumber */
        VSM_STORED_FAILED  = 1,         /* to be taken back */
        VSM_STORED_SUCCESS = 2,         /* to be made final */
} VsmStoredVerdict;

/* Sets effect->id. VSM_ERROR_FAILED also when the job has ended, or its verdict is written. */
bool vsm_store_effect_add(VsmStore *store, uint64_t job, VsmEffect *effect, GError **error);

/* One that is not there is forgotten. */
bool vsm_store_effect_forget(VsmStore *store, uint64_t id, GError **error);

/* Those of a job, as VsmEffect, in the order in which they were written; *ret_verdict may be NULL. */
GPtrArray* vsm_store_effects(VsmStore *store, uint64_t job, VsmStoredVerdict *ret_verdict, GError **error);

/* The verdict, before the first of them is taken back or made final. The first one counts: a crash in
 * between goes on in the same direction. */
bool vsm_store_effects_decide(VsmStore *store, uint64_t job, bool success, GError **error);

/* Jobs that have ended, with a verdict, and have effects left; oldest first, as VsmStoredJob. */
GPtrArray* vsm_store_effects_pending(VsmStore *store, GError **error);
