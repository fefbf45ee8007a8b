/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* To text and back. A text that cannot be read is an error that names it, never half a record. */

#include "daemon/evacuation-record.h"
#include "shared/error.h"

/* keys in the store: never rename */
#define KEY_RECORD "Evacuation"
#define KEY_AWAY   "Away"

/* Job, started, options, plan, leavers (UUID, name, end, stilling, level, autostart, running, reasons), hosts that are
 * out. */
#define RECORD_TYPE  "(tta{sv}aa{sv}a(ssuuubbaa{sv})as)"
#define LEAVERS_TYPE "a(ssuuubbaa{sv})"

/* UUID, name, host, address, since, autostart, running. */
#define AWAY_TYPE "a(sssstbbb)"

static GVariant* no_dicts(void) {
        return g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
}

VsmLeaver* vsm_leaver_new(const char *uuid, const char *name) {
        VsmLeaver *leaver = g_new0(VsmLeaver, 1);

        leaver->uuid = g_strdup(uuid);
        leaver->name = g_strdup(name);
        leaver->running = true;
        leaver->reasons = no_dicts();
        return leaver;
}

void vsm_leaver_free(VsmLeaver *leaver) {
        if (!leaver)
                return;

        g_free(leaver->uuid);
        g_free(leaver->name);
        g_clear_pointer(&leaver->reasons, g_variant_unref);
        g_free(leaver);
}

VsmEvacuationRecord* vsm_evacuation_record_new(void) {
        VsmEvacuationRecord *record = g_new0(VsmEvacuationRecord, 1);

        record->options = g_variant_ref_sink(g_variant_new_array(G_VARIANT_TYPE("{sv}"), NULL, 0));
        record->plan = no_dicts();
        record->leavers = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_leaver_free);
        record->out = g_new0(char*, 1);
        return record;
}

void vsm_evacuation_record_free(VsmEvacuationRecord *record) {
        if (!record)
                return;

        g_clear_pointer(&record->options, g_variant_unref);
        g_clear_pointer(&record->plan, g_variant_unref);
        g_clear_pointer(&record->leavers, g_ptr_array_unref);
        g_strfreev(record->out);
        g_free(record);
}

static GVariant* leavers_to_variant(GPtrArray *leavers) {
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE(LEAVERS_TYPE));
        for (guint i = 0; i < leavers->len; i++) {
                const VsmLeaver *l = leavers->pdata[i];

                g_variant_builder_add(&builder, "(ssuuubb@aa{sv})", l->uuid, l->name, (uint32_t) l->end,
                                      (uint32_t) l->stilling, l->level, (gboolean) l->autostart, (gboolean) l->running,
                                      l->reasons);
        }

        return g_variant_builder_end(&builder);
}

char* vsm_evacuation_record_to_text(const VsmEvacuationRecord *record) {
        g_autoptr(GVariant) value = NULL;

        value = g_variant_ref_sink(g_variant_new("(tt@a{sv}@aa{sv}@" LEAVERS_TYPE "^as)", record->job,
                                                 record->started, record->options, record->plan,
                                                 leavers_to_variant(record->leavers), record->out));
        return g_variant_print(value, TRUE);
}

static GVariant* parse(const char *what, const char *type, const char *text, GError **error) {
        g_autoptr(GError) e = NULL;
        GVariant *value = NULL;

        /* GLib's parser relies on it */
        if (g_utf8_validate(text, -1, NULL))
                value = g_variant_parse(G_VARIANT_TYPE(type), text, NULL, NULL, &e);
        if (!value)
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "What was kept as \"%s\" cannot be read: %s", what,
                            e ? e->message : "it is no UTF-8");

        return value;
}

VsmEvacuationRecord* vsm_evacuation_record_from_text(const char *text, GError **error) {
        g_autoptr(GVariant) value = parse(KEY_RECORD, RECORD_TYPE, text, error), leavers = NULL;
        VsmEvacuationRecord *record;
        gboolean autostart, running;
        GVariantIter iter;
        VsmLeaver *leaver;
        uint32_t end, stilling;

        if (!value)
                return NULL;

        record = g_new0(VsmEvacuationRecord, 1);
        record->leavers = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_leaver_free);
        g_variant_get(value, "(tt@a{sv}@aa{sv}@" LEAVERS_TYPE "^as)", &record->job, &record->started,
                      &record->options, &record->plan, &leavers, &record->out);

        g_variant_iter_init(&iter, leavers);
        while (leaver = g_new0(VsmLeaver, 1),
               g_variant_iter_next(&iter, "(ssuuubb@aa{sv})", &leaver->uuid, &leaver->name, &end, &stilling,
                                   &leaver->level, &autostart, &running, &leaver->reasons)) {
                leaver->autostart = autostart;
                leaver->running = running;
                /* one of a later version waits, and is looked at */
                leaver->end = end < _VSM_LEAVING_MAX ? (VsmLeaving) end : VSM_LEAVING_WAITS;
                leaver->stilling = stilling < _VSM_LEAVING_MAX ? (VsmLeaving) stilling : VSM_LEAVING_WAITS;
                g_ptr_array_add(record->leavers, leaver);
        }

        vsm_leaver_free(leaver);
        return record;
}

/* *ret is NULL, and the result true, when there is none. */
static bool read_text(VsmStore *store, const char *key, char **ret, GError **error) {
        g_autoptr(GPtrArray) texts = vsm_store_texts(store, VSM_STORE_FACT, error);

        *ret = NULL;
        for (guint i = 0; texts && i < texts->len; i++) {
                VsmStoredText *text = texts->pdata[i];

                if (g_str_equal(text->key, key))
                        *ret = g_steal_pointer(&text->value);
        }

        return texts;
}

static bool write_text(VsmStore *store, const char *key, const char *value, GError **error) {
        const VsmStoredText text = { (char*) key, (char*) value };

        return vsm_store_texts_change(store, VSM_STORE_FACT, &text, 1, error);
}

VsmEvacuationRecord* vsm_evacuation_record_read(VsmStore *store, GError **error) {
        g_autofree char *text = NULL;

        if (!read_text(store, KEY_RECORD, &text, error) || !text)
                return NULL;

        return vsm_evacuation_record_from_text(text, error);
}

bool vsm_evacuation_record_write(VsmStore *store, const char *text, GError **error) {
        return write_text(store, KEY_RECORD, text, error);
}

/* ---- who is away ---- */

VsmAway* vsm_away_new(const char *uuid, const char *name, const char *host, const char *address) {
        VsmAway *away = g_new0(VsmAway, 1);

        away->uuid = g_strdup(uuid);
        away->name = g_strdup(name);
        away->host = g_strdup(host);
        away->address = g_strdup(address ?: "");
        away->running = true;
        return away;
}

VsmAway* vsm_away_new_stilled(const VsmLeaver *leaver, uint64_t since) {
        VsmAway *away = vsm_away_new(leaver->uuid, leaver->name, "", NULL);

        away->since = since;
        away->autostart = leaver->autostart;
        return away;
}

void vsm_away_free(VsmAway *away) {
        if (!away)
                return;

        g_free(away->uuid);
        g_free(away->name);
        g_free(away->host);
        g_free(away->address);
        g_free(away);
}

VsmAway* vsm_away_copy(const VsmAway *away) {
        VsmAway *copy = vsm_away_new(away->uuid, away->name, away->host, away->address);

        copy->since = away->since;
        copy->autostart = away->autostart;
        copy->running = away->running;
        copy->called = away->called;
        return copy;
}

char* vsm_away_to_text(GPtrArray *away) {
        g_autoptr(GVariant) value = NULL;
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE(AWAY_TYPE));
        for (guint i = 0; i < away->len; i++) {
                const VsmAway *a = away->pdata[i];

                g_variant_builder_add(&builder, "(sssstbbb)", a->uuid, a->name, a->host, a->address, a->since,
                                      (gboolean) a->autostart, (gboolean) a->running, (gboolean) a->called);
        }

        value = g_variant_ref_sink(g_variant_builder_end(&builder));
        return g_variant_print(value, TRUE);
}

GPtrArray* vsm_away_from_text(const char *text, GError **error) {
        g_autoptr(GVariant) value = parse(KEY_AWAY, AWAY_TYPE, text, error);
        g_autoptr(GPtrArray) all = g_ptr_array_new_with_free_func((GDestroyNotify) vsm_away_free);
        const char *uuid, *name, *host, *address;
        gboolean autostart, running, called;
        GVariantIter iter;
        uint64_t since;

        if (!value)
                return NULL;

        g_variant_iter_init(&iter, value);
        while (g_variant_iter_next(&iter, "(&s&s&s&stbbb)", &uuid, &name, &host, &address, &since, &autostart,
                                   &running, &called)) {
                VsmAway *away = vsm_away_new(uuid, name, host, address);

                away->since = since;
                away->autostart = autostart;
                away->running = running;
                away->called = called;
                g_ptr_array_add(all, away);
        }

        return g_steal_pointer(&all);
}

GPtrArray* vsm_evacuation_record_away(VsmStore *store, GError **error) {
        g_autofree char *text = NULL;

        if (!read_text(store, KEY_AWAY, &text, error))
                return NULL;
        if (!text)
                return g_ptr_array_new_with_free_func((GDestroyNotify) vsm_away_free);

        return vsm_away_from_text(text, error);
}

bool vsm_evacuation_record_set_away(VsmStore *store, GPtrArray *away, GError **error) {
        g_autofree char *text = away->len > 0 ? vsm_away_to_text(away) : NULL;

        return write_text(store, KEY_AWAY, text, error);
}

bool vsm_evacuation_record_add_away(VsmStore *store, const VsmAway *away, GError **error) {
        g_autoptr(GPtrArray) all = vsm_evacuation_record_away(store, error);

        if (!all)
                return false;

        for (guint i = all->len; i > 0; i--)
                if (g_str_equal(((VsmAway*) all->pdata[i - 1])->uuid, away->uuid))
                        (void) g_ptr_array_remove_index(all, i - 1);

        g_ptr_array_add(all, vsm_away_copy(away));
        return vsm_evacuation_record_set_away(store, all, error);
}
