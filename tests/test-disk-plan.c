/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a plan for disks is made of: which paths are allowed, which pool is chosen, which disks are copied,
 * what libvirt is asked to make. (Plans themselves need two hosts.) */

#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/virt/disk-plan.h"
#include "daemon/virt/pool.h"
#include "daemon/virt/volume.h"
#include "shared/enums.h"
#include "shared/error.h"

static void pool_free(void *p) {
        vsm_pool_free(p);
}

static void add_pool(GPtrArray *pools, const char *type, const char *name, const char *target,
                     uint64_t available) {
        g_autofree char *xml = g_strdup_printf(
                        "<pool type='%s'><name>%s</name><available unit='bytes'>%" G_GUINT64_FORMAT
                        "</available><target><path>%s</path></target></pool>",
                        type, name, available, target);

        g_ptr_array_add(pools, vsm_pool_from_xml(xml, NULL));
}

static GPtrArray *some_pools(void) {
        GPtrArray *pools = g_ptr_array_new_with_free_func(pool_free);

        add_pool(pools, "dir", "a", "/p//a/", 100);
        add_pool(pools, "netfs", "b", "/p/b", 300);
        add_pool(pools, "logical", "c", "/dev/c", 300);
        add_pool(pools, "iscsi", "d", "/dev/disk/by-path", 9000);
        return pools;
}

static void test_paths(void) {
        static const char *const good[] = {"/a", "/a/b.img", "/a/..b", "/a b/\xc3\xa4"};
        static const char *const bad[] = {"",      "/",   "a/b",    "/a/../b", "/a/..",
                                          "/a//b", "/a/", "/a/./b", "/a\nb",   "/\xff"};

        for (size_t i = 0; i < G_N_ELEMENTS(good); i++)
                g_assert_true(vsm_path_check(good[i], NULL));
        for (size_t i = 0; i < G_N_ELEMENTS(bad); i++) {
                g_autoptr(GError) error = NULL;

                g_assert_false(vsm_path_check(bad[i], &error));
                g_assert_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS);
        }
}

static const char *pool_of(GPtrArray *pools, const char *path) {
        const char *name;
        const VsmPool *pool = vsm_pools_find_path(pools, path, &name);

        return pool ? pool->name : NULL;
}

static void test_pool_of_path(void) {
        g_autoptr(GPtrArray) pools = some_pools();
        VsmPool *extra = g_new0(VsmPool, 1);

        g_assert_cmpstr(pool_of(pools, "/p/a/x.img"), ==, "a");
        g_assert_cmpstr(pool_of(pools, "/dev/c/lv"), ==, "c");
        g_assert_null(pool_of(pools, "/p/a/sub/x.img"));
        g_assert_null(pool_of(pools, "/p/ab/x.img"));
        g_assert_null(pool_of(pools, "/p/x.img"));
        g_assert_null(pool_of(pools, "/etc/passwd"));
        g_assert_null(pool_of(pools, "/dev/disk/by-path/lun"));
        g_assert_null(pool_of(pools, "/srv/vm/deep/x.img"));

        *extra = (VsmPool){.name = g_strdup("/srv/vm"), .target = g_strdup("/srv/vm"), .configured = true};
        g_ptr_array_add(pools, extra);
        g_assert_cmpstr(pool_of(pools, "/srv/vm/deep/x.img"), ==, "/srv/vm");
        g_assert_null(pool_of(pools, "/srv/vmx/x.img"));
}

static const char *chosen(GPtrArray *pools, const char *preferred, const char *except, uint64_t allocation,
                          uint64_t capacity) {
        const VsmPool *pool = vsm_pools_choose(pools, preferred, except, allocation, capacity);

        return pool ? pool->name : NULL;
}

static void test_choose(void) {
        g_autoptr(GPtrArray) pools = some_pools();

        g_assert_cmpstr(chosen(pools, "a", NULL, 50, 500), ==, "a");
        g_assert_cmpstr(chosen(pools, "a", NULL, 150, 150), ==, "b");
        g_assert_cmpstr(chosen(pools, NULL, NULL, 50, 50), ==, "b");
        g_assert_cmpstr(chosen(pools, NULL, "b", 50, 50), ==, "c");
        g_assert_cmpstr(chosen(pools, NULL, "b", 50, 500), ==, "a");
        g_assert_null(chosen(pools, "d", NULL, 500, 500));
}

static void test_on_network(void) {
        static const char *const network[] = {
                        "/dev/disk/by-path/ip-192.0.2.1:3260-iscsi-iqn.2024-01.org.example:a-lun-1",
                        "/dev/disk/by-path/pci-0000:03:00.0-ip-192.0.2.1:3260-iscsi-iqn.2024-01.org.example:a-lun-0",
                        "/dev/disk/by-id/wwn-0x6001405b6a5f3f5b",
                        "/dev/disk/by-id/dm-uuid-mpath-36001405b6a5f3f5b",
                        "/dev/mapper/36001405b6a5f3f5b0a14d2a8c3e5f701",
                        "/dev/mapper/36001405b6a5f3f5b0a14d2a8c3e5f701-part1",
        };
        static const char *const own[] = {"/dev/sdb",
                                          "/dev/c/lv",
                                          "/dev/mapper/c-lv",
                                          "/dev/mapper/mpatha",
                                          "/dev/mapper/36001405",
                                          "/dev/disk/by-path/pci-0000:00:1f.2-ata-1",
                                          "/dev/disk/by-path/ip-x/../../by-id/ata-iscsi-1",
                                          "/dev/disk/by-id/ata-DISK_1",
                                          "/dev/disk/by-id/dm-uuid-LVM-abc",
                                          "/p/a/wwn-0x6001405b6a5f3f5b"};
        g_autoptr(GPtrArray) pools = some_pools();

        for (size_t i = 0; i < G_N_ELEMENTS(network); i++)
                g_assert_true(vsm_path_is_network_device(network[i]));
        for (size_t i = 0; i < G_N_ELEMENTS(own); i++)
                g_assert_false(vsm_path_is_network_device(own[i]));

        g_assert_false(vsm_pool_is_on_network(vsm_pools_find(pools, "a")));
        g_assert_true(vsm_pool_is_on_network(vsm_pools_find(pools, "b")));
        g_assert_false(vsm_pool_is_on_network(vsm_pools_find(pools, "c")));
        g_assert_true(vsm_pool_is_on_network(vsm_pools_find(pools, "d")));
}

/* What a directory of vsmd.conf is while somebody copies into it is nobody else's to choose. */
static void test_passing(void) {
        static const char *const name = "vsmd-6695eb01-f6a4-8304-79aa-97f2502e193f";
        g_autoptr(GPtrArray) pools = some_pools();

        add_pool(pools, "dir", name, "/p/listed", 900);
        g_assert_null(vsm_pools_find(pools, name));
        g_assert_null(pool_of(pools, "/p/listed/x.img"));
        g_assert_cmpstr(chosen(pools, name, NULL, 50, 50), ==, "b");

        add_pool(pools, "dir", "vsmd-images", "/p/e", 900);
        g_assert_nonnull(vsm_pools_find(pools, "vsmd-images"));
        g_assert_cmpstr(pool_of(pools, "/p/e/x.img"), ==, "vsmd-images");
        g_assert_cmpstr(chosen(pools, NULL, NULL, 50, 50), ==, "vsmd-images");
}

static void test_links(void) {
        g_autofree char *folder = g_dir_make_tmp("vsm-XXXXXX", NULL);
        g_autofree char *file = g_build_filename(folder, "file", NULL),
                        *link = g_build_filename(folder, "link", NULL);
        g_autofree char *way = g_build_filename(folder, "way", NULL),
                        *behind = g_build_filename(way, "file", NULL);
        g_autofree char *none = g_build_filename(folder, "none", NULL);
        bool exists;

        g_assert_true(g_file_set_contents(file, "x", 1, NULL));
        g_assert_cmpint(symlink("/etc/hostname", link), ==, 0);
        g_assert_cmpint(symlink(folder, way), ==, 0);

        g_assert_true(vsm_path_look(folder, file, true, &exists, NULL) && exists);
        g_assert_true(vsm_path_look(folder, none, true, &exists, NULL) && !exists);
        g_assert_false(vsm_path_look(folder, link, false, &exists, NULL));
        g_assert_false(vsm_path_look(folder, behind, false, &exists, NULL));
        g_assert_false(vsm_path_look("/", "/dev", false, &exists, NULL));

        /* that the folder itself is reached by a link is its owner's wish */
        g_assert_true(vsm_path_look(way, behind, true, &exists, NULL) && exists);

        g_unlink(link);
        g_unlink(way);
        g_unlink(file);
        g_rmdir(folder);
}

static void assert_unseen(const char *folder, const char *path) {
        g_autoptr(GError) error = NULL;
        bool exists = true;

        g_assert_true(vsm_path_look(folder, path, false, &exists, NULL) && !exists);
        g_assert_false(vsm_path_look(folder, path, true, NULL, &error));
        g_assert_error(error, VSM_ERROR, VSM_ERROR_INCOMPATIBLE_PARAMETERS);
}

/* What is behind a folder that nobody else may enter may be a link; one that can be searched is open. */
static void test_shut(void) {
        g_autofree char *folder = g_dir_make_tmp("vsm-XXXXXX", NULL);
        g_autofree char *shut = g_build_filename(folder, "shut", NULL);
        g_autofree char *link = g_build_filename(shut, "link", NULL), *none = g_build_filename(shut, "none", NULL);
        g_autofree char *lost = g_build_filename(folder, "lost", "file", NULL);
        g_autofree char *under = g_build_filename(folder, "file", "file", NULL);
        g_autofree char *file = g_path_get_dirname(under);
        bool root = geteuid() == 0;

        g_assert_true(g_file_set_contents(file, "x", 1, NULL));
        g_assert_cmpint(g_mkdir(shut, 0700), ==, 0);
        g_assert_cmpint(symlink("/etc/hostname", link), ==, 0);
        assert_unseen(folder, lost);
        assert_unseen(folder, under);

        g_assert_cmpint(g_chmod(folder, 0711), ==, 0);
        g_assert_cmpint(g_chmod(shut, 0), ==, 0);
        g_assert_true(!root || seteuid(65534) == 0);
        assert_unseen(folder, link);
        assert_unseen(folder, none);
        assert_unseen(shut, none);
        g_assert_true(!root || seteuid(0) == 0);

        g_assert_cmpint(g_chmod(shut, 0111), ==, 0);
        g_assert_true(!root || seteuid(65534) == 0);
        g_assert_false(vsm_path_look(folder, link, true, NULL, NULL));
        g_assert_true(vsm_path_look(folder, none, true, NULL, NULL));
        g_assert_true(!root || seteuid(0) == 0);

        g_assert_cmpint(g_chmod(shut, 0700), ==, 0);
        g_unlink(link);
        g_rmdir(shut);
        g_unlink(file);
        g_rmdir(folder);
}

static void test_volume_xml(void) {
        g_autoptr(GError) error = NULL;
        g_autoptr(VsmVolume) volume =
                        vsm_volume_from_xml("<volume type='file'><name>a</name><capacity "
                                            "unit='bytes'>10</capacity><allocation>4</allocation>"
                                            "<physical>9</physical><target><path>/p/a</path><format "
                                            "type='qcow2'/><permissions><mode>0640</mode>"
                                            "<owner>5</owner><group>6</group><label>svirt:c1,c2</label></"
                                            "permissions><timestamps>"
                                            "<mtime>12.500000000</mtime></timestamps><compat>1.1</compat></"
                                            "target><backingStore><path>/p/b</path>"
                                            "<format type='raw'/></backingStore></volume>",
                                            &error);
        g_autofree char *xml = NULL, *plain = NULL;

        g_assert_no_error(error);
        g_assert_cmpuint(volume->capacity, ==, 10);
        g_assert_cmpuint(volume->allocation, ==, 4);
        g_assert_cmpuint(volume->physical, ==, 9);
        g_assert_cmpstr(volume->backing, ==, "/p/b");
        g_assert_cmpint(volume->changed, ==, 12500000);

        xml = vsm_volume_new_to_xml(&(VsmVolumeNew){.name = "n<",
                                                    .format = "qcow2",
                                                    .capacity = 10,
                                                    .like = volume,
                                                    .backing = "/p/b",
                                                    .backing_format = "raw"});
        g_assert_cmpstr(xml, ==,
                        "<volume><name>n&lt;</name><capacity>10</capacity><allocation>0</allocation><target>"
                        "<format "
                        "type=\"qcow2\"/><permissions><mode>0640</mode><owner>5</owner><group>6</group>"
                        "</permissions><compat>1.1</compat></target><backingStore><path>/p/b</path>"
                        "<format type=\"raw\"/></backingStore></volume>");

        plain = vsm_volume_new_to_xml(&(VsmVolumeNew){.name = "n", .format = "raw", .capacity = 10});
        g_assert_cmpstr(plain, ==,
                        "<volume><name>n</name><capacity>10</capacity><allocation>0</allocation><target>"
                        "<format type=\"raw\"/></target></volume>");
}

static const char definition[] =
                "<domain><devices><disk type='file'><source file='/p/a/x'/><target dev='vda'/></disk>"
                "<disk type='block'><source dev='/dev/c/y'/><target dev='vdb'/></disk>"
                "<disk type='file'><source file='/p/a/ro'/><target dev='vdc'/><readonly/></disk>"
                "<disk type='file'><source file='/p/a/sh'/><target dev='vdd'/><shareable/></disk>"
                "<disk type='network'><source protocol='rbd' name='p/i'/><target dev='vde'/></disk>"
                "<disk type='file' device='cdrom'><source file='/p/a/cd'/><target "
                "dev='sda'/></disk></devices></domain>";

static void assert_copied(uint16_t type, const char *wishes, const char *expected) {
        g_autoptr(VsmChanges) changes = vsm_changes_new();
        g_auto(GStrv) targets = g_strsplit(wishes ?: "", ",", -1), copied = NULL;
        g_autofree char *text = NULL;

        for (char **target = targets; *target; target++)
                vsm_changes_add_disk(changes, vsm_disk_wish_new(*target, NULL, NULL));

        copied = vsm_disk_plan_copied(definition, &(VsmMoveOptions){.type = type, .changes = changes}, NULL);
        text = g_strjoinv(",", copied);
        g_assert_cmpstr(text, ==, expected);
}

static void test_copied(void) {
        assert_copied(VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE, NULL, "vda,vdb");
        assert_copied(VSM_MIGRATION_TYPE_STORAGE, NULL, "vda,vdb");
        assert_copied(VSM_MIGRATION_TYPE_STORAGE, "vdb,sda,vdc", "vdb");
        assert_copied(VSM_MIGRATION_TYPE_SYSTEM_AND_STORAGE, VSM_DISK_WISH_ALL, "vda,vdb");
        assert_copied(VSM_MIGRATION_TYPE_OTHER, "vda", "vda");
        assert_copied(VSM_MIGRATION_TYPE_OTHER, NULL, "");
        assert_copied(VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM, "vda", "");
        assert_copied(VSM_MIGRATION_TYPE_VIRTUAL_SYSTEM, NULL, "");
        assert_copied(0, VSM_DISK_WISH_ALL, "");
}

static void assert_used(virConnectPtr connection, const char *path, const char *except, const char *want) {
        g_autofree char *by = NULL;
        g_autoptr(GError) error = NULL;
        bool used;

        g_assert_true(vsm_volume_in_use(connection, path, except, &used, &by, &error));
        g_assert_no_error(error);
        g_assert_cmpstr(by, ==, want);
        g_assert_cmpint(used, ==, !!want);
}

/* A file has more names than one. */
static void test_used(void) {
        static const char *const uuid = "7795eb01-f6a4-8304-79aa-97f2502e193f";
        g_autoptr(virConnect) connection = virConnectOpen("test:///default");
        g_autoptr(virStoragePool) pool = virStoragePoolLookupByName(connection, "default-pool");
        g_autoptr(virStorageVol) volume = NULL;
        g_autoptr(virDomain) domain = NULL;
        g_autofree char *folder = g_dir_make_tmp("vsm-XXXXXX", NULL), *xml = NULL;
        g_autofree char *file = g_build_filename(folder, "a.raw", NULL);
        g_autofree char *other = g_build_filename(folder, "b.raw", NULL);
        g_autofree char *way = g_build_filename(folder, "way", NULL), *hard = g_build_filename(folder, "c.raw", NULL);

        g_assert_true(g_file_set_contents(file, "x", 1, NULL));
        g_assert_true(g_file_set_contents(other, "x", 1, NULL));
        g_assert_cmpint(link(file, hard), ==, 0);
        g_assert_cmpint(symlink(folder, way), ==, 0);
        volume = virStorageVolCreateXML(pool, "<volume><name>e.raw</name><capacity>4096</capacity></volume>", 0);
        g_assert_nonnull(volume);

        xml = g_strdup_printf("<domain type='test'><name>guest</name><uuid>%s</uuid><memory>65536</memory><os>"
                              "<type>hvm</type></os><devices><disk type='file'><source file='%s/a.raw'/><target "
                              "dev='vda'/></disk><disk type='file'><source file='/vsm-none/d.raw'/><target dev='vdb'/>"
                              "</disk><disk type='file'><source file='/default-pool/e.raw'/><target dev='vdc'/></disk>"
                              "<filesystem><source dir='/'/><target dir='x'/></filesystem></devices></domain>",
                              uuid, way);
        domain = virDomainDefineXML(connection, xml);
        g_assert_nonnull(domain);

        assert_used(connection, file, NULL, "guest");
        assert_used(connection, hard, NULL, "guest");
        assert_used(connection, other, NULL, NULL);
        assert_used(connection, file, uuid, NULL);

        /* out of sight: by a link, maybe; but not what a pool has */
        assert_used(connection, "/vsm-pool/d.raw", NULL, "guest");
        assert_used(connection, "/vsm-pool/e.raw", NULL, NULL);
        assert_used(connection, "/default-pool/e.raw", NULL, "guest");
        assert_used(connection, "/vsm-pool/f.raw", NULL, NULL);

        g_unlink(way);
        g_unlink(hard);
        g_unlink(other);
        g_unlink(file);
        g_rmdir(folder);
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);

        g_test_add_func("/disk-plan/paths", test_paths);
        g_test_add_func("/disk-plan/pool-of-path", test_pool_of_path);
        g_test_add_func("/disk-plan/choose", test_choose);
        g_test_add_func("/disk-plan/on-network", test_on_network);
        g_test_add_func("/disk-plan/passing", test_passing);
        g_test_add_func("/disk-plan/links", test_links);
        g_test_add_func("/disk-plan/shut", test_shut);
        g_test_add_func("/disk-plan/volume-xml", test_volume_xml);
        g_test_add_func("/disk-plan/copied", test_copied);
        g_test_add_func("/disk-plan/used", test_used);

        return g_test_run();
}
