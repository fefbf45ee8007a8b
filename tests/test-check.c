/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the questions of a check find, asked of libvirt's own test driver: a real libvirt in this process, with
 * networks, pools, interfaces and pages. What it does not have (secrets, say) shows what becomes of a question
 * that cannot be asked. */

#include <string.h>

#include "daemon/virt/belongings.h"
#include "daemon/virt/check.h"
#include "shared/enums.h"
#include "shared/error.h"

#define HOST "hostb"

static virConnectPtr connection;

static VsmCheck* check_new(const char *inside, const char *devices, uint16_t transport) {
        g_autofree char *xml = g_strdup_printf("<domain>%s<devices>%s</devices></domain>", inside, devices);
        g_autoptr(GError) error = NULL;
        VsmDestination destination = { .host = (char*) HOST, .transport = transport };
        VsmMoveOptions options = { .destination = &destination };
        VsmCheck *check = vsm_check_new(&options);

        vsm_needs_free(check->needs);
        check->needs = vsm_needs_from_xml(xml, &error);
        g_assert_no_error(error);
        check->name = g_strdup("web");
        check->domain = virDomainLookupByName(connection, "test");
        check->there = connection;
        g_assert_nonnull(check->domain);
        return check;
}

/* "code:source:argument,argument", in lines */
static char* reasons_to_text(VsmCheck *check) {
        g_autoptr(GVariant) list = vsm_reasons_to_variant(check->reasons);
        GString *text = g_string_new(NULL);

        for (gsize i = 0; i < g_variant_n_children(list); i++) {
                g_autoptr(GVariant) reason = g_variant_get_child_value(list, i);
                g_auto(GStrv) arguments = NULL;
                g_autofree char *joined = NULL;
                const char *code = NULL, *source = NULL, *message = NULL;

                g_assert_true(g_variant_lookup(reason, "MessageID", "&s", &code));
                g_assert_true(g_variant_lookup(reason, "ErrorSource", "&s", &source));
                g_assert_true(g_variant_lookup(reason, "Message", "&s", &message));
                g_assert_true(g_variant_lookup(reason, "MessageArguments", "^as", &arguments));
                joined = g_strjoinv(",", arguments);
                g_string_append_printf(text, "%s:%s:%s\n", code, source, joined);

                /* all that the sentence asks for was given */
                g_assert_null(strchr(message, '%'));
        }

        return g_string_free(text, FALSE);
}

static void assert_finds(const char *inside, const char *devices, uint16_t transport,
                         bool (*func)(VsmCheck *check, GError **error), const char *expected) {
        g_autoptr(VsmCheck) check = check_new(inside, devices, transport);
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;

        g_assert_true(func(check, &error));
        g_assert_no_error(error);
        text = reasons_to_text(check);
        if (!g_pattern_match_simple(expected, text))
                g_assert_cmpstr(text, ==, expected);
}

static void test_ask_networks(void) {
        const char *const devices =
                "<interface type='network'><mac address='m1'/><source network='default'/></interface>"
                "<interface type='network'><mac address='m2'/><source network='lan'/></interface>"
                "<interface type='network'><mac address='m3'/><source network='wan'/></interface>";

        assert_finds("", devices, VSM_TRANSPORT_TCP, vsm_check_networks,
                     "network-missing:lan:hostb,lan,m2\nnetwork-missing:wan:hostb,wan,m3\n");
}

static void test_ask_inactive(void) {
        g_autoptr(virNetwork) network = virNetworkLookupByName(connection, "default");

        g_assert_cmpint(virNetworkDestroy(network), ==, 0);
        assert_finds("", "<interface type='network'><mac address='m1'/><source network='default'/></interface>",
                     VSM_TRANSPORT_TCP, vsm_check_networks, "network-missing:default:hostb,default,m1\n");
        g_assert_cmpint(virNetworkCreate(network), ==, 0);
}

static void test_ask_links(void) {
        assert_finds("",
                     "<interface type='direct'><mac address='m1'/><source dev='eth1'/></interface>"
                     "<interface type='direct'><mac address='m2'/><source dev='eth9'/></interface>"
                     "<interface type='bridge'><mac address='m3'/><source bridge='br9'/></interface>",
                     VSM_TRANSPORT_TCP, vsm_check_links,
                     "not-verifiable:br9:whether host 'hostb' has the bridge 'br9'\n"
                     "not-verifiable:eth9:whether host 'hostb' has the network interface 'eth9'\n");
}

static void test_ask_storage(void) {
        const char *const devices =
                "<disk type='volume'><source pool='default-pool' volume='gone'/><target dev='vda'/></disk>"
                "<disk type='volume'><source pool='nowhere' volume='x'/><target dev='vdb'/></disk>"
                "<disk type='file'><source file='/img/a'/><target dev='vdc'/></disk>"
                "<disk type='network'><source protocol='nbd' name='n'/><target dev='vdd'/></disk>";

        assert_finds("", devices, VSM_TRANSPORT_TCP, vsm_check_volumes,
                     "volume-missing:vda:hostb,gone,default-pool\npool-missing:vdb:hostb,nowhere\n");
        assert_finds("", devices, VSM_TRANSPORT_TCP, vsm_check_files,
                     "not-verifiable:vdc:whether host 'hostb' has the file '/img/a': it is in no storage pool there\n");
        assert_finds("", devices, VSM_TRANSPORT_TCP, vsm_check_other_storage,
                     "not-verifiable:vdd:whether host 'hostb' reaches the storage 'nbd:n'\n");
        assert_finds("", devices, VSM_TRANSPORT_TCP, vsm_check_locks, "not-verifiable:hostb:*lock_manager*");
        assert_finds("", "<disk type='file' device='cdrom'><target dev='sda'/></disk>", VSM_TRANSPORT_TCP,
                     vsm_check_locks, "");
}

static void test_ask_volume(void) {
        static const char *const xml =
                "<volume><name>new.img</name><capacity>1</capacity></volume>";
        g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(connection, "default-pool");
        g_autoptr(virStorageVol) volume = virStorageVolCreateXML(pool, xml, 0);
        g_autofree char *path = NULL, *file = NULL;
        g_autoptr(GError) error = NULL;
        int64_t changed = -1;

        g_assert_nonnull(volume);
        path = virStorageVolGetPath(volume);
        file = g_strdup_printf("<disk type='file'><source file='%s'/><target dev='vda'/></disk>", path);
        assert_finds("", file, VSM_TRANSPORT_TCP, vsm_check_files, "");
        assert_finds("", "<disk type='volume'><source pool='default-pool' volume='new.img'/><target dev='vda'/></disk>",
                     VSM_TRANSPORT_TCP, vsm_check_volumes, "");

        /* the driver tells no times; of one that has gone there is none */
        g_assert_true(vsm_volume_changed(connection, path, &changed, NULL));
        g_assert_cmpint(changed, ==, 0);
        g_assert_cmpint(virStorageVolDelete(volume, 0), ==, 0);
        g_assert_false(vsm_volume_changed(connection, path, &changed, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS);
}

/* What keeps a guest that is off here when it takes no disk along. The driver's volumes have no times, so that one
 * file cannot be told from another. */
static void assert_belongings(const char *disk, const char *expected) {
        const char *const uuid = "11111111-2222-3333-4444-666666666666";
        g_autofree char *xml = g_strdup_printf("<domain type='test'><name>off</name><uuid>%s</uuid>"
                                               "<memory>1024</memory><os><type>hvm</type></os><devices>%s</devices>"
                                               "</domain>", uuid, disk);
        g_autoptr(virDomain) domain = virDomainDefineXML(connection, xml);
        VsmDestination destination = { .host = (char*) HOST };
        VsmMoveOptions options = { .destination = &destination, .type = VSM_MIGRATION_TYPE_OTHER };
        g_autoptr(VsmCheck) check = vsm_check_new(&options);
        VsmDiskPlanInput input = { &options, domain, connection, connection, HOST };
        g_autoptr(VsmDiskPlan) plan = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *text = NULL;

        g_assert_nonnull(domain);
        plan = vsm_disk_plan_new(&input, check->reasons, &error);
        g_assert_no_error(error);
        g_assert_true(vsm_belongings_check(&(VsmBelongings) {
                                                   .domain = domain, .here = connection, .there = connection,
                                                   .host = HOST, .xml = xml, .plan = plan,
                                           }, check->reasons, &error));
        g_assert_no_error(error);
        text = reasons_to_text(check);
        g_assert_cmpstr(text, ==, expected);
        g_assert_cmpint(virDomainUndefine(domain), ==, 0);
}

static void test_ask_belongings(void) {
        static const char *const pool_xml =
                "<pool type='netfs'><name>nfs</name><source><host name='192.0.2.1'/><dir path='/x'/></source>"
                "<target><path>/nfs</path></target></pool>";
        static const char *const xml =
                "<volume><name>off.img</name><capacity>1</capacity></volume>";
        static const char *const refused = "disk-not-shared:off:off\n";
        g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(connection, "default-pool");
        g_autoptr(virStorageVol) volume = virStorageVolCreateXML(pool, xml, 0);
        g_autoptr(virStoragePool) nfs = virStoragePoolCreateXML(connection, pool_xml, 0);

        g_assert_nonnull(volume);
        g_assert_nonnull(nfs);
        assert_belongings("<disk type='volume'><source pool='default-pool' volume='off.img'/>"
                          "<target dev='vda'/></disk>", refused);
        assert_belongings("<disk type='volume'><source pool='default-pool' volume='gone'/><target dev='vda'/></disk>",
                          refused);
        assert_belongings("<disk type='volume'><source pool='nowhere' volume='x'/><target dev='vda'/></disk>", refused);
        assert_belongings("<disk type='volume'><source pool='nfs' volume='x'/><target dev='vda'/></disk>", "");
        assert_belongings("<disk type='block'><source dev='/dev/vg/lv'/><target dev='vda'/></disk>", refused);
        assert_belongings("<disk type='block'><source dev='/dev/disk/by-id/wwn-0x6001405b6a5f3f5b'/>"
                          "<target dev='vda'/></disk>", "");
        assert_belongings("<disk type='file' device='cdrom'><target dev='sda'/></disk>", "");
        g_assert_cmpint(virStoragePoolDestroy(nfs), ==, 0);
        g_assert_cmpint(virStorageVolDelete(volume, 0), ==, 0);
}

static void test_ask_huge_pages(void) {
        /* the driver's domain has 8 GiB, its host some thousands of pages at most */
        assert_finds("<memoryBacking><hugepages><page size='2048'/></hugepages></memoryBacking>", "", VSM_TRANSPORT_TCP,
                     vsm_check_huge_pages, "not-enough-huge-pages:hostb:hostb,*,4096,2048\n");
        assert_finds("<memoryBacking><hugepages/></memoryBacking>", "", VSM_TRANSPORT_TCP, vsm_check_huge_pages,
                     "not-verifiable:hostb:whether host 'hostb' has enough huge pages*");
        assert_finds("<os><type arch='x86_64'>hvm</type></os><memoryBacking><hugepages/></memoryBacking>", "",
                     VSM_TRANSPORT_TCP, vsm_check_huge_pages,
                     "not-enough-huge-pages:hostb:hostb,*,4096,2048\n");
        assert_finds("<memoryBacking><hugepages><page size='1048576'/></hugepages></memoryBacking>", "",
                     VSM_TRANSPORT_TCP, vsm_check_huge_pages, "");
        assert_finds("<memoryBacking><hugepages><page size='2048' nodeset='0'/><page size='4096'/></hugepages>"
                     "</memoryBacking>", "", VSM_TRANSPORT_TCP, vsm_check_huge_pages,
                     "not-verifiable:hostb:whether host 'hostb' has enough huge pages*");
        assert_finds("", "", VSM_TRANSPORT_TCP, vsm_check_huge_pages, "");
}

/* The driver has no secrets at all: that is no proof that one is missing. */
static void test_ask_what_cannot_be_asked(void) {
        g_autoptr(VsmCheck) check = NULL;
        g_autoptr(GError) error = NULL;

        assert_finds("", "<disk type='file'><source file='/a'><encryption format='luks'><secret type='passphrase' "
                     "uuid='11111111-2222-3333-4444-555555555555'/></encryption></source><target dev='vda'/></disk>",
                     VSM_TRANSPORT_TCP, vsm_check_secrets,
                     "not-verifiable:11111111-2222-3333-4444-555555555555:whether host 'hostb' has the secret*");

        /* an older libvirt has no list of TPMs */
        check = check_new("", "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>", VSM_TRANSPORT_TCP);
        if (vsm_check_tpm(check, &error)) {
                g_autofree char *text = reasons_to_text(check);

                g_assert_cmpstr(text, !=, "");
        } else
                g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
}

static void test_ask_definition(void) {
        const char *const devices =
                "<hostdev mode='subsystem' type='pci'><alias name='hostdev0'/></hostdev>"
                "<hostdev mode='subsystem' type='usb'><alias name='hostdev1'/></hostdev>"
                "<hostdev mode='subsystem' type='mdev'><alias name='hostdev2'/></hostdev>"
                "<filesystem type='mount'><driver type='virtiofs'/><source dir='/s'/><target dir='tag'/></filesystem>"
                "<disk type='file'><source file='/a'/><target dev='vda'/><transient/></disk>"
                "<rng model='virtio'><backend model='random'>/dev/hwrng</backend><alias name='rng0'/></rng>"
                "<graphics type='vnc'><listen type='address' address='192.0.2.2'/></graphics>"
                "<interface type='vdpa'><mac address='m1'/></interface>";

        assert_finds("", devices, VSM_TRANSPORT_TCP, vsm_check_host_devices,
                     "host-device:hostdev0:web\nhost-device:hostdev2:web\n");
        assert_finds("", devices, VSM_TRANSPORT_TCP, vsm_check_lent_devices, "not-verifiable:hostdev1:*");
        assert_finds("", devices, VSM_TRANSPORT_TCP, vsm_check_virtiofs, "virtiofs:tag:web,/s\n");
        assert_finds("", devices, VSM_TRANSPORT_TCP, vsm_check_transient_disks, "transient-disk:vda:web\n");
        assert_finds("", devices, VSM_TRANSPORT_TCP, vsm_check_paths,
                     "not-verifiable:rng0:whether host 'hostb' has '/dev/hwrng' (rng0)\n");
        assert_finds("", devices, VSM_TRANSPORT_TCP, vsm_check_addresses, "not-verifiable:192.0.2.2:*");
        assert_finds("", devices, VSM_TRANSPORT_TCP, vsm_check_unknown, "not-verifiable:m1:*'vdpa'*");
        assert_finds("<vcpu cpuset='1'>1</vcpu>", "", VSM_TRANSPORT_TCP, vsm_check_pinning,
                     "not-verifiable:processors:*");
}

static void test_ask_transport(void) {
        assert_finds("", "", VSM_TRANSPORT_TLS, vsm_check_tls, "not-verifiable:hostb:*certificate*");
        assert_finds("", "", VSM_TRANSPORT_TCP, vsm_check_tls, "");
        assert_finds("", "", VSM_TRANSPORT_SSH, vsm_check_tls, "");
        assert_finds("", "", VSM_TRANSPORT_TCP, vsm_check_ports, "not-verifiable:hostb:*firewall*");
        assert_finds("", "", VSM_TRANSPORT_SSH, vsm_check_ports, "");
}

static void test_tls_faults(void) {
        static const struct {
                const char *text;
                const char *part;
        } texts[] = {
                { "Certificate [session] owner does not match the hostname hostb", "another name" },
                { "Certificate failed validation: The certificate hasn't got a known issuer.", "an authority" },
                { "The client certificate has expired", "has expired" },
                { "The client certificate /etc/pki/libvirt/clientcert.pem has expired", "of this host" },
                { "authentication failed: Failed to verify peer's certificate", "not valid at this time" },
                { "Cannot read CA certificate '/etc/pki/CA/cacert.pem': No such file", "no certificates" },
                { "server verification (of our certificate or IP address) failed", "does not accept" },
                { "Cannot recv data: Connection reset by peer", NULL },
                { "unable to connect to server at 'hostb:16514': Connection refused", NULL },
        };

        for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
                const char *fault = vsm_tls_fault(texts[i].text);

                if (texts[i].part) {
                        g_assert_nonnull(fault);
                        g_assert_nonnull(strstr(fault, texts[i].part));
                } else
                        g_assert_null(fault);
        }
}

int main(int argc, char **argv) {
        g_autoptr(GError) error = NULL;

        g_test_init(&argc, &argv, NULL);
        g_assert_true(vsm_loop_start(&error));
        connection = virConnectOpen("test:///default");
        g_assert_nonnull(connection);

        g_test_add_func("/check/networks", test_ask_networks);
        g_test_add_func("/check/inactive", test_ask_inactive);
        g_test_add_func("/check/links", test_ask_links);
        g_test_add_func("/check/storage", test_ask_storage);
        g_test_add_func("/check/volume", test_ask_volume);
        g_test_add_func("/check/belongings", test_ask_belongings);
        g_test_add_func("/check/huge-pages", test_ask_huge_pages);
        g_test_add_func("/check/what-cannot-be-asked", test_ask_what_cannot_be_asked);
        g_test_add_func("/check/definition", test_ask_definition);
        g_test_add_func("/check/transport", test_ask_transport);
        g_test_add_func("/check/tls-faults", test_tls_faults);
        return g_test_run();
}
