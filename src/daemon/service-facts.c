/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The service's state to text and back. Any thread; what touches the store may wait for the disk. */

#include <string.h>

#include "daemon/service-facts.h"
#include "shared/enums.h"

/* keys in the store: never rename */
#define KEY_ENABLED   "EnabledState"
#define KEY_REQUESTED "RequestedState"
#define KEY_CHANGED   "TimeOfLastStateChange"
#define KEY_QUIESCE   "Quiesce"
#define KEY_DRAINING  "Draining"

#define QUIESCE_TYPE  "(tttus)"
#define DRAINING_TYPE "(bsq)"           /* keep_draining, drain_boot_id, before_draining */

void vsm_service_facts_clear(VsmServiceFacts *facts) {
        g_clear_pointer(&facts->owner, g_free);
        g_clear_pointer(&facts->drain_boot_id, g_free);
}

VsmServiceFacts vsm_service_facts_copy(const VsmServiceFacts *facts) {
        VsmServiceFacts copy = *facts;

        copy.owner = g_strdup(facts->owner);
        copy.drain_boot_id = g_strdup(facts->drain_boot_id);
        return copy;
}

bool vsm_service_facts_drain_holds(const VsmServiceFacts *facts, const char *boot_id) {
        return facts->draining && (facts->keep_draining || g_strcmp0(facts->drain_boot_id, boot_id) == 0);
}

static char* print(GVariant *value) {
        g_autoptr(GVariant) owned = g_variant_ref_sink(value);

        return g_variant_print(owned, FALSE);
}

bool vsm_service_facts_write(VsmStore *store, const VsmServiceFacts *facts, GError **error) {
        g_autofree char *enabled = g_strdup_printf("%u", facts->enabled);
        g_autofree char *requested = g_strdup_printf("%u", facts->requested);
        g_autofree char *changed = g_strdup_printf("%" G_GUINT64_FORMAT, facts->changed);
        g_autofree char *quiesce = NULL, *draining = NULL;

        if (facts->quiesce > 0)
                quiesce = print(g_variant_new(QUIESCE_TYPE, facts->quiesce, facts->submitted, facts->deadline,
                                              facts->owner_uid, facts->owner ?: ""));
        if (facts->draining)
                draining = print(g_variant_new(DRAINING_TYPE, (gboolean) facts->keep_draining,
                                               facts->drain_boot_id ?: "", facts->before_draining));

        const VsmStoredText texts[] = {
                { (char*) KEY_ENABLED, enabled },
                { (char*) KEY_REQUESTED, requested },
                { (char*) KEY_CHANGED, changed },
                { (char*) KEY_QUIESCE, quiesce },
                { (char*) KEY_DRAINING, draining },
        };

        return vsm_store_texts_change(store, VSM_STORE_FACT, texts, G_N_ELEMENTS(texts), error);
}

static bool is_state(uint64_t state) {
        return state == VSM_ENABLED_STATE_ENABLED || state == VSM_ENABLED_STATE_DISABLED ||
                state == VSM_ENABLED_STATE_QUIESCE;
}

static bool read_quiesce(const char *text, VsmServiceFacts *facts) {
        g_autoptr(GVariant) value = g_variant_parse(G_VARIANT_TYPE(QUIESCE_TYPE), text, NULL, NULL, NULL);

        if (!value)
                return false;

        g_free(facts->owner);
        g_variant_get(value, QUIESCE_TYPE, &facts->quiesce, &facts->submitted, &facts->deadline,
                      &facts->owner_uid, &facts->owner);
        return true;
}

static bool read_draining(const char *text, VsmServiceFacts *facts) {
        g_autoptr(GVariant) value = g_variant_parse(G_VARIANT_TYPE(DRAINING_TYPE), text, NULL, NULL, NULL);
        gboolean keep = FALSE;

        if (!value)
                return false;

        g_free(facts->drain_boot_id);
        g_variant_get(value, DRAINING_TYPE, &keep, &facts->drain_boot_id, &facts->before_draining);
        if (!is_state(facts->before_draining))
                facts->before_draining = VSM_ENABLED_STATE_ENABLED;
        facts->draining = true;
        facts->keep_draining = keep;
        return true;
}

static bool read_state(const char *text, bool may_be_none, uint16_t *ret) {
        guint64 number = 0;

        if (!g_ascii_string_to_unsigned(text, 10, 0, UINT16_MAX, &number, NULL) ||
            !(is_state(number) || (may_be_none && number == 0)))
                return false;

        *ret = (uint16_t) number;
        return true;
}

static bool read_time(const char *text, uint64_t *ret) {
        guint64 number = 0;

        if (!g_ascii_string_to_unsigned(text, 10, 0, INT64_MAX, &number, NULL))
                return false;

        *ret = number;
        return true;
}

static bool read_one(const VsmStoredText *text, VsmServiceFacts *facts) {
        if (g_str_equal(text->key, KEY_ENABLED))
                return read_state(text->value, false, &facts->enabled);
        if (g_str_equal(text->key, KEY_REQUESTED))
                return read_state(text->value, true, &facts->requested);
        if (g_str_equal(text->key, KEY_CHANGED))
                return read_time(text->value, &facts->changed);
        if (g_str_equal(text->key, KEY_QUIESCE))
                return read_quiesce(text->value, facts);
        if (g_str_equal(text->key, KEY_DRAINING))
                return read_draining(text->value, facts);

        /* others are somebody else's */
        return true;
}

bool vsm_service_facts_read(VsmStore *store, VsmServiceFacts *ret, char **ret_fault, GError **error) {
        g_autoptr(GPtrArray) texts = vsm_store_texts(store, VSM_STORE_FACT, error);

        if (!texts)
                return false;

        *ret = (VsmServiceFacts) { .enabled = VSM_ENABLED_STATE_ENABLED };

        for (guint i = 0; i < texts->len; i++) {
                const VsmStoredText *text = texts->pdata[i];

                if (!read_one(text, ret) && ret_fault && !*ret_fault)
                        *ret_fault = g_strdup_printf("%s \"%s\"", text->key, text->value);
        }

        /* a quiesce without its state would never end */
        if (ret->enabled != VSM_ENABLED_STATE_QUIESCE) {
                ret->quiesce = 0;
                ret->draining = false;
        }

        return true;
}
