/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The sentences of the reasons that the service gives, for translation: it speaks English and tells a code with
 * what was filled in. Pure. */

#include <glib/gi18n.h>

#include "client/reason-text.h"

/* By MessageID, in the order of the alphabet. %1, %2, ... are the MessageArguments. */
static const VsmReasonText table[] = {
        { "address-not-of-host",
          N_("An address that was asked for is not one of host '%1'"),
          N_("Name addresses to which the host's name resolves, or use TLS, which proves that it is that "
             "host.") },
        { "anti-affinity",
          N_("Host '%1' runs or gets a system of the anti-affinity group '%2', of which no two share a host"),
          N_("Choose another host, or change the group in the policy of one of them.") },
        { "architecture-mismatch",
          N_("Host '%1' does not run systems of the architecture '%2'"),
          N_("Choose a host that does.") },
        { "backing-flattened",
          N_("Disk '%1' is based on '%2', which is not on host '%3' in the same form: the copy will contain "
             "all of it"),
          N_("Copy that image there first, under the same path, if the copy is to be based on it as well.") },
        { "backing-missing",
          N_("Disk '%1' is based on '%2', which is not on host '%3' in the same form"),
          N_("Copy that image there first, under the same path, or move the system while it runs.") },
        { "blackout-longer",
          N_("System '%1' stood still for %2 ms when it was handed over, which is longer than the %3 ms that were "
             "allowed"),
          N_("Allow a longer pause, or use a faster network.") },
        { "blackout-too-long",
          N_("System '%1' could not be moved with a pause of no more than %2 ms"),
          N_("Allow a longer pause, allow throttling or post-copy, use a faster network, or move it when it writes "
             "less.") },
        { "block-job-running",
          N_("A block job (copy, commit, pull, backup) of system '%1' is running"),
          N_("Wait until it has ended, or abort it.") },
        { "cpu-feature-missing",
          N_("Host '%1' cannot give a system the CPU feature '%2'"),
          N_("Choose another host, or give the system a CPU model that both hosts have and start it anew.") },
        { "deadline-too-short",
          N_("System '%1' cannot arrive at another host in the time allowed"),
          N_("Allow more time, or move it beforehand.") },
        { "definition-replaced",
          N_("Host '%2' has a definition of system '%1' that is off; it is replaced"),
          NULL },
        { "destination-refuses",
          N_("Host '%1' takes no guests of other hosts"),
          N_("Choose another host, or see why: its migration service is being drained, or refuses them by its "
             "settings.") },
        { "destination-unreachable",
          N_("Host '%1' cannot be reached"),
          N_("See whether it is up, its libvirt listens for the network, the firewall lets its port through,"
             " and the credentials of this service are known there.") },
        { "disk-format",
          N_("Disk '%1' has the format '%2', in which it cannot be copied to '%3'"),
          N_("Convert it, or choose another place for it.") },
        { "disk-left-out",
          N_("Disk '%1' is not copied: %2"),
          N_("See that the destination has the same under the same path.") },
        { "disk-not-in-pool",
          N_("Disk '%1' (%2) is in no active storage pool of this host"),
          N_("Define a storage pool for its folder and start it, or refresh the pool.") },
        { "disk-not-movable",
          N_("Disk '%1' cannot be put elsewhere in a migration: %2"),
          N_("Do not name it.") },
        { "disk-not-shared",
          N_("A disk of system '%1' is not on storage that both hosts share"),
          N_("Use the migration type VirtualSystemAndStorage, or put the disk on shared storage.") },
        { "emulator-missing",
          N_("Host '%1' does not have the emulator '%2'"),
          N_("Install it there, under the same path.") },
        { "file-exists",
          N_("Host '%1' has '%2' already"),
          N_("Name another path or pool, or allow existing files to be overwritten.") },
        { "firmware-missing",
          N_("Host '%1' does not have the firmware '%2'"),
          N_("Install it there.") },
        { "guest-asleep",
          N_("System '%1' has suspended itself to memory (S3), which QEMU does not carry to another host"),
          N_("Wake it first: virsh dompmwakeup.") },
        { "has-checkpoints",
          N_("System '%1' has %2 checkpoints, which are not migrated; its definition stays here because of "
             "them"),
          N_("Remove them, or make a new full backup at the destination.") },
        { "has-snapshots",
          N_("System '%1' has snapshots, which libvirt does not migrate"),
          N_("Remove the snapshots.") },
        { "home-already",
          N_("System '%1' runs on host '%2' already, which is its home"),
          NULL },
        { "host-device",
          N_("System '%1' uses a device of this host"),
          N_("Detach the device before the migration, and attach one at the destination afterwards.") },
        { "host-not-allowed",
          N_("The policy of system '%1' does not allow host '%2'"),
          N_("Choose a host of its AllowedHosts, or change the policy.") },
        { "hypervisor-mismatch",
          N_("Host '%1' does not offer '%2' to systems of the architecture '%3'"),
          N_("See whether virtualization is switched on in that host's firmware and its kernel module is "
             "loaded.") },
        { "hypervisor-older",
          N_("The hypervisor of host '%1' is older (%2) than where the system comes from (%3)"),
          N_("Update that host first.") },
        { "job-running",
          N_("libvirt is running a job of system '%1'"),
          N_("Wait until it has ended.") },
        { "libvirt-older",
          N_("The libvirt of host '%1' is older (%2) than where the system comes from (%3)"),
          N_("Update that host first.") },
        { "machine-type-unknown",
          N_("Host '%1' does not know the machine type '%2'"),
          N_("Update the hypervisor there, or give the system a machine type that both hosts know and start "
             "it anew.") },
        { "migration-running",
          N_("System '%1' is being migrated already"),
          N_("Wait until that migration has ended, or cancel it.") },
        { "moved-on",
          N_("System '%1' is not on host '%2' any more: it has been moved on by somebody since, or was removed"),
          NULL },
        { "name-in-use",
          N_("Host '%2' has another system with the name '%1' (UUID %3)"),
          N_("Rename one of them.") },
        { "network-missing",
          N_("Host '%1' has no active network '%2', which an interface (%3) of the system is on"),
          N_("Define and start a network of that name there.") },
        { "no-destination",
          N_("No host can take system '%1'"),
          N_("See what stands against each host.") },
        { "no-pool",
          N_("Host '%1' has no active storage pool with room for disk '%2' (%3 MiB)"),
          N_("Free space there, or start another pool.") },
        { "no-space",
          N_("Host '%1' has no room for disk '%2' (%3 MiB) in '%4'"),
          N_("Free space there, or choose another pool.") },
        { "no-time-to-save",
          N_("There is no time to save the memory of system '%1' to the disk of this host"),
          N_("Allow more time.") },
        { "not-brought-home",
          N_("System '%1' could not be brought home"),
          NULL },
        { "not-enough-huge-pages",
          N_("Host '%1' has %2 free huge pages of %4 KiB, the system needs %3"),
          N_("Set more of them apart there, or choose another host.") },
        { "not-enough-memory",
          N_("Host '%1' has %2 MiB of memory to give, the system may need %3 MiB"),
          N_("Free memory there, or choose another host.") },
        { "not-migratable",
          N_("libvirt refuses to migrate system '%1'"),
          NULL },
        { "not-running",
          N_("System '%1' is not running"),
          N_("Start it, or use another migration type.") },
        { "not-verifiable",
          N_("It could not be verified: %1"),
          NULL },
        { "nvram-not-carried",
          N_("System '%1' keeps its firmware's variables (NVRAM) in a file that goes to another host only "
             "while it runs"),
          N_("Start the system and move it live, or put the file on storage that both hosts share.") },
        { "path-not-allowed",
          N_("'%2' does not lie in an active storage pool of host '%1'"),
          N_("Name a path inside a storage pool that is active there.") },
        { "plan-chosen",
          N_("Host '%1' is chosen of %2 that would do, so that all systems find room and are there soonest"),
          NULL },
        { "plan-not-live",
          N_("System '%1' changes %2 MiB of memory a second and the link carries %3 MiB: moving it live would "
             "not end"),
          NULL },
        { "plan-only-host",
          N_("Host '%1' is the only one that would do"),
          NULL },
        { "plan-policy",
          N_("The fallback of system '%1' begins with '%2', so it does not move"),
          NULL },
        { "plan-preferred",
          N_("Host '%1' is preferred by the priority of hosts"),
          NULL },
        { "plan-quicker",
          N_("System '%1' would not arrive in time by '%2', so a quicker way is taken"),
          NULL },
        { "plan-slowed-down",
          N_("System '%1' changes %2 MiB of memory a second and the link carries %3 MiB: it is slowed down "
             "while it moves"),
          N_("Move it while it does less, or allow post-copy or resume in its fallback.") },
        { "pool-fixed",
          N_("The storage pool '%2' of host '%1' is of the type '%3', in which no volumes are made"),
          N_("Name an existing volume of it and allow that to be overwritten, or choose another pool.") },
        { "pool-missing",
          N_("Host '%1' has no active storage pool '%2', which a disk of the system is in"),
          N_("Define and start a pool of that name there.") },
        { "post-copy-left-out",
          N_("System '%1' was moved without leave for post-copy, which host '%2' or this one cannot do"),
          N_("Set the sysctl vm.unprivileged_userfaultfd to 1 on both hosts.") },
        { "post-copy-not-possible",
          N_("System '%1' cannot be moved to host '%2' in post-copy"),
          N_("Set the sysctl vm.unprivileged_userfaultfd to 1 on both hosts, or do without post-copy.") },
        { "same-host",
          N_("Host '%1' is this host, or has the same host UUID"),
          N_("Name another host. If it is another one, give it a host_uuid of its own in libvirtd.conf.") },
        { "same-volume",
          N_("Disk '%1' may be the very volume '%2' of host '%3', on storage that both hosts use"),
          N_("Leave the disk where it is, or name another path.") },
        { "saved-image-there",
          N_("Host '%2' has a saved image of system '%1', from which it would start there"),
          N_("Remove that image.") },
        { "secret-in-clear",
          N_("Secret '%2' would go to host '%1' over a connection that anybody on the way can read"),
          N_("Define it there by hand, or use another AuthenticationType than 32770.") },
        { "secret-missing",
          N_("Host '%1' does not have the secret '%2'"),
          N_("Define it there, and set its value.") },
        { "tls-certificate",
          N_("The TLS certificate of host '%1' is not accepted: %2"),
          N_("See to the certificates of both hosts, and that the destination's has the name by which it is "
             "called here.") },
        { "tpm-missing",
          N_("Host '%1' does not offer the TPM that the system has (%2)"),
          N_("Install swtpm there, in a version that has it.") },
        { "tpm-not-carried",
          N_("System '%1' has a TPM whose state goes to another host only while the system runs"),
          N_("Start the system and move it live.") },
        { "transient-disk",
          N_("System '%1' has a disk whose changes are thrown away, which libvirt does not migrate"),
          N_("Remove the disk, or make it permanent.") },
        { "unknown-disk",
          N_("The system has no disk '%1'"),
          N_("Name one by its target, such as 'vda'.") },
        { "unknown-interface",
          N_("The system has no network interface with the address %1"),
          N_("Name one by its MAC address.") },
        { "unreadable-volume",
          N_("Volume '%1' cannot be read"),
          N_("See to its storage and its permissions.") },
        { "uuid-in-use",
          N_("Host '%2' has a system '%3' with the UUID of '%1'"),
          N_("Remove the one that is not wanted.") },
        { "virtiofs",
          N_("System '%1' shares a folder of this host by virtiofs (%2), which cannot be migrated"),
          N_("Detach it before the migration, and attach it at the destination afterwards.") },
        { "volume-in-use",
          N_("'%2' of host '%1' is used by system '%3'"),
          N_("Name another path, or detach it from that system.") },
        { "volume-missing",
          N_("Host '%1' has no volume '%2' in the storage pool '%3'"),
          N_("Refresh the pool there if the volume is new; else let both hosts use the same storage, or copy "
             "it.") },
        {}
};

const VsmReasonText* vsm_reason_text_table(void) {
        return table;
}

static const VsmReasonText* find(const char *id) {
        for (const VsmReasonText *text = table; text->id; text++)
                if (g_str_equal(text->id, id))
                        return text;

        return NULL;
}

/* An argument is text of others: what looks like %1 in it stays as it is. NULL when there are too few. */
static char* fill_in(const char *template, JsonArray *arguments) {
        g_autoptr(GString) out = g_string_new(NULL);
        unsigned n = arguments ? json_array_get_length(arguments) : 0;

        for (const char *p = template; *p; p++) {
                unsigned i = p[0] == '%' && g_ascii_isdigit(p[1]) ? (unsigned) (p[1] - '0') : 0;

                if (i == 0) {
                        g_string_append_c(out, *p);
                        continue;
                }

                if (i > n)
                        return NULL;

                g_string_append(out, json_array_get_string_element(arguments, i - 1) ?: "");
                p++;
        }

        return g_string_free(g_steal_pointer(&out), FALSE);
}

char* vsm_reason_text_message(const char *id, JsonArray *arguments) {
        const VsmReasonText *text = find(id);
        const char *translated = text ? gettext(text->message) : NULL;

        /* not translated: then what the service says is as good, and newer */
        return translated && translated != text->message ? fill_in(translated, arguments) : NULL;
}

const char* vsm_reason_text_action(const char *action) {
        for (const VsmReasonText *text = table; text->id; text++)
                if (text->action && g_strcmp0(text->action, action) == 0)
                        return gettext(text->action);

        return action;
}
