/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a move does besides libvirt's call, written down before it is done, and how it ends. The long
 * lane. */

#include "daemon/virt/move-private.h"
#include "daemon/virt/undo.h"
#include "shared/enums.h"
#include "shared/error.h"

static bool journal_write(VsmEffect *effect, void *userdata, GError **error) {
        VsmMove *move = userdata;

        if (move->outer && !move->outer->write(effect, move->outer->userdata, error))
                return false;

        g_ptr_array_add(move->effects, vsm_effect_copy(effect));
        return true;
}

static bool journal_decide(bool success, void *userdata, GError **error) {
        VsmMove *move = userdata;

        return !move->outer || move->outer->decide(success, move->outer->userdata, error);
}

static bool journal_forget(uint64_t id, void *userdata, GError **error) {
        VsmMove *move = userdata;

        if (move->outer && !move->outer->forget(id, move->outer->userdata, error))
                return false;

        for (guint i = 0; i < move->effects->len; i++)
                if (((VsmEffect*) move->effects->pdata[i])->id == id) {
                        g_ptr_array_remove_index(move->effects, i);
                        break;
                }

        return true;
}

void vsm_move_use_journal(VsmMove *move, const VsmMoveHooks *hooks) {
        move->outer = hooks ? hooks->journal : NULL;
        move->journal = (VsmJournal) { journal_write, journal_decide, journal_forget, move };
}

bool vsm_move_write(VsmMove *move, VsmEffectKind kind, bool there, const char *object, const char *detail,
                    GError **error) {
        g_autoptr(VsmEffect) effect = vsm_effect_new(kind, there, object, detail);

        return move->journal.write(effect, move, error);
}

void vsm_move_forget(VsmMove *move, VsmEffectKind kind) {
        for (guint i = move->effects->len; i > 0; i--) {
                const VsmEffect *effect = move->effects->pdata[i - 1];

                if (effect->kind == kind)
                        (void) journal_forget(effect->id, move, NULL);
        }
}

static void* copy_effect(const void *effect, void *userdata G_GNUC_UNUSED) {
        return vsm_effect_copy(effect);
}

bool vsm_move_asks_effects(uint16_t type) {
        return type == VSM_MIGRATION_TYPE_OTHER || type == VSM_MIGRATION_TYPE_RESTART ||
                type == VSM_MIGRATION_TYPE_STAGED;
}

/* By what a resumed job sees that it had come to where it cannot be taken back. It is forgotten with the
 * first look after the job's end, and not before: the service may be killed between here and there. */
static void leave_out_witness(const VsmMove *move, GPtrArray *effects) {
        VsmEffectKind kind = move->options.type == VSM_MIGRATION_TYPE_STAGED ? VSM_EFFECT_DEFINITION :
                                                                               VSM_EFFECT_UNMARKED;

        if (!vsm_move_asks_effects(move->options.type))
                return;

        for (guint i = effects->len; i > 0; i--)
                if (((VsmEffect*) effects->pdata[i - 1])->kind == kind)
                        g_ptr_array_remove_index(effects, i - 1);
}

bool vsm_move_finish_effects(VsmMove *move, VsmSettle *settle, VsmMoveOutcome outcome, GError **error) {
        const VsmChanges *changes = move->options.changes;
        bool success = outcome == VSM_MOVE_MOVED || outcome == VSM_MOVE_MOVED_UNVERIFIED;
        g_autoptr(GPtrArray) effects = NULL;
        bool there = false;

        if (move->effects->len == 0)
                return true;

        /* It is not known where the guest is, so nothing that it may need is touched. */
        if (!success && outcome != VSM_MOVE_STAYED && outcome != VSM_MOVE_BUSY)
                return true;

        /* Its disks here are the second copy, as long as nobody has seen that all is well there. */
        if (outcome == VSM_MOVE_MOVED_UNVERIFIED)
                vsm_move_forget(move, VSM_EFFECT_SOURCE_VOLUME);
        if (!success && changes && changes->keep_copies)
                vsm_move_forget(move, VSM_EFFECT_VOLUME);

        if (!journal_decide(success, move, error))
                return false;

        for (guint i = 0; i < move->effects->len; i++)
                there |= ((VsmEffect*) move->effects->pdata[i])->there;

        /* Without a connection they wait for the next time. */
        (void) vsm_settle_need_source(settle, NULL);
        if (there || success)
                (void) vsm_settle_need_peer(settle, NULL);

        /* Of its own: what is done goes from the list. */
        effects = g_ptr_array_copy(move->effects, copy_effect, NULL);
        g_ptr_array_set_free_func(effects, (GDestroyNotify) vsm_effect_free);
        if (success)
                leave_out_witness(move, effects);
        return vsm_effects_finish(settle->source, settle->peer ? vsm_peer_connection(settle->peer) : NULL,
                                  move->options.uuid, effects, success, &move->journal, error);
}
