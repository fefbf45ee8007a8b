/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Tables number <-> word for the enumerations on the wire. Pure. Any thread. */

#include <glib.h>

#include "shared/enums.h"

typedef struct Word {
        uint32_t value;
        const char *word;
} Word;

static const Word migration_states[] = {
        { VSM_MIGRATION_STATE_NONE,             "none"          },
        { VSM_MIGRATION_STATE_SETUP,            "setup"         },
        { VSM_MIGRATION_STATE_DATA_TRANSFER,    "data-transfer" },
        { VSM_MIGRATION_STATE_MOVE,             "move"          },
        { VSM_MIGRATION_STATE_CANCELED,         "canceled"      },
        { VSM_MIGRATION_STATE_FAILURE,          "failure"       },
        {}
};

static const Word job_states[] = {
        { VSM_JOB_STATE_NEW,                    "new"                     },
        { VSM_JOB_STATE_STARTING,               "starting"                },
        { VSM_JOB_STATE_RUNNING,                "running"                 },
        { VSM_JOB_STATE_SUSPENDED,              "suspended"               },
        { VSM_JOB_STATE_SHUTTING_DOWN,          "cancelling"              },
        { VSM_JOB_STATE_COMPLETED,              "completed"               },
        { VSM_JOB_STATE_TERMINATED,             "cancelled"               },
        { VSM_JOB_STATE_KILLED,                 "killed"                  },
        { VSM_JOB_STATE_EXCEPTION,              "failed"                  },
        { VSM_JOB_STATE_COMPLETED_WITH_WARNINGS, "completed-with-warnings" },
        {}
};

static const Word job_types[] = {
        { VSM_JOB_TYPE_STAGED,                  "stage"                    },
        { VSM_JOB_TYPE_CHECK_SYSTEM,            "check-system"             },
        { VSM_JOB_TYPE_CHECK_SYSTEM_AND_STORAGE, "check-system-and-storage" },
        { VSM_JOB_TYPE_CHECK_STORAGE,           "check-storage"            },
        { VSM_JOB_TYPE_CHECK_STORAGE_MIGRATION, "check-storage-migration"  },
        { VSM_JOB_TYPE_MOVE_SYSTEM,             "move-system"              },
        { VSM_JOB_TYPE_MOVE_SYSTEM_AND_STORAGE, "move-system-and-storage"  },
        { VSM_JOB_TYPE_MOVE_STORAGE,            "move-storage"             },
        { VSM_JOB_TYPE_EVACUATION,              "evacuation"               },
        { VSM_JOB_TYPE_BRING_BACK,              "bring-back"               },
        { VSM_JOB_TYPE_QUIESCE,                 "quiesce"                  },
        {}
};

static const Word migration_types[] = {
        { VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM,    "live"               },
        { VSM_MIGRATION_TYPE_LIVE,              "live"               },
        { VSM_MIGRATION_TYPE_STORAGE,           "storage"            },
        { VSM_MIGRATION_TYPE_STAGED,            "staged"             },
        { VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE, "live-and-storage"   },
        { VSM_MIGRATION_TYPE_STORAGE_DEEP_CHECK, "storage-deep-check" },
        { VSM_MIGRATION_TYPE_RESUME,            "resume"             },
        { VSM_MIGRATION_TYPE_RESTART,           "restart"            },
        { VSM_MIGRATION_TYPE_OTHER,             "offline"            },
        /* other words for the same */
        { VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE, "system-and-storage" },
        { VSM_MIGRATION_TYPE_OTHER,             "other"              },
        {}
};

static const Word transports[] = {
        { VSM_TRANSPORT_SSH,                    "ssh"        },
        { VSM_TRANSPORT_TLS,                    "tls"        },
        { VSM_TRANSPORT_TLS_STRICT,             "tls-strict" },
        { VSM_TRANSPORT_TCP,                    "tcp"        },
        { VSM_TRANSPORT_SMB,                    "smb"        },
        {}
};

static const Word enabled_states[] = {
        { VSM_ENABLED_STATE_ENABLED,            "enabled"   },
        { VSM_ENABLED_STATE_DISABLED,           "disabled"  },
        { VSM_ENABLED_STATE_QUIESCE,            "quiesce"   },
        { VSM_ENABLED_STATE_PAUSED,             "paused"    },
        { VSM_ENABLED_STATE_SUSPENDED,          "suspended" },
        { VSM_ENABLED_STATE_STARTING,           "starting"  },
        { VSM_ENABLED_STATE_STOPPING,           "stopping"  },
        {}
};

static const Word severities[] = {
        { VSM_SEVERITY_INFORMATION,             "information" },
        { VSM_SEVERITY_WARNING,                 "warning"     },
        { VSM_SEVERITY_ERROR,                   "error"       },
        {}
};

static const char* word_of(const Word *table, uint32_t value) {
        for (const Word *w = table; w->word; w++)
                if (w->value == value)
                        return w->word;

        return "unknown";
}

static bool value_of(const Word *table, const char *word, uint16_t *ret) {
        for (const Word *w = table; w->word; w++)
                if (g_strcmp0(w->word, word) == 0) {
                        *ret = w->value;
                        return true;
                }

        return false;
}

const char* vsm_migration_state_to_string(uint32_t state) {
        return word_of(migration_states, state);
}

const char* vsm_job_state_to_string(uint16_t state) {
        return word_of(job_states, state);
}

const char* vsm_job_type_to_string(uint16_t type) {
        return word_of(job_types, type);
}

const char* vsm_migration_type_to_string(uint16_t type) {
        return word_of(migration_types, type);
}

const char* vsm_transport_to_string(uint16_t transport) {
        return word_of(transports, transport);
}

const char* vsm_enabled_state_to_string(uint16_t state) {
        return word_of(enabled_states, state);
}

const char* vsm_severity_to_string(uint16_t severity) {
        return word_of(severities, severity);
}

bool vsm_migration_type_from_string(const char *s, uint16_t *ret) {
        return value_of(migration_types, s, ret);
}

bool vsm_transport_from_string(const char *s, uint16_t *ret) {
        return value_of(transports, s, ret);
}

bool vsm_job_state_is_final(uint16_t state) {
        return (state >= VSM_JOB_STATE_COMPLETED && state <= VSM_JOB_STATE_EXCEPTION) ||
                state == VSM_JOB_STATE_COMPLETED_WITH_WARNINGS;
}

bool vsm_job_state_is_success(uint16_t state) {
        return state == VSM_JOB_STATE_COMPLETED || state == VSM_JOB_STATE_COMPLETED_WITH_WARNINGS;
}

bool vsm_migration_state_is_active(uint32_t state) {
        return state >= VSM_MIGRATION_STATE_SETUP && state <= VSM_MIGRATION_STATE_MOVE;
}

unsigned vsm_transport_strength(uint16_t transport) {
        switch (transport) {
        case VSM_TRANSPORT_TCP:
                return 1;
        case VSM_TRANSPORT_SSH:
        case VSM_TRANSPORT_TLS:
                return 2;
        case VSM_TRANSPORT_TLS_STRICT:
                return 3;
        default:
                return 0;
        }
}

bool vsm_job_type_is_parent(uint16_t type) {
        return type == VSM_JOB_TYPE_EVACUATION || type == VSM_JOB_TYPE_BRING_BACK;
}
