/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The child jobs of an evacuation that is followed: which they are, and what each of them does.
 *
 * A job does not say whose child it is; the parent has the list, and only says that it is another one now. So it
 * is fetched then. One thread only. */

#include "client/children.h"
#include "client/message.h"
#include "client/outcome.h"
#include "client/text.h"
#include "shared/enums.h"

struct VsmChildren {
        VsmClient *client;
        VsmMirror *mirror;
        char *parent;
        int fd;
        VsmProgressStyle style;
        VsmChildrenSay say;
        void *userdata;

        GPtrArray *list;                /* Child, in the parent's order */
        sd_bus_slot *refresh;
};

typedef struct Child {
        char *path;
        VsmProgress *progress;          /* NULL when only its end is told */
        bool ended;
} Child;

static void child_free(void *p) {
        Child *child = p;

        g_clear_pointer(&child->progress, vsm_progress_free);
        g_free(child->path);
        g_free(child);
}

VsmChildren* vsm_children_new(
                VsmClient *client,
                VsmMirror *mirror,
                const char *parent,
                int fd,
                VsmProgressStyle style,
                VsmChildrenSay say,
                void *userdata) {

        VsmChildren *c = g_new0(VsmChildren, 1);

        c->client = client;
        c->mirror = mirror;
        c->parent = g_strdup(parent);
        c->fd = fd;
        c->style = style;
        c->say = say;
        c->userdata = userdata;
        c->list = g_ptr_array_new_with_free_func(child_free);
        return c;
}

void vsm_children_free(VsmChildren *children) {
        if (!children)
                return;

        sd_bus_slot_unref(children->refresh);
        g_ptr_array_unref(children->list);
        g_free(children->parent);
        g_free(children);
}

static VsmProgressState state_of(VsmChildren *c, const Child *child) {
        VsmProgressState state = {
                .job = vsm_mirror_get(c->mirror, child->path, VSM_INTERFACE_JOB),
                .transfer = vsm_mirror_get(c->mirror, child->path, VSM_INTERFACE_TRANSFER),
        };

        state.system = vsm_mirror_get(c->mirror, vsm_object_get_string(state.job, "VirtualSystem"),
                                      VSM_INTERFACE_SYSTEM);
        return state;
}

static void update(VsmChildren *c, Child *child) {
        VsmProgressState state = state_of(c, child);
        g_autofree char *sentence = NULL, *line = NULL;

        if (!state.job || child->ended)
                return;

        if (!vsm_job_state_is_final((uint16_t) vsm_object_get_uint(state.job, "JobState"))) {
                if (child->progress)
                        vsm_progress_update(child->progress, &state, (uint64_t) g_get_monotonic_time());
                return;
        }

        child->ended = true;
        if (c->style == VSM_PROGRESS_NONE)
                return;

        sentence = vsm_outcome_format(state.job, state.transfer);
        line = g_strdup_printf("%s\n", sentence);
        c->say(line, c->userdata);
}

/* of the job, or of the system whose state is a part of what it says */
static bool is_about(VsmChildren *c, const Child *child, const char *path) {
        VsmProgressState state = state_of(c, child);

        return g_str_equal(path, child->path) ||
                g_str_equal(path, vsm_object_get_string(state.job, "VirtualSystem"));
}

void vsm_children_update(VsmChildren *children, const char *path) {
        for (guint i = 0; i < children->list->len; i++) {
                Child *child = children->list->pdata[i];

                if (!path || is_about(children, child, path))
                        update(children, child);
        }
}

static bool is_known(VsmChildren *c, const char *path) {
        for (guint i = 0; i < c->list->len; i++)
                if (g_str_equal(((Child*) c->list->pdata[i])->path, path))
                        return true;

        return false;
}

static void set_jobs(VsmChildren *children, JsonArray *jobs) {
        for (guint i = 0; jobs && i < json_array_get_length(jobs); i++) {
                const char *path = json_array_get_string_element(jobs, i);
                Child *child;

                if (!path || is_known(children, path))
                        continue;

                child = g_new0(Child, 1);
                child->path = g_strdup(path);
                if (children->style == VSM_PROGRESS_LINES)
                        child->progress = vsm_progress_new(children->fd, VSM_PROGRESS_LINES);
                g_ptr_array_add(children->list, child);
                update(children, child);
        }
}

static int on_jobs(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        g_autoptr(JsonNode) node = NULL;
        VsmChildren *c = userdata;

        c->refresh = sd_bus_slot_unref(c->refresh);

        /* it left while we asked; we ask again when it is back */
        if (sd_bus_message_is_method_error(reply, NULL))
                return 0;

        node = vsm_message_read(reply, NULL);
        if (node && JSON_NODE_HOLDS_ARRAY(node))
                set_jobs(c, json_node_get_array(node));
        return 0;
}

void vsm_children_refresh(VsmChildren *children) {
        children->refresh = sd_bus_slot_unref(children->refresh);

        /* what fails here is a bus that is gone, which the mirror tells */
        (void) sd_bus_call_method_async(children->client->bus, &children->refresh, VSM_BUS_NAME, children->parent,
                                        "org.freedesktop.DBus.Properties", "Get", on_jobs, children, "ss",
                                        VSM_INTERFACE_EVACUATION, "Jobs");
}

void vsm_children_finish(VsmChildren *children) {
        g_autoptr(JsonObject) properties = NULL;

        properties = vsm_client_get_properties(children->client, children->parent, VSM_INTERFACE_EVACUATION, NULL);
        set_jobs(children, vsm_object_get_array(properties, "Jobs"));
}

char* vsm_children_format_running(VsmChildren *children) {
        g_autoptr(GString) out = g_string_new(NULL);

        for (guint i = 0; i < children->list->len; i++) {
                VsmProgressState state = state_of(children, children->list->pdata[i]);
                g_autofree char *name = vsm_text_escape(vsm_object_get_string(state.job, "ElementName"));

                if (vsm_object_get_uint(state.job, "JobState") == VSM_JOB_STATE_RUNNING)
                        g_string_append_printf(out, "%s%s %u%%", out->len > 0 ? ", " : "", name,
                                               (unsigned) vsm_object_get_uint(state.job, "PercentComplete"));
        }

        return g_string_free(g_steal_pointer(&out), FALSE);
}
