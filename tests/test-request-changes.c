/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a request makes different where the system goes: from the dicts to VsmChanges, through the store's text
 * and back, and what does not go together. A new rule is a line. One thread. */

#include <string.h>

#include "daemon/move-type.h"
#include "daemon/percent.h"
#include "daemon/request.h"
#include "daemon/settings-file.h"
#include "shared/enums.h"
#include "shared/error.h"

#define MAC "52:54:00:AB:00:01"
#define UUID "0a1b2c3d-0000-1111-2222-333344445555"

static VsmRequest* make(uint16_t type, const char *more, const char *system, const char *resources, GError **error) {
        g_autofree char *text = g_strdup_printf("{'MigrationType': <@q %u>%s%s}", type, more ? ", " : "", more ?: "");
        g_autoptr(GVariant) m = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, error);
        g_autoptr(GVariant) s = g_variant_parse(G_VARIANT_TYPE_VARDICT, system ?: "{}", NULL, NULL, error);
        g_autoptr(GVariant) r = g_variant_parse(G_VARIANT_TYPE("aa{sv}"), resources ?: "[]", NULL, NULL, error);

        g_assert_true(m && s && r);
        return vsm_request_new_check(type == VSM_MIGRATION_TYPE_STORAGE ? "" : "b", m, s, r, error);
}

static bool resolve(VsmRequest *request, GError **error) {
        VsmSettingsData settings;

        vsm_settings_defaults(&settings);
        settings.authentication = VSM_AUTHENTICATION_SSH;
        return vsm_request_resolve(request, &settings, error);
}

static void assert_all(const VsmChanges *changes) {
        const VsmDiskWish *vda = changes->disks->pdata[0], *vdb = changes->disks->pdata[1];
        const VsmDiskWish *vdc = changes->disks->pdata[2], *rest = changes->disks->pdata[3];
        const VsmNetworkWish *network = changes->networks->pdata[0];
        const VsmVolumeWish *volume = changes->volumes->pdata[0];

        g_assert_cmpstr(changes->name, ==, "web2");
        g_assert_cmpstr(changes->description, ==, "a\nb");
        g_assert_cmpint(changes->autostart, ==, 0);

        g_assert_cmpuint(changes->disks->len, ==, 4);
        g_assert_cmpstr(vda->target, ==, "vda");
        g_assert_cmpstr(vda->path, ==, "/new/web.qcow2");
        g_assert_null(vda->pool);
        g_assert_cmpstr(vdb->target, ==, "vdb");
        g_assert_null(vdb->path);
        g_assert_null(vdb->pool);
        g_assert_null(vdc->path);
        g_assert_cmpstr(vdc->pool, ==, "fast");
        g_assert_cmpstr(rest->target, ==, VSM_DISK_WISH_ALL);
        g_assert_cmpstr(rest->path, ==, "/there");

        g_assert_cmpuint(changes->networks->len, ==, 1);
        g_assert_cmpstr(network->mac, ==, "52:54:00:ab:00:01");
        g_assert_cmpstr(network->name, ==, "lan");

        g_assert_cmpuint(changes->volumes->len, ==, 1);
        g_assert_cmpstr(volume->source, ==, "/a/b");
        g_assert_cmpstr(volume->path, ==, "/c");

        g_assert_true(changes->overwrite);
        g_assert_true(changes->remove_source);
        g_assert_true(changes->remove_source_volumes);
        g_assert_false(changes->keep_copies);
        g_assert_cmpstr(changes->planned, ==, UUID);
}

/* Every key of the three dicts lands, and comes back from the store. */
static void test_all(void) {
        g_autoptr(VsmRequest) request = NULL, back = NULL;
        g_autofree char *text = NULL, *paths = NULL;
        g_autoptr(GError) error = NULL;

        request = make(32771,
                       "'RetainVhdCopiesOnSource': <false>, 'AllowOverwriteExistingFile': <true>,"
                       " 'UnmanagedVhds': <[{'VhdSourcePath': <'/a//./b'>, 'VhdDestinationPath': <'/c'>}]>,"
                       " 'RemoveSourceUnmanagedVhds': <true>, 'DestinationPlannedVirtualSystemId': <'" UUID "'>",
                       "{'ElementName': <'web2'>, 'Description': <'a\\nb'>, 'AutomaticStart': <false>}",
                       "[{'ResourceType': <@q 31>, 'InstanceID': <'vda'>, 'HostResource': <['/new//web.qcow2']>},"
                       " {'ResourceType': <@q 17>, 'InstanceID': <'vdb'>, 'HostResource': <['']>},"
                       " {'ResourceType': <@q 31>, 'InstanceID': <'vdc'>, 'PoolID': <'fast'>},"
                       " {'ResourceType': <@q 31>, 'InstanceID': <'*'>, 'HostResource': <['/there/']>},"
                       " {'ResourceType': <@q 10>, 'InstanceID': <'" MAC "'>, 'Connection': <['lan']>}]", &error);
        g_assert_no_error(error);
        g_assert_true(resolve(request, &error));
        g_assert_no_error(error);
        assert_all(request->changes);

        text = vsm_request_to_text(request);
        back = vsm_request_from_text(text, &error);
        g_assert_no_error(error);
        assert_all(back->changes);

        /* what polkit's rules are given */
        paths = vsm_changes_format_paths(back->changes);
        g_assert_cmpstr(paths, ==, "/new/web.qcow2\n/there\n/a/b\n/c");
}

static void test_none(void) {
        g_autoptr(VsmRequest) request = make(32768, NULL, "{'Description': <''>}", NULL, NULL);
        const VsmChanges *changes = request->changes;

        g_assert_null(changes->name);
        g_assert_null(changes->description);
        g_assert_cmpint(changes->autostart, ==, -1);
        g_assert_null(changes->disks);
        g_assert_cmpuint(changes->networks->len, ==, 0);
        g_assert_cmpuint(changes->volumes->len, ==, 0);
        g_assert_false(changes->remove_source || changes->remove_source_volumes);
        g_assert_false(changes->keep_copies || changes->overwrite);
        g_assert_null(changes->planned);
        g_assert_null(vsm_changes_format_paths(changes));
}

/* The default loses nothing, and AvoidRemovingVHDs beats what would. */
static void test_removing(void) {
        static const struct {
                const char *migration;
                bool disks, volumes, keep;
        } table[] = {
                { "'RetainVhdCopiesOnSource': <true>", false, false, false },
                { "'RetainVhdCopiesOnSource': <false>", true, false, false },
                { "'RemoveSourceUnmanagedVhds': <true>", false, true, false },
                { "'RetainVhdCopiesOnSource': <false>, 'RemoveSourceUnmanagedVhds': <true>,"
                  " 'AvoidRemovingVHDs': <true>", false, false, true },
                { "'RetainVhdCopiesOnSource': <false>, 'AvoidRemovingVHDs': <false>", true, false, false },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                g_autoptr(VsmRequest) request = make(32771, table[i].migration, NULL, NULL, NULL);

                g_assert_cmpint(request->changes->remove_source, ==, table[i].disks);
                g_assert_cmpint(request->changes->remove_source_volumes, ==, table[i].volumes);
                g_assert_cmpint(request->changes->keep_copies, ==, table[i].keep);
        }
}

#define DISK(id, ...) "{'ResourceType': <@q 31>, 'InstanceID': <'" id "'>" __VA_ARGS__ "}"
#define NETWORK(id, ...) "{'ResourceType': <@q 10>, 'InstanceID': <'" id "'>" __VA_ARGS__ "}"
#define AT(path) ", 'HostResource': <['" path "']>"
#define TO(name) ", 'Connection': <['" name "']>"
#define VOLUME(to) "'UnmanagedVhds': <[{'VhdSourcePath': <'/a'>, 'VhdDestinationPath': <'" to "'>}]>"
#define PLANNED "'DestinationPlannedVirtualSystemId': <'" UUID "'>"

static void test_form(void) {
        static const struct {
                const char *resources, *says;   /* NULL: taken */
        } table[] = {
                { "[" DISK("vda") "]", NULL },
                { "[" DISK("vda", AT("/a")) ", " DISK("vdb", AT("/b")) "]", NULL },
                { "[" DISK("*", ", 'PoolID': <'p'>") ", " DISK("vdb", AT("/b")) "]", NULL },
                { "[" DISK("vda", AT("/a")) ", " DISK("vda", AT("/b")) "]", "[1]: InstanceID is that of an" },
                { "[" DISK("*") ", " DISK("*") "]", "[1]: InstanceID is that of an" },
                { "[" DISK("vda", TO("lan")) "]", "[0]: Connection is a key of a network" },
                { "[" DISK("/dev/vda") "]", "InstanceID must be the disk's target" },
                { "[" DISK("**") "]", "InstanceID must be the disk's target" },
                { "[" DISK("vda", AT("/a/")) "]", "without \"/\" at its end" },
                { "[" DISK("vda", AT("/")) "]", "without \"/\" at its end" },
                { "[" DISK("vda", AT("/a/..")) "]", "HostResource" },
                { "[" DISK("vda", AT("/a\\nb")) "]", "HostResource" },
                { "[" DISK("vda", ", 'PoolID': <'a/b'>") "]", "PoolID" },
                { "[" NETWORK(MAC, TO("lan")) "]", NULL },
                { "[" NETWORK(MAC) "]", "[0]: Connection is missing" },
                { "[" NETWORK(MAC, TO("")) "]", "Connection" },
                { "[" NETWORK(MAC, TO("a/b")) "]", "Connection" },
                { "[" NETWORK("eth0", TO("lan")) "]", "MAC address" },
                { "[" NETWORK("52:54:00:AB:00:0g", TO("lan")) "]", "MAC address" },
                { "[" NETWORK(MAC, TO("lan") AT("/a")) "]", "HostResource is a key of a disk" },
                { "[" NETWORK(MAC, TO("lan") ", 'PoolID': <'p'>") "]", "PoolID is a key of a disk" },
                { "[" NETWORK(MAC, TO("lan")) ", " NETWORK("52:54:00:ab:00:01", TO("b")) "]",
                  "[1]: InstanceID is that of an" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                g_autoptr(VsmRequest) request = NULL;
                g_autoptr(GError) error = NULL;

                request = make(32771, NULL, NULL, table[i].resources, &error);
                if (!table[i].says) {
                        g_assert_no_error(error);
                        continue;
                }

                g_assert_null(request);
                g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_PARAMETER);
                if (!strstr(error->message, table[i].says) || !strstr(error->message, "NewResourceSettingData["))
                        g_error("wanted \"%s\", got \"%s\"", table[i].says, error->message);
        }
}

/* For each type what it takes of disks, volumes, networks, the system's settings and a planned system. */
static void test_together(void) {
        static const struct {
                uint16_t type;
                bool disks, volumes, system, planned;
        } table[] = {
                { 32768, false, false, true,  true  },
                { 32769, true,  true,  false, false },
                { 32770, true,  false, true,  false },
                { 32771, true,  true,  true,  true  },
                { 32772, true,  true,  true,  true  },
                { 3,     false, false, true,  false },
                { 4,     true,  true,  true,  false },
                { 1,     true,  true,  true,  false },
        };
        static const struct {
                const char *migration, *system, *resources, *says;
        } wishes[] = {
                { NULL, NULL, "[" DISK("vda", AT("/a")) "]", "A disk in NewResourceSettingData" },
                { VOLUME("/b"), NULL, NULL, "UnmanagedVhds" },
                { NULL, NULL, "[" NETWORK(MAC, TO("lan")) "]", "A network in NewResourceSettingData" },
                { NULL, "{'ElementName': <'x'>}", NULL, "ElementName" },
                { NULL, "{'Description': <'x'>}", NULL, "Description" },
                { NULL, "{'AutomaticStart': <true>}", NULL, "AutomaticStart" },
                { PLANNED, NULL, NULL, "DestinationPlannedVirtualSystemId" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                const bool takes[] = { table[i].disks, table[i].volumes, table[i].system, table[i].system,
                                       table[i].system, table[i].system, table[i].planned };

                for (size_t j = 0; j < G_N_ELEMENTS(wishes); j++) {
                        g_autoptr(VsmRequest) request = NULL;
                        g_autoptr(GError) error = NULL;

                        request = make(table[i].type, wishes[j].migration, wishes[j].system, wishes[j].resources,
                                       &error);
                        g_assert_no_error(error);

                        if (resolve(request, &error) != takes[j])
                                g_error("%u, %s: %s", table[i].type, wishes[j].says,
                                        error ? error->message : "taken");
                        if (takes[j])
                                continue;

                        g_assert_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS);
                        g_assert_nonnull(strstr(error->message, wishes[j].says));
                }
        }
}

static void test_places(void) {
        static const struct {
                uint16_t type;
                const char *migration, *resources, *says;
        } table[] = {
                { 32771, NULL, "[" DISK("vda", AT("/a")) ", " DISK("vdb", AT("//a")) "]", "disk vdb" },
                { 32771, VOLUME("/b"), "[" DISK("vda", AT("/b")) "]", "UnmanagedVhds[0]" },
                { 32771, "'TransportType': <@q 2>", NULL, "TransportType 2 (SSH)" },
                { 1, "'TransportType': <@q 2>", "[" DISK("vda", AT("/a")) "]", "TransportType 2 (SSH)" },
                { 1, "'TransportType': <@q 2>", NULL, NULL },
                { 32768, "'TransportType': <@q 2>", "[" NETWORK(MAC, TO("lan")) "]", NULL },
                { 32771, NULL, "[" DISK("vda", AT("/a")) ", " DISK("*", AT("/a")) "]", NULL },
                { 32769, "'PostCopy': <'now'>", NULL, "MigrationType 32769" },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                g_autoptr(GError) error = NULL;
                g_autoptr(VsmRequest) request = make(table[i].type, table[i].migration, NULL, table[i].resources,
                                                     &error);
                bool ok;

                g_assert_no_error(error);
                ok = resolve(request, &error);
                g_assert_true(ok == !table[i].says);
                if (ok)
                        continue;

                g_assert_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS);
                if (!strstr(error->message, table[i].says))
                        g_error("wanted \"%s\", got \"%s\"", table[i].says, error->message);
        }
}

/* A move on this host asks nothing of a way to another one. */
static void test_storage_has_no_transport(void) {
        g_autoptr(VsmRequest) request = make(32769, NULL, NULL, NULL, NULL);
        g_autoptr(GError) error = NULL;
        VsmSettingsData settings;

        vsm_settings_defaults(&settings);
        settings.default_transport = VSM_TRANSPORT_TLS_STRICT;
        g_assert_true(vsm_request_resolve(request, &settings, &error));
        g_assert_no_error(error);
        g_assert_false(g_variant_lookup(request->accepted, "TransportType", "q", NULL));
}

/* CIM's pairs (3.5.1), and which limits count. */
static void test_types(void) {
        static const struct {
                uint16_t type, job, check;
                bool system, storage, runs_on, has_state;
        } table[] = {
                { 32768, 305, 301, true,  false, true,  true  },
                { 32769, 307, 303, false, true,  false, true  },
                { 32770, 300, 301, true,  false, false, false },
                { 32771, 306, 302, true,  true,  true,  true  },
                { 32772, 0,   304, false, false, false, false },
                { 3,     305, 301, true,  false, true,  true  },
                { 4,     305, 301, true,  false, true,  true  },
                { 1,     305, 301, true,  false, false, true  },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                const VsmMoveType *type = vsm_move_type(table[i].type);

                g_assert_cmpuint(type->type, ==, table[i].type);
                g_assert_cmpuint(type->job, ==, table[i].job);
                g_assert_cmpuint(type->check, ==, table[i].check);
                g_assert_cmpint(type->counts_system, ==, table[i].system);
                g_assert_cmpint(type->counts_storage, ==, table[i].storage);
                g_assert_cmpint(type->runs_on, ==, table[i].runs_on);
                g_assert_cmpint(type->has_state, ==, table[i].has_state);
                g_assert_cmpint(vsm_job_type_moves(table[i].job), ==, table[i].job > 0);
                g_assert_false(vsm_job_type_moves(table[i].check));
        }

        g_assert_false(vsm_job_type_moves(0));
        g_assert_false(vsm_job_type_moves(VSM_JOB_TYPE_QUIESCE));
}

typedef struct Step {
        VsmPercentSample sample;        /* disk: total, remaining; memory: the same */
        unsigned wanted;
} Step;

static void assert_percents(uint64_t disk, uint64_t memory, const Step *steps, size_t n) {
        VsmPercent percent = {};

        vsm_percent_expect(&percent, disk, memory);
        for (size_t i = 0; i < n; i++)
                g_assert_cmpuint(vsm_percent_take(&percent, &steps[i].sample), ==, steps[i].wanted);
}

static void test_percent(void) {
        /* memory alone; what is dirtied again does not take it back */
        static const Step live[] = {
                { { 0, 0, 0, 0 }, 0 }, { { 0, 0, 100, 100 }, 0 }, { { 0, 0, 100, 60 }, 40 },
                { { 0, 0, 100, 90 }, 40 }, { { 0, 0, 100, 0 }, 100 },
        };
        /* disks first, while libvirt knows nothing of the memory: they do not fill the bar */
        static const Step both[] = {
                { { 300, 300, 0, 0 }, 0 }, { { 300, 150, 0, 0 }, 37 }, { { 300, 0, 0, 0 }, 75 },
                { { 300, 0, 100, 100 }, 75 }, { { 320, 20, 100, 50 }, 88 }, { { 320, 0, 100, 0 }, 100 },
        };
        /* a disk that grows, or a second one that begins later */
        static const Step grows[] = {
                { { 100, 50, 0, 0 }, 25 }, { { 200, 150, 0, 0 }, 25 }, { { 200, 50, 0, 0 }, 50 },
        };
        /* its disks are out of the numbers when memory moves */
        static const Step forgets[] = { { { 300, 150, 0, 0 }, 37 }, { { 0, 0, 100, 100 }, 75 } };
        /* disks alone, and numbers that cannot be */
        static const Step disks[] = {
                { { 100, 25, 0, 0 }, 75 }, { { 100, 200, 0, 0 }, 75 }, { { 100, 0, 0, 0 }, 100 },
        };

        assert_percents(0, 100, live, G_N_ELEMENTS(live));
        assert_percents(0, 0, live, G_N_ELEMENTS(live));
        assert_percents(300, 100, both, G_N_ELEMENTS(both));
        assert_percents(0, 100, both, G_N_ELEMENTS(both));
        assert_percents(0, 100, grows, G_N_ELEMENTS(grows));
        assert_percents(0, 100, forgets, G_N_ELEMENTS(forgets));
        assert_percents(0, 0, disks, G_N_ELEMENTS(disks));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/request-changes/all", test_all);
        g_test_add_func("/request-changes/none", test_none);
        g_test_add_func("/request-changes/removing", test_removing);
        g_test_add_func("/request-changes/form", test_form);
        g_test_add_func("/request-changes/together", test_together);
        g_test_add_func("/request-changes/places", test_places);
        g_test_add_func("/request-changes/storage-has-no-transport", test_storage_has_no_transport);
        g_test_add_func("/move-type/table", test_types);
        g_test_add_func("/percent/arithmetic", test_percent);

        return g_test_run();
}
