/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The face of libvirt against libvirt's own test driver: a real libvirt in this process, with
 * domains that change state and events, though without QEMU and without migrations. What depends on
 * those is tried in the lab. Main thread; events come on libvirt's. */

#include <string.h>

#include "daemon/virt/internal.h"
#include "shared/error.h"

#define URI "test:///default"

static GAsyncQueue *events;
static VsmVirt *virt;
static virConnectPtr other;     /* somebody else who does something */

static void on_event(const VsmVirtEvent *event, void *userdata) {
        g_async_queue_push(events, g_memdup2(event, sizeof *event));
}

static void assert_event(VsmVirtEventType type, const char *uuid) {
        g_autofree VsmVirtEvent *event = g_async_queue_timeout_pop(events, 10 * G_USEC_PER_SEC);

        g_assert_nonnull(event);
        g_assert_cmpint(event->type, ==, type);
        g_assert_cmpstr(event->uuid, ==, uuid);
}

static void forget_events(void) {
        VsmVirtEvent *event;

        while ((event = g_async_queue_timeout_pop(events, G_USEC_PER_SEC / 10)))
                g_free(event);
}

static VsmDomainInfo* look(const char *uuid) {
        g_autoptr(GError) error = NULL;
        VsmDomainInfo *info = NULL;

        g_assert_true(vsm_virt_look(virt, uuid, &info, &error));
        g_assert_no_error(error);
        return info;
}

static void assert_state(const char *uuid, VsmDomainState state) {
        g_autoptr(VsmDomainInfo) info = look(uuid);

        g_assert_nonnull(info);
        g_assert_cmpint(info->state, ==, state);
}

static void test_not_connected(void) {
        g_autoptr(GError) error = NULL, error_open = NULL;
        g_autoptr(GPtrArray) list = NULL;
        static VsmVirt *nowhere; /* lives as long as the process */
        VsmVirtHost host;

        g_assert_false(vsm_virt_is_connected(virt));
        list = vsm_virt_list(virt, &error);
        g_assert_error(error, VSM_ERROR, VSM_ERROR_SYSTEM_NOT_AVAILABLE);
        g_assert_null(list);

        nowhere = vsm_virt_new("qemu+unix:///system?socket=/nonexistent/socket", on_event, NULL, NULL);
        g_assert_false(vsm_virt_connect(nowhere, &host, &error_open));
        g_assert_error(error_open, VSM_ERROR, VSM_ERROR_SYSTEM_NOT_AVAILABLE);
        g_assert_false(vsm_virt_is_connected(nowhere));
}

static void test_connect(void) {
        g_autoptr(GError) error = NULL;
        VsmVirtHost host;

        /* a second one takes the place of the first */
        for (unsigned i = 0; i < 2; i++) {
                g_assert_true(vsm_virt_connect(virt, &host, &error));
                g_assert_no_error(error);
                g_assert_cmpuint(host.libvirt_version, >=, 9000000);
                g_assert_nonnull(host.hostname);
                vsm_virt_host_clear(&host);
                g_assert_null(host.hostname);
        }

        g_assert_true(vsm_virt_is_connected(virt));

        other = virConnectOpen(URI);
        g_assert_nonnull(other);
}

static void test_list(void) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GPtrArray) list = vsm_virt_list(virt, &error);
        const VsmDomainInfo *info;

        g_assert_no_error(error);
        g_assert_cmpuint(list->len, ==, 1);

        info = list->pdata[0];
        g_assert_cmpstr(info->name, ==, "test");
        g_assert_cmpstr(info->description, ==, "");
        g_assert_cmpint(info->state, ==, VSM_DOMAIN_RUNNING);
        g_assert_cmpuint(info->memory, ==, UINT64_C(8) << 30);
        g_assert_cmpuint(info->cpus, ==, 2);
        g_assert_true(info->persistent);
        g_assert_false(info->autostart);
        g_assert_cmpuint(g_variant_n_children(info->policy), ==, 0);
}

static void test_life(void) {
        const char *xml = "<domain type='test'><name>vm</name><title>a title</title>"
                          "<description>text</description><memory>65536</memory>"
                          "<os><type>hvm</type></os></domain>";
        g_autoptr(virDomain) domain = NULL;
        char uuid[VSM_UUID_SIZE];

        domain = virDomainDefineXML(other, xml);
        g_assert_nonnull(domain);
        g_assert_cmpint(virDomainGetUUIDString(domain, uuid), ==, 0);

        assert_event(VSM_VIRT_DOMAIN_CHANGED, uuid);
        assert_state(uuid, VSM_DOMAIN_OFF);

        g_assert_cmpint(virDomainCreate(domain), ==, 0);
        assert_event(VSM_VIRT_DOMAIN_CHANGED, uuid);
        assert_state(uuid, VSM_DOMAIN_RUNNING);

        g_assert_cmpint(virDomainSuspend(domain), ==, 0);
        assert_event(VSM_VIRT_DOMAIN_CHANGED, uuid);
        assert_state(uuid, VSM_DOMAIN_PAUSED);

        g_assert_cmpint(virDomainResume(domain), ==, 0);
        assert_event(VSM_VIRT_DOMAIN_CHANGED, uuid);
        {
                g_autoptr(VsmDomainInfo) info = look(uuid);

                g_assert_cmpint(info->state, ==, VSM_DOMAIN_RUNNING);
                g_assert_cmpstr(info->description, ==, "a title");
        }

        /* without a title it is the description */
        g_assert_cmpint(virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_TITLE, NULL, NULL, NULL, 0), ==, 0);
        assert_event(VSM_VIRT_DOMAIN_CHANGED, uuid);
        {
                g_autoptr(VsmDomainInfo) info = look(uuid);

                g_assert_cmpstr(info->description, ==, "text");
        }

        g_assert_cmpint(virDomainManagedSave(domain, 0), ==, 0);
        assert_event(VSM_VIRT_DOMAIN_CHANGED, uuid);
        assert_state(uuid, VSM_DOMAIN_SAVED);

        g_assert_cmpint(virDomainManagedSaveRemove(domain, 0), ==, 0);
        assert_state(uuid, VSM_DOMAIN_OFF);

        g_assert_cmpint(virDomainUndefine(domain), ==, 0);
        assert_event(VSM_VIRT_DOMAIN_CHANGED, uuid);
        g_assert_null(look(uuid));
        forget_events();
}

static void test_gone(void) {
        const char *uuid = "00000000-0000-0000-0000-000000000001";
        g_autoptr(GError) error = NULL;
        VsmTransferStats stats = { .active = true };
        bool running = true;

        g_assert_null(look(uuid));

        g_assert_true(vsm_virt_sample(virt, uuid, &stats, NULL));
        g_assert_false(stats.active);

        g_assert_true(vsm_virt_abort(virt, uuid, &running, NULL));
        g_assert_false(running);

        g_assert_false(vsm_virt_set_autostart(virt, uuid, true, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INVALID_STATE);
}

static void test_marks(void) {
        g_autoptr(virDomain) domain = virDomainLookupByName(other, "test");
        g_autoptr(GVariant) policy = NULL, none = NULL;
        g_autoptr(GError) error = NULL;
        char uuid[VSM_UUID_SIZE];

        g_assert_cmpint(virDomainGetUUIDString(domain, uuid), ==, 0);

        for (unsigned i = 0; i < 2; i++) {
                g_assert_true(vsm_virt_set_autostart(virt, uuid, true, &error));
                g_assert_no_error(error);
        }
        {
                g_autoptr(VsmDomainInfo) info = look(uuid);

                g_assert_true(info->autostart);
        }
        g_assert_true(vsm_virt_set_autostart(virt, uuid, false, NULL));

        policy = g_variant_ref_sink(g_variant_new_parsed(
                        "{'Priority': <uint16 5>, 'AllowedHosts': <['a<']>}"));
        g_assert_true(vsm_virt_set_policy(virt, uuid, policy, &error));
        g_assert_no_error(error);
        assert_event(VSM_VIRT_DOMAIN_CHANGED, uuid);
        {
                g_autoptr(VsmDomainInfo) info = look(uuid);

                g_assert_cmpvariant(info->policy, policy);
        }

        none = g_variant_ref_sink(g_variant_new_parsed("@a{sv} {}"));
        g_assert_true(vsm_virt_set_policy(virt, uuid, none, &error));
        g_assert_no_error(error);
        assert_event(VSM_VIRT_DOMAIN_CHANGED, uuid);
        {
                g_autoptr(VsmDomainInfo) info = look(uuid);

                g_assert_cmpvariant(info->policy, none);
        }
        forget_events();
}

static void assert_bridges(const char *expected) {
        g_autoptr(GError) error = NULL;
        g_auto(GStrv) bridges = vsm_virt_bridges(virt, &error);
        g_autofree char *joined = NULL;

        g_assert_no_error(error);
        joined = g_strjoinv(" ", bridges);
        g_assert_cmpstr(joined, ==, expected);
}

/* A network that only names the administrator's bridge is none of libvirt's. */
static void test_bridges(void) {
        const char *xml = "<network><name>lan</name><forward mode='bridge'/><bridge name='br0'/></network>";
        g_autoptr(virNetwork) lan = NULL, own = NULL;

        assert_bridges("virbr0");

        lan = virNetworkCreateXML(other, xml);
        g_assert_nonnull(lan);
        assert_event(VSM_VIRT_NETWORKS_CHANGED, "");
        assert_bridges("virbr0");

        own = virNetworkLookupByName(other, "default");
        g_assert_cmpint(virNetworkDestroy(own), ==, 0);
        assert_event(VSM_VIRT_NETWORKS_CHANGED, "");
        assert_bridges("");

        g_assert_cmpint(virNetworkDestroy(lan), ==, 0);
}

int main(int argc, char **argv) {
        g_autoptr(GError) error = NULL;

        g_test_init(&argc, &argv, NULL);

        events = g_async_queue_new_full(g_free);
        virt = vsm_virt_new(URI, on_event, NULL, &error);
        g_assert_no_error(error);

        /* in this order */
        g_test_add_func("/virt/0-not-connected", test_not_connected);
        g_test_add_func("/virt/1-connect", test_connect);
        g_test_add_func("/virt/2-list", test_list);
        g_test_add_func("/virt/3-life", test_life);
        g_test_add_func("/virt/4-gone", test_gone);
        g_test_add_func("/virt/5-marks", test_marks);
        g_test_add_func("/virt/6-bridges", test_bridges);

        return g_test_run();
}
