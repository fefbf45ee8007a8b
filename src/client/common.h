/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What all verbs share: options, the bus, calls, errors and exit statuses. One thread only. */

#include <glib.h>
#include <json-glib/json-glib.h>
#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-bus.h>

#include "shared/cleanup.h"
#include "shared/error.h"
#include "shared/names.h"

/* The contract's exit statuses (dbus-api, section 9). */
enum {
        VSM_EXIT_SUCCESS        = 0,
        VSM_EXIT_FAILED         = 1,
        VSM_EXIT_USAGE          = 2,
        VSM_EXIT_NOT_MIGRATABLE = 3,
        VSM_EXIT_DENIED         = 4,
};

/* What VSM_ERROR has no code for, because it happens on the way to the service. */
#define VSM_CLIENT_ERROR (vsm_client_error_quark())

typedef enum {
        VSM_CLIENT_ERROR_USAGE,         /* the command line is wrong */
        VSM_CLIENT_ERROR_NO_BUS,        /* no bus there, or the connection was lost */
        VSM_CLIENT_ERROR_NO_SERVICE,    /* nobody has the name and nobody could be started */
        VSM_CLIENT_ERROR_NO_ANSWER,     /* the service left the bus while it was asked */
        VSM_CLIENT_ERROR_NO_OBJECT,     /* the service does not have, or not any more, what was asked */
        VSM_CLIENT_ERROR_TOO_OLD,       /* the service does not know the call */
        VSM_CLIENT_ERROR_OTHER,
} VsmClientError;

GQuark vsm_client_error_quark(void);

typedef struct VsmClient VsmClient;

typedef struct VsmVerb {
        const char *name;
        const char *arguments;          /* for the help, not translated */
        const char *summary;            /* for the help, marked with N_() */
        int (*run)(VsmClient *client, int argc, char **argv);
} VsmVerb;

struct VsmClient {
        /* global options */
        char *host;
        gboolean json;
        gboolean no_pager;
        gboolean no_ask_password;

        const VsmVerb *verb;
        sd_bus *bus;                    /* opened when it is first needed */
        pid_t agent;                    /* pkttyagent, 0 = none */
        pid_t pager;                    /* 0 = none */
};

/* Ends the agent and the pager, waits for both, closes the bus. */
void vsm_client_done(VsmClient *client);

/* The global options, for a context of the caller. Points into client. */
void vsm_client_add_options(VsmClient *client, GOptionContext *context);

/* Takes the verb's own and the global options out of argv and wants so many arguments after the verb. */
bool vsm_client_parse(
                VsmClient *client,
                const GOptionEntry *entries,
                int *argc,
                char ***argv,
                int min,
                int max,
                GError **error);

/* For a verb with verbs of its own, whose names begin with that of the verb: runs the one that argv[1] names,
 * or, when nothing stands there and it has one, the first as its default. */
int vsm_client_run_sub(VsmClient *client, const VsmVerb *subs, bool has_default, int argc, char **argv);

/* Says that there is no such verb, and which of the names was probably meant. NULL ends the names. */
void vsm_client_set_no_verb(GError **error, const char *name, const char *const *names);

/* No-op when it is open already. Calls made on this bus have no time limit and may ask for a password. */
bool vsm_client_connect(VsmClient *client, GError **error);

/* A method call of the service, ready for arguments. */
sd_bus_message* vsm_client_new_call(
                VsmClient *client,
                const char *path,
                const char *interface,
                const char *member,
                GError **error);

/* Sends it and waits for the answer, however long that takes. */
sd_bus_message* vsm_client_call(VsmClient *client, sd_bus_message *call, GError **error);

/* Call and answer in one, for arguments of basic types, as sd_bus_message_append takes them. */
sd_bus_message* vsm_client_call_method(
                VsmClient *client,
                const char *path,
                const char *interface,
                const char *member,
                GError **error,
                const char *types,
                ...);

/* The same with one argument of any type. Does not take the value, unless it floats. */
sd_bus_message* vsm_client_call_value(
                VsmClient *client,
                const char *path,
                const char *interface,
                const char *member,
                GVariant *value,
                GError **error);

/* All objects below the root: path -> interface -> property. */
JsonObject* vsm_client_get_objects(VsmClient *client, GError **error);

/* The properties of one interface. */
JsonObject* vsm_client_get_properties(
                VsmClient *client,
                const char *path,
                const char *interface,
                GError **error);

/* The reasons and the request of a job, and what is left over of an evacuation. Not for everybody; nobody is asked for a
 * password to have a look. */
JsonArray* vsm_client_get_reasons(VsmClient *client, const char *job_path, GError **error);
JsonObject* vsm_client_get_request(VsmClient *client, const char *job_path, GError **error);
JsonArray* vsm_client_get_leftovers(VsmClient *client, const char *job_path, GError **error);

/* The object path for what a user typed: a name, a UUID or a path; a number or a path. */
char* vsm_client_find_system(VsmClient *client, const char *system, GError **error);
char* vsm_client_find_job(const char *job, GError **error);

/* "vsmctl -H host", to tell people what to type next. */
char* vsm_client_command(const VsmClient *client);

/* A negative errno, or an error from the bus, as GError. Returns false, so that a caller can return it. */
bool vsm_error_set_errno(GError **error, int r, const char *what);
bool vsm_error_set_bus(GError **error, const sd_bus_error *e, int r);

/* Prints an error and what can be done about it, and returns the exit status for it. Takes the error. */
int vsm_client_fail(const VsmClient *client, GError *error);
