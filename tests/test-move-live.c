/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is told libvirt of a guest that moves while it runs, on libvirt's own test driver with the calls that it does
 * not have put in its place. Main thread. */

#include <stdio.h>

#include "daemon/virt/move-private.h"
#include "shared/enums.h"

#define UUID "c7a5fdbd-cdaf-9455-926a-d65c16db1809"

static const char node[] = "<node></node>";

static char *uri;
static VsmVirt *virt;                   /* lives as long as the process */
static virConnectPtr here;

/* ---- in place of libvirt ---- */

static unsigned long long downtime;     /* QEMU's */
static bool downtime_fails;
static char *resumed_as;                /* what the other host is told that it is called; "" = nothing */

int virDomainMigrateGetMaxDowntime(virDomainPtr domain, unsigned long long *ret, unsigned flags) {
        *ret = downtime;
        return 0;
}

int virDomainMigrateSetMaxDowntime(virDomainPtr domain, unsigned long long ms, unsigned flags) {
        if (downtime_fails)
                return -1;

        downtime = ms;
        return 0;
}

/* the link of a migration in post-copy is cut */
int virDomainGetState(virDomainPtr domain, int *state, int *reason, unsigned flags) {
        bool source = g_str_equal(virDomainGetName(domain), "guest");

        *state = source ? VIR_DOMAIN_PAUSED : VIR_DOMAIN_RUNNING;
        *reason = source ? (int) VIR_DOMAIN_PAUSED_POSTCOPY_FAILED : (int) VIR_DOMAIN_RUNNING_POSTCOPY_FAILED;
        return 0;
}

int virDomainMigrateToURI3(virDomainPtr domain, const char *there, virTypedParameterPtr params, unsigned n_params,
                           unsigned flags) {
        const char *name = NULL;

        g_assert_cmpstr(virDomainGetName(domain), ==, "guest");
        g_assert_true(flags & VIR_MIGRATE_POSTCOPY_RESUME);
        (void) virTypedParamsGetString(params, (int) n_params, VIR_MIGRATE_PARAM_DEST_NAME, &name);
        g_free(resumed_as);
        resumed_as = g_strdup(name ?: "");
        return 0;
}

/* ---- */

static void on_event(const VsmVirtEvent *event, void *userdata) {
}

static void run_guest(virConnectPtr connection, const char *name) {
        g_autofree char *xml = g_strdup_printf(
                        "<domain type='test'><name>%s</name><uuid>" UUID "</uuid><memory>65536</memory>"
                        "<os><type>hvm</type></os></domain>", name);
        g_autoptr(virDomain) domain = virDomainCreateXML(connection, xml, 0);

        g_assert_nonnull(domain);
}

static VsmMove* move_new(unsigned max_downtime) {
        VsmDestination destination = {
                .host = (char*) "b.example", .authentication = VSM_AUTHENTICATION_X509,
                .transport = VSM_TRANSPORT_TCP,
        };
        VsmMoveOptions options = { .uuid = UUID, .destination = &destination, .max_downtime = max_downtime };

        return vsm_move_new(NULL, &options);
}

static void set_up(void) {
        here = virConnectOpen(uri);
        g_assert_nonnull(here);
        run_guest(here, "guest");
        downtime_fails = false;
}

static void tear_down(void) {
        g_clear_pointer(&here, virConnectClose);
}

/* ---- post-copy ---- */

static void check_resume(const char *name) {
        g_autoptr(VsmMove) move = move_new(0);
        g_auto(VsmMoveFacts) facts = { .address = g_strdup("192.0.2.1") };
        g_auto(VsmSettle) settle = { .options = &move->options, .facts = &facts };
        g_autoptr(GError) error = NULL;

        set_up();
        settle.source = g_steal_pointer(&here);
        settle.peer = vsm_peer_here(virt, "b.example", &error);
        g_assert_no_error(error);
        run_guest(vsm_peer_connection(settle.peer), name);

        vsm_post_copy_see_through(move, &settle, &facts);
        g_assert_true(settle.call_ok);
        g_assert_cmpstr(resumed_as, ==, name);
        g_clear_pointer(&resumed_as, g_free);
        tear_down();
}

/* libvirt there looks it up by its name, which is that of there. */
static void test_resume(void) {
        check_resume("renamed");
        check_resume("guest-b");
}

/* ---- the longest pause ---- */

static bool tell(VsmMove *move, unsigned ms) {
        g_autoptr(virDomain) domain = virDomainLookupByUUIDString(here, UUID);
        g_autoptr(GError) error = NULL;
        bool ok = vsm_move_tell_downtime(move, domain, ms, &error);

        g_assert_true(ok == !error);
        return ok;
}

/* It stays here. */
static void restore(VsmMove *move) {
        VsmMoveFacts facts = {};
        VsmSettle settle = { .options = &move->options, .facts = &facts, .source = here };
        g_autoptr(GError) error = NULL;

        vsm_move_recorded_downtime(move, &settle.downtime, &settle.former_downtime);
        g_assert_true(vsm_settle_restore_here(&settle, &error));
        g_assert_no_error(error);
}

static void test_downtime(void) {
        static const struct {
                unsigned first, by_hand, second, after, restored;
        } table[] = {
                { 0,   0,   0,   0,   400 },    /* nothing is set, nothing given back */
                { 500, 0,   0,   0,   400 },
                { 0,   0,   700, 0,   400 },    /* by SetParameters alone */
                { 500, 0,   700, 0,   400 },
                { 500, 0,   500, 0,   400 },
                { 500, 900, 0,   0,   900 },    /* changed by somebody: his is kept */
                { 500, 900, 700, 0,   900 },
                { 0,   0,   700, 900, 900 },
                { 500, 0,   700, 500, 500 },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(table); i++) {
                g_autoptr(VsmMove) move = move_new(table[i].first);

                set_up();
                downtime = 400;
                if (table[i].first > 0)
                        g_assert_true(tell(move, table[i].first));
                downtime = table[i].by_hand ?: downtime;
                if (table[i].second > 0)
                        g_assert_true(tell(move, table[i].second));
                downtime = table[i].after ?: downtime;
                restore(move);
                g_assert_cmpuint(downtime, ==, table[i].restored);
                tear_down();
        }
}

static void test_downtime_refused(void) {
        g_autoptr(VsmMove) first = move_new(0), second = move_new(500);

        set_up();
        downtime = 400;
        downtime_fails = true;
        g_assert_false(tell(first, 700));
        downtime_fails = false;
        restore(first);
        g_assert_cmpuint(downtime, ==, 400);

        g_assert_true(tell(second, 500));
        downtime_fails = true;
        g_assert_false(tell(second, 700));
        downtime_fails = false;
        g_assert_cmpuint(downtime, ==, 500);
        restore(second);
        g_assert_cmpuint(downtime, ==, 400);
        tear_down();
}

/* The earlier run of the daemon took what it had before with it. */
static void test_downtime_resumed(void) {
        g_autoptr(VsmMove) move = move_new(500);

        set_up();
        downtime = 500;
        g_assert_cmpuint(vsm_move_record_downtime(move, 500, 0), ==, 0);
        g_assert_true(tell(move, 700));
        restore(move);
        g_assert_cmpuint(downtime, ==, VSM_DOWNTIME_DEFAULT_MS);
        tear_down();
}

int main(int argc, char **argv) {
        g_autofree char *directory = NULL, *path = NULL;
        g_autoptr(GError) error = NULL;
        int r;

        g_test_init(&argc, &argv, NULL);

        directory = g_dir_make_tmp("vsm-test-move-live-XXXXXX", NULL);
        path = g_build_filename(directory, "node.xml", NULL);
        g_assert_true(g_file_set_contents(path, node, -1, NULL));
        uri = g_strconcat("test://", path, NULL);
        virt = vsm_virt_new(uri, on_event, NULL, &error);
        g_assert_no_error(error);

        g_test_add_func("/move-live/resume", test_resume);
        g_test_add_func("/move-live/downtime", test_downtime);
        g_test_add_func("/move-live/downtime-refused", test_downtime_refused);
        g_test_add_func("/move-live/downtime-resumed", test_downtime_resumed);
        r = g_test_run();

        (void) remove(path);
        (void) remove(directory);
        g_free(uri);
        return r;
}
