/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The journal of one job, in the store. Workers. */

#include "daemon/journal.h"

typedef struct Journal {
        VsmJournal face;                /* first: it is what others hold */
        VsmStore *store;
        uint64_t job;
} Journal;

static bool journal_write(VsmEffect *effect, void *userdata, GError **error) {
        Journal *journal = userdata;

        return vsm_store_effect_add(journal->store, journal->job, effect, error);
}

static bool journal_decide(bool success, void *userdata, GError **error) {
        Journal *journal = userdata;

        return vsm_store_effects_decide(journal->store, journal->job, success, error);
}

static bool journal_forget(uint64_t id, void *userdata, GError **error) {
        Journal *journal = userdata;

        return vsm_store_effect_forget(journal->store, id, error);
}

VsmJournal* vsm_journal_new(VsmStore *store, uint64_t job) {
        Journal *journal = g_new0(Journal, 1);

        *journal = (Journal) {
                .face = { journal_write, journal_decide, journal_forget, journal },
                .store = store,
                .job = job,
        };
        return &journal->face;
}

void vsm_journal_free(VsmJournal *journal) {
        g_free(journal);
}
