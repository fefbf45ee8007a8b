/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Definitions as libvirt writes them: what disks and interfaces are in one, and copies in which they are
 * elsewhere. */

#include <string.h>

#include "daemon/virt/definition.h"
#include "daemon/virt/internal.h"
#include "shared/error.h"

#define MAC "52:54:00:aa:bb:01"

static const char live[] = "<domain type='kvm' id='3'><name>a</name><description>old</description><devices>"
                           "<disk type='file' device='disk'><driver name='qemu' type='qcow2' cache='none'/>"
                           "<source file='/p/a &amp; b.qcow2' index='2' startupPolicy='optional'><seclabel "
                           "model='dac' relabel='no'/></source>"
                           "<backingStore type='file' index='3'><format type='raw'/><source "
                           "file='/p/base.img'/><backingStore/></backingStore>"
                           "<target dev='vda' bus='virtio'/><serial>S1</serial><alias "
                           "name='virtio-disk0'/><address type='pci' slot='0x04'/>"
                           "</disk>"
                           "<disk type='volume' device='disk'><driver name='qemu' type='raw'/><source "
                           "pool='one' volume='v' mode='host'>"
                           "<encryption format='luks'><secret type='passphrase' "
                           "uuid='0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f'/></encryption>"
                           "</source><target dev='vdb'/><shareable/></disk>"
                           "<disk type='file' device='cdrom'><target dev='sda'/><readonly/></disk>"
                           "<disk type='block' device='disk'><driver type='raw'/><source "
                           "dev='/dev/vg/lv'/><target dev='vdc'/><transient/>"
                           "</disk>"
                           "<interface type='network'><mac address='52:54:00:AA:BB:01'/>"
                           "<source network='default' portgroup='x' portid='1-2' "
                           "bridge='virbr0'/><virtualport type='openvswitch'/>"
                           "<target dev='vnet7'/><model type='virtio'/><alias name='net0'/></interface>"
                           "<interface type='hostdev'><mac address='52:54:00:aa:bb:02'/></interface>"
                           "</devices></domain>";

static GPtrArray *read_disks(const char *xml) {
        g_autoptr(GError) error = NULL;
        GPtrArray *disks = vsm_disks_from_xml(xml, &error);

        g_assert_no_error(error);
        return disks;
}

static void test_disks(void) {
        g_autoptr(GPtrArray) disks = read_disks(live);
        const VsmDisk *disk = g_ptr_array_index(disks, 0);
        const VsmLayer *base = g_ptr_array_index(disk->backing, 0);

        g_assert_cmpuint(disks->len, ==, 4);
        g_assert_cmpstr(disk->target, ==, "vda");
        g_assert_cmpstr(disk->source.path, ==, "/p/a & b.qcow2");
        g_assert_cmpstr(disk->source.format, ==, "qcow2");
        g_assert_cmpstr(disk->serial, ==, "S1");
        g_assert_cmpuint(disk->backing->len, ==, 1);
        g_assert_cmpstr(base->path, ==, "/p/base.img");
        g_assert_cmpstr(base->format, ==, "raw");
        g_assert_false(disk->readonly || disk->shareable || disk->transient || disk->empty ||
                       disk->encryption);

        disk = vsm_disks_find(disks, "vdb");
        g_assert_cmpstr(disk->source.pool, ==, "one");
        g_assert_cmpstr(disk->source.volume, ==, "v");
        g_assert_cmpstr(disk->encryption, ==, "luks");
        g_assert_cmpstr(disk->secret, ==, "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f");
        g_assert_true(disk->shareable && !disk->empty);

        disk = vsm_disks_find(disks, "sda");
        g_assert_true(disk->empty && disk->readonly);

        disk = vsm_disks_find(disks, "vdc");
        g_assert_cmpstr(disk->source.path, ==, "/dev/vg/lv");
        g_assert_true(disk->transient);
        g_assert_null(vsm_disks_find(disks, "vdz"));
}

static char *change_ok(const char *xml, const VsmDefinitionChange *change) {
        g_autoptr(GError) error = NULL;
        char *text = vsm_definition_change(xml, change, &error);

        g_assert_no_error(error);
        return text;
}

static void assert_refused(const VsmDefinitionChange *change, const char *names) {
        g_autoptr(GError) error = NULL;

        g_assert_null(vsm_definition_change(live, change, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS);
        g_assert_nonnull(strstr(error->message, names));
}

static void test_change_disk(void) {
        g_autoptr(GPtrArray) places = g_ptr_array_new();
        VsmDefinitionChange change = {.disks = places};
        g_autofree char *text = NULL;
        g_autoptr(GPtrArray) disks = NULL;
        const VsmDisk *disk;

        g_ptr_array_add(places,
                        &(VsmDiskPlace){.target = "vda", .path = "/q/<'&\">.img", .format = "qcow2"});
        g_ptr_array_add(places, &(VsmDiskPlace){.target = "vdb",
                                                .path = "/dev/x/y",
                                                .format = "raw",
                                                .block = true});
        text = change_ok(live, &change);
        disks = read_disks(text);

        disk = vsm_disks_find(disks, "vda");
        g_assert_cmpstr(disk->source.path, ==, "/q/<'&\">.img");
        g_assert_cmpstr(disk->source.type, ==, "file");
        g_assert_cmpuint(disk->backing->len, ==, 0);

        /* of the old place nothing, of the guest's device all */
        g_assert_null(strstr(text, "seclabel"));
        g_assert_null(strstr(text, "index="));
        g_assert_null(strstr(text, "base.img"));
        g_assert_nonnull(strstr(text, "startupPolicy=\"optional\""));
        g_assert_nonnull(strstr(text, "cache=\"none\""));
        g_assert_nonnull(strstr(text, "<serial>S1</serial>"));
        g_assert_nonnull(strstr(text, "virtio-disk0"));
        g_assert_nonnull(strstr(text, "slot=\"0x04\""));

        disk = vsm_disks_find(disks, "vdb");
        g_assert_cmpstr(disk->source.type, ==, "block");
        g_assert_cmpstr(disk->source.path, ==, "/dev/x/y");
        g_assert_null(disk->source.pool);
        g_assert_cmpstr(disk->secret, ==, "0a81f5b2-8403-7b23-c8d6-21ccc2f80d6f");

        disk = vsm_disks_find(disks, "vdc");
        g_assert_cmpstr(disk->source.path, ==, "/dev/vg/lv");
}

static void test_change_refused(void) {
        VsmDiskPlace disk = {.target = "vdz", .path = "/q/x", .format = "raw"};
        VsmInterfacePlace interface = {.mac = "52:54:00:00:00:99", .name = "n"};
        g_autoptr(GPtrArray) disks = g_ptr_array_new(), interfaces = g_ptr_array_new();
        g_autofree char *text = NULL;

        g_ptr_array_add(disks, &disk);
        g_ptr_array_add(interfaces, &interface);
        assert_refused(&(VsmDefinitionChange){.disks = disks}, "vdz");
        assert_refused(&(VsmDefinitionChange){.interfaces = interfaces}, "52:54:00:00:00:99");

        text = change_ok(live,
                         &(VsmDefinitionChange){.disks = disks, .interfaces = interfaces, .may_lack = true});
        g_assert_null(strstr(text, "/q/x"));

        disk.target = "sda";
        assert_refused(&(VsmDefinitionChange){.disks = disks, .may_lack = true}, "sda");
        interface.mac = "52:54:00:aa:bb:02";
        assert_refused(&(VsmDefinitionChange){.interfaces = interfaces}, interface.mac);
}

static void test_change_interface(void) {
        g_autoptr(GPtrArray) interfaces = g_ptr_array_new(), read = NULL;
        VsmInterfacePlace place = {.mac = MAC, .name = "br0", .bridge = true};
        VsmDefinitionChange change = {.interfaces = interfaces};
        g_autofree char *text = NULL, *again = NULL;
        const VsmInterface *interface;

        g_ptr_array_add(interfaces, &place);
        text = change_ok(live, &change);
        read = vsm_interfaces_from_xml(text, NULL);
        interface = g_ptr_array_index(read, 0);
        g_assert_cmpstr(interface->mac, ==, MAC);
        g_assert_cmpstr(interface->type, ==, "bridge");
        g_assert_cmpstr(interface->source, ==, "br0");
        g_assert_null(strstr(text, "portgroup"));
        g_assert_null(strstr(text, "portid"));
        g_assert_null(strstr(text, "virtualport"));
        g_assert_null(strstr(text, "vnet7"));
        g_assert_nonnull(strstr(text, "<model type=\"virtio\"/>"));
        g_assert_nonnull(strstr(text, "net0"));

        place = (VsmInterfacePlace){.mac = MAC, .name = "n"};
        again = change_ok(text, &change);
        g_assert_nonnull(strstr(again, "<source network=\"n\"/>"));
        g_assert_null(strstr(again, "br0"));
}

static void test_texts(void) {
        g_autofree char *text =
                        change_ok(live, &(VsmDefinitionChange){.name = "b<", .description = "new & old"});
        g_autofree char *none = change_ok(text, &(VsmDefinitionChange){.description = ""});
        g_autofree char *titled = change_ok(
                        "<domain><name>a</name><title>t</title><description>d</description></domain>",
                        &(VsmDefinitionChange){.description = "x"});

        g_assert_nonnull(strstr(text, "<name>b&lt;</name><description>new &amp; old</description>"));
        g_assert_null(strstr(none, "description"));

        /* what is shown is what is changed */
        g_assert_cmpstr(titled, ==,
                        "<domain><name>a</name><title>x</title><description>d</description></domain>");
}

static void test_planned(void) {
        g_autoptr(VsmPlanned) planned = vsm_planned_new("host'a", "7"), read = NULL, none = NULL;
        g_autofree char *text = NULL, *again = NULL, *off = NULL;
        const VsmPlannedVolume *volume;

        vsm_planned_add(planned, "/p/<x>", "one");
        text = change_ok(live, &(VsmDefinitionChange){.planned = planned});
        again = change_ok(text, &(VsmDefinitionChange){.planned = planned});
        g_assert_cmpstr(text, ==, again);

        g_assert_true(vsm_planned_from_xml(again, &read, NULL));
        g_assert_cmpstr(read->source, ==, "host'a");
        g_assert_cmpstr(read->job, ==, "7");
        g_assert_cmpuint(read->volumes->len, ==, 1);
        volume = g_ptr_array_index(read->volumes, 0);
        g_assert_cmpstr(volume->path, ==, "/p/<x>");
        g_assert_cmpstr(volume->pool, ==, "one");

        off = change_ok(again, &(VsmDefinitionChange){.remove_planned = true});
        g_assert_true(vsm_planned_from_xml(off, &none, NULL));
        g_assert_null(none);
        g_assert_null(strstr(off, "metadata"));
}

static void test_no_definition(void) {
        static const char *const bad[] = {"", "<domain", "<network/>", "<!DOCTYPE a><domain/>"};

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_autoptr(GError) error = NULL;

                g_assert_null(vsm_disks_from_xml(bad[i], &error));
                g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
                g_assert_null(vsm_definition_change(bad[i], &(VsmDefinitionChange){}, NULL));
        }
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/definition/disks", test_disks);
        g_test_add_func("/definition/change/disk", test_change_disk);
        g_test_add_func("/definition/change/interface", test_change_interface);
        g_test_add_func("/definition/change/refused", test_change_refused);
        g_test_add_func("/definition/change/texts", test_texts);
        g_test_add_func("/definition/planned", test_planned);
        g_test_add_func("/definition/none", test_no_definition);

        return g_test_run();
}
