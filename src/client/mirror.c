/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service's objects as they are at the moment, kept up to date by its signals, restarts included.
 *
 * The objects are fetched by an asynchronous call, so that the answer takes its place in the queue among the
 * signals: what came before it is in it, what comes after it is news. One thread only. */

#include <glib/gi18n.h>

#include "client/message.h"
#include "client/mirror.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

struct VsmMirror {
        VsmClient *client;
        VsmMirrorHandler handler;
        void *userdata;

        JsonObject *objects;            /* path -> interface -> property; NULL until they are there */
        bool away;
        GPtrArray *matches;
        sd_bus_slot *load;
};

static void tell(
                VsmMirror *m,
                VsmMirrorEvent event,
                const char *path,
                const char *interface,
                JsonObject *properties) {

        m->handler(m, event, path, interface, properties, m->userdata);
}

JsonObject* vsm_mirror_get_all(VsmMirror *mirror, const char *path) {
        return vsm_object_get_object(mirror->objects, path);
}

JsonObject* vsm_mirror_get(VsmMirror *mirror, const char *path, const char *interface) {
        return vsm_object_get_object(vsm_mirror_get_all(mirror, path), interface);
}

/* What is different in b, NULL when nothing is. */
static JsonObject* difference(JsonObject *a, JsonObject *b) {
        g_autoptr(JsonObject) changed = json_object_new();
        g_autoptr(GList) names = json_object_get_members(b);

        for (GList *l = names; l; l = l->next) {
                JsonNode *node = json_object_get_member(b, l->data);
                JsonNode *old = a ? json_object_get_member(a, l->data) : NULL;

                if (!old || !json_node_equal(old, node))
                        json_object_set_member(changed, l->data, json_node_copy(node));
        }

        return json_object_get_size(changed) > 0 ? g_steal_pointer(&changed) : NULL;
}

static void tell_differences(VsmMirror *m, const char *path, JsonObject *old, JsonObject *object) {
        g_autoptr(GList) interfaces = json_object_get_members(object);

        for (GList *l = interfaces; l; l = l->next) {
                g_autoptr(JsonObject) changed = NULL;

                changed = difference(vsm_object_get_object(old, l->data),
                                     vsm_object_get_object(object, l->data));
                if (changed)
                        tell(m, VSM_MIRROR_CHANGED, path, l->data, changed);
        }
}

/* After a restart of the service: what would its signals have told us? */
static void replace_objects(VsmMirror *m, JsonObject *objects) {
        g_autoptr(JsonObject) old = m->objects;
        g_autoptr(GList) paths = NULL, old_paths = NULL;

        if (!old) {
                m->objects = json_object_ref(objects);
                return;
        }

        old_paths = json_object_get_members(old);
        for (GList *l = old_paths; l; l = l->next)
                if (!json_object_has_member(objects, l->data))
                        tell(m, VSM_MIRROR_REMOVED, l->data, NULL, NULL);

        m->objects = json_object_ref(objects);
        paths = json_object_get_members(objects);
        for (GList *l = paths; l; l = l->next)
                if (json_object_has_member(old, l->data))
                        tell_differences(m, l->data, vsm_object_get_object(old, l->data),
                                         vsm_object_get_object(objects, l->data));
                else
                        tell(m, VSM_MIRROR_ADDED, l->data, NULL, NULL);
}

static int on_objects(sd_bus_message *reply, void *userdata, sd_bus_error *ret_error) {
        g_autoptr(JsonObject) objects = NULL;
        VsmMirror *m = userdata;

        m->load = sd_bus_slot_unref(m->load);

        if (sd_bus_message_is_method_error(reply, NULL)) {
                /* It left while we asked. We shall be told when it is back. */
                if (m->away || sd_bus_message_is_method_error(reply, SD_BUS_ERROR_NO_REPLY))
                        return 0;

                tell(m, VSM_MIRROR_LOST, NULL, NULL, NULL);
                return 0;
        }

        objects = vsm_message_read_object(reply, NULL);
        if (!objects) {
                tell(m, VSM_MIRROR_LOST, NULL, NULL, NULL);
                return 0;
        }

        replace_objects(m, objects);
        tell(m, VSM_MIRROR_LOADED, NULL, NULL, NULL);
        return 0;
}

static int load(VsmMirror *m) {
        m->load = sd_bus_slot_unref(m->load);

        return sd_bus_call_method_async(m->client->bus, &m->load, VSM_BUS_NAME, VSM_OBJECT_PATH,
                                        OBJECT_MANAGER, "GetManagedObjects", on_objects, m, "");
}

static int on_interfaces_added(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        g_autoptr(JsonObject) interfaces = NULL;
        g_autoptr(GList) names = NULL;
        VsmMirror *m = userdata;
        JsonObject *known;
        const char *path;

        if (!m->objects || sd_bus_message_read(message, "o", &path) < 0)
                return 0;

        interfaces = vsm_message_read_object(message, NULL);
        if (!interfaces)
                return 0;

        known = vsm_mirror_get_all(m, path);
        if (!known) {
                json_object_set_object_member(m->objects, path, g_steal_pointer(&interfaces));
                tell(m, VSM_MIRROR_ADDED, path, NULL, NULL);
                return 0;
        }

        /* one more interface of an object that is there */
        names = json_object_get_members(interfaces);
        for (GList *l = names; l; l = l->next)
                json_object_set_member(known, l->data, json_object_dup_member(interfaces, l->data));

        return 0;
}

static int on_interfaces_removed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        g_autoptr(JsonArray) interfaces = NULL;
        VsmMirror *m = userdata;
        JsonObject *known;
        const char *path;
        guint left;

        if (sd_bus_message_read(message, "o", &path) < 0)
                return 0;

        known = vsm_mirror_get_all(m, path);
        interfaces = vsm_message_read_array(message, NULL);
        if (!known || !interfaces)
                return 0;

        /* The handler sees it whole for the last time. So count first, remove after. */
        left = json_object_get_size(known);
        for (guint i = 0; i < json_array_get_length(interfaces); i++)
                if (json_object_has_member(known, json_array_get_string_element(interfaces, i)))
                        left--;

        if (left == 0) {
                tell(m, VSM_MIRROR_REMOVED, path, NULL, NULL);
                json_object_remove_member(m->objects, path);
                return 0;
        }

        for (guint i = 0; i < json_array_get_length(interfaces); i++)
                if (json_object_has_member(known, json_array_get_string_element(interfaces, i)))
                        json_object_remove_member(known, json_array_get_string_element(interfaces, i));

        return 0;
}

/* What is said to be another now without saying what: null, until somebody asks. */
static void add_invalidated(sd_bus_message *message, JsonObject *changed) {
        g_autoptr(JsonArray) invalidated = vsm_message_read_array(message, NULL);

        for (guint i = 0; invalidated && i < json_array_get_length(invalidated); i++)
                json_object_set_null_member(changed, json_array_get_string_element(invalidated, i));
}

static int on_properties_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        g_autoptr(JsonObject) changed = NULL;
        g_autoptr(GList) names = NULL;
        VsmMirror *m = userdata;
        const char *path = sd_bus_message_get_path(message), *interface;
        JsonObject *known;

        if (!m->objects || sd_bus_message_read(message, "s", &interface) < 0)
                return 0;

        changed = vsm_message_read_object(message, NULL);
        if (!changed)
                return 0;
        add_invalidated(message, changed);

        /* the root is not among the managed objects, its changes are told all the same */
        known = vsm_mirror_get(m, path, interface);
        if (!known && !g_str_equal(path, VSM_OBJECT_PATH))
                return 0;

        names = json_object_get_members(changed);
        for (GList *l = names; known && l; l = l->next)
                json_object_set_member(known, l->data, json_object_dup_member(changed, l->data));

        if (names)
                tell(m, VSM_MIRROR_CHANGED, path, interface, changed);
        return 0;
}

static int on_name_owner_changed(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        const char *name, *old_owner, *new_owner;
        VsmMirror *m = userdata;

        if (sd_bus_message_read(message, "sss", &name, &old_owner, &new_owner) < 0)
                return 0;

        if (*old_owner && !m->away) {
                m->away = true;
                tell(m, VSM_MIRROR_SERVICE_GONE, NULL, NULL, NULL);
        }

        /* not away: it was started by our own first call */
        if (*new_owner && m->away) {
                m->away = false;
                tell(m, VSM_MIRROR_SERVICE_BACK, NULL, NULL, NULL);
                (void) load(m);
        }

        return 0;
}

static int on_disconnected(sd_bus_message *message, void *userdata, sd_bus_error *ret_error) {
        tell(userdata, VSM_MIRROR_LOST, NULL, NULL, NULL);
        return 0;
}

static void slot_unref(void *slot) {
        sd_bus_slot_unref(slot);
}

static bool subscribe(VsmMirror *m, GError **error) {
        static const struct {
                const char *rule;
                sd_bus_message_handler_t handler;
        } matches[] = {
                { "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                  "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" VSM_BUS_NAME "'",
                  on_name_owner_changed },
                { "type='signal',sender='" VSM_BUS_NAME "',path='" VSM_OBJECT_PATH "',"
                  "interface='" OBJECT_MANAGER "',member='InterfacesAdded'",
                  on_interfaces_added },
                { "type='signal',sender='" VSM_BUS_NAME "',path='" VSM_OBJECT_PATH "',"
                  "interface='" OBJECT_MANAGER "',member='InterfacesRemoved'",
                  on_interfaces_removed },
                { "type='signal',sender='" VSM_BUS_NAME "',path_namespace='" VSM_OBJECT_PATH "',"
                  "interface='org.freedesktop.DBus.Properties',member='PropertiesChanged'",
                  on_properties_changed },
                { "type='signal',sender='org.freedesktop.DBus.Local',path='/org/freedesktop/DBus/Local',"
                  "interface='org.freedesktop.DBus.Local',member='Disconnected'",
                  on_disconnected },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(matches); i++) {
                sd_bus_slot *slot = NULL;
                int r;

                r = sd_bus_add_match(m->client->bus, &slot, matches[i].rule, matches[i].handler, m);
                if (r < 0)
                        return vsm_error_set_errno(error, r, _("Cannot subscribe to the service's signals"));

                g_ptr_array_add(m->matches, slot);
        }

        return true;
}

VsmMirror* vsm_mirror_new(VsmClient *client, VsmMirrorHandler handler, void *userdata, GError **error) {
        g_autoptr(VsmMirror) m = g_new0(VsmMirror, 1);
        int r;

        m->client = client;
        m->handler = handler;
        m->userdata = userdata;
        m->matches = g_ptr_array_new_with_free_func(slot_unref);

        if (!vsm_client_connect(client, error) || !subscribe(m, error))
                return NULL;

        r = load(m);
        if (r < 0) {
                vsm_error_set_errno(error, r, _("The request cannot be written"));
                return NULL;
        }

        return g_steal_pointer(&m);
}

void vsm_mirror_free(VsmMirror *mirror) {
        if (!mirror)
                return;

        sd_bus_slot_unref(mirror->load);
        g_clear_pointer(&mirror->matches, g_ptr_array_unref);
        g_clear_pointer(&mirror->objects, json_object_unref);
        g_free(mirror);
}
