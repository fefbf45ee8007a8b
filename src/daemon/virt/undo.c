/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The acts of a move, taken back or made final: the last first, each after a look that says that it is
 * still ours to undo. What somebody else has begun to use is his. Workers. */

#include "daemon/log.h"
#include "daemon/virt/peer.h"
#include "daemon/virt/undo.h"
#include "daemon/virt/volume.h"

#define DIAL_USEC       (5 * G_USEC_PER_SEC)

typedef bool (*Act)(const VsmUndo *undo, char **ret_told, GError **error);

/* A pool that is not active does not show its volumes: that one is missing there proves nothing. *ret_gone:
 * there is no such pool any more. */
static bool look_at_pool(virConnectPtr connection, const char *name, bool *ret_gone, GError **error) {
        g_autoptr(virStoragePool) pool = NULL;
        int active;

        *ret_gone = false;
        if (!*name || *name == '/') /* a directory of the administrator's is no pool of libvirt's */
                return true;

        pool = virStoragePoolLookupByName(connection, name);
        *ret_gone = !pool && virGetLastErrorCode() == VIR_ERR_NO_STORAGE_POOL;
        if (*ret_gone)
                return true;

        active = pool ? virStoragePoolIsActive(pool) : -1;
        if (active < 0)
                vsm_virt_error(error, "libvirt does not tell of pool '%s'", name);
        else if (active == 0)
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "pool '%s' is not active", name);

        return active == 1;
}

/* In use means by any domain of that host, the one that was moved included: wherever it is, a disk of it
 * is not ours to remove. */
static bool remove_volume(const VsmUndo *undo, char **ret_told, GError **error) {
        const VsmEffect *effect = undo->effect;
        g_autoptr(GError) local = NULL;
        bool gone;

        if (!look_at_pool(undo->connection, effect->detail, &gone, error))
                return false;

        if (gone) {
                *ret_told = g_strdup_printf("Volume '%s' is kept: there is no pool '%s' any more", effect->object,
                                            effect->detail);
                return true;
        }

        if (vsm_volume_remove(undo->connection, effect->object, effect->detail, NULL, &local)) {
                *ret_told = g_strdup_printf("Volume '%s' was removed", effect->object);
                return true;
        }

        if (local->code != VSM_ERROR_SYSTEM_IN_USE && local->code != VSM_ERROR_INCOMPATIBLE_PARAMETERS) {
                g_propagate_error(error, g_steal_pointer(&local));
                return false;
        }

        *ret_told = g_strdup_printf("Volume '%s' is kept: %s", effect->object, local->message);
        return true;
}

static Act act_for(const VsmEffect *effect, bool success) {
        static const Act back[] = {
                [VSM_EFFECT_VOLUME]     = remove_volume,
                [VSM_EFFECT_DEFINITION] = vsm_undo_definition,
                [VSM_EFFECT_SECRET]     = vsm_undo_secret,
                [VSM_EFFECT_BLOCK_COPY] = vsm_undo_block_copy,
                [VSM_EFFECT_SHUT_DOWN]  = vsm_undo_shut_down,
                [VSM_EFFECT_SUSPENDED]  = vsm_undo_suspended,
                [VSM_EFFECT_UNMARKED]   = vsm_undo_unmarked,
                [VSM_EFFECT_HALTED]     = vsm_undo_halted,
        };
        static const Act final[] = {
                [VSM_EFFECT_SOURCE_VOLUME] = remove_volume,
                [VSM_EFFECT_SUSPENDED]     = vsm_undo_resume_there,
                [VSM_EFFECT_HALTED]        = vsm_undo_halted,
        };
        size_t kind = effect->kind;

        if (success)
                return kind < G_N_ELEMENTS(final) ? final[kind] : NULL;

        return kind < G_N_ELEMENTS(back) ? back[kind] : NULL;
}

/* On which host it is acted. */
static bool is_there(const VsmEffect *effect, bool success) {
        return effect->there || (effect->kind == VSM_EFFECT_SUSPENDED && success);
}

bool vsm_effects_need_there(const GPtrArray *effects, bool success) {
        for (guint i = 0; i < effects->len; i++) {
                const VsmEffect *effect = effects->pdata[i];

                if (act_for(effect, success) &&
                    (is_there(effect, success) || effect->kind == VSM_EFFECT_SHUT_DOWN))
                        return true;
        }

        return false;
}

/* A definition or a block job that is still ours uses volumes and secrets that are ours as well: nobody
 * else has begun to use those, so they wait for it. And without its mark, a definition does not look like
 * ours. */
static bool holds_others(const VsmEffect *effect) {
        return effect->kind == VSM_EFFECT_DEFINITION || effect->kind == VSM_EFFECT_BLOCK_COPY ||
                effect->kind == VSM_EFFECT_UNMARKED;
}

static bool is_held(const VsmEffect *effect) {
        return effect->kind == VSM_EFFECT_VOLUME || effect->kind == VSM_EFFECT_SECRET ||
                effect->kind == VSM_EFFECT_DEFINITION;
}

static bool do_one(VsmUndo *undo, bool success, bool held, GError **error) {
        const VsmEffect *effect = undo->effect;
        bool there = is_there(effect, success);
        VsmLogContext context = { .system = undo->uuid, .caller_uid = -1 };
        g_autofree char *told = NULL;
        Act act = act_for(effect, success);

        if (!act)
                return true;

        undo->connection = there ? undo->there : undo->here;
        if (!undo->connection) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_SYSTEM_NOT_AVAILABLE, "cannot be reached");
                return false;
        }

        if (held && is_held(effect)) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE, "what was made with it is still there");
                return false;
        }

        if (!act(undo, &told, error))
                return false;

        if (told)
                vsm_log_full(LOG_NOTICE, &context, "%s: %s.", there ? "On the other host" : "Here", told);
        return true;
}

static const char* noun_of(const VsmEffect *effect) {
        switch (effect->kind) {
        case VSM_EFFECT_VOLUME:
        case VSM_EFFECT_SOURCE_VOLUME:
                return "volume";
        case VSM_EFFECT_SECRET:
                return "secret";
        case VSM_EFFECT_BLOCK_COPY:
                return "the copying of a disk of system";
        case VSM_EFFECT_DEFINITION:
                return "definition of system";
        default:
                return "state of system";
        }
}

bool vsm_effects_finish(
                virConnectPtr here,
                virConnectPtr there,
                const char *uuid,
                GPtrArray *effects,
                bool success,
                const VsmJournal *journal,
                GError **error) {

        VsmUndo undo = { .here = here, .there = there, .uuid = uuid };
        g_autoptr(GString) remains = g_string_new(NULL);
        bool held[2] = {};

        for (guint i = effects->len; i > 0; i--) {
                const VsmEffect *effect = undo.effect = effects->pdata[i - 1];
                bool on = is_there(effect, success);
                g_autoptr(GError) local = NULL;

                /* What cannot be forgotten is done once more by the next, and finds nothing to do. */
                if (do_one(&undo, success, held[on], &local) &&
                    (!journal || journal->forget(effect->id, journal->userdata, &local))) {
                        g_ptr_array_remove_index(effects, i - 1);
                        continue;
                }

                if (holds_others(effect))
                        held[on] = true;

                g_string_append_printf(remains, "%s%s '%s' %s: %s", remains->len > 0 ? "; " : "",
                                       noun_of(effect), effect->object, on ? "on the other host" : "here",
                                       local->message);
        }

        if (effects->len == 0)
                return true;

        g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "Not everything could be %s yet: %s",
                    success ? "made final" : "taken back", remains->str);
        return false;
}

bool vsm_virt_finish_effects(
                VsmVirt *virt,
                const VsmDestination *destination,
                const char *address,
                const char *uuid,
                GPtrArray *effects,
                bool success,
                const VsmJournal *journal,
                GError **error) {

        g_autoptr(virConnect) here = NULL;
        g_autoptr(VsmPeer) peer = NULL;
        g_autoptr(GError) here_error = NULL, there_error = NULL;

        if (effects->len == 0)
                return true;

        here = vsm_virt_open_own(virt, &here_error);

        /* Where it was made, and nowhere else: by now the name may mean another host. */
        if (destination && vsm_effects_need_there(effects, success))
                peer = address && *address ?
                        vsm_peer_open_at(destination, address, DIAL_USEC, NULL, &there_error) :
                        vsm_peer_open_dialled(destination, DIAL_USEC, NULL, &there_error);

        if (vsm_effects_finish(here, peer ? vsm_peer_connection(peer) : NULL, uuid, effects, success, journal,
                               error))
                return true;

        if (error && here_error)
                g_prefix_error(error, "%s: ", here_error->message);
        if (error && there_error)
                g_prefix_error(error, "%s: ", there_error->message);
        return false;
}
