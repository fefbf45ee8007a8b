/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service's settings on the bus (Msvm_VirtualSystemMigrationServiceSettingData). Read-only as
 * properties: ModifyServiceSettings changes them. Bus thread, but for trim_run(), which says so. */

#include "daemon/bandwidth.h"
#include "daemon/host.h"
#include "daemon/log.h"
#include "daemon/queue.h"
#include "daemon/refuse.h"
#include "daemon/settings-file.h"
#include "daemon/settings-keys.h"
#include "daemon/settings.h"
#include "shared/names.h"

struct VsmSettings {
        char *configuration, *drop_ins;
        VsmSettingsData files;          /* what the files say, the contract's defaults below them */
        char **directories;             /* of [Storage], never NULL */
        VsmShutdownPolicy shutdown;     /* [Evacuation] */
        GHashTable *set;                /* name -> GVariant: what ModifyServiceSettings has set */
        unsigned writing;               /* changes on their way to the disk */
};

#define GETTER(name, signature, expression)                                                             \
        static int property_get_##name(sd_bus *bus, const char *path, const char *interface,            \
                                       const char *property, sd_bus_message *reply, void *userdata,     \
                                       sd_bus_error *error) {                                           \
                const VsmSettingsData *settings = &((VsmManager*) userdata)->settings;                  \
                                                                                                        \
                (void) settings;                                                                        \
                return sd_bus_message_append(reply, signature, expression);                             \
        }

GETTER(instance_id, "s", VSM_SETTINGS_INSTANCE_ID)
GETTER(caption, "s", VSM_SETTINGS_CAPTION)
GETTER(description, "s", VSM_SETTINGS_DESCRIPTION)
GETTER(element_name, "s", VSM_SETTINGS_ELEMENT_NAME)
GETTER(enable_migration, "b", (int) settings->enable_migration)
GETTER(max_migrations, "u", settings->max_migrations)
GETTER(max_storage, "u", settings->max_storage)
GETTER(authentication, "u", settings->authentication)
GETTER(default_transport, "q", settings->default_transport)
GETTER(default_post_copy, "s", settings->default_post_copy)
GETTER(compression, "b", (int) settings->compression)
GETTER(smb, "b", (int) settings->smb)
GETTER(max_bandwidth, "t", settings->max_bandwidth)
GETTER(stall_timeout, "t", settings->stall_timeout)
GETTER(history_limit, "u", settings->history_limit)

#define CONST  SD_BUS_VTABLE_PROPERTY_CONST
#define CHANGE SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("InstanceID", "s", property_get_instance_id, 0, CONST),
        SD_BUS_PROPERTY("Caption", "s", property_get_caption, 0, CONST),
        SD_BUS_PROPERTY("Description", "s", property_get_description, 0, CONST),
        SD_BUS_PROPERTY("ElementName", "s", property_get_element_name, 0, CONST),
        SD_BUS_PROPERTY("EnableVirtualSystemMigration", "b", property_get_enable_migration, 0, CHANGE),
        SD_BUS_PROPERTY("MaximumActiveVirtualSystemMigration", "u", property_get_max_migrations, 0, CHANGE),
        SD_BUS_PROPERTY("MaximumActiveStorageMigration", "u", property_get_max_storage, 0, CHANGE),
        SD_BUS_PROPERTY("AuthenticationType", "u", property_get_authentication, 0, CHANGE),
        SD_BUS_PROPERTY("DefaultTransportType", "q", property_get_default_transport, 0, CHANGE),
        SD_BUS_PROPERTY("DefaultPostCopy", "s", property_get_default_post_copy, 0, CHANGE),
        SD_BUS_PROPERTY("EnableCompression", "b", property_get_compression, 0, CHANGE),
        SD_BUS_PROPERTY("EnableSmbTransport", "b", property_get_smb, 0, CHANGE),
        SD_BUS_PROPERTY("MaximumBandwidth", "t", property_get_max_bandwidth, 0, CHANGE),
        SD_BUS_PROPERTY("StallTimeout", "t", property_get_stall_timeout, 0, CHANGE),
        SD_BUS_PROPERTY("HistoryLimit", "u", property_get_history_limit, 0, CHANGE),
        SD_BUS_VTABLE_END
};

int vsm_settings_register(VsmManager *manager) {
        return sd_bus_add_object_vtable(vsm_bus_get(manager->bus), NULL, VSM_OBJECT_PATH,
                                        VSM_INTERFACE_SETTINGS, vtable, manager);
}

/* ---- the two layers ---- */

static VsmSettingsData compose(const VsmSettings *settings) {
        VsmSettingsData outcome = settings->files;
        GHashTableIter iter;
        const char *name;
        GVariant *value;

        g_hash_table_iter_init(&iter, settings->set);
        while (g_hash_table_iter_next(&iter, (void**) &name, (void**) &value))
                (void) vsm_settings_apply(&outcome, name, value, NULL); /* it was taken before */

        return outcome;
}

static void emit_changes(VsmManager *manager, const VsmSettingsData *old, const VsmSettingsData *now) {
        for (const VsmKey *key = vsm_keys_settings; key->name; key++)
                if (!vsm_settings_same(key, old, now))
                        vsm_bus_changed(manager->bus, VSM_OBJECT_PATH, VSM_INTERFACE_SETTINGS, key->name);
}

typedef struct TrimTask {
        VsmTask task;
        VsmStore *store;
        uint32_t limit;
} TrimTask;

/* Store lane. */
static void trim_run(VsmTask *task) {
        TrimTask *t = (TrimTask*) task;

        (void) vsm_store_history_trim(t->store, t->limit, &task->error);
}

static void trim_done(VsmTask *task, void *userdata) {
        if (task->error)
                vsm_log(LOG_WARNING, "Cannot shorten the history: %s", task->error->message);
}

static void trim_history(VsmManager *manager) {
        TrimTask *t = vsm_task_new(TrimTask, trim_run, trim_done, NULL);

        t->store = manager->store;
        t->limit = manager->settings.history_limit;
        vsm_worker_push(manager->worker, VSM_LANE_STORE, &t->task);
}

/* A layer is another: all that is different takes effect here. */
static void take_effect(VsmManager *manager) {
        VsmSettingsData old = manager->settings;

        manager->settings = compose(manager->layers);
        emit_changes(manager, &old, &manager->settings);

        if (manager->settings.enable_migration != old.enable_migration)
                vsm_refuse_update(manager);
        if (manager->settings.history_limit < old.history_limit)
                trim_history(manager);
        if (manager->settings.authentication != old.authentication)
                vsm_hosts_settings_changed(manager);

        /* there may be room for more */
        vsm_queue_run(manager->queue);
        vsm_bandwidth_rebalance(manager);
}

static void read_files(VsmSettings *settings) {
        g_auto(GStrv) directories = g_steal_pointer(&settings->directories);
        g_auto(GStrv) faults = vsm_settings_read(settings->configuration, settings->drop_ins, &settings->files,
                                                 &settings->directories, &settings->shutdown);

        for (char **f = faults; *f; f++)
                vsm_log(LOG_WARNING, "%s", *f);
}

char** vsm_settings_directories(VsmManager *manager) {
        return manager->layers->directories;
}

const VsmShutdownPolicy* vsm_settings_shutdown_policy(VsmManager *manager) {
        return &manager->layers->shutdown;
}

void vsm_settings_reload(VsmManager *manager) {
        read_files(manager->layers);
        take_effect(manager);
        vsm_log(LOG_INFO, "The configuration was read again.");
}

static void set(VsmSettings *settings, const char *name, GVariant *value) {
        (void) g_hash_table_replace(settings->set, g_strdup(name), g_variant_ref(value));
}

GVariant* vsm_settings_begin(VsmManager *manager, GVariant *wish) {
        g_auto(GVariantBuilder) builder = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
        GVariantIter iter;
        const char *name;
        GVariant *value;

        /* what holds at its turn is not known before the one on its way is through */
        if (manager->layers->writing++ > 0)
                return g_variant_ref(wish);

        g_variant_iter_init(&iter, wish);
        while (g_variant_iter_loop(&iter, "{&sv}", &name, &value)) {
                VsmSettingsData then = manager->settings;

                (void) vsm_settings_apply(&then, name, value, NULL);
                if (!vsm_settings_same(vsm_key_find(vsm_keys_settings, "", name, NULL), &then,
                                       &manager->settings))
                        g_variant_builder_add(&builder, "{sv}", name, value);
        }

        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

void vsm_settings_end(VsmManager *manager, GVariant *wish) {
        GVariantIter iter;
        const char *name;
        GVariant *value;

        manager->layers->writing--;
        if (!wish)
                return;

        g_variant_iter_init(&iter, wish);
        while (g_variant_iter_loop(&iter, "{&sv}", &name, &value))
                set(manager->layers, name, value);

        take_effect(manager);
}

/* ---- start ---- */

/* What another version kept and this one does not take is left where it is. */
static bool load_one(VsmSettings *settings, const VsmStoredText *text, GError **error) {
        g_autoptr(GVariant) value = g_variant_parse(NULL, text->value, NULL, NULL, error);
        VsmSettingsData probe = settings->files;

        if (!value || !vsm_settings_apply(&probe, text->key, value, error))
                return false;

        set(settings, text->key, value);
        return true;
}

bool vsm_settings_load(VsmManager *manager, GError **error) {
        g_autoptr(GPtrArray) texts = vsm_store_texts(manager->store, VSM_STORE_SETTING, error);

        if (!texts)
                return false;

        for (guint i = 0; i < texts->len; i++) {
                g_autoptr(GError) e = NULL;

                if (!load_one(manager->layers, texts->pdata[i], &e))
                        vsm_log(LOG_WARNING, "A setting of the state file is not used: %s", e->message);
        }

        manager->settings = compose(manager->layers);
        return true;
}

VsmSettings* vsm_settings_new(VsmManager *manager, const char *configuration, const char *drop_ins) {
        VsmSettings *settings = g_new0(VsmSettings, 1);

        settings->configuration = g_strdup(configuration);
        settings->drop_ins = g_strdup(drop_ins);
        settings->set = g_hash_table_new_full(g_str_hash, g_str_equal, g_free,
                                              (GDestroyNotify) g_variant_unref);
        read_files(settings);
        manager->settings = settings->files;
        return settings;
}

void vsm_settings_free(VsmSettings *settings) {
        if (!settings)
                return;

        g_hash_table_unref(settings->set);
        g_strfreev(settings->directories);
        g_free(settings->configuration);
        g_free(settings->drop_ins);
        g_free(settings);
}
