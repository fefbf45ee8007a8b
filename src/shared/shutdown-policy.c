/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "shared/quote.h"
#include "shared/shutdown-policy.h"

#define GROUP "Evacuation"

static const struct {
        const char *key;
        VsmShutdownKind kind;
} kinds[] = {
        { "PowerOff", VSM_SHUTDOWN_POWER_OFF },
        { "Reboot",   VSM_SHUTDOWN_REBOOT    },
        { "Halt",     VSM_SHUTDOWN_HALT      },
        { "KExec",    VSM_SHUTDOWN_KEXEC     },
};

static const char *const words[] = {
        [VSM_SHUTDOWN_EVACUATE] = "evacuate",
        [VSM_SHUTDOWN_SAVE]     = "save",
        [VSM_SHUTDOWN_SHUTDOWN] = "shutdown",
        [VSM_SHUTDOWN_LEAVE]    = "leave",
};

VsmShutdownPolicy vsm_shutdown_policy_default(void) {
        return (VsmShutdownPolicy) { .actions = { [VSM_SHUTDOWN_NONE] = VSM_SHUTDOWN_LEAVE } };
}

static char* take_action(VsmShutdownAction *action, const VsmConfLine *line) {
        g_autofree char *quoted = NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
                if (g_str_equal(line->value, words[i])) {
                        *action = (VsmShutdownAction) i;
                        return NULL;
                }

        quoted = vsm_text_quote(line->value);
        return g_strdup_printf("%s: \"%s\" is not evacuate, save, shutdown or leave. The line is ignored.", line->key,
                               quoted);
}

static char* take_fallback(VsmChain *chain, const VsmConfLine *line) {
        g_auto(GStrv) parts = g_strsplit(line->value, ";", -1);
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
        g_auto(GStrv) methods = NULL;
        g_autoptr(GError) error = NULL;
        VsmChain wish;

        for (char **part = parts; *part; part++)
                if (*g_strstrip(*part) != '\0')
                        g_strv_builder_add(builder, *part);

        methods = g_strv_builder_end(builder);
        if (!methods[0]) {
                *chain = (VsmChain) {};
                return NULL;
        }

        if (!vsm_chain_parse((const char *const *) methods, &wish, &error))
                return g_strdup_printf("%s: %s The line is ignored.", line->key, error->message);

        *chain = wish;
        return NULL;
}

static char* take_bring_back(bool *bring_back, const VsmConfLine *line) {
        g_autofree char *quoted = NULL;

        if (g_str_equal(line->value, "true") || g_str_equal(line->value, "false")) {
                *bring_back = g_str_equal(line->value, "true");
                return NULL;
        }

        quoted = vsm_text_quote(line->value);
        return g_strdup_printf("%s: \"%s\" is not true or false. The line is ignored.", line->key, quoted);
}

char* vsm_shutdown_policy_take(VsmShutdownPolicy *policy, const VsmConfLine *line) {
        g_autofree char *quoted = NULL;

        if (!line->key)
                return NULL;

        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
                if (g_str_equal(line->key, kinds[i].key))
                        return take_action(&policy->actions[kinds[i].kind], line);

        if (g_str_equal(line->key, "Fallback"))
                return take_fallback(&policy->fallback, line);
        if (g_str_equal(line->key, "BringBack"))
                return take_bring_back(&policy->bring_back, line);

        quoted = vsm_text_quote(line->key);
        return g_strdup_printf("[" GROUP "]: \"%s\" is unknown. The line is ignored.", quoted);
}

static char* take_line(const VsmConfLine *line, void *userdata) {
        return g_str_equal(line->group, GROUP) ? vsm_shutdown_policy_take(userdata, line) : NULL;
}

VsmShutdownPolicy vsm_shutdown_policy_read(const char *file, const char *directory) {
        VsmShutdownPolicy policy = vsm_shutdown_policy_default();
        g_auto(GStrv) complaints = vsm_conf_read(file, directory, take_line, &policy);

        return policy;
}

bool vsm_shutdown_policy_always_evacuates(const VsmShutdownPolicy *policy) {
        for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
                if (policy->actions[kinds[i].kind] != VSM_SHUTDOWN_EVACUATE)
                        return false;

        return true;
}

VsmChain vsm_shutdown_policy_chain(const VsmShutdownPolicy *policy, VsmShutdownKind kind) {
        switch (policy->actions[kind]) {
        case VSM_SHUTDOWN_EVACUATE:
                return policy->fallback;
        case VSM_SHUTDOWN_SAVE:
                return (VsmChain) { { VSM_METHOD_SAVE, VSM_METHOD_LEAVE }, 2 };
        case VSM_SHUTDOWN_SHUTDOWN:
                return (VsmChain) { { VSM_METHOD_SHUTDOWN, VSM_METHOD_LEAVE }, 2 };
        default:
                return (VsmChain) { { VSM_METHOD_LEAVE }, 1 };
        }
}
