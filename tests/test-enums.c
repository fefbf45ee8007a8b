/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The tables in src/shared against the contract, whose numbers and names are spelled out here a second
 * time on purpose. One thread. */

#include <string.h>

#include "shared/enums.h"
#include "shared/error.h"

static void test_numbers(void) {
        static const struct {
                unsigned is, wanted;
        } table[] = {
                { VSM_MIGRATION_STATE_FAILURE, 5 }, { VSM_MIGRATION_STATE_CANCELED, 4 },
                { VSM_MIGRATION_STATE_MOVE, 3 }, { VSM_MIGRATION_STATE_DATA_TRANSFER, 2 },
                { VSM_MIGRATION_STATE_SETUP, 1 }, { VSM_MIGRATION_STATE_NONE, 0 },
                { VSM_JOB_STATE_NEW, 2 }, { VSM_JOB_STATE_RUNNING, 4 }, { VSM_JOB_STATE_COMPLETED, 7 },
                { VSM_JOB_STATE_EXCEPTION, 10 }, { VSM_JOB_TYPE_MOVE_SYSTEM, 305 },
                { VSM_JOB_TYPE_CHECK_SYSTEM, 301 }, { VSM_JOB_TYPE_MOVE_STORAGE, 307 },
                { VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK, 32772 }, { VSM_TRANSPORT_IPC, 6 },
                { VSM_AUTHENTICATION_NONE, 32770 }, { VSM_ENABLED_STATE_STOPPING, 32774 },
                { VSM_REASON_BUSY, 0x800700AA }, { VSM_REASON_FAIL, 0x80004005 },
                { VSM_RETURN_JOB_STARTED, 4096 }, { VSM_RETURN_NOT_COMPATIBLE, 32784 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++)
                g_assert_cmpuint(table[i].is, ==, table[i].wanted);
}

static void test_words(void) {
        g_assert_cmpstr(vsm_migration_state_to_string(2), ==, "data-transfer");
        g_assert_cmpstr(vsm_migration_state_to_string(6), ==, "unknown");
        g_assert_cmpstr(vsm_job_state_to_string(32768), ==, "completed-with-warnings");
        g_assert_cmpstr(vsm_job_state_to_string(0), ==, "unknown");
        g_assert_cmpstr(vsm_job_type_to_string(305), ==, "move-system");
        g_assert_cmpstr(vsm_job_type_to_string(0), ==, "unknown");
        g_assert_cmpstr(vsm_migration_type_to_string(2), ==, "live");
        g_assert_cmpstr(vsm_transport_to_string(4), ==, "tls-strict");
        g_assert_cmpstr(vsm_transport_to_string(0), ==, "unknown");
        g_assert_cmpstr(vsm_enabled_state_to_string(32768), ==, "paused");
        g_assert_cmpstr(vsm_severity_to_string(6), ==, "error");
}

/* To a word and back is the same number, for all that have one; no two share a word. */
static void test_back(void) {
        uint16_t back = 0;

        for (unsigned i = 0; i <= UINT16_MAX; i++) {
                const char *type = vsm_migration_type_to_string(i), *transport = vsm_transport_to_string(i);

                if (!g_str_equal(type, "unknown")) {
                        g_assert_true(vsm_migration_type_from_string(type, &back));
                        g_assert_cmpuint(back, ==, i == VSM_MIGRATION_TYPE_LIVE ? 32768 : i);
                }

                if (!g_str_equal(transport, "unknown")) {
                        g_assert_true(vsm_transport_from_string(transport, &back));
                        g_assert_cmpuint(back, ==, i);
                }
        }

        back = 77;
        g_assert_false(vsm_migration_type_from_string("unknown", &back));
        g_assert_false(vsm_transport_from_string("", &back));
        g_assert_false(vsm_transport_from_string(NULL, &back));
        g_assert_cmpuint(back, ==, 77);
}

static void test_predicates(void) {
        for (unsigned i = 0; i <= UINT16_MAX; i++) {
                g_assert_cmpint(vsm_job_state_is_final(i), ==, (i >= 7 && i <= 10) || i == 32768);
                g_assert_cmpint(vsm_job_state_is_success(i), ==, i == 7 || i == 32768);
                g_assert_cmpint(vsm_migration_state_is_active(i), ==, i >= 1 && i <= 3);
        }

        /* 5 < 2 = 3 < 4 */
        g_assert_cmpuint(vsm_transport_strength(5), <, vsm_transport_strength(2));
        g_assert_cmpuint(vsm_transport_strength(2), ==, vsm_transport_strength(3));
        g_assert_cmpuint(vsm_transport_strength(3), <, vsm_transport_strength(4));
        g_assert_cmpuint(vsm_transport_strength(5), >, 0);
        g_assert_cmpuint(vsm_transport_strength(0), ==, 0);
        g_assert_cmpuint(vsm_transport_strength(1), ==, 0);
        g_assert_cmpuint(vsm_transport_strength(6), ==, 0);
        g_assert_cmpuint(vsm_transport_strength(32768), ==, 0);
}

#define OURS "org.example.VirtualSystemMigration.Error."
#define THEIRS "org.freedesktop.DBus.Error."

static void test_errors(void) {
        static const struct {
                int code;
                const char *name;
                unsigned cim;
        } table[] = {
                { VSM_ERROR_NOT_SUPPORTED, OURS "NotSupported", 32770 },
                { VSM_ERROR_FAILED, OURS "Failed", 32768 },
                { VSM_ERROR_TIMEOUT, OURS "Timeout", 32772 },
                { VSM_ERROR_INVALID_PARAMETER, OURS "InvalidParameter", 32773 },
                { VSM_ERROR_INVALID_STATE, OURS "InvalidState", 32775 },
                { VSM_ERROR_INCOMPATIBLE_PARAMETERS, OURS "IncompatibleParameters", 6 },
                { VSM_ERROR_SYSTEM_IN_USE, OURS "SystemInUse", 32774 },
                { VSM_ERROR_SYSTEM_NOT_AVAILABLE, OURS "SystemNotAvailable", 32777 },
                { VSM_ERROR_ACCESS_DENIED, THEIRS "AccessDenied", 32769 },
                { VSM_ERROR_INTERACTION_REQUIRED, THEIRS "InteractiveAuthorizationRequired", 32769 },
                { VSM_ERROR_LIMITS_EXCEEDED, THEIRS "LimitsExceeded", 32768 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                g_assert_cmpstr(vsm_error_to_bus_name(table[i].code), ==, table[i].name);
                g_assert_cmpint(vsm_error_from_bus_name(table[i].name), ==, table[i].code);
                g_assert_cmpuint(vsm_error_to_cim(table[i].code), ==, table[i].cim);
        }

        /* every code has its line, above or here */
        g_assert_cmpuint(G_N_ELEMENTS(table), ==, VSM_ERROR_CANCELLED);
        g_assert_cmpint(vsm_error_from_bus_name(THEIRS "NoReply"), ==, -1);
        g_assert_cmpint(vsm_error_from_bus_name(NULL), ==, -1);
        g_assert_cmpstr(vsm_error_to_bus_name(-1), ==, OURS "Failed");
        g_assert_cmpstr(vsm_error_to_bus_name(_VSM_ERROR_MAX), ==, OURS "Failed");
        g_assert_cmpuint(vsm_error_to_cim(_VSM_ERROR_MAX), ==, 32768);
}

static void test_error_code(void) {
        g_autoptr(GError) ours = g_error_new(VSM_ERROR, VSM_ERROR_TIMEOUT, "x");
        g_autoptr(GError) other = g_error_new(G_FILE_ERROR, VSM_ERROR_TIMEOUT, "x");

        g_assert_cmpint(vsm_error_code(ours), ==, VSM_ERROR_TIMEOUT);
        g_assert_cmpint(vsm_error_code(other), ==, VSM_ERROR_FAILED);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/enums/numbers", test_numbers);
        g_test_add_func("/enums/words", test_words);
        g_test_add_func("/enums/back", test_back);
        g_test_add_func("/enums/predicates", test_predicates);
        g_test_add_func("/error/table", test_errors);
        g_test_add_func("/error/code", test_error_code);

        return g_test_run();
}
