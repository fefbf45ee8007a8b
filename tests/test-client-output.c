/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the client shows: tables, the progress bar and its lines, reasons, results. One thread. */

#include <locale.h>
#include <string.h>

#include "client/evacuation.h"
#include "client/message.h"
#include "client/outcome.h"
#include "client/output.h"
#include "client/progress.h"
#include "client/reasons.h"
#include "client/text.h"

static JsonObject* object(const char *json) {
        g_autoptr(GError) error = NULL;
        g_autoptr(JsonNode) node = json_from_string(json, &error);

        g_assert_no_error(error);
        return json_node_dup_object(node);
}

static void test_table(void) {
        const char *const headings[] = { "NAME", ">DONE", "UUID", NULL };
        g_autoptr(VsmTable) table = vsm_table_new(headings);
        g_autofree char *wide = NULL, *narrow = NULL;
        g_auto(GStrv) lines = NULL;

        vsm_table_add(table, "日本");
        vsm_table_addf(table, "%d%%", 7);
        vsm_table_add(table, "11111111-2222-3333-4444-555555555555");
        vsm_table_add(table, "a\x1b" "b");
        vsm_table_add(table, "100%");
        vsm_table_add(table, NULL);

        wide = vsm_table_format(table, 0);
        g_assert_cmpstr(wide, ==,
                        "NAME    DONE  UUID\n"
                        "日本      7%  11111111-2222-3333-4444-555555555555\n"
                        "a\\x1bb  100%  -\n");

        narrow = vsm_table_format(table, 30);
        lines = g_strsplit(narrow, "\n", -1);
        g_assert_cmpstr(lines[1], ==, "日本      7%  11111111-2222-3~");
        for (char **line = lines; *line; line++)
                g_assert_cmpuint(vsm_text_width(*line), <=, 30);
}

static void test_fields(void) {
        g_autoptr(VsmTable) table = vsm_table_new_fields();
        g_autofree char *text = NULL;

        vsm_table_field(table, "Name", "web");
        vsm_table_field(table, "Description", "");
        vsm_table_fieldf(table, "Memory", "%d MiB", 512);

        text = vsm_table_format(table, 5);
        g_assert_cmpstr(text, ==, "  Name: web\nMemory: 512 MiB\n");
}

#define JOB "{\"JobState\":4,\"JobType\":305,\"PercentComplete\":43,\"ElementName\":\"web\"}"
#define TRANSFER "{\"Phase\":\"memory\",\"MemoryTotal\":1073741824,\"MemoryProcessed\":537187123," \
        "\"Bandwidth\":117964800,\"DirtyRate\":12897484,\"EstimatedTimeRemaining\":7200000}"

static void test_bar(void) {
        g_autoptr(JsonObject) job = object(JOB), transfer = object(TRANSFER);
        VsmProgressState state = { .job = job, .transfer = transfer };
        g_autofree char *usual = vsm_progress_format_bar(&state, 80), *wide = NULL;

        g_assert_true(g_str_has_prefix(usual, "memory      [###"));
        g_assert_nonnull(strstr(usual, "]  43%  512.3M/1.0G  112.5M/s  7.2 s left"));

        wide = vsm_progress_format_bar(&state, 120);
        g_assert_nonnull(strstr(wide, "  dirty 12.3M/s"));

        /* It never fills the line: that would begin a new one. */
        for (size_t width = 1; width < 200; width++) {
                g_autofree char *bar = vsm_progress_format_bar(&state, width);

                g_assert_cmpuint(vsm_text_width(bar), <, width);
        }
}

static void test_bar_of_nothing(void) {
        g_autoptr(JsonObject) over = object("{\"PercentComplete\":700,\"JobState\":4}");
        VsmProgressState none = {}, much = { .job = over };
        g_autofree char *empty = vsm_progress_format_bar(&none, 80);
        g_autofree char *full = vsm_progress_format_bar(&much, 80);

        g_assert_nonnull(strstr(empty, "--]   0%"));
        g_assert_nonnull(strstr(full, "##] 100%"));
}

static void assert_line(const char *system, const char *job, const char *transfer, const char *wanted) {
        g_autoptr(JsonObject) s = object(system), j = object(job), t = object(transfer);
        VsmProgressState state = { .system = s, .job = j, .transfer = t };
        g_autofree char *is = vsm_progress_format_line(&state);

        g_assert_cmpstr(is, ==, wanted);
}

static void test_line(void) {
        assert_line("{\"MigrationState\":2}", JOB, TRANSFER,
                    "web: data-transfer (memory), 43%, 512.3 MiB of 1.0 GiB, 112.5 MiB/s, 7.2 s left");

        /* one half of a change: the phase is not of this state yet */
        assert_line("{\"MigrationState\":3}", JOB, "{\"Phase\":\"memory\"}", "web: move, 43%");

        /* more was sent than there is */
        assert_line("{\"MigrationState\":2}", JOB, "{\"MemoryTotal\":1024,\"MemoryProcessed\":2048}",
                    "web: data-transfer, 43%, 2.0 KiB");

        /* the job's own state where the system's does not move, or is not the point */
        assert_line("{\"MigrationState\":0}", "{\"JobState\":4,\"JobType\":300}", "{}", "running, 0%");
        assert_line("{\"MigrationState\":2}", "{\"JobState\":6,\"JobType\":305}", "{}", "cancelling, 0%");
        assert_line("{\"MigrationState\":0}", "{\"JobState\":2,\"JobType\":305}", "{}", "setup, 0%");
}

#define EVACUATION "{\"PercentComplete\":43,\"JobState\":4,\"JobType\":32768,\"ElementName\":\"hosta\"}"

static void test_evacuation_progress(void) {
        g_autoptr(JsonObject) job = object(EVACUATION), count = object("{\"Total\":8,\"Done\":2}");
        g_autoptr(JsonObject) failed = object("{\"Total\":8,\"Done\":2,\"Failed\":1}");
        VsmProgressState state = { .job = job, .evacuation = count, .running = "web 41%, database-of-all 7%" };
        g_autofree char *bar = vsm_progress_format_bar(&state, 80), *line = NULL;

        g_assert_nonnull(strstr(bar, "2 of 8 done ["));
        g_assert_nonnull(strstr(bar, "]  43%  web 41%, database-of-all 7%"));

        /* names are cut before they are left out, and it fits */
        for (size_t width = 20; width < 90; width++) {
                g_autofree char *narrow = vsm_progress_format_bar(&state, width);

                g_assert_cmpuint(vsm_text_width(narrow), <, width);
                if (width >= 60)
                        g_assert_nonnull(strstr(narrow, "web 41%"));
        }

        state.evacuation = failed;
        line = vsm_progress_format_line(&state);
        g_assert_cmpstr(line, ==, "evacuation: running, 43%, 2 of 8 done, 1 failed");
}

#define REASON(id, text) "[{\"MessageID\":\"" id "\",\"Message\":\"" text "\",\"PerceivedSeverity\":2}]"
#define PLAN "{\"P\":[" \
        "{\"SystemName\":\"db\",\"DestinationHost\":\"\",\"Method\":\"leave\",\"Order\":3,\"Start\":0," \
        "\"Duration\":0,\"Bytes\":0,\"Reasons\":" REASON("no-room", "No host has room") "}," \
        "{\"SystemName\":\"web\",\"DestinationHost\":\"hostb.example.org\",\"Method\":\"live\",\"Order\":1," \
        "\"Start\":0,\"Duration\":7200000,\"Bytes\":537187123,\"Reasons\":" REASON("emptiest", "Most room") "}," \
        "{\"SystemName\":\"a-name-that-is-a-good-deal-longer\",\"DestinationHost\":\"hostc.example.org\"," \
        "\"Method\":\"post-copy\",\"Order\":2,\"Start\":7200000,\"Duration\":192000000," \
        "\"Bytes\":70866960384,\"Reasons\":[]}]}"

static void test_evacuation_plan(void) {
        g_autoptr(JsonObject) all = object(PLAN), home = object("{\"JobType\":32769}");
        JsonArray *plan = vsm_object_get_array(all, "P");
        g_autofree char *text = vsm_evacuation_format_plan(plan, 80), *wide = vsm_evacuation_format_plan(plan, 0);
        g_autofree char *none = vsm_evacuation_format_plan(NULL, 80), *left = NULL, *nothing = NULL;
        g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

        /* by order, and no line of the table is longer than the terminal */
        g_assert_true(g_str_has_prefix(lines[0], "NO  SYSTEM"));
        g_assert_true(g_str_has_prefix(lines[1], " 1  web"));
        g_assert_true(g_str_has_prefix(lines[2], " 2  a-name"));
        g_assert_true(g_str_has_prefix(lines[3], " 3  db"));
        g_assert_cmpstr(lines[4], ==, "");
        for (size_t i = 0; i < 4; i++)
                g_assert_cmpuint(vsm_text_width(lines[i]), <=, 80);

        /* then why */
        g_assert_cmpstr(lines[5], ==, "web:");
        g_assert_cmpstr(lines[6], ==, "  information: Most room [emptiest]");
        g_assert_nonnull(strstr(text, "\ndb:\n  information: No host has room [no-room]\n"));
        g_assert_nonnull(strstr(wide, "a-name-that-is-a-good-deal-longer  hostc.example.org  post-copy"));
        g_assert_cmpstr(none, ==, "No system has to leave this host.\n");

        left = vsm_evacuation_format_leftovers(home, plan, "vsmctl -H hosta");
        nothing = vsm_evacuation_format_leftovers(home, NULL, "vsmctl");
        g_assert_nonnull(strstr(left, "db:\n  information: No host has room"));
        g_assert_nonnull(strstr(left, "  - vsmctl -H hosta bring-back\n"));
        g_assert_cmpstr(nothing, ==, "");
}

static void assert_outcome(const char *job, const char *transfer, const char *wanted) {
        g_autoptr(JsonObject) j = object(job), t = object(transfer);
        g_autofree char *is = vsm_outcome_format(j, t);

        g_assert_cmpstr(is, ==, wanted);
}

#define MOVE "\"JobType\":305,\"ElementName\":\"web\",\"DestinationHost\":\"hostb\""

static void test_outcome(void) {
        assert_outcome("{" MOVE ",\"JobState\":7,\"MigrationType\":32768,\"StartTime\":1000000,"
                       "\"TimeOfLastStateChange\":8200000}",
                       "{\"MemoryProcessed\":537187123,\"Downtime\":212}",
                       "web runs on hostb now: 7.2 s, 512.3 MiB sent, paused 212 ms");
        assert_outcome("{" MOVE ",\"JobState\":32768,\"MigrationType\":1}", "{}",
                       "web is on hostb now, switched off");
        assert_outcome("{\"JobType\":307,\"ElementName\":\"web\",\"JobState\":7,"
                       "\"MigrationType\":32769}", "{}", "The disks of web are moved");
        assert_outcome("{" MOVE ",\"JobState\":8}", "{}",
                       "Cancelled: migration of web to hostb. web is still here, as it was.");
        assert_outcome("{" MOVE ",\"JobState\":10,\"ErrorDescription\":\"No \\u001b[2J\"}", "{}",
                       "Failed: migration of web to hostb: No \\x1b[2J");
        assert_outcome("{\"JobType\":301,\"ElementName\":\"web\",\"JobState\":7}", "{}",
                       "Done: check-system of web");
}

#define REASONS "{\"R\":[{\"MessageID\":\"cpu-feature-missing\",\"Message\":\"CPU lacks x\"," \
        "\"PerceivedSeverity\":6,\"ErrorSource\":\"cpu\",\"RecommendedActions\":[\"Take another\"]," \
        "\"LibvirtError\":\"unsupported\"}," \
        "{\"MessageID\":\"not-verifiable\",\"PerceivedSeverity\":2," \
        "\"RecommendedActions\":[\"Take another\"]}]}"

static void test_reasons(void) {
        g_autoptr(JsonObject) all = object(REASONS);
        JsonArray *reasons = vsm_object_get_array(all, "R");
        g_autofree char *text = vsm_reasons_format(reasons), *actions = vsm_reasons_format_actions(reasons);
        g_autofree char *nothing = vsm_reasons_format(NULL);

        g_assert_cmpstr(text, ==,
                        "  error: CPU lacks x (cpu) [cpu-feature-missing]\n"
                        "    libvirt: unsupported\n"
                        "    -> Take another\n"
                        "  information: not-verifiable\n"
                        "    -> Take another\n");
        g_assert_cmpstr(actions, ==, "  - Take another\n");
        g_assert_cmpstr(nothing, ==, "");
}

/* What is not there, or not what it should be, is Null. */
static void test_members(void) {
        g_autoptr(JsonObject) o = object("{\"s\":\"x\",\"n\":-1,\"b\":true,\"a\":[\"p\",3,\"q\"],\"o\":{}}");
        g_autofree char *joined = vsm_array_join(vsm_object_get_array(o, "a"));

        g_assert_cmpstr(vsm_object_get_string(o, "s"), ==, "x");
        g_assert_cmpstr(vsm_object_get_string(o, "n"), ==, "");
        g_assert_cmpstr(vsm_object_get_string(NULL, "s"), ==, "");
        g_assert_cmpuint(vsm_object_get_uint(o, "n"), ==, 0);
        g_assert_cmpuint(vsm_object_get_uint(o, "a"), ==, 0);
        g_assert_true(vsm_object_get_bool(o, "b"));
        g_assert_false(vsm_object_get_bool(o, "s"));
        g_assert_nonnull(vsm_object_get_object(o, "o"));
        g_assert_null(vsm_object_get_object(o, "a"));
        g_assert_cmpstr(joined, ==, "p, q");
}

int main(int argc, char **argv) {
        (void) setlocale(LC_ALL, "C.UTF-8");
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/client/table/columns", test_table);
        g_test_add_func("/client/table/fields", test_fields);
        g_test_add_func("/client/progress/bar", test_bar);
        g_test_add_func("/client/progress/bar-of-nothing", test_bar_of_nothing);
        g_test_add_func("/client/progress/line", test_line);
        g_test_add_func("/client/progress/evacuation", test_evacuation_progress);
        g_test_add_func("/client/evacuation/plan", test_evacuation_plan);
        g_test_add_func("/client/outcome", test_outcome);
        g_test_add_func("/client/reasons", test_reasons);
        g_test_add_func("/client/members", test_members);

        return g_test_run();
}
