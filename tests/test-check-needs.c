/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a definition is found to use of its host: texts as libvirt writes them, and the list of questions. */

#include <string.h>

#include "daemon/virt/check-needs.h"
#include "shared/error.h"

/* "kind name[/detail][@device]", in lines */
static char* needs_to_text(const VsmNeeds *needs) {
        GString *text = g_string_new(NULL);

        for (guint i = 0; i < needs->list->len; i++) {
                const VsmNeed *need = g_ptr_array_index(needs->list, i);

                g_string_append_printf(text, "%s %s", vsm_need_kind_to_string(need->kind), need->name);
                if (need->detail)
                        g_string_append_printf(text, "/%s", need->detail);
                if (need->device)
                        g_string_append_printf(text, "@%s", need->device);
                g_string_append_c(text, '\n');
        }

        return g_string_free(text, FALSE);
}

static VsmNeeds* read_xml(const char *xml) {
        g_autoptr(GError) error = NULL;
        VsmNeeds *needs = vsm_needs_from_xml(xml, &error);

        g_assert_no_error(error);
        return needs;
}

static void assert_needs(const char *inside, const char *devices, const char *expected) {
        g_autofree char *xml = g_strdup_printf("<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/"
                                               "qemu/1.0'>%s<devices>%s</devices></domain>", inside, devices);
        g_autoptr(VsmNeeds) needs = read_xml(xml);
        g_autofree char *text = needs_to_text(needs);

        g_assert_cmpstr(text, ==, expected);
}

static void test_nothing(void) {
        assert_needs("", "", "");
        assert_needs("<name>a</name><memory unit='KiB'>1024</memory>",
                     "<emulator>/usr/bin/qemu</emulator><controller type='usb' model='none'/><memballoon model='none'/>"
                     "<serial type='pty'><source path='/dev/pts/1'/></serial><channel type='spicevmc'/>"
                     "<interface type='user'><mac address='52:54:00:00:00:01'/></interface>"
                     "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>"
                     "<rng model='virtio'><backend model='builtin'/></rng>"
                     "<tpmx/><graphics type='vnc'><listen type='address' address='127.0.0.1'/></graphics>", "");
}

static void test_refused(void) {
        static const char *const bad[] = { "", "<domain", "<network/>", "<!DOCTYPE a><domain/>" };

        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_autoptr(GError) error = NULL;

                g_assert_null(vsm_needs_from_xml(bad[i], &error));
                g_assert_error(error, VSM_ERROR, VSM_ERROR_FAILED);
        }
}

static void test_interfaces(void) {
        assert_needs("",
                     "<interface type='network'><mac address='m1'/><source network='lan' portid='x' bridge='virbr0'/>"
                     "</interface>"
                     "<interface type='network'><mac address='m2'/><source network='lan'/></interface>"
                     "<interface type='bridge'><mac address='m3'/><source network='hostbr' bridge='br0'/></interface>"
                     "<interface type='bridge'><mac address='m4'/><source bridge='br1'/></interface>"
                     "<interface type='bridge'><mac address='m5'/><source bridge='ovs'/>"
                     "<virtualport type='openvswitch'/></interface>"
                     "<interface type='direct'><mac address='m6'/><source dev='eth0' mode='bridge'/></interface>"
                     "<interface type='vhostuser'><mac address='m7'/><source type='unix' path='/run/v.sock'/></interface>"
                     "<interface type='hostdev'><mac address='m8'/><source network='vfs'/></interface>"
                     "<interface type='hostdev'><mac address='m9'/><teaming type='transient' persistent='ua-1'/>"
                     "</interface>"
                     "<interface type='ethernet'><mac address='ma'/><target dev='tap0' managed='no'/></interface>"
                     "<interface type='ethernet'><mac address='mb'/><target dev='tap1'/></interface>"
                     "<interface type='vdpa'><mac address='mc'/><source dev='/dev/vhost-vdpa-0'/></interface>",
                     "network lan@m1\n"
                     "network hostbr@m3\n"
                     "bridge br1@m4\n"
                     "ovs-bridge ovs@m5\n"
                     "link eth0@m6\n"
                     "path /run/v.sock@m7\n"
                     "network vfs@m8\n"
                     "host-device m8/interface\n"
                     "lent-device m9/interface\n"
                     "link tap0@ma\n"
                     "unknown vdpa@mc\n");
}

static void test_disks(void) {
        assert_needs("",
                     "<disk type='file' device='disk'><source file='/img/top.qcow2'/>"
                     "<backingStore type='file'><format type='qcow2'/><source file='/img/mid.qcow2'/>"
                     "<backingStore type='block'><format type='raw'/><source dev='/dev/vg/base'/><backingStore/>"
                     "</backingStore></backingStore><target dev='vda'/></disk>"
                     "<disk type='volume' device='disk'><source pool='fast' volume='b.img'/><target dev='vdb'/>"
                     "<shareable/></disk>"
                     "<disk type='network' device='disk'><auth username='u'><secret type='ceph' uuid='U1'/></auth>"
                     "<source protocol='rbd' name='pool/img'><host name='mon'/></source><target dev='vdc'/></disk>"
                     "<disk type='file' device='cdrom'><source file='/iso/a.iso'/><target dev='sda'/><readonly/></disk>"
                     "<disk type='file' device='cdrom'><target dev='sdb'/><readonly/></disk>"
                     "<disk type='file' device='disk'><source file='/img/t'><encryption format='luks'>"
                     "<secret type='passphrase' usage='disk t'/></encryption></source><target dev='vdd'/><transient/></disk>"
                     "<disk type='nvme' device='disk'><source type='pci' namespace='1'/><target dev='vde'/></disk>"
                     "<disk type='dir' device='floppy'><source dir='/srv/f'/><target dev='fda'/><readonly/></disk>",
                     "disk vda/rw\n"
                     "file /img/top.qcow2@vda\n"
                     "file /img/mid.qcow2@vda\n"
                     "block /dev/vg/base@vda\n"
                     "disk vdb/shared\n"
                     "volume fast/b.img@vdb\n"
                     "disk vdc/rw\n"
                     "storage rbd:pool/img@vdc\n"
                     "disk sda/ro\n"
                     "file /iso/a.iso@sda\n"
                     "disk sdb/ro\n"
                     "disk vdd/transient\n"
                     "file /img/t@vdd\n"
                     "disk vde/rw\n"
                     "storage nvme@vde\n"
                     "disk fda/ro\n"
                     "path /srv/f@fda\n"
                     "secret U1\n"
                     "secret disk t/passphrase\n");
}

static void test_devices(void) {
        assert_needs("<metadata><a:secret xmlns:a='urn:a' uuid='no'/><secret uuid='no'/></metadata>",
                     "<hostdev mode='subsystem' type='pci'><alias name='hostdev0'/></hostdev>"
                     "<hostdev mode='subsystem' type='usb'><alias name='hostdev1'/></hostdev>"
                     "<hostdev mode='subsystem' type='pci'><teaming type='transient' persistent='x'/>"
                     "<alias name='hostdev2'/></hostdev>"
                     "<redirdev bus='usb' type='spicevmc'/>"
                     "<tpm model='tpm-crb'><backend type='emulator' version='2.0'><encryption secret='U2'/></backend></tpm>"
                     "<tpm model='tpm-tis'><backend type='passthrough'><device path='/dev/tpm0'/></backend>"
                     "<alias name='tpm1'/></tpm>"
                     "<filesystem type='mount'><driver type='virtiofs'/><source dir='/srv/s'/><target dir='tag'/>"
                     "</filesystem>"
                     "<filesystem type='mount'><source dir='/srv/p'/><target dir='p9'/></filesystem>"
                     "<rng model='virtio'><backend model='random'>/dev/hwrng</backend><alias name='rng0'/></rng>"
                     "<rng model='virtio'><backend model='egd' type='tcp'><source mode='connect' host='egd' service='1'/>"
                     "</backend><alias name='rng1'/></rng>"
                     "<memory model='nvdimm'><source><path>/mnt/nv</path></source><alias name='nv0'/></memory>"
                     "<input type='evdev'><source dev='/dev/input/event1'/><alias name='input1'/></input>"
                     "<smartcard mode='host'><alias name='smartcard0'/></smartcard>",
                     "host-device hostdev0/pci\n"
                     "lent-device hostdev1/usb\n"
                     "lent-device hostdev2/pci\n"
                     "tpm tpm-crb/2.0@emulator\n"
                     "host-device tpm1/tpm\n"
                     "virtiofs /srv/s@tag\n"
                     "path /srv/p@p9\n"
                     "path /dev/hwrng@rng0\n"
                     "address egd@rng1\n"
                     "path /mnt/nv@nv0\n"
                     "path /dev/input/event1@input1\n"
                     "host-device smartcard0/smartcard\n"
                     "secret U2\n");
}

static void test_characters(void) {
        assert_needs("",
                     "<serial type='file'><source path='/srv/c.log' append='on'/><alias name='serial0'/></serial>"
                     "<console type='file'><source path='/srv/c.log'/><alias name='serial0'/></console>"
                     "<serial type='pty'><log file='/srv/log'/><alias name='serial1'/></serial>"
                     "<serial type='dev'><source path='/dev/ttyS0'/><alias name='serial2'/></serial>"
                     "<serial type='tcp'><source mode='bind' host='0.0.0.0' service='1'/></serial>"
                     "<serial type='tcp'><source mode='bind' host='192.0.2.1' service='1'/><alias name='s4'/></serial>"
                     "<serial type='tcp'><source mode='connect' host='localhost' service='1'/><alias name='s5'/></serial>"
                     "<channel type='unix'><source mode='bind' path='/var/lib/libvirt/qemu/channel/target/d/a'/></channel>"
                     "<channel type='unix'><source mode='connect' path='/run/my.sock'/><alias name='c1'/></channel>"
                     "<graphics type='vnc'><listen type='network' address='192.0.2.1' network='mgmt'/></graphics>"
                     "<graphics type='spice'><listen type='address' address='192.0.2.2'/>"
                     "<gl enable='yes' rendernode='/dev/dri/renderD128'/></graphics>",
                     "path /srv/c.log@serial0\n"
                     "path /srv/log@serial1\n"
                     "path /dev/ttyS0@serial2\n"
                     "address 192.0.2.1@s4\n"
                     "address localhost@s5\n"
                     "path /run/my.sock@c1\n"
                     "network mgmt@vnc\n"
                     "path /dev/dri/renderD128@spice\n"
                     "address 192.0.2.2@spice\n");
}

static void test_rest(void) {
        assert_needs("<os><type arch='x86_64' machine='q35'>hvm</type><kernel>/boot/k</kernel><initrd>/boot/i</initrd>"
                     "<nvram template='/usr/share/v.fd'>/var/lib/libvirt/qemu/nvram/a.fd</nvram></os>"
                     "<memoryBacking><hugepages><page size='2' unit='MiB' nodeset='0'/><page size='1048576'/></hugepages>"
                     "</memoryBacking><vcpu cpuset='0-1'>2</vcpu><cputune><vcpupin vcpu='0' cpuset='0'/></cputune>"
                     "<numatune><memory mode='strict' nodeset='0'/></numatune>"
                     "<sysinfo type='fwcfg'><entry name='opt/a' file='/srv/fw'/></sysinfo>"
                     "<qemu:commandline><qemu:arg value='-x'/></qemu:commandline>", "",
                     "path /boot/k@kernel\n"
                     "path /boot/i@initrd\n"
                     "path /usr/share/v.fd@nvram\n"
                     "path /srv/fw@sysinfo\n"
                     "arguments commandline\n"
                     "huge-pages 2048/0\n"
                     "huge-pages 1048576\n"
                     "pinning processors\n"
                     "pinning memory nodes\n");
        assert_needs("<memoryBacking><hugepages/></memoryBacking>", "", "huge-pages 0\n");
        assert_needs("<os><nvram>/srv/b.fd</nvram></os>", "", "path /srv/b.fd@nvram\n");
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/check-needs/nothing", test_nothing);
        g_test_add_func("/check-needs/refused", test_refused);
        g_test_add_func("/check-needs/interfaces", test_interfaces);
        g_test_add_func("/check-needs/disks", test_disks);
        g_test_add_func("/check-needs/devices", test_devices);
        g_test_add_func("/check-needs/characters", test_characters);
        g_test_add_func("/check-needs/rest", test_rest);
        return g_test_run();
}
