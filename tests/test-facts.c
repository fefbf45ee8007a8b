/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is read out of libvirt's XML for planning: sizes of pages, the rate of a link. */

#include "daemon/virt/check-needs.h"
#include "daemon/virt/host-facts.h"
#include "daemon/virt/pages.h"

static void test_pages(void) {
        static const char text[] =
                "<capabilities><host><cpu><arch>x86_64</arch><pages unit='KiB' size='1048576'/>"
                "<pages unit='KiB' size='4'/><pages unit='KiB' size='2048'/><pages unit='MiB' size='16'/>"
                "<pages unit='KiB' size='x'/><pages unit='KiB'/></cpu></host>"
                "<pages unit='KiB' size='8'/></capabilities>";
        g_autoptr(GArray) sizes = vsm_pages_from_xml(text, NULL), none = vsm_pages_from_xml("<capabilities/>", NULL);
        g_autoptr(GError) error = NULL;

        g_assert_nonnull(sizes);
        g_assert_cmpuint(sizes->len, ==, 3);
        g_assert_cmpuint(g_array_index(sizes, unsigned, 0), ==, 4);
        g_assert_cmpuint(g_array_index(sizes, unsigned, 1), ==, 2048);
        g_assert_cmpuint(g_array_index(sizes, unsigned, 2), ==, 1048576);
        g_assert_cmpuint(none->len, ==, 0);

        g_assert_null(vsm_pages_from_xml("<capabilities>", &error));
        g_assert_nonnull(error);
}

static void check_needed(const char *backing, const char *arch, unsigned expected) {
        g_autofree char *xml = g_strdup_printf("<domain type='kvm'><name>x</name><memoryBacking>%s</memoryBacking>"
                                               "<os><type arch='%s'>hvm</type></os></domain>", backing, arch);
        g_autoptr(VsmNeeds) needs = vsm_needs_from_xml(xml, NULL);
        const VsmNeed *need = vsm_needs_next(needs, VSM_NEED_HUGE_PAGES, NULL);

        g_assert_nonnull(need);
        g_assert_cmpuint(vsm_needs_page_size(needs, need), ==, expected);
}

static void test_page_size(void) {
        check_needed("<hugepages><page size='1' unit='G'/></hugepages>", "x86_64", 1048576);
        check_needed("<hugepages><page size='2048' unit='KiB'/></hugepages>", "x86_64", 2048);
        check_needed("<hugepages/>", "x86_64", 2048);
        check_needed("<hugepages/>", "aarch64", 0);
}

static void check_rate(const char *xml, const char *address, uint64_t expected, bool expected_address) {
        bool has_address;

        g_assert_cmpuint(vsm_link_rate_from_xml(xml, address, &has_address), ==, expected);
        g_assert_cmpint(has_address, ==, expected_address);
}

static void test_link(void) {
        static const char bridge[] =
                "<interface type='bridge' name='br0'><protocol family='ipv6'><ip address='FD00:77:0::2' prefix='64'/>"
                "</protocol><bridge><interface type='ethernet' name='eth0'><link speed='10000' state='up'/></interface>"
                "<interface type='ethernet' name='vnet0'><link speed='10' state='up'/></interface>"
                "</bridge></interface>";

        check_rate("<interface type='ethernet' name='eth0'><protocol family='ipv4'>"
                   "<ip address='10.77.0.2' prefix='24'/></protocol><link speed='1000' state='up'/></interface>", "10.77.0.2", 125000000, true);
        check_rate(bridge, "fd00:77::2", 1250000000, true);
        check_rate(bridge, "fd00:77::3", 1250000000, false);
        check_rate("<interface type='ethernet' name='eth0'><link speed='-1' state='up'/></interface>", "10.77.0.2", 0,
                   false);
        check_rate("<interface type='ethernet' name='lo'><link state='unknown'/></interface>", "10.77.0.2", 0, false);
        check_rate("<interface", "10.77.0.2", 0, false);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/facts/pages", test_pages);
        g_test_add_func("/facts/page-size", test_page_size);
        g_test_add_func("/facts/link", test_link);
        return g_test_run();
}
