/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* vsmctl watch: a line for each thing that happens, until ^C. With --json everything that changes, one
 * object to a line. Goes on through restarts of the service. */

#include <errno.h>
#include <glib/gi18n.h>
#include <signal.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "client/message.h"
#include "client/mirror.h"
#include "client/objects.h"
#include "client/outcome.h"
#include "client/output.h"
#include "client/progress.h"
#include "client/text.h"
#include "client/verbs.h"
#include "client/words.h"
#include "shared/enums.h"

#define PROGRESS_INTERVAL G_USEC_PER_SEC

typedef struct Watch {
        VsmClient *client;
        sd_event *event;
        GHashTable *progress;           /* path (and interface) -> int64_t, when progress was last shown */
        bool lost;
} Watch;

static void print_line(const char *text) {
        g_autoptr(GDateTime) now = g_date_time_new_now_local();
        g_autofree char *time = g_date_time_format(now, "%H:%M:%S"), *escaped = vsm_text_escape(text);

        g_print("%s %s\n", time, escaped);
}

static void print_linef(const char *format, ...) G_GNUC_PRINTF(1, 2);
static void print_linef(const char *format, ...) {
        g_autofree char *text = NULL;
        va_list ap;

        va_start(ap, format);
        text = g_strdup_vprintf(format, ap);
        va_end(ap);

        print_line(text);
}

/* ---- one JSON object to a line ---- */

static const char* event_name(VsmMirrorEvent event) {
        switch (event) {
        case VSM_MIRROR_LOADED:
                return "Loaded";
        case VSM_MIRROR_ADDED:
                return "Added";
        case VSM_MIRROR_REMOVED:
                return "Removed";
        case VSM_MIRROR_CHANGED:
                return "Changed";
        case VSM_MIRROR_SERVICE_GONE:
                return "ServiceGone";
        case VSM_MIRROR_SERVICE_BACK:
                return "ServiceBack";
        case VSM_MIRROR_LOST:
                return "Lost";
        }

        g_assert_not_reached();
}

static void print_json(VsmMirrorEvent event, const char *path, const char *interface,
                       JsonObject *properties) {
        g_autoptr(JsonObject) line = json_object_new();

        json_object_set_string_member(line, "Event", event_name(event));
        json_object_set_int_member(line, "Time", g_get_real_time());
        if (path)
                json_object_set_string_member(line, "Path", path);
        if (interface)
                json_object_set_string_member(line, "Interface", interface);
        if (properties)
                json_object_set_object_member(line, "Properties", json_object_ref(properties));

        vsm_output_json_object(line, /* pretty= */ false);
}

/* ---- lines for people ---- */

static void print_system(VsmMirror *mirror, const char *path, JsonObject *changed) {
        JsonObject *system = vsm_mirror_get(mirror, path, VSM_INTERFACE_SYSTEM);
        const char *name = vsm_object_get_string(system, "ElementName");
        uint32_t state = (uint32_t) vsm_object_get_uint(system, "MigrationState");

        if (json_object_has_member(changed, "ElementName"))
                print_linef(_("system %s: this is its name now"), name);
        if (json_object_has_member(changed, "EnabledState"))
                print_linef(_("system %s: %s"), name, vsm_system_state_word(system));
        if (json_object_has_member(changed, "MigrationState"))
                print_linef(_("system %s: migration: %s"), name,
                            vsm_word(vsm_migration_state_to_string(state)));
}

static void print_job(VsmMirror *mirror, const char *path, JsonObject *changed) {
        VsmProgressState state = {
                .job = vsm_mirror_get(mirror, path, VSM_INTERFACE_JOB),
                .transfer = vsm_mirror_get(mirror, path, VSM_INTERFACE_TRANSFER),
                .evacuation = vsm_mirror_get(mirror, path, VSM_INTERFACE_EVACUATION),
        };
        uint16_t job_state = (uint16_t) vsm_object_get_uint(state.job, "JobState");
        g_autofree char *text = NULL;

        if (vsm_job_state_is_final(job_state)) {
                /* the numbers of its last moments say nothing new */
                if (!json_object_has_member(changed, "JobState"))
                        return;
                text = vsm_outcome_format(state.job, state.transfer);
        } else
                text = vsm_progress_format_line(&state);

        /* escaped already, and that does nothing to it a second time */
        print_linef(_("job %s: %s"), vsm_objects_number(path), text);
}

static void print_service(const char *interface, JsonObject *changed) {
        uint16_t state = (uint16_t) vsm_object_get_uint(changed, "EnabledState");

        if (g_str_equal(interface, VSM_INTERFACE_MANAGER) && json_object_has_member(changed, "Draining"))
                print_linef("%s", vsm_object_get_bool(changed, "Draining") ?
                            _("service: draining, guests of other hosts are refused") :
                            _("service: not draining any more"));
        if (!g_str_equal(interface, VSM_INTERFACE_SERVICE))
                return;

        if (json_object_has_member(changed, "EnabledState"))
                print_linef(_("service: %s"), vsm_word(vsm_enabled_state_to_string(state)));
        if (json_object_has_member(changed, "StatusDescriptions")) {
                g_autofree char *text = vsm_array_join(vsm_object_get_array(changed, "StatusDescriptions"));

                print_linef(_("service: %s"), text);
        }
}

static void print_host(VsmMirror *mirror, const char *path, JsonObject *changed) {
        JsonObject *host = vsm_mirror_get(mirror, path, VSM_INTERFACE_HOST);

        if (json_object_has_member(changed, "State"))
                print_linef(_("host %s: %s"), vsm_object_get_string(host, "Name"),
                            vsm_word(vsm_object_get_string(host, "State")));
}

static void print_changed(VsmMirror *mirror, const char *path, const char *interface, JsonObject *changed) {
        if (g_str_equal(path, VSM_OBJECT_PATH))
                print_service(interface, changed);
        else if (g_str_equal(interface, VSM_INTERFACE_SYSTEM))
                print_system(mirror, path, changed);
        else if (g_str_has_prefix(interface, VSM_INTERFACE_JOB))
                print_job(mirror, path, changed);
        else if (g_str_equal(interface, VSM_INTERFACE_HOST))
                print_host(mirror, path, changed);
}

static void print_presence(VsmMirror *mirror, const char *path, bool added) {
        JsonObject *system = vsm_mirror_get(mirror, path, VSM_INTERFACE_SYSTEM);
        JsonObject *job = vsm_mirror_get(mirror, path, VSM_INTERFACE_JOB);

        if (system)
                print_linef(added ? _("system %s: appeared") : _("system %s: gone"),
                            vsm_object_get_string(system, "ElementName"));
        else if (job) {
                g_autofree char *task = vsm_outcome_format_task(job);

                print_linef(added ? _("job %s: new: %s") : _("job %s: gone: %s"), vsm_objects_number(path),
                            task);
        } else
                print_linef(added ? _("%s: appeared") : _("%s: gone"), path + strlen(VSM_OBJECT_PATH));
}

static void print_text(
                VsmMirror *mirror,
                VsmMirrorEvent event,
                const char *path,
                const char *interface,
                JsonObject *properties) {

        switch (event) {
        case VSM_MIRROR_LOADED:
                break;
        case VSM_MIRROR_ADDED:
                print_presence(mirror, path, /* added= */ true);
                break;
        case VSM_MIRROR_REMOVED:
                print_presence(mirror, path, /* added= */ false);
                break;
        case VSM_MIRROR_CHANGED:
                print_changed(mirror, path, interface, properties);
                break;
        case VSM_MIRROR_SERVICE_GONE:
                print_line(_("service: left the bus"));
                break;
        case VSM_MIRROR_SERVICE_BACK:
                print_line(_("service: back on the bus"));
                break;
        case VSM_MIRROR_LOST:
                print_line(_("The connection to the service is lost."));
                break;
        }
}

/* ---- what comes ---- */

/* Whether it is only a number on its way up, which nobody misses when the next one comes. */
static bool is_progress(const char *path, JsonObject *changed) {
        if (g_str_has_prefix(path, VSM_OBJECT_PATH_JOB "/"))
                return !json_object_has_member(changed, "JobState") &&
                       !json_object_has_member(changed, "Phase");

        return json_object_get_size(changed) == 1 && json_object_has_member(changed, "MigrationProgress");
}

/* Progress at most once a second; a state, and all else, always. For people a job is one line, whatever
 * interface its numbers are of. */
static bool is_too_often(Watch *w, VsmMirrorEvent event, const char *path, const char *interface,
                         JsonObject *changed) {
        g_autofree char *key = NULL;
        int64_t now = g_get_monotonic_time(), *last;

        if (event != VSM_MIRROR_CHANGED || !is_progress(path, changed))
                return false;

        key = g_strconcat(path, w->client->json ? interface : NULL, NULL);
        last = g_hash_table_lookup(w->progress, key);
        if (last && now - *last < PROGRESS_INTERVAL)
                return true;

        g_hash_table_replace(w->progress, g_steal_pointer(&key), g_memdup2(&now, sizeof(now)));
        return false;
}

static gboolean is_below(void *key, void *value, void *path) {
        return g_str_has_prefix(key, path);
}

static void on_mirror(
                VsmMirror *mirror,
                VsmMirrorEvent event,
                const char *path,
                const char *interface,
                JsonObject *properties,
                void *userdata) {

        Watch *w = userdata;

        if (is_too_often(w, event, path, interface, properties))
                return;

        if (event == VSM_MIRROR_REMOVED)
                (void) g_hash_table_foreach_remove(w->progress, is_below, (void*) path);

        if (w->client->json)
                print_json(event, path, interface,
                           event == VSM_MIRROR_ADDED ? vsm_mirror_get_all(mirror, path) : properties);
        else
                print_text(mirror, event, path, interface, properties);

        if (event == VSM_MIRROR_LOST) {
                w->lost = true;
                (void) sd_event_exit(w->event, 0);
        }
}

static int loop(Watch *w) {
        sigset_t mask;
        int r;

        (void) sigemptyset(&mask);
        (void) sigaddset(&mask, SIGINT);
        (void) sigaddset(&mask, SIGTERM);
        if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
                return -errno;

        /* without a handler they end the loop */
        r = sd_event_add_signal(w->event, NULL, SIGINT, NULL, NULL);
        if (r < 0)
                return r;

        r = sd_event_add_signal(w->event, NULL, SIGTERM, NULL, NULL);
        if (r < 0)
                return r;

        r = sd_bus_attach_event(w->client->bus, w->event, SD_EVENT_PRIORITY_NORMAL);
        if (r < 0)
                return r;

        r = sd_event_loop(w->event);
        (void) sd_bus_detach_event(w->client->bus);
        return r;
}

int vsm_verb_watch(VsmClient *client, int argc, char **argv) {
        g_autoptr(GHashTable) progress = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
        g_autoptr(sd_event) event = NULL;
        g_autoptr(VsmMirror) mirror = NULL;
        Watch w = { .client = client, .progress = progress };
        GError *error = NULL;
        int r;

        if (!vsm_client_parse(client, NULL, &argc, &argv, 0, 0, &error))
                return vsm_client_fail(client, error);

        r = sd_event_default(&event);
        if (r >= 0) {
                w.event = event;
                mirror = vsm_mirror_new(client, on_mirror, &w, &error);
                if (!mirror)
                        return vsm_client_fail(client, error);

                r = loop(&w);
        }
        if (r < 0) {
                vsm_error_set_errno(&error, r, _("Cannot watch the service"));
                return vsm_client_fail(client, error);
        }

        return w.lost ? VSM_EXIT_FAILED : VSM_EXIT_SUCCESS;
}
