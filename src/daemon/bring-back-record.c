/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Workers. */

#include "daemon/bring-back-record.h"
#include "shared/error.h"

bool vsm_away_moved(const VsmAway *away) {
        return away->host[0] != '\0';
}

static bool is_asleep(const VsmLeaver *leaver) {
        return leaver->end == VSM_LEAVING_SAVED || leaver->end == VSM_LEAVING_SHUT_DOWN;
}

static VsmAway* find(GPtrArray *all, const char *uuid) {
        for (guint i = 0; i < all->len; i++)
                if (g_str_equal(((VsmAway*) all->pdata[i])->uuid, uuid))
                        return all->pdata[i];

        return NULL;
}

/* One that went to another host later is there. */
static bool add_sleepers(VsmStore *store, GPtrArray *all, GError **error) {
        g_autoptr(VsmEvacuationRecord) record = NULL;
        g_autoptr(GError) local = NULL;

        record = vsm_evacuation_record_read(store, &local);
        if (local) {
                g_propagate_error(error, g_steal_pointer(&local));
                return false;
        }

        for (guint i = 0; record && i < record->leavers->len; i++) {
                const VsmLeaver *leaver = record->leavers->pdata[i];

                if (is_asleep(leaver) && !find(all, leaver->uuid))
                        g_ptr_array_add(all, vsm_away_new(leaver->uuid, leaver->name, "", NULL));
        }

        return true;
}

static bool keep_wanted(GPtrArray *all, char **systems, GError **error) {
        for (char **p = systems; *p; p++)
                if (!find(all, *p)) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                                    "Options: Systems names %s, which did not leave this host in its last "
                                    "evacuation, or has come home.", *p);
                        return false;
                }

        for (guint i = all->len; i > 0; i--)
                if (!g_strv_contains((const char* const*) systems, ((VsmAway*) all->pdata[i - 1])->uuid))
                        (void) g_ptr_array_remove_index(all, i - 1);

        return true;
}

GPtrArray* vsm_bring_back_record_read(VsmStore *store, char **systems, GError **error) {
        g_autoptr(GPtrArray) all = vsm_evacuation_record_away(store, error);

        if (!all || !add_sleepers(store, all, error) || (systems && !keep_wanted(all, systems, error)))
                return NULL;

        return g_steal_pointer(&all);
}

/* Those that sleep on this host and are in no list come into it. */
bool vsm_bring_back_record_call(VsmStore *store, GPtrArray *coming, GError **error) {
        g_autoptr(GPtrArray) all = vsm_evacuation_record_away(store, error);
        bool changed = false;

        if (!all)
                return false;

        for (guint i = 0; i < coming->len; i++) {
                VsmAway *away = coming->pdata[i], *listed = find(all, away->uuid);

                if (away->called)
                        continue;

                away->called = changed = true;
                if (listed)
                        listed->called = true;
                else
                        g_ptr_array_add(all, vsm_away_copy(away));
        }

        return !changed || vsm_evacuation_record_set_away(store, all, error);
}

static bool forget_away(VsmStore *store, const char *uuid, GError **error) {
        g_autoptr(GPtrArray) all = vsm_evacuation_record_away(store, error);
        VsmAway *away;

        if (!all)
                return false;

        away = find(all, uuid);
        if (!away)
                return true;

        (void) g_ptr_array_remove(all, away);
        return vsm_evacuation_record_set_away(store, all, error);
}

bool vsm_bring_back_record_wake(VsmEvacuationRecord *record, const char *uuid) {
        bool changed = false;

        for (guint i = 0; i < record->leavers->len; i++) {
                VsmLeaver *leaver = record->leavers->pdata[i];

                if (!is_asleep(leaver) || !g_str_equal(leaver->uuid, uuid))
                        continue;

                leaver->end = VSM_LEAVING_GONE;
                changed = true;
        }

        return changed;
}

bool vsm_bring_back_record_forget(VsmStore *store, const char *uuid, GError **error) {
        g_autoptr(VsmEvacuationRecord) record = NULL;
        g_autoptr(GError) local = NULL;
        g_autofree char *text = NULL;

        if (!forget_away(store, uuid, error))
                return false;

        record = vsm_evacuation_record_read(store, &local);
        if (local) {
                g_propagate_error(error, g_steal_pointer(&local));
                return false;
        }

        if (!record || !vsm_bring_back_record_wake(record, uuid))
                return true;

        text = vsm_evacuation_record_to_text(record);
        return vsm_evacuation_record_write(store, text, error);
}
