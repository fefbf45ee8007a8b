/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A migration in post-copy: the guest runs there, part of its memory is still here, and neither half is worth
 * anything alone. So nothing is decided while both are there: libvirt's call may fail, a link may be cut, either
 * libvirtd may be restarted, and the guest goes on, or waits and can be helped on. The long lane.
 *
 *      here                    there
 *      paused (post-copy)      running (post-copy)     QEMU sends; libvirt watches, or will
 *      "post-copy failed"      the same                the stream is cut, or libvirt lost sight of it: resume
 *      "post-copy failed"      gone, off, crashed      what the guest had there is lost: settling says so
 *      "post-copy failed"      not to be asked         wait: it may be the other host's libvirt alone
 *      anything else           -                       over, one way or the other: settling finds out
 */

#include <string.h>

#include "daemon/log.h"
#include "daemon/virt/move-private.h"
#include "daemon/virt/params.h"
#include "daemon/virt/patience.h"
#include "daemon/virt/uri.h"
#include "shared/error.h"

#define LOOK_USEC       (G_USEC_PER_SEC / 2)
#define AGAIN_USEC      (2 * G_USEC_PER_SEC)            /* between two tries to resume; doubled */
#define AGAIN_MAX_USEC  (30 * G_USEC_PER_SEC)
#define ASK_USEC        (60 * G_USEC_PER_SEC)           /* patience with libvirt here */
#define LOOKS           3                               /* that agree, before memory is given up */

typedef struct PostCopy {
        VsmMove *move;
        VsmSettle *settle;
        const VsmMoveFacts *facts;
        int64_t resume_at;              /* not before */
        uint64_t pause;
        unsigned lost;                  /* looks that found nothing there, in a row */
        bool told;
} PostCopy;

bool vsm_post_copy_is_refusal(const GError *error) {
        /* QEMU's and libvirt's words, which nobody translates: "Postcopy is not supported", "... not currently
         * compatible with ...", "Migration option 'postcopy-ram' is not supported by ..." */
        g_autofree char *text = g_ascii_strdown(error->message, -1);

        return (strstr(text, "postcopy") || strstr(text, "post-copy")) &&
                (strstr(text, "support") || strstr(text, "compatible"));
}

/* What libvirt was called with, but for the definition, which is there, and with its mark. Of it only the name is
 * told: by that libvirt there looks it up, and it may be another than here. It is asked for, as after a restart of the
 * daemon nobody else knows it. */
static bool resume_call(PostCopy *p, GError **error) {
        VsmMove *move = p->move;
        g_auto(VsmMoveParams) params = {};
        g_autoptr(virDomain) domain = NULL, there = NULL;
        g_autofree char *uri = NULL;
        VsmMoveOptions options = move->options;
        VsmMoveDefinition definition = {};

        /* A shallow copy. After a restart of the daemon it is only known that it was so; and the limit may be another
         * by now. */
        options.post_copy = VSM_POST_COPY_NOW;
        g_mutex_lock(&move->lock);
        options.bandwidth = move->bandwidth;
        g_mutex_unlock(&move->lock);
        if (!vsm_settle_need_source(p->settle, error) || !vsm_settle_need_peer(p->settle, error))
                return false;

        there = vsm_domain_find(vsm_peer_connection(p->settle->peer), options.uuid, error);
        if (!there)
                return false;

        /* it is of that object, and copied */
        definition.name = virDomainGetName(there);
        if (!vsm_move_params_build(&options, &definition, p->facts->persistent, p->facts->address, &params, error))
                return false;

        uri = vsm_uri_control(options.destination, p->facts->address, error);
        domain = uri ? vsm_domain_find(p->settle->source, options.uuid, error) : NULL;
        if (!domain)
                return false;

        if (virDomainMigrateToURI3(domain, uri, params.params, params.n_params,
                                   params.flags | VIR_MIGRATE_POSTCOPY_RESUME) >= 0)
                return true;

        vsm_virt_error(error, "The migration could not be resumed");
        return false;
}

static void try_resume(PostCopy *p) {
        g_autoptr(GError) error = NULL;

        if (g_get_monotonic_time() < p->resume_at)
                return;

        if (resume_call(p, &error)) {
                p->settle->call_ok = true;
                return;
        }

        /* "is still running" among others: then it only has to be watched on */
        vsm_log(LOG_NOTICE, "System '%s' waits in post-copy: %s", p->settle->name ?: p->move->options.uuid,
                error->message);
        p->pause = CLAMP(p->pause * 2, AGAIN_USEC, AGAIN_MAX_USEC);
        p->resume_at = g_get_monotonic_time() + (int64_t) p->pause;
}

static VsmSide look_there(PostCopy *p) {
        VsmSettle *settle = p->settle;
        VsmSide side = VSM_SIDE_UNKNOWN;

        if (!vsm_settle_need_peer(settle, NULL) ||
            !vsm_side_look(vsm_peer_connection(settle->peer), p->move->options.uuid, VSM_HOST_THERE, &side, NULL, NULL))
                g_clear_pointer(&settle->peer, vsm_peer_free);

        return side;
}

/* It is broken here. False when there is nothing to wait for. */
static bool help_on(PostCopy *p) {
        switch (look_there(p)) {

        case VSM_SIDE_ABSENT:
        case VSM_SIDE_OFF:
        case VSM_SIDE_CRASHED:
                return ++p->lost < LOOKS;

        /* it came to its end there, and libvirt here has yet to hear of it */
        case VSM_SIDE_OFF_MIGRATED:
        case VSM_SIDE_UNKNOWN:
                p->lost = 0;
                return true;

        default:
                p->lost = 0;
                try_resume(p);
                return true;
        }
}

/* Whether it is in post-copy here. False with an error: libvirt does not say. */
static bool look_here(PostCopy *p, bool *ret_under_way, bool *ret_broken, GError **error) {
        VsmSide side;
        int reason;

        *ret_under_way = *ret_broken = false;
        if (!vsm_settle_need_source(p->settle, error) ||
            !vsm_side_look(p->settle->source, p->move->options.uuid, VSM_HOST_HERE, &side, &reason, error))
                return false;

        *ret_under_way = side == VSM_SIDE_POST_COPY;
        *ret_broken = *ret_under_way && reason == VIR_DOMAIN_PAUSED_POSTCOPY_FAILED;
        return true;
}

void vsm_post_copy_see_through(VsmMove *move, VsmSettle *settle, const VsmMoveFacts *facts) {
        PostCopy p = { .move = move, .settle = settle, .facts = facts };
        int64_t patience = g_get_monotonic_time() + ASK_USEC;

        for (;;) {
                bool under_way, broken;

                if (look_here(&p, &under_way, &broken, NULL)) {
                        if (!under_way)
                                return;

                        patience = g_get_monotonic_time() + ASK_USEC;
                        if (!p.told) {
                                vsm_log(LOG_NOTICE, "System '%s' is in post-copy, and libvirt's call has ended: it is "
                                        "watched to its end.", settle->name ?: move->options.uuid);
                                p.told = true;
                        }
                        if (broken && !help_on(&p))
                                return;
                } else if (g_get_monotonic_time() > patience)
                        return;

                if (settle->call_ok)
                        return;

                (void) vsm_wait_sleep(LOOK_USEC, NULL);
        }
}
