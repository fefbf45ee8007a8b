/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What ListHistory takes and gives. Pure: no bus, no clock. Any thread. */

#include <stddef.h>

#include "daemon/history-entry.h"
#include "daemon/key.h"
#include "daemon/request.h"
#include "shared/enums.h"
#include "shared/names.h"

/* ---- the filter ---- */

/* UUIDs are kept in lower case; a name may be anything. */
static char* text_system(const char *text, GError **error G_GNUC_UNUSED) {
        return g_uuid_string_is_valid(text) ? g_ascii_strdown(text, -1) : g_strdup(text);
}

static char* text_destination(const char *text, GError **error) {
        bool is_address;

        return vsm_host_parse(text, &is_address, error);
}

static bool number_is_end(uint64_t value) {
        return value <= UINT16_MAX && vsm_job_state_is_final((uint16_t) value);
}

#define LAND(where, member) .landing = VSM_LAND_##where, .offset = offsetof(VsmHistoryFilter, member)

static const VsmKey keys[] = {
        { .name = "System",          .type = "s", .text = text_system,      LAND(STRING, system)      },
        { .name = "DestinationHost", .type = "s", .text = text_destination, LAND(STRING, destination) },
        { .name = "Since",           .type = "t", .max = INT64_MAX,         LAND(UINT64, since)       },
        { .name = "Until",           .type = "t", .max = INT64_MAX,         LAND(UINT64, until)       },
        { .name = "State",           .type = "q", .number = number_is_end,
          .want = "7, 8, 9, 10 or 32768, a JobState at the end",            LAND(UINT16, state)       },
        { .name = "Limit",           .type = "u", .max = VSM_HISTORY_LIMIT_MAX, LAND(UINT32, limit)   },
        { .name = "Offset",          .type = "u",                           LAND(UINT32, offset)      },
        {}
};

bool vsm_history_filter_parse(GVariant *dict, VsmHistoryFilter *ret, GError **error) {
        g_autoptr(GVariant) canonical = NULL;

        *ret = (VsmHistoryFilter) {};
        canonical = vsm_keys_read(keys, "Filter", dict, ret, error);
        if (!canonical)
                vsm_history_filter_clear(ret);

        return canonical;
}

void vsm_history_filter_clear(VsmHistoryFilter *filter) {
        g_clear_pointer(&filter->system, g_free);
        g_clear_pointer(&filter->destination, g_free);
}

/* ---- the entries ---- */

/* 0 for what cannot be read any more. */
static uint16_t migration_type_of(const VsmStoredJob *job) {
        g_autoptr(VsmRequest) request = vsm_request_from_text(job->request, NULL);

        return request ? request->migration_type : 0;
}

GVariant* vsm_history_entry(const VsmStoredJob *job, const char *this_host) {
        g_auto(GVariantBuilder) entry = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_VARDICT);
        g_autofree char *path = g_strdup_printf(VSM_OBJECT_PATH_JOB "/%" G_GUINT64_FORMAT, job->number);

#define ADD(key, ...) g_variant_builder_add(&entry, "{sv}", key, g_variant_new(__VA_ARGS__))
        /* text: the object goes soon after its end */
        ADD("Job", "s", path);
        ADD("System", "s", job->system);
        ADD("SystemName", "s", job->system_name);
        ADD("Owner", "s", job->owner);
        ADD("OwnerUID", "u", job->owner_uid);
        ADD("SourceHost", "s", job->source[0] ? job->source : this_host);
        ADD("DestinationHost", "s", job->destination);
        ADD("Address", "s", job->address);
        ADD("MigrationType", "q", migration_type_of(job));
        ADD("JobState", "q", job->state);
        ADD("ErrorCode", "q", job->error_code);
        ADD("ErrorDescription", "s", job->error);
        ADD("TimeSubmitted", "t", job->submitted);
        ADD("StartTime", "t", job->started);
        ADD("EndTime", "t", job->ended);
        ADD("Bytes", "t", job->bytes);
        ADD("Downtime", "u", job->downtime);
#undef ADD

        return g_variant_builder_end(&entry);
}
