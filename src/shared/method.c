/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The ways of leaving a host, by the words of the bus. Pure; any thread. */

#include "shared/error.h"
#include "shared/method.h"
#include "shared/quote.h"

static const char *const names[_VSM_METHOD_MAX] = {
        [VSM_METHOD_LIVE]      = "live",
        [VSM_METHOD_POST_COPY] = "post-copy",
        [VSM_METHOD_RESUME]    = "resume",
        [VSM_METHOD_SAVE]      = "save",
        [VSM_METHOD_SHUTDOWN]  = "shutdown",
        [VSM_METHOD_LEAVE]     = "leave",
};

const char* vsm_method_to_string(VsmMethod method) {
        return names[method];
}

bool vsm_method_from_string(const char *word, VsmMethod *ret) {
        for (unsigned i = 0; i < _VSM_METHOD_MAX; i++)
                if (g_str_equal(names[i], word)) {
                        *ret = i;
                        return true;
                }

        return false;
}

bool vsm_method_moves(VsmMethod method) {
        return method <= VSM_METHOD_RESUME;
}

VsmChain vsm_chain_default(void) {
        return (VsmChain) {
                .methods = { VSM_METHOD_LIVE, VSM_METHOD_RESUME, VSM_METHOD_SAVE, VSM_METHOD_LEAVE },
                .n = 4,
        };
}

bool vsm_chain_parse(const char *const *words, VsmChain *ret, GError **error) {
        VsmChain chain = {};
        unsigned seen = 0;

        for (; *words; words++) {
                g_autofree char *quoted = vsm_text_quote(*words);
                VsmMethod method;

                if (!vsm_method_from_string(*words, &method)) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                                    "\"%s\" is unknown; there are live, post-copy, resume, save, shutdown and leave.",
                                    quoted);
                        return false;
                }

                if (seen & 1U << method) {
                        g_set_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER,
                                    "\"%s\" is there twice and must be there once.", quoted);
                        return false;
                }

                seen |= 1U << method;
                chain.methods[chain.n++] = method;
        }

        *ret = chain;
        return true;
}

char** vsm_chain_to_strv(const VsmChain *chain) {
        char **words = g_new0(char *, chain->n + 1);

        for (size_t i = 0; i < chain->n; i++)
                words[i] = g_strdup(names[chain->methods[i]]);

        return words;
}
