/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Taking back and making final, on two hosts of libvirt's test driver: domains, pools and volumes behave,
 * block jobs do not exist and are made up here, in place of the library's functions. */

#include <stdio.h>
#include <string.h>

#include "daemon/virt/block-copy.h"
#include "daemon/virt/definition.h"
#include "daemon/virt/move-private.h"
#include "daemon/virt/undo.h"
#include "shared/enums.h"

#define UUID "6695eb01-f6a4-8304-79aa-97f2502e193f"     /* of the system that is moved */
#define POOL "/vsm-test-undo/pool"

static virConnectPtr here, there;
static GArray *forgotten;               /* ids, in order */
static bool full;

/* ---- in place of libvirt ---- */

static int copying;                     /* looks until the block job has ended; 0 = there is none */
static unsigned aborts;
static bool abort_fails;
static unsigned undefine_flags;

int virDomainGetBlockJobInfo(virDomainPtr domain, const char *disk, virDomainBlockJobInfoPtr info, unsigned flags) {
        g_assert_cmpstr(disk, ==, "vda");
        if (copying == 0)
                return 0;

        info->type = VIR_DOMAIN_BLOCK_JOB_TYPE_COPY;
        if (aborts > 0)
                copying--;
        return 1;
}

int virDomainBlockJobAbort(virDomainPtr domain, const char *disk, unsigned flags) {
        g_assert_false(flags & VIR_DOMAIN_BLOCK_JOB_ABORT_PIVOT);
        aborts++;
        return abort_fails ? -1 : 0;
}

/* the test driver knows fewer flags than QEMU's */
int virDomainUndefineFlags(virDomainPtr domain, unsigned flags) {
        undefine_flags = flags;
        return virDomainUndefine(domain);
}

/* ---- */

static bool journal_write(VsmEffect *effect, void *userdata, GError **error) {
        static uint64_t number;

        effect->id = ++number;
        return true;
}

static bool journal_decide(bool success, void *userdata, GError **error) {
        return true;
}

static bool journal_forget(uint64_t id, void *userdata, GError **error) {
        if (full) {
                g_set_error(error, VSM_ERROR, VSM_ERROR_FAILED, "disk full");
                return false;
        }

        g_array_append_val(forgotten, id);
        return true;
}

static const VsmJournal journal = { .write = journal_write, .decide = journal_decide, .forget = journal_forget };

static void set_up(void) {
        const char *node = g_getenv("VSM_TEST_NODE");
        g_autofree char *uri = g_strconcat("test://", node, NULL);

        here = virConnectOpen(uri);
        there = virConnectOpen(uri);
        g_assert_nonnull(here);
        g_assert_nonnull(there);
        forgotten = g_array_new(FALSE, FALSE, sizeof(uint64_t));
        full = false;
        copying = 0;
        aborts = 0;
}

static void tear_down(void) {
        g_clear_pointer(&here, virConnectClose);
        g_clear_pointer(&there, virConnectClose);
        g_clear_pointer(&forgotten, g_array_unref);
}

static void make_volume(virConnectPtr connection, const char *name) {
        g_autofree char *xml = g_strdup_printf("<volume><name>%s</name><capacity>4096</capacity></volume>", name);
        g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(connection, "pool");
        g_autoptr(virStorageVol) volume = virStorageVolCreateXML(pool, xml, 0);

        g_assert_nonnull(volume);
}

static bool has_volume(virConnectPtr connection, const char *name) {
        g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(connection, "pool");
        g_autoptr(virStorageVol) volume = virStorageVolLookupByName(pool, name);

        return volume;
}

/* mark: "" = none; disk: file of its disk, or NULL */
static virDomainPtr define(virConnectPtr connection, const char *mark, const char *disk) {
        g_autofree char *device = disk ? g_strdup_printf("<devices><disk type='file' device='disk'><source file='%s'/>"
                                                         "<target dev='vda'/></disk></devices>", disk) : NULL;
        g_autofree char *xml = g_strdup_printf(
                        "<domain type='test'><name>guest</name><uuid>" UUID "</uuid><memory>65536</memory>"
                        "<os><type>hvm</type></os>%s</domain>", device ?: "");
        g_autofree char *marked = NULL;
        virDomainPtr domain;

        if (*mark) {
                VsmPlanned *planned = vsm_planned_new("a", mark);
                VsmDefinitionChange change = { .planned = planned };
                g_autoptr(GError) error = NULL;

                marked = vsm_definition_change(xml, &change, &error);
                g_assert_no_error(error);
                vsm_planned_free(planned);
        }

        domain = virDomainDefineXML(connection, marked ?: xml);
        g_assert_nonnull(domain);
        return domain;
}

static bool has_domain(virConnectPtr connection) {
        g_autoptr(virDomain) domain = virDomainLookupByUUIDString(connection, UUID);

        return domain;
}

static bool runs(virConnectPtr connection) {
        g_autoptr(virDomain) domain = virDomainLookupByUUIDString(connection, UUID);

        return domain && virDomainIsActive(domain) == 1;
}

static GPtrArray* list_new(void) {
        return g_ptr_array_new_with_free_func((GDestroyNotify) vsm_effect_free);
}

static void add(GPtrArray *list, VsmEffectKind kind, bool on_other, const char *object, const char *detail) {
        VsmEffect *effect = vsm_effect_new(kind, on_other, object, detail);

        effect->id = list->len + 1;
        g_ptr_array_add(list, effect);
}

static void finish(virConnectPtr a, virConnectPtr b, GPtrArray *list, bool success, const char *waits) {
        g_autoptr(GError) error = NULL;
        bool done = vsm_effects_finish(a, b, UUID, list, success, &journal, &error);

        if (!waits) {
                g_assert_no_error(error);
                g_assert_true(done);
                g_assert_cmpuint(list->len, ==, 0);
                return;
        }

        g_assert_false(done);
        g_assert_nonnull(error);
        if (!strstr(error->message, waits))
                g_error("'%s' is not in '%s'", waits, error->message);
}

static void test_last_first(void) {
        g_autoptr(GPtrArray) list = list_new();
        g_autoptr(virDomain) domain = NULL;

        set_up();
        make_volume(there, "v1");
        make_volume(there, "v2");
        make_volume(there, "others");
        domain = define(there, "17", POOL "/v1");
        add(list, VSM_EFFECT_VOLUME, true, POOL "/v1", "pool");
        add(list, VSM_EFFECT_VOLUME, true, POOL "/v2", "pool");
        add(list, VSM_EFFECT_DEFINITION, true, UUID, "17");
        add(list, VSM_EFFECT_SOURCE_VOLUME, false, POOL "/s", "pool");

        /* not before the other host is there */
        g_assert_true(vsm_effects_need_there(list, false));
        g_assert_false(vsm_effects_need_there(list, true));
        finish(here, NULL, list, false, "cannot be reached");
        g_assert_cmpuint(list->len, ==, 3);
        g_assert_true(has_volume(there, "v1") && has_domain(there));

        finish(here, there, list, false, NULL);
        g_assert_false(has_domain(there) || has_volume(there, "v1") || has_volume(there, "v2"));
        g_assert_true(has_volume(there, "others"));
        g_assert_cmpuint(undefine_flags & VIR_DOMAIN_UNDEFINE_KEEP_NVRAM, !=, 0);
        g_assert_cmpuint(forgotten->len, ==, 4);
        for (guint i = 0; i < 4; i++)
                g_assert_cmpuint(g_array_index(forgotten, uint64_t, i), ==, 4 - i);
        tear_down();
}

static void test_volume_kept(void) {
        g_autoptr(GPtrArray) list = list_new();
        g_autoptr(virStoragePool) pool = NULL;
        g_autoptr(virDomain) domain = NULL;

        /* a domain uses it: also the very one that was moved */
        set_up();
        make_volume(there, "v1");
        domain = define(there, "", POOL "/v1");
        add(list, VSM_EFFECT_VOLUME, true, POOL "/v1", "pool");
        finish(here, there, list, false, NULL);
        g_assert_true(has_volume(there, "v1"));

        /* gone already */
        add(list, VSM_EFFECT_VOLUME, true, POOL "/gone", "pool");
        finish(here, there, list, false, NULL);

        /* no pool's any more */
        add(list, VSM_EFFECT_VOLUME, true, POOL "/v1", "other");
        finish(here, there, list, false, NULL);

        /* a pool that is off hides what is in it */
        make_volume(there, "v2");
        pool = virStoragePoolLookupByName(there, "pool");
        g_assert_cmpint(virStoragePoolDestroy(pool), ==, 0);
        add(list, VSM_EFFECT_VOLUME, true, POOL "/v2", "pool");
        finish(here, there, list, false, "not active");
        g_assert_cmpuint(list->len, ==, 1);
        g_assert_cmpint(virStoragePoolCreate(pool, 0), ==, 0);
        finish(here, there, list, false, NULL);
        g_assert_false(has_volume(there, "v2"));
        tear_down();
}

static void test_definition_kept(void) {
        g_autoptr(GPtrArray) list = list_new();
        virDomainPtr domain;

        /* of another job, unmarked, running */
        set_up();
        domain = define(there, "18", NULL);
        add(list, VSM_EFFECT_DEFINITION, true, UUID, "17");
        finish(here, there, list, false, NULL);
        g_assert_true(has_domain(there));

        add(list, VSM_EFFECT_DEFINITION, true, UUID, "18");
        g_assert_cmpint(virDomainCreate(domain), ==, 0);
        finish(here, there, list, false, NULL);
        g_assert_true(runs(there));
        g_assert_cmpint(virDomainDestroy(domain), ==, 0);
        g_assert_cmpint(virDomainUndefine(domain), ==, 0);
        virDomainFree(domain);

        domain = define(there, "", NULL);
        add(list, VSM_EFFECT_DEFINITION, true, UUID, "");
        finish(here, there, list, false, NULL);
        g_assert_true(has_domain(there));

        /* a success takes nothing back */
        add(list, VSM_EFFECT_DEFINITION, true, UUID, "");
        finish(here, NULL, list, true, NULL);
        virDomainFree(domain);
        tear_down();
}

/* Taken into use, and back again; but never when there is nothing left of it here. */
static void test_unmarked(void) {
        g_autoptr(GPtrArray) list = list_new();
        virDomainPtr source, domain;

        set_up();
        source = define(here, "", NULL);
        domain = define(there, "", NULL);
        add(list, VSM_EFFECT_DEFINITION, true, UUID, "17");
        add(list, VSM_EFFECT_UNMARKED, true, UUID, "17");
        finish(NULL, there, list, false, "not known whether");
        g_assert_cmpuint(list->len, ==, 2);
        g_assert_true(has_domain(there));
        finish(here, there, list, false, NULL);
        g_assert_false(has_domain(there));
        virDomainFree(domain);

        /* somebody let it run there: it is his, and so are its disks */
        domain = define(there, "", POOL "/v1");
        make_volume(there, "v1");
        g_assert_cmpint(virDomainCreate(domain), ==, 0);
        g_assert_cmpint(virDomainDestroy(domain), ==, 0);
        add(list, VSM_EFFECT_VOLUME, true, POOL "/v1", "pool");
        add(list, VSM_EFFECT_DEFINITION, true, UUID, "17");
        add(list, VSM_EFFECT_UNMARKED, true, UUID, "17");
        finish(here, there, list, false, NULL);
        g_assert_true(has_domain(there));
        g_assert_true(has_volume(there, "v1"));
        g_assert_cmpint(virDomainUndefine(domain), ==, 0);
        virDomainFree(domain);

        domain = define(there, "", NULL);
        g_assert_cmpint(virDomainUndefine(source), ==, 0);
        add(list, VSM_EFFECT_DEFINITION, true, UUID, "17");
        add(list, VSM_EFFECT_UNMARKED, true, UUID, "17");
        finish(here, there, list, false, NULL);
        g_assert_true(has_domain(there));
        virDomainFree(domain);
        virDomainFree(source);
        tear_down();
}

/* A volume waits for the block job that writes to it. */
static void test_block_copy(void) {
        g_autoptr(GPtrArray) list = list_new();
        g_autoptr(virDomain) domain = NULL;

        set_up();
        domain = define(here, "", NULL);
        make_volume(here, "v1");
        add(list, VSM_EFFECT_VOLUME, false, POOL "/v1", "pool");
        add(list, VSM_EFFECT_BLOCK_COPY, false, UUID, "vda " POOL "/v1");
        copying = 5;
        abort_fails = true;
        finish(here, there, list, false, "cannot be ended");
        g_assert_cmpuint(list->len, ==, 2);
        g_assert_true(has_volume(here, "v1"));

        abort_fails = false;
        aborts = 0;
        finish(here, there, list, false, NULL);
        g_assert_cmpuint(aborts, ==, 1);
        g_assert_cmpint(copying, ==, 0);
        g_assert_false(has_volume(here, "v1"));

        add(list, VSM_EFFECT_BLOCK_COPY, false, UUID, "vda");
        finish(here, there, list, false, NULL);
        g_assert_cmpuint(aborts, ==, 1);
        tear_down();
}

/* detail: of the copy; volume: that was made for it, or NULL */
static void assert_copied(const char *detail, const char *volume, VsmBlockCopyEnd want) {
        g_autoptr(GPtrArray) list = list_new();
        g_autoptr(GError) error = NULL;
        VsmBlockCopyEnd found;

        if (volume)
                add(list, VSM_EFFECT_VOLUME, false, volume, "pool");
        add(list, VSM_EFFECT_BLOCK_COPY, false, UUID, detail);
        g_assert_true(vsm_block_copy_is_over(here, UUID, list, &found, &error));
        g_assert_no_error(error);
        g_assert_cmpint(found, ==, want);
}

/* After a restart, by where the guest writes; at a LUN nothing is made. */
static void test_block_copy_over(void) {
        g_autoptr(virDomain) domain = NULL;

        set_up();
        domain = define(here, "", "/dev/lun");
        g_assert_cmpint(virDomainCreate(domain), ==, 0);
        assert_copied("vda /dev/lun", NULL, VSM_BLOCK_COPY_ALL);
        assert_copied("vda /dev/other", NULL, VSM_BLOCK_COPY_NONE);
        assert_copied("vda", "/dev/lun", VSM_BLOCK_COPY_ALL);
        tear_down();
}

static void test_shut_down(void) {
        g_autoptr(GPtrArray) list = list_new();
        g_autoptr(virDomain) domain = NULL, other = NULL;

        set_up();
        domain = define(here, "", NULL);
        add(list, VSM_EFFECT_SHUT_DOWN, false, UUID, "");
        g_assert_true(vsm_effects_need_there(list, false));

        /* never twice */
        finish(here, NULL, list, false, "once the other host says");
        finish(NULL, there, list, false, "cannot be reached");
        g_assert_false(runs(here));

        other = define(there, "", NULL);
        g_assert_cmpint(virDomainCreate(other), ==, 0);
        finish(here, there, list, false, NULL);
        g_assert_false(runs(here));

        /* it is off there, and what it wrote is there */
        g_assert_cmpint(virDomainDestroy(other), ==, 0);
        add(list, VSM_EFFECT_SHUT_DOWN, false, UUID, "");
        finish(here, there, list, false, NULL);
        g_assert_false(runs(here));

        g_assert_cmpint(virDomainUndefine(other), ==, 0);
        virDomainFree(other);
        other = define(there, "", NULL);
        add(list, VSM_EFFECT_SHUT_DOWN, false, UUID, "");
        finish(here, there, list, false, NULL);
        g_assert_true(runs(here));

        /* it runs: nothing to ask for */
        add(list, VSM_EFFECT_SHUT_DOWN, false, UUID, "");
        finish(here, NULL, list, false, NULL);
        tear_down();
}

static void assert_paused(virConnectPtr connection, bool paused) {
        g_autoptr(virDomain) domain = virDomainLookupByUUIDString(connection, UUID);
        int state;

        g_assert_cmpint(virDomainGetState(domain, &state, NULL, 0), ==, 0);
        g_assert_cmpint(state, ==, paused ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING);
}

static void test_suspended(void) {
        g_autoptr(GPtrArray) list = list_new();
        g_autoptr(virDomain) domain = NULL, other = NULL;

        set_up();
        domain = define(here, "", NULL);
        g_assert_cmpint(virDomainCreate(domain), ==, 0);
        g_assert_cmpint(virDomainSuspend(domain), ==, 0);
        other = define(there, "", NULL);
        g_assert_cmpint(virDomainCreate(other), ==, 0);

        /* it runs there: not here too */
        add(list, VSM_EFFECT_SUSPENDED, false, UUID, "");
        finish(here, there, list, false, NULL);
        assert_paused(here, true);

        g_assert_cmpint(virDomainDestroy(other), ==, 0);
        add(list, VSM_EFFECT_SUSPENDED, false, UUID, "");
        finish(here, there, list, false, NULL);
        assert_paused(here, false);

        /* moved */
        g_assert_cmpint(virDomainCreate(other), ==, 0);
        g_assert_cmpint(virDomainSuspend(other), ==, 0);
        add(list, VSM_EFFECT_SUSPENDED, false, UUID, "");
        g_assert_true(vsm_effects_need_there(list, true));
        finish(here, NULL, list, true, "cannot be reached");
        finish(here, there, list, true, NULL);
        assert_paused(there, false);
        tear_down();
}

/* Paused for a moment on this host: whatever the end, it runs on here. */
static void test_halted(void) {
        g_autoptr(GPtrArray) list = list_new();
        g_autoptr(virDomain) domain = NULL;

        set_up();
        domain = define(here, "", NULL);
        g_assert_cmpint(virDomainCreate(domain), ==, 0);

        for (int success = 0; success < 2; success++) {
                g_assert_cmpint(virDomainSuspend(domain), ==, 0);
                add(list, VSM_EFFECT_HALTED, false, UUID, "");
                g_assert_false(vsm_effects_need_there(list, success));
                finish(here, NULL, list, success, NULL);
                assert_paused(here, false);

                /* it was resumed in time */
                add(list, VSM_EFFECT_HALTED, false, UUID, "");
                finish(here, NULL, list, success, NULL);
                assert_paused(here, false);
        }

        tear_down();
}

static void test_source(void) {
        g_autoptr(GPtrArray) list = list_new();
        g_autoptr(virDomain) domain = NULL;

        set_up();
        make_volume(here, "v1");
        domain = define(here, "", POOL "/v1");

        /* a failure keeps it, and so does a domain that has it */
        add(list, VSM_EFFECT_SOURCE_VOLUME, false, POOL "/v1", "pool");
        finish(here, NULL, list, false, NULL);
        add(list, VSM_EFFECT_SOURCE_VOLUME, false, POOL "/v1", "pool");
        finish(here, NULL, list, true, NULL);
        g_assert_true(has_volume(here, "v1"));

        g_assert_cmpint(virDomainUndefine(domain), ==, 0);
        add(list, VSM_EFFECT_SOURCE_VOLUME, false, POOL "/v1", "pool");
        finish(here, NULL, list, true, NULL);
        g_assert_false(has_volume(here, "v1"));
        tear_down();
}

/* What the journal cannot forget is not said to be done. */
static void test_journal_full(void) {
        g_autoptr(GPtrArray) list = list_new();

        set_up();
        make_volume(there, "v1");
        add(list, VSM_EFFECT_VOLUME, true, POOL "/v1", "pool");
        full = true;
        finish(here, there, list, false, "disk full");
        g_assert_cmpuint(list->len, ==, 1);
        full = false;
        finish(here, there, list, false, NULL);
        tear_down();
}

/* What is left in the journal of a move that went well, of the three that are written here. */
static guint left_by(uint16_t type, VsmEffectKind *ret) {
        VsmDestination destination = { .host = (char*) "nosuchhost.invalid" };
        VsmMoveOptions options = { .type = type, .uuid = UUID, .destination = &destination };
        g_auto(VsmMoveFacts) facts = { .address = g_strdup("127.0.0.1") };
        VsmMoveHooks hooks = { .journal = &journal };
        g_autoptr(VsmMove) move = vsm_move_new(NULL, &options);
        g_auto(VsmSettle) settle = { .options = &move->options, .facts = &facts };
        g_autoptr(GError) error = NULL;
        guint n;

        set_up();
        settle.source = g_steal_pointer(&here);
        vsm_move_use_journal(move, &hooks);
        g_assert_true(vsm_move_write(move, VSM_EFFECT_VOLUME, true, POOL "/v1", "pool", &error));
        g_assert_true(vsm_move_write(move, VSM_EFFECT_DEFINITION, true, UUID, "7", &error));
        g_assert_true(vsm_move_write(move, VSM_EFFECT_UNMARKED, true, UUID, "7", &error));
        g_assert_true(vsm_move_finish_effects(move, &settle, VSM_MOVE_MOVED, &error));
        g_assert_no_error(error);

        n = move->effects->len;
        *ret = n > 0 ? ((VsmEffect*) move->effects->pdata[0])->kind : VSM_EFFECT_VOLUME;
        g_assert_cmpuint(forgotten->len, ==, 3 - n);
        here = virConnectOpen("test:///default");
        tear_down();
        return n;
}

/* A service that is killed before the verdict is written down sees by one act, and by no other, that the move had
 * come to where it is not taken back: that act is still in the journal. */
static void test_witness(void) {
        VsmEffectKind kind;

        g_assert_cmpuint(left_by(VSM_MIGRATION_TYPE_STAGED, &kind), ==, 1);
        g_assert_cmpint(kind, ==, VSM_EFFECT_DEFINITION);
        g_assert_cmpuint(left_by(VSM_MIGRATION_TYPE_OTHER, &kind), ==, 1);
        g_assert_cmpint(kind, ==, VSM_EFFECT_UNMARKED);
        g_assert_cmpuint(left_by(VSM_MIGRATION_TYPE_RESTART, &kind), ==, 1);
        g_assert_cmpint(kind, ==, VSM_EFFECT_UNMARKED);

        /* of these libvirt itself can be asked */
        g_assert_cmpuint(left_by(VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE, &kind), ==, 0);
}

/* Each connection to a file is a host of its own. */
static void make_node(const char *path) {
        static const char text[] =
                "<node><pool type='dir'><name>pool</name><capacity>1000000</capacity><available>1000000</available>"
                "<target><path>" POOL "</path></target></pool></node>";

        g_assert_true(g_file_set_contents(path, text, -1, NULL));
        g_assert_true(g_setenv("VSM_TEST_NODE", path, TRUE));
}

int main(int argc, char **argv) {
        g_autofree char *directory = NULL, *node = NULL;
        int r;

        g_test_init(&argc, &argv, NULL);

        directory = g_dir_make_tmp("vsm-test-undo-XXXXXX", NULL);
        node = g_build_filename(directory, "node.xml", NULL);
        make_node(node);

        g_test_add_func("/undo/last-first", test_last_first);
        g_test_add_func("/undo/volume-kept", test_volume_kept);
        g_test_add_func("/undo/definition-kept", test_definition_kept);
        g_test_add_func("/undo/unmarked", test_unmarked);
        g_test_add_func("/undo/block-copy", test_block_copy);
        g_test_add_func("/undo/block-copy-over", test_block_copy_over);
        g_test_add_func("/undo/shut-down", test_shut_down);
        g_test_add_func("/undo/suspended", test_suspended);
        g_test_add_func("/undo/halted", test_halted);
        g_test_add_func("/undo/source", test_source);
        g_test_add_func("/undo/journal-full", test_journal_full);
        g_test_add_func("/undo/witness", test_witness);

        r = g_test_run();
        (void) remove(node);
        (void) remove(directory);
        return r;
}
