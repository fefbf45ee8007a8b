/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The words of the contract's enumerations in the user's language. Pure. */

#include <glib/gi18n.h>

#include "client/words.h"

/* Never read: here xgettext finds the keywords, which stand where no translation belongs. */
G_GNUC_UNUSED static const char *const keywords[] = {
        /* MigrationState */
        N_("none"), N_("setup"), N_("data-transfer"), N_("move"), N_("canceled"), N_("failure"),
        /* JobState */
        N_("new"), N_("starting"), N_("running"), N_("suspended"), N_("cancelling"), N_("completed"),
        N_("cancelled"), N_("killed"), N_("failed"), N_("completed-with-warnings"),
        /* JobType */
        N_("stage"), N_("check-system"), N_("check-system-and-storage"), N_("check-storage"),
        N_("check-storage-migration"), N_("move-system"), N_("move-system-and-storage"), N_("move-storage"),
        N_("evacuation"), N_("bring-back"), N_("quiesce"),
        /* MigrationType */
        N_("live"), N_("storage"), N_("staged"), N_("live-and-storage"), N_("storage-deep-check"),
        N_("resume"), N_("restart"), N_("offline"),
        /* EnabledState of the service */
        N_("enabled"), N_("disabled"),
        /* PerceivedSeverity */
        N_("information"), N_("warning"), N_("error"),
        /* Phase, Mode, Verdict */
        N_("queued"), N_("preparing"), N_("disks"), N_("memory"), N_("switch-over"), N_("post-copy"),
        N_("finishing"), N_("done"), N_("pre-copy"), N_("paused"), N_("converging"), N_("stalled"),
        N_("throttling"), N_("switching"), N_("impossible"),
        /* DefaultPostCopy */
        N_("never"), N_("auto"), N_("now"),
        /* Method of a plan */
        N_("save"), N_("shutdown"), N_("leave"),
        /* State of a host */
        N_("up"), N_("down"),
        N_("unknown"),
};

const char* vsm_word(const char *keyword) {
        /* the translation of "" is the header of the catalogue */
        return *keyword ? gettext(keyword) : "";
}

const char* vsm_word_yes_no(bool b) {
        return b ? _("yes") : _("no");
}
