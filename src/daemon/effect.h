/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What a move does on its way, one act each, written down before it is done. A move ends in one of two
 * ways: it failed, and every act is taken back; or it went well, and every act is made final. Both are done
 * from what is written here alone, so that a later start of the daemon can do them too.
 *
 *      act                             when it failed                  when it went well
 *      a volume is made                it is removed                   -
 *      a definition is placed          it is undefined                 -
 *      a secret is copied              it is undefined there           -
 *      a disk is copied (block job)    the job is ended                -
 *      the guest is shut down          it is started again             -
 *      the guest is paused             it is resumed                   it is resumed there
 *      the guest is paused for a
 *      moment, its disks change over   it is resumed                   it is resumed
 *      a placed definition is taken
 *      into use: our mark goes         the mark is put again           -
 *      a source volume is to go        -                               it is removed
 *
 * Numbers are in the store's file: never renumber. */

typedef enum {
        VSM_EFFECT_VOLUME        = 1,   /* object: path; detail: name of its pool */
        VSM_EFFECT_DEFINITION    = 2,   /* object: UUID of the domain */
        VSM_EFFECT_SECRET        = 3,   /* object: UUID of the secret */
        VSM_EFFECT_BLOCK_COPY    = 4,   /* object: UUID of the domain; detail: target of the disk, a space, and the
                                         * path to which it goes, which those of earlier versions lack */
        VSM_EFFECT_SHUT_DOWN     = 5,   /* object: UUID of the domain */
        VSM_EFFECT_SOURCE_VOLUME = 6,   /* object: path; detail: name of its pool */
        VSM_EFFECT_SUSPENDED     = 7,   /* object: UUID of the domain */
        VSM_EFFECT_UNMARKED      = 8,   /* object: UUID of the domain; detail: number of the job in the mark */
        VSM_EFFECT_HALTED        = 9,   /* object: UUID of the domain */
} VsmEffectKind;

typedef struct VsmEffect {
        uint64_t id;                    /* given by the journal; never used again */
        VsmEffectKind kind;
        bool there;                     /* on the other host; else on this one */
        char *object;
        char *detail;                   /* never NULL */
} VsmEffect;

VsmEffect* vsm_effect_new(VsmEffectKind kind, bool there, const char *object, const char *detail);
VsmEffect* vsm_effect_copy(const VsmEffect *effect);
void vsm_effect_free(VsmEffect *effect);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VsmEffect, vsm_effect_free)

/* The detail of VSM_EFFECT_BLOCK_COPY, and what is in it. The path is borrowed, NULL when it is not told. */
char* vsm_effect_copy_detail(const char *target, const char *path);
char* vsm_effect_copy_target(const VsmEffect *effect);
const char* vsm_effect_copy_path(const VsmEffect *effect);

/* Where they are written down; one for each job. Long lane and other workers. */
typedef struct VsmJournal {
        /* On the disk when it returns true; sets effect->id. False: do not do it. */
        bool (*write)(VsmEffect *effect, void *userdata, GError **error);
        /* Which of the two ends it is; written down before the first act is taken back or made final. */
        bool (*decide)(bool success, void *userdata, GError **error);
        /* It was taken back, or made final. */
        bool (*forget)(uint64_t id, void *userdata, GError **error);
        void *userdata;
} VsmJournal;
