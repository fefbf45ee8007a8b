/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* All of one job for a person: "Name: value", what is Null left out. */

#include <glib/gi18n.h>
#include <inttypes.h>

#include "client/job-fields.h"
#include "client/message.h"
#include "client/objects.h"
#include "client/outcome.h"
#include "client/output.h"
#include "client/text.h"
#include "client/words.h"
#include "shared/enums.h"

static void add_time(VsmTable *table, const char *name, uint64_t usec) {
        g_autofree char *text = NULL;

        if (usec == 0)
                return;

        text = vsm_text_time(usec);
        vsm_table_field(table, name, text);
}

static void add_duration(VsmTable *table, const char *name, uint64_t usec) {
        g_autofree char *text = NULL;

        if (usec == 0)
                return;

        text = vsm_text_duration(usec);
        vsm_table_field(table, name, text);
}

static void add_rate(VsmTable *table, const char *name, uint64_t rate) {
        g_autofree char *text = NULL;

        if (rate == 0)
                return;

        text = vsm_text_bytes(rate);
        vsm_table_fieldf(table, name, "%s/s", text);
}

static void add_amount(VsmTable *table, const char *name, JsonObject *transfer, const char *what) {
        g_autofree char *total_name = g_strdup_printf("%sTotal", what);
        g_autofree char *processed_name = g_strdup_printf("%sProcessed", what);
        g_autofree char *remaining_name = g_strdup_printf("%sRemaining", what);
        g_autofree char *total = vsm_text_bytes(vsm_object_get_uint(transfer, total_name));
        g_autofree char *processed = vsm_text_bytes(vsm_object_get_uint(transfer, processed_name));
        g_autofree char *remaining = vsm_text_bytes(vsm_object_get_uint(transfer, remaining_name));

        if (vsm_object_get_uint(transfer, total_name) > 0)
                vsm_table_fieldf(table, name, _("%s sent of %s, %s to go"), processed, total, remaining);
}

static void add_owner(VsmTable *table, JsonObject *job) {
        vsm_table_fieldf(table, _("Owner"), "%s (%" PRIu64 ")",
                         vsm_object_get_string(job, "Owner"), vsm_object_get_uint(job, "OwnerUID"));
}

static void add_state(VsmTable *table, JsonObject *job) {
        const char *status = vsm_object_get_string(job, "JobStatus");
        const char *word = vsm_job_state_to_string((uint16_t) vsm_object_get_uint(job, "JobState"));
        uint64_t code = vsm_object_get_uint(job, "ErrorCode");

        vsm_table_fieldf(table, _("State"), "%s, %" PRIu64 "%%", vsm_word(word),
                         vsm_object_get_uint(job, "PercentComplete"));
        if (!g_str_equal(status, word))
                vsm_table_field(table, _("Status"), status);

        vsm_table_field(table, _("Error"), vsm_object_get_string(job, "ErrorDescription"));
        if (code > 0)
                vsm_table_fieldf(table, _("Error code"), "%" PRIu64, code);
}

static void add_transfer(VsmTable *table, JsonObject *transfer, bool final) {
        uint64_t iteration = vsm_object_get_uint(transfer, "Iteration");

        if (!transfer)
                return;

        vsm_table_field(table, _("Phase"), vsm_word(vsm_object_get_string(transfer, "Phase")));
        vsm_table_field(table, _("Mode"), vsm_word(vsm_object_get_string(transfer, "Mode")));
        vsm_table_field(table, _("Forecast"), vsm_word(vsm_object_get_string(transfer, "Verdict")));
        add_amount(table, _("Memory"), transfer, "Memory");
        add_amount(table, _("Disks"), transfer, "Disk");
        if (iteration > 0)
                vsm_table_fieldf(table, _("Iteration"), "%" PRIu64, iteration);
        if (!final) {
                add_rate(table, _("Rate"), vsm_object_get_uint(transfer, "Bandwidth"));
                add_rate(table, _("Dirty rate"), vsm_object_get_uint(transfer, "DirtyRate"));
                add_duration(table, _("Time left"), vsm_object_get_uint(transfer, "EstimatedTimeRemaining"));
                add_duration(table, _("Expected pause"),
                             vsm_object_get_uint(transfer, "ExpectedDowntime") * 1000);
        }
        add_duration(table, _("Pause"), vsm_object_get_uint(transfer, "Downtime") * 1000);
        vsm_table_field(table, _("Encrypted"), vsm_word_yes_no(vsm_object_get_bool(transfer, "Encrypted")));
}

static void add_evacuation(VsmTable *table, JsonObject *evacuation) {
        if (!evacuation)
                return;

        vsm_table_fieldf(table, _("Systems"),
                         _("%" PRIu64 " of %" PRIu64 " done, %" PRIu64
                           " failed"),
                         vsm_object_get_uint(evacuation, "Done"), vsm_object_get_uint(evacuation, "Total"),
                         vsm_object_get_uint(evacuation, "Failed"));
}

void vsm_job_print(JsonObject *job) {
        g_autoptr(VsmTable) table = vsm_table_new_fields();
        uint16_t type = (uint16_t) vsm_object_get_uint(job, "MigrationType");
        bool final = vsm_job_state_is_final((uint16_t) vsm_object_get_uint(job, "JobState"));
        g_autofree char *task = vsm_outcome_format_task(job);

        vsm_table_field(table, _("Job"), vsm_objects_number(vsm_object_get_string(job, "Path")));
        vsm_table_field(table, _("Task"), task);
        if (type > 0)
                vsm_table_field(table, _("Type"), vsm_word(vsm_migration_type_to_string(type)));
        add_owner(table, job);
        add_state(table, job);
        add_time(table, _("Submitted"), vsm_object_get_uint(job, "TimeSubmitted"));
        add_time(table, _("Started"), vsm_object_get_uint(job, "StartTime"));
        add_time(table, _("Last change"), vsm_object_get_uint(job, "TimeOfLastStateChange"));
        add_duration(table, _("Elapsed"), vsm_object_get_uint(job, "ElapsedTime"));
        vsm_table_fieldf(table, _("Priority"), "%" PRIu64, vsm_object_get_uint(job, "Priority"));
        if (!final)
                vsm_table_field(table, _("Can be cancelled"),
                                vsm_word_yes_no(vsm_object_get_bool(job, "Cancellable")));
        add_transfer(table, vsm_object_get_object(job, "Transfer"), final);
        add_evacuation(table, vsm_object_get_object(job, "Evacuation"));
        vsm_table_print(table);
}
