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

static char *resumed_as;                /* what the other host is told that it is called; "" = nothing */

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

static VsmMove* move_new(void) {
        VsmDestination destination = {
                .host = (char*) "b.example", .authentication = VSM_AUTHENTICATION_X509,
                .transport = VSM_TRANSPORT_TCP,
        };
        VsmMoveOptions options = { .uuid = UUID, .destination = &destination };

        return vsm_move_new(NULL, &options);
}

static void set_up(void) {
        here = virConnectOpen(uri);
        g_assert_nonnull(here);
        run_guest(here, "guest");
}

static void tear_down(void) {
        g_clear_pointer(&here, virConnectClose);
}

/* ---- post-copy ---- */

static void check_resume(const char *name) {
        g_autoptr(VsmMove) move = move_new();
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
        r = g_test_run();

        (void) remove(path);
        (void) remove(directory);
        g_free(uri);
        return r;
}
