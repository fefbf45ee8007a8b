/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The registry of questions to polkit. A question is found by its message, holds a reference to it,
 * and goes when the second pass has used the answer, when the caller has left, or with its time
 * limit. Bus thread only. */

#include <errno.h>
#include <string.h>

#include "daemon/bus.h"
#include "daemon/log.h"
#include "daemon/polkit.h"
#include "shared/cleanup.h"
#include "shared/error.h"

#define PER_UID_MAX      16
#define OUTSTANDING_MAX  64
#define WAITING_MAX      512
#define ANSWER_USEC      (UINT64_C(5) * 60 * G_USEC_PER_SEC)

#define POLKIT_NAME      "org.freedesktop.PolicyKit1"
#define POLKIT_PATH      "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"

#define FLAG_ALLOW_USER_INTERACTION 1

struct VsmPolkit {
        sd_bus *bus;
        GHashTable *questions;  /* sd_bus_message* -> Question* */
        GQueue waiting;         /* of Question*, not sent yet */
        unsigned outstanding;   /* sent, not answered */
        uint64_t next_cookie;
};

typedef struct Question {
        VsmPolkit *polkit;
        sd_bus_message *call;
        char *action;
        char **details;
        uid_t uid;
        uint64_t cookie;        /* for CancelCheckAuthorization */
        bool interactive;

        bool sent, answered;
        VsmError verdict;       /* meaningful once answered and not allowed */
        bool allowed;

        sd_bus_slot *slot;
        sd_bus_track *track;
        sd_event_source *expire;
} Question;

static void send_waiting(VsmPolkit *polkit);

static void cancel_at_polkit(Question *q) {
        char cookie[32];

        /* so that no dialog stays open that decides nothing any more; no answer is wanted */
        g_snprintf(cookie, sizeof cookie, "vsmd-%" PRIu64, q->cookie);
        (void) sd_bus_call_method_async(q->polkit->bus, NULL, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                        "CancelCheckAuthorization", NULL, NULL, "s", cookie);
}

static void question_free(void *p) {
        Question *q = p;

        if (q->sent && !q->answered) {
                q->polkit->outstanding--;
                cancel_at_polkit(q);
        }
        if (!q->sent)
                g_queue_remove(&q->polkit->waiting, q);

        sd_event_source_disable_unref(q->expire);
        sd_bus_track_unref(q->track);
        sd_bus_slot_unref(q->slot);
        sd_bus_message_unref(q->call);
        g_strfreev(q->details);
        g_free(q->action);
        g_free(q);
}

static void question_drop(Question *q) {
        VsmPolkit *polkit = q->polkit;

        (void) g_hash_table_remove(polkit->questions, q->call);
        send_waiting(polkit);
}

static int on_caller_gone(sd_bus_track *track, void *userdata) {
        Question *q = userdata;

        vsm_log(LOG_DEBUG, "A caller left while polkit was asked about %s", q->action);
        question_drop(q);
        return 0;
}

static int on_unused(sd_event_source *source, void *userdata) {
        /* the second pass did not come to the check: it refused earlier */
        question_drop(userdata);
        return 0;
}

/* The answer is known: let the handler run again. */
static void question_answered(Question *q, bool allowed, VsmError verdict) {
        sd_event *event = sd_bus_get_event(q->polkit->bus);
        int r;

        q->answered = true;
        q->allowed = allowed;
        q->verdict = verdict;
        q->track = sd_bus_track_unref(q->track);
        q->expire = sd_event_source_disable_unref(q->expire);

        r = sd_bus_message_rewind(q->call, true);
        if (r >= 0)
                r = sd_bus_enqueue_for_read(q->polkit->bus, q->call);
        if (r >= 0)
                r = sd_event_add_defer(event, &q->expire, on_unused, q);
        if (r >= 0)
                r = sd_event_source_set_priority(q->expire, SD_EVENT_PRIORITY_IDLE);
        if (r < 0) {
                (void) sd_bus_reply_method_errno(q->call, r, NULL);
                question_drop(q);
        }
}

/* Is this error "there is no polkitd", as against any other fault? */
static bool polkit_is_absent(const sd_bus_error *error) {
        static const char *const names[] = {
                SD_BUS_ERROR_SERVICE_UNKNOWN,
                SD_BUS_ERROR_NAME_HAS_NO_OWNER,
                "org.freedesktop.systemd1.NoSuchUnit",
                "org.freedesktop.systemd1.UnitMasked",
                "org.freedesktop.systemd1.ShuttingDown",
                "org.freedesktop.systemd1.TransactionIsDestructive",
                NULL
        };

        return g_strv_contains(names, error->name) ||
                g_str_has_prefix(error->name, "org.freedesktop.DBus.Error.Spawn.");
}

static void answer_is_error(Question *q, const sd_bus_error *error) {
        bool absent = polkit_is_absent(error);

        if (absent && q->uid == 0) {
                vsm_log(LOG_NOTICE, "polkit is not there; allowing %s to root", q->action);
                question_answered(q, true, 0);
                return;
        }

        vsm_log(LOG_WARNING, "Cannot ask polkit about %s: %s", q->action, error->message ?: error->name);
        question_answered(q, false, VSM_ERROR_ACCESS_DENIED);
}

static int on_answer(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        Question *q = userdata;
        VsmPolkit *polkit = q->polkit;
        int allowed, challenge, r;

        polkit->outstanding--;
        q->answered = true;

        if (sd_bus_message_is_method_error(reply, NULL)) {
                answer_is_error(q, sd_bus_message_get_error(reply));
                send_waiting(polkit);
                return 1;
        }

        r = sd_bus_message_enter_container(reply, 'r', "bba{ss}");
        if (r > 0)
                r = sd_bus_message_read(reply, "bb", &allowed, &challenge);

        if (r <= 0)
                question_answered(q, false, VSM_ERROR_ACCESS_DENIED);
        else
                /* A challenge after the caller allowed asking means that nobody could be asked. */
                question_answered(q, allowed, challenge && !q->interactive ? VSM_ERROR_INTERACTION_REQUIRED :
                                                                             VSM_ERROR_ACCESS_DENIED);

        send_waiting(polkit);
        return 1;
}

static int append_details(sd_bus_message *m, char **details) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{ss}");
        if (r < 0)
                return r;

        for (char **d = details; d && d[0]; d += 2) {
                r = sd_bus_message_append(m, "{ss}", d[0], d[1]);
                if (r < 0)
                        return r;
        }

        return sd_bus_message_close_container(m);
}

static int question_send(Question *q) {
        g_autoptr(sd_bus_message) m = NULL;
        char cookie[32];
        int r;

        r = sd_bus_message_new_method_call(q->polkit->bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CheckAuthorization");
        if (r < 0)
                return r;

        /* the subject is the connection that sent the message, never a pid */
        r = sd_bus_message_append(m, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                  sd_bus_message_get_sender(q->call), q->action);
        if (r < 0)
                return r;

        r = append_details(m, q->details);
        if (r < 0)
                return r;

        g_snprintf(cookie, sizeof cookie, "vsmd-%" PRIu64, q->cookie);
        r = sd_bus_message_append(m, "us", q->interactive ? FLAG_ALLOW_USER_INTERACTION : 0, cookie);
        if (r < 0)
                return r;

        r = sd_bus_call_async(q->polkit->bus, &q->slot, m, on_answer, q, ANSWER_USEC);
        if (r < 0)
                return r;

        q->sent = true;
        q->polkit->outstanding++;
        return 0;
}

static void send_waiting(VsmPolkit *polkit) {
        while (polkit->outstanding < OUTSTANDING_MAX) {
                Question *q = g_queue_pop_head(&polkit->waiting);

                if (!q)
                        return;
                if (question_send(q) >= 0)
                        continue;

                q->sent = true;
                question_answered(q, false, VSM_ERROR_ACCESS_DENIED);
        }
}

static int on_expire(sd_event_source *source, uint64_t usec, void *userdata) {
        Question *q = userdata;

        (void) sd_bus_reply_method_errorf(q->call, vsm_error_to_bus_name(VSM_ERROR_ACCESS_DENIED),
                                          "Nobody answered the question for a password in time.");
        question_drop(q);
        return 0;
}

static unsigned count_of_uid(VsmPolkit *polkit, uid_t uid) {
        GHashTableIter iter;
        Question *q;
        unsigned n = 0;

        g_hash_table_iter_init(&iter, polkit->questions);
        while (g_hash_table_iter_next(&iter, NULL, (void**) &q))
                n += q->uid == uid;

        return n;
}

static int question_new(VsmPolkit *polkit, sd_bus_message *call, const char *action, char **details, uid_t uid) {
        sd_event *event = sd_bus_get_event(polkit->bus);
        Question *q = g_new0(Question, 1);
        int r;

        q->polkit = polkit;
        q->call = sd_bus_message_ref(call);
        q->action = g_strdup(action);
        q->details = g_strdupv(details);
        q->uid = uid;
        q->cookie = ++polkit->next_cookie;
        q->interactive = sd_bus_message_get_allow_interactive_authorization(call) > 0;

        g_hash_table_insert(polkit->questions, call, q);
        g_queue_push_tail(&polkit->waiting, q);

        r = sd_bus_track_new(polkit->bus, &q->track, on_caller_gone, q);
        if (r >= 0)
                r = sd_bus_track_add_sender(q->track, call);
        if (r >= 0)
                r = sd_event_add_time_relative(event, &q->expire, CLOCK_MONOTONIC, ANSWER_USEC,
                                               G_USEC_PER_SEC, on_expire, q);
        if (r < 0) {
                question_drop(q);
                return r;
        }

        send_waiting(polkit);
        return 0;
}

static bool details_equal(char **a, char **b) {
        if (!a || !b)
                return !(a && a[0]) && !(b && b[0]);

        return g_strv_equal((const char* const*) a, (const char* const*) b);
}

/* The second pass: use the answer up. */
static int question_use(Question *q, const char *action, char **details, sd_bus_error *error) {
        bool same = g_str_equal(q->action, action) && details_equal(q->details, details);
        bool allowed = q->allowed;
        VsmError verdict = q->verdict;

        question_drop(q);

        if (!same)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_INVALID_STATE),
                                        "What the call is about has changed while it was being authorized; "
                                        "try again.");
        if (allowed)
                return 1;
        if (verdict == VSM_ERROR_INTERACTION_REQUIRED)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(verdict),
                                         "A password is needed for %s, and the call did not allow asking for it.",
                                         action);

        return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_ACCESS_DENIED),
                                 "polkit does not allow %s to you here. An administrator can allow it with a "
                                 "rule.", action);
}

static void add_keys(GPtrArray *names, GVariant *dict) {
        GVariantIter iter;
        const char *name;

        g_variant_iter_init(&iter, dict);
        while (g_variant_iter_loop(&iter, "{&sv}", &name, NULL))
                if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
                        g_ptr_array_add(names, (char*) name);
}

char* vsm_polkit_keys(GVariant *dicts) {
        g_autoptr(GPtrArray) names = g_ptr_array_new();
        g_autoptr(GPtrArray) held = g_ptr_array_new_with_free_func((GDestroyNotify) g_variant_unref);

        if (g_variant_is_of_type(dicts, G_VARIANT_TYPE_VARDICT))
                add_keys(names, dicts);
        else if (g_variant_is_of_type(dicts, G_VARIANT_TYPE("aa{sv}")))
                for (size_t i = 0; i < g_variant_n_children(dicts); i++) {
                        GVariant *dict = g_variant_get_child_value(dicts, i);

                        g_ptr_array_add(held, dict);
                        add_keys(names, dict);
                }

        g_ptr_array_add(names, NULL);
        return g_strjoinv(",", (char **) names->pdata);
}

int vsm_polkit_check(VsmPolkit *polkit, sd_bus_message *call, const char *action, char **details,
                     sd_bus_error *error) {
        Question *q = g_hash_table_lookup(polkit->questions, call);
        uid_t uid;
        int r;

        if (q)
                return q->answered ? question_use(q, action, details, error) : 0;

        r = vsm_bus_caller(call, &uid);
        if (r < 0)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_ACCESS_DENIED),
                                        "The bus does not say who is calling.");

        if (uid != 0 && count_of_uid(polkit, uid) >= PER_UID_MAX)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "%i of your calls are waiting for authorization already.", PER_UID_MAX);
        if (g_queue_get_length(&polkit->waiting) >= WAITING_MAX)
                return sd_bus_error_setf(error, vsm_error_to_bus_name(VSM_ERROR_LIMITS_EXCEEDED),
                                         "%i calls are waiting for authorization already.", WAITING_MAX);

        r = question_new(polkit, call, action, details, uid);
        if (r < 0)
                return sd_bus_error_set(error, vsm_error_to_bus_name(VSM_ERROR_ACCESS_DENIED),
                                        "polkit could not be asked.");

        return 0;
}

unsigned vsm_polkit_pending(VsmPolkit *polkit) {
        return g_hash_table_size(polkit->questions);
}

VsmPolkit* vsm_polkit_new(sd_bus *bus) {
        VsmPolkit *polkit = g_new0(VsmPolkit, 1);

        polkit->bus = sd_bus_ref(bus);
        polkit->questions = g_hash_table_new_full(NULL, NULL, NULL, question_free);
        g_queue_init(&polkit->waiting);
        return polkit;
}

void vsm_polkit_free(VsmPolkit *polkit) {
        if (!polkit)
                return;

        g_hash_table_unref(polkit->questions);
        sd_bus_unref(polkit->bus);
        g_free(polkit);
}
