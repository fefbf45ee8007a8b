/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What part of the history is wanted, from a command line (dbus-api, 3.3). Pure. */

#include <glib/gi18n.h>
#include <string.h>

#include "client/history-arg.h"
#include "client/settings-arg.h"
#include "shared/enums.h"

void vsm_history_arguments_done(VsmHistoryArguments *arguments) {
        g_clear_pointer(&arguments->system, g_free);
        g_clear_pointer(&arguments->to, g_free);
        g_clear_pointer(&arguments->since, g_free);
        g_clear_pointer(&arguments->until, g_free);
        g_clear_pointer(&arguments->state, g_free);
        g_clear_pointer(&arguments->limit, g_free);
        g_clear_pointer(&arguments->offset, g_free);
}

/* ---- moments ---- */

static bool moment_to_usec(GDateTime *moment, uint64_t *ret) {
        int64_t seconds = moment ? g_date_time_to_unix(moment) : -1;

        if (seconds < 0)
                return false;

        *ret = (uint64_t) seconds * G_USEC_PER_SEC + (uint64_t) g_date_time_get_microsecond(moment);
        return true;
}

/* The beginning of the day, so many days ago */
static bool day_to_usec(uint64_t now, int days_ago, uint64_t *ret) {
        g_autoptr(GDateTime) moment = g_date_time_new_from_unix_local((int64_t) (now / G_USEC_PER_SEC));
        g_autoptr(GDateTime) day = moment ? g_date_time_add_days(moment, -days_ago) : NULL;
        g_autoptr(GDateTime) midnight = NULL;

        if (!day)
                return false;

        midnight = g_date_time_new_local(g_date_time_get_year(day), g_date_time_get_month(day),
                                         g_date_time_get_day_of_month(day), 0, 0, 0);
        return moment_to_usec(midnight, ret);
}

static int number_at(const GMatchInfo *match, int group) {
        g_autofree char *text = g_match_info_fetch(match, group);

        return text && *text ? (int) g_ascii_strtoll(text, NULL, 10) : 0;
}

static bool parse_local(const char *text, uint64_t *ret) {
        g_autoptr(GRegex) regex = g_regex_new("^(\\d{4})-(\\d\\d)-(\\d\\d)"
                                              "(?:[ T](\\d\\d):(\\d\\d)(?::(\\d\\d))?)?$", 0, 0, NULL);
        g_autoptr(GMatchInfo) match = NULL;
        g_autoptr(GDateTime) moment = NULL;

        if (!g_regex_match(regex, text, 0, &match))
                return false;

        moment = g_date_time_new_local(number_at(match, 1), number_at(match, 2), number_at(match, 3),
                                       number_at(match, 4), number_at(match, 5), number_at(match, 6));
        return moment_to_usec(moment, ret);
}

/* With a zone, or nothing */
static bool parse_iso8601(const char *text, uint64_t *ret) {
        g_autoptr(GDateTime) moment = g_date_time_new_from_iso8601(text, NULL);

        return moment_to_usec(moment, ret);
}

static bool parse_ago(const char *text, uint64_t now, uint64_t *ret) {
        g_autofree char *length = g_strdup(text);
        uint64_t usec;

        if (g_str_has_suffix(length, " ago"))
                length[strlen(length) - strlen(" ago")] = '\0';

        /* a bare number could be anything */
        if (!length[strspn(length, G_CSET_DIGITS)] || !vsm_settings_parse_time(length, &usec) || usec > now)
                return false;

        *ret = now - usec;
        return true;
}

bool vsm_history_parse_time(const char *text, uint64_t now, uint64_t *ret) {
        uint64_t seconds;

        if (g_str_equal(text, "now")) {
                *ret = now;
                return true;
        }
        if (g_str_equal(text, "today"))
                return day_to_usec(now, 0, ret);
        if (g_str_equal(text, "yesterday"))
                return day_to_usec(now, 1, ret);

        if (text[0] == '@') {
                if (!g_ascii_string_to_unsigned(text + 1, 10, 0, G_MAXINT64 / G_USEC_PER_SEC, &seconds, NULL))
                        return false;

                *ret = seconds * G_USEC_PER_SEC;
                return true;
        }

        return parse_local(text, ret) || parse_iso8601(text, ret) || parse_ago(text, now, ret);
}

/* ---- the filter ---- */

static bool insert_time(GVariantDict *dict, const char *key, const char *option, const char *text,
                        uint64_t now, GError **error) {
        uint64_t moment;

        if (!text)
                return true;

        if (!vsm_history_parse_time(text, now, &moment)) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("'%s' is no value for %s, which wants %s"), text, option,
                            _("a moment such as '2026-01-31 23:15', yesterday or 2h"));
                return false;
        }

        g_variant_dict_insert(dict, key, "t", moment);
        return true;
}

static bool insert_number(GVariantDict *dict, const char *key, const char *option, const char *text,
                          GError **error) {
        uint64_t number;

        if (!text)
                return true;

        if (!g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT32, &number, NULL)) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("'%s' is no value for %s, which wants %s"), text, option,
                            _("a number from 0 to 4294967295"));
                return false;
        }

        g_variant_dict_insert(dict, key, "u", (uint32_t) number);
        return true;
}

static bool insert_state(GVariantDict *dict, const char *text, GError **error) {
        static const uint16_t finals[] = {
                VSM_JOB_STATE_COMPLETED, VSM_JOB_STATE_TERMINATED, VSM_JOB_STATE_KILLED,
                VSM_JOB_STATE_EXCEPTION, VSM_JOB_STATE_COMPLETED_WITH_WARNINGS,
        };
        uint64_t number = 0;

        if (!text)
                return true;

        for (size_t i = 0; i < G_N_ELEMENTS(finals); i++)
                if (g_str_equal(vsm_job_state_to_string(finals[i]), text))
                        number = finals[i];

        if (number == 0 && !g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT16, &number, NULL)) {
                g_set_error(error, VSM_CLIENT_ERROR, VSM_CLIENT_ERROR_USAGE,
                            _("'%s' is no value for %s, which wants %s"), text, "--state",
                            _("completed, completed-with-warnings, failed, cancelled or killed"));
                return false;
        }

        g_variant_dict_insert(dict, "State", "q", (uint16_t) number);
        return true;
}

GVariant* vsm_history_build(const VsmHistoryArguments *arguments, uint64_t now, GError **error) {
        g_auto(GVariantDict) dict = G_VARIANT_DICT_INIT(NULL);

        if (arguments->system)
                g_variant_dict_insert(&dict, "System", "s", arguments->system);
        if (arguments->to)
                g_variant_dict_insert(&dict, "DestinationHost", "s", arguments->to);

        if (!insert_time(&dict, "Since", "--since", arguments->since, now, error) ||
            !insert_time(&dict, "Until", "--until", arguments->until, now, error) ||
            !insert_state(&dict, arguments->state, error) ||
            !insert_number(&dict, "Limit", "--limit", arguments->limit, error) ||
            !insert_number(&dict, "Offset", "--offset", arguments->offset, error))
                return NULL;

        return g_variant_ref_sink(g_variant_dict_end(&dict));
}
