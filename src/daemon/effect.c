/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Pure: any thread. */

#include <string.h>

#include "daemon/effect.h"

VsmEffect* vsm_effect_new(VsmEffectKind kind, bool there, const char *object, const char *detail) {
        VsmEffect *effect = g_new0(VsmEffect, 1);

        effect->kind = kind;
        effect->there = there;
        effect->object = g_strdup(object);
        effect->detail = g_strdup(detail ?: "");
        return effect;
}

VsmEffect* vsm_effect_copy(const VsmEffect *effect) {
        VsmEffect *copy = vsm_effect_new(effect->kind, effect->there, effect->object, effect->detail);

        copy->id = effect->id;
        return copy;
}

char* vsm_effect_copy_detail(const char *target, const char *path) {
        return g_strconcat(target, " ", path, NULL);
}

/* no target has a slash in it, and each path begins with one */
char* vsm_effect_copy_target(const VsmEffect *effect) {
        const char *end = strstr(effect->detail, " /");

        return end ? g_strndup(effect->detail, (size_t) (end - effect->detail)) : g_strdup(effect->detail);
}

const char* vsm_effect_copy_path(const VsmEffect *effect) {
        const char *end = strstr(effect->detail, " /");

        return end ? end + 1 : NULL;
}

void vsm_effect_free(VsmEffect *effect) {
        if (!effect)
                return;

        g_free(effect->object);
        g_free(effect->detail);
        g_free(effect);
}
