/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The history that the store keeps: what is in it, each filter, and how long ten thousand take. */

#include "shared/enums.h"
#include "store-place.h"

typedef struct Kept {
        Place place;
        VsmStore *store;
} Kept;

static void set_up(Kept *kept, const void *data) {
        place_set_up(&kept->place, data);
        kept->store = open_whole(&kept->place);
}

static void tear_down(Kept *kept, const void *data) {
        vsm_store_close(kept->store);
        place_tear_down(&kept->place, data);
}

typedef struct Past {
        const char *system, *name, *destination;
        uint64_t submitted, ended;      /* 0: it goes on */
        uint16_t state;
        uint16_t type;                  /* 0: a move */
} Past;

/* the numbers are 1 to n */
static void remember(Kept *kept, const Past *past, size_t n) {
        for (size_t i = 0; i < n; i++) {
                VsmStoredJob job = {
                        .type = past[i].type ?: VSM_JOB_TYPE_MOVE_SYSTEM,
                        .system = (char*) past[i].system, .system_name = (char*) past[i].name,
                        .destination = (char*) past[i].destination, .submitted = past[i].submitted,
                        .state = VSM_JOB_STATE_NEW, .source = (char*) "here",
                };

                g_assert_true(vsm_store_job_insert(kept->store, &job, NULL));
                g_assert_cmpuint(job.number, ==, i + 1);
                job.ended = past[i].ended;
                job.state = past[i].state;
                if (job.ended > 0)
                        g_assert_true(vsm_store_job_end(kept->store, &job, 0, 0, NULL));
        }
}

/* The numbers, as they come: "3 1" */
static char* numbers(VsmStore *store, const VsmHistoryFilter *filter) {
        g_autoptr(GString) line = g_string_new(NULL);
        g_autoptr(GPtrArray) jobs = vsm_store_history(store, filter, NULL);

        g_assert_nonnull(jobs);

        for (guint i = 0; i < jobs->len; i++)
                g_string_append_printf(line, "%s%" G_GUINT64_FORMAT, i > 0 ? " " : "",
                                       ((const VsmStoredJob*) jobs->pdata[i])->number);

        return g_string_free(g_steal_pointer(&line), FALSE);
}

#define assert_history(kept, want, ...)                                                                \
        G_STMT_START {                                                                                  \
                g_autofree char *have_ = numbers((kept)->store, &(VsmHistoryFilter) { __VA_ARGS__ });  \
                                                                                                        \
                g_assert_cmpstr(have_, ==, want);                                                       \
        } G_STMT_END

static void test_filters(Kept *kept, const void *data G_GNUC_UNUSED) {
        static const Past past[] = {
                { "u-1", "web",  "b", 100, 190, VSM_JOB_STATE_COMPLETED },
                { "u-2", "mail", "c", 200, 290, VSM_JOB_STATE_EXCEPTION },
                { "u-1", "web",  "c", 300, 390, VSM_JOB_STATE_TERMINATED },
                { "u-3", "u-1",  "b", 400, 490, VSM_JOB_STATE_COMPLETED },
                /* not history: one that goes on, a check, one without a system */
                { "u-1", "web",  "b", 500, 0,   VSM_JOB_STATE_RUNNING },
                { "u-1", "web",  "b", 600, 690, VSM_JOB_STATE_COMPLETED, VSM_JOB_TYPE_CHECK_SYSTEM },
                { "",    "",     "",  700, 790, VSM_JOB_STATE_COMPLETED, VSM_JOB_TYPE_EVACUATION },
        };

        remember(kept, past, G_N_ELEMENTS(past));

        assert_history(kept, "4 3 2 1", .limit = 0);
        assert_history(kept, "4 3 1", .system = (char*) "u-1");
        assert_history(kept, "3 1", .system = (char*) "web");
        assert_history(kept, "", .system = (char*) "we%");
        assert_history(kept, "4 1", .destination = (char*) "b");
        assert_history(kept, "4 1", .state = VSM_JOB_STATE_COMPLETED);
        assert_history(kept, "3", .system = (char*) "web", .destination = (char*) "c");

        /* what went on at a time between, both ends included */
        assert_history(kept, "4 3 2", .since = 290);
        assert_history(kept, "4 3", .since = 291);
        assert_history(kept, "2 1", .until = 200);
        assert_history(kept, "1", .until = 199);
        assert_history(kept, "3 2", .since = 200, .until = 399);
        assert_history(kept, "2", .since = 210, .until = 220);

        assert_history(kept, "4 3", .limit = 2);
        assert_history(kept, "2 1", .limit = 2, .offset = 2);
        assert_history(kept, "", .limit = 2, .offset = 4);
        assert_history(kept, "1", .state = VSM_JOB_STATE_COMPLETED, .limit = 1, .offset = 1);
}

static void test_entry(Kept *kept, const void *data G_GNUC_UNUSED) {
        VsmStoredJob job = {
                .type = VSM_JOB_TYPE_MOVE_SYSTEM, .system = (char*) "u-1", .system_name = (char*) "web",
                .owner = (char*) "admin", .owner_uid = 1000, .request = (char*) "text",
                .destination = (char*) "b", .submitted = 10, .state = VSM_JOB_STATE_NEW,
                .source = (char*) "a",
        };
        g_autoptr(GPtrArray) jobs = NULL;
        const VsmStoredJob *read;

        g_assert_true(vsm_store_job_insert(kept->store, &job, NULL));
        g_assert_true(vsm_store_job_started(kept->store, job.number, 20, NULL));
        g_assert_true(vsm_store_job_begin(kept->store, job.number, true, false, false, "10.0.0.2", NULL));
        job.ended = 30;
        job.state = VSM_JOB_STATE_COMPLETED_WITH_WARNINGS;
        job.error = (char*) "Look there.";
        job.bytes = UINT64_C(1) << 40;
        job.downtime = 250;
        g_assert_true(vsm_store_job_end(kept->store, &job, 0, 0, NULL));

        jobs = vsm_store_history(kept->store, &(VsmHistoryFilter) {}, NULL);
        g_assert_cmpuint(jobs->len, ==, 1);
        read = jobs->pdata[0];
        g_assert_cmpstr(read->source, ==, "a");
        g_assert_cmpstr(read->address, ==, "10.0.0.2");
        g_assert_cmpstr(read->owner, ==, "admin");
        g_assert_cmpstr(read->error, ==, "Look there.");
        g_assert_cmpuint(read->submitted, ==, 10);
        g_assert_cmpuint(read->started, ==, 20);
        g_assert_cmpuint(read->ended, ==, 30);
        g_assert_cmpuint(read->state, ==, VSM_JOB_STATE_COMPLETED_WITH_WARNINGS);
        g_assert_cmpuint(read->bytes, ==, UINT64_C(1) << 40);
        g_assert_cmpuint(read->downtime, ==, 250);
}

/* Checks cost the migrations no place, and none of theirs stays. */
static void test_trim(Kept *kept, const void *data G_GNUC_UNUSED) {
        static const Past past[] = {
                { "u-1", "web", "b", 1, 2, VSM_JOB_STATE_COMPLETED },
                { "u-1", "web", "b", 3, 4, VSM_JOB_STATE_COMPLETED },
                { "u-1", "web", "b", 5, 6, VSM_JOB_STATE_COMPLETED, VSM_JOB_TYPE_CHECK_SYSTEM },
                { "u-1", "web", "b", 7, 8, VSM_JOB_STATE_COMPLETED, VSM_JOB_TYPE_CHECK_STORAGE_MIGRATION },
                { "u-1", "web", "b", 9, 0, VSM_JOB_STATE_RUNNING, VSM_JOB_TYPE_CHECK_SYSTEM },
        };
        g_autoptr(GPtrArray) unfinished = NULL;

        remember(kept, past, G_N_ELEMENTS(past));
        g_assert_true(vsm_store_history_trim(kept->store, 2, NULL));
        assert_history(kept, "2 1", .limit = 0);
        g_assert_true(vsm_store_history_trim(kept->store, 1, NULL));
        assert_history(kept, "2", .limit = 0);

        unfinished = vsm_store_jobs_unfinished(kept->store, NULL);
        g_assert_cmpuint(unfinished->len, ==, 1);
}

/* What SQLite alone makes of it */
static void change(Kept *kept, const char *sql) {
        vsm_store_close(g_steal_pointer(&kept->store));
        run_sql(&kept->place, sql);
        kept->store = open_whole(&kept->place);
}

static void test_many(Kept *kept, const void *data G_GNUC_UNUSED) {
        g_autoptr(GPtrArray) most = NULL, plain = NULL;
        gint64 before, took;

        change(kept,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)"
             " INSERT INTO jobs(type, system, system_name, owner, owner_uid, request, destination, boot_id,"
             "                  submitted, ended, state)"
             " SELECT 305, 'u-' || (i % 50), 'guest-' || (i % 50), 'admin', 1000, printf('%.400c', 'x'),"
             "        'host', 'boot', i, i + 1, 7 FROM n");

        plain = vsm_store_history(kept->store, &(VsmHistoryFilter) {}, NULL);
        g_assert_cmpuint(plain->len, ==, VSM_HISTORY_LIMIT_DEFAULT);
        g_assert_cmpuint(((VsmStoredJob*) plain->pdata[0])->number, ==, 10000);
        most = vsm_store_history(kept->store, &(VsmHistoryFilter) { .limit = UINT32_MAX }, NULL);
        g_assert_cmpuint(most->len, ==, VSM_HISTORY_LIMIT_MAX);

        /* the worst: all are looked at, none is found */
        before = g_get_monotonic_time();
        for (unsigned i = 0; i < 10; i++)
                assert_history(kept, "", .system = (char*) "nobody", .limit = 1000);
        took = (g_get_monotonic_time() - before) / 10;
        g_test_message("10 000 rows: %" G_GINT64_FORMAT " us", took);
        g_assert_cmpint(took, <, G_USEC_PER_SEC / 2);
}

#define ADD(name, function) \
        g_test_add("/store-history/" name, Kept, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        ADD("filters", test_filters);
        ADD("entry", test_entry);
        ADD("trim", test_trim);
        ADD("many", test_many);

        return g_test_run();
}
