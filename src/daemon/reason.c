/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The codes of the reasons why a system may not be migrated, and the list into which checks put
 * them. Pure. Any thread: a check that outlasts its deadline may still be adding. */

#include <string.h>

#include "daemon/reason.h"
#include "shared/enums.h"

/* Sorted by code. */
static const VsmReasonInfo table[] = {
        { "address-not-of-host", VSM_SEVERITY_ERROR,
          "An address that was asked for is not one of host '%1'",
          "Name addresses to which the host's name resolves, or use TLS, which proves that it is that "
          "host." },
        { "anti-affinity", VSM_SEVERITY_ERROR,
          "Host '%1' runs or gets a system of the anti-affinity group '%2', of which no two share a host",
          "Choose another host, or change the group in the policy of one of them." },
        { "architecture-mismatch", VSM_SEVERITY_ERROR,
          "Host '%1' does not run systems of the architecture '%2'",
          "Choose a host that does." },
        { "backing-flattened", VSM_SEVERITY_WARNING,
          "Disk '%1' is based on '%2', which is not on host '%3' in the same form: the copy will contain "
          "all of it",
          "Copy that image there first, under the same path, if the copy is to be based on it as well." },
        { "backing-missing", VSM_SEVERITY_ERROR,
          "Disk '%1' is based on '%2', which is not on host '%3' in the same form",
          "Copy that image there first, under the same path, or move the system while it runs." },
        { "blackout-longer", VSM_SEVERITY_WARNING,
          "System '%1' stood still for %2 ms when it was handed over, which is longer than the %3 ms that were allowed",
          "Allow a longer pause, or use a faster network." },
        { "blackout-too-long", VSM_SEVERITY_ERROR,
          "System '%1' could not be moved with a pause of no more than %2 ms",
          "Allow a longer pause, allow throttling or post-copy, use a faster network, or move it when it writes less." },
        { "block-job-running", VSM_SEVERITY_ERROR,
          "A block job (copy, commit, pull, backup) of system '%1' is running",
          "Wait until it has ended, or abort it." },
        { "cpu-feature-missing", VSM_SEVERITY_ERROR,
          "Host '%1' cannot give a system the CPU feature '%2'",
          "Choose another host, or give the system a CPU model that both hosts have and start it anew." },
        { "deadline-too-short", VSM_SEVERITY_WARNING,
          "System '%1' cannot arrive at another host in the time allowed",
          "Allow more time, or move it beforehand." },
        { "definition-replaced", VSM_SEVERITY_INFORMATION,
          "Host '%2' has a definition of system '%1' that is off; it is replaced",
          NULL },
        { "destination-refuses", VSM_SEVERITY_ERROR,
          "Host '%1' takes no guests of other hosts",
          "Choose another host, or see why: its migration service is being drained, or refuses them by its settings." },
        { "destination-unreachable", VSM_SEVERITY_ERROR,
          "Host '%1' cannot be reached",
          "See whether it is up, its libvirt listens for the network, the firewall lets its port through, "
          "and "
          "the credentials of this service are known there." },
        { "disk-format", VSM_SEVERITY_ERROR,
          "Disk '%1' has the format '%2', in which it cannot be copied to '%3'",
          "Convert it, or choose another place for it." },
        { "disk-left-out", VSM_SEVERITY_WARNING,
          "Disk '%1' is not copied: %2",
          "See that the destination has the same under the same path." },
        { "disk-not-in-pool", VSM_SEVERITY_ERROR,
          "Disk '%1' (%2) is in no active storage pool of this host",
          "Define a storage pool for its folder and start it, or refresh the pool." },
        { "disk-not-movable", VSM_SEVERITY_ERROR,
          "Disk '%1' cannot be put elsewhere in a migration: %2",
          "Do not name it." },
        { "disk-not-shared", VSM_SEVERITY_ERROR,
          "A disk of system '%1' is not on storage that both hosts share",
          "Use the migration type VirtualSystemAndStorage, or put the disk on shared storage." },
        { "emulator-missing", VSM_SEVERITY_ERROR,
          "Host '%1' does not have the emulator '%2'",
          "Install it there, under the same path." },
        { "file-exists", VSM_SEVERITY_ERROR,
          "Host '%1' has '%2' already",
          "Name another path or pool, or allow existing files to be overwritten." },
        { "firmware-missing", VSM_SEVERITY_ERROR,
          "Host '%1' does not have the firmware '%2'",
          "Install it there." },
        { "guest-asleep", VSM_SEVERITY_ERROR,
          "System '%1' has suspended itself to memory (S3), which QEMU does not carry to another host",
          "Wake it first: virsh dompmwakeup." },
        { "has-checkpoints", VSM_SEVERITY_WARNING,
          "System '%1' has %2 checkpoints, which are not migrated; its definition stays here because of "
          "them",
          "Remove them, or make a new full backup at the destination." },
        { "has-snapshots", VSM_SEVERITY_ERROR,
          "System '%1' has snapshots, which libvirt does not migrate",
          "Remove the snapshots." },
        { "home-already", VSM_SEVERITY_INFORMATION,
          "System '%1' runs on host '%2' already, which is its home",
          NULL },
        { "host-device", VSM_SEVERITY_ERROR,
          "System '%1' uses a device of this host",
          "Detach the device before the migration, and attach one at the destination afterwards." },
        { "host-not-allowed", VSM_SEVERITY_ERROR,
          "The policy of system '%1' does not allow host '%2'",
          "Choose a host of its AllowedHosts, or change the policy." },
        { "hypervisor-mismatch", VSM_SEVERITY_ERROR,
          "Host '%1' does not offer '%2' to systems of the architecture '%3'",
          "See whether virtualization is switched on in that host's firmware and its kernel module is loaded." },
        { "hypervisor-older", VSM_SEVERITY_WARNING,
          "The hypervisor of host '%1' is older (%2) than where the system comes from (%3)",
          "Update that host first." },
        { "job-running", VSM_SEVERITY_ERROR,
          "libvirt is running a job of system '%1'",
          "Wait until it has ended." },
        { "libvirt-older", VSM_SEVERITY_WARNING,
          "The libvirt of host '%1' is older (%2) than where the system comes from (%3)",
          "Update that host first." },
        { "machine-type-unknown", VSM_SEVERITY_ERROR,
          "Host '%1' does not know the machine type '%2'",
          "Update the hypervisor there, or give the system a machine type that both hosts know and start it "
          "anew." },
        { "migration-running", VSM_SEVERITY_ERROR,
          "System '%1' is being migrated already",
          "Wait until that migration has ended, or cancel it." },
        { "moved-on", VSM_SEVERITY_INFORMATION,
          "System '%1' is not on host '%2' any more: it has been moved on by somebody since, or was removed",
          NULL },
        { "name-in-use", VSM_SEVERITY_ERROR,
          "Host '%2' has another system with the name '%1' (UUID %3)",
          "Rename one of them." },
        { "network-missing", VSM_SEVERITY_ERROR,
          "Host '%1' has no active network '%2', which an interface (%3) of the system is on",
          "Define and start a network of that name there." },
        { "no-destination", VSM_SEVERITY_ERROR,
          "No host can take system '%1'",
          "See what stands against each host." },
        { "no-pool", VSM_SEVERITY_ERROR,
          "Host '%1' has no active storage pool with room for disk '%2' (%3 MiB)",
          "Free space there, or start another pool." },
        { "no-space", VSM_SEVERITY_ERROR,
          "Host '%1' has no room for disk '%2' (%3 MiB) in '%4'",
          "Free space there, or choose another pool." },
        { "no-time-to-save", VSM_SEVERITY_WARNING,
          "There is no time to save the memory of system '%1' to the disk of this host",
          "Allow more time." },
        { "not-brought-home", VSM_SEVERITY_ERROR,
          "System '%1' could not be brought home",
          NULL },
        { "not-enough-huge-pages", VSM_SEVERITY_ERROR,
          "Host '%1' has %2 free huge pages of %4 KiB, the system needs %3",
          "Set more of them apart there, or choose another host." },
        { "not-enough-memory", VSM_SEVERITY_ERROR,
          "Host '%1' has %2 MiB of memory to give, the system may need %3 MiB",
          "Free memory there, or choose another host." },
        { "not-migratable", VSM_SEVERITY_ERROR,
          "libvirt refuses to migrate system '%1'",
          NULL },
        { "not-running", VSM_SEVERITY_ERROR,
          "System '%1' is not running",
          "Start it, or use another migration type." },
        { "not-verifiable", VSM_SEVERITY_INFORMATION,
          "It could not be verified: %1",
          NULL },
        { "nvram-not-carried", VSM_SEVERITY_ERROR,
          "System '%1' keeps its firmware's variables (NVRAM) in a file that goes to another host only while "
          "it runs",
          "Start the system and move it live, or put the file on storage that both hosts share." },
        { "path-not-allowed", VSM_SEVERITY_ERROR,
          "'%2' does not lie in an active storage pool of host '%1'",
          "Name a path inside a storage pool that is active there." },
        { "plan-chosen", VSM_SEVERITY_INFORMATION,
          "Host '%1' is chosen of %2 that would do, so that all systems find room and are there soonest",
          NULL },
        { "plan-not-live", VSM_SEVERITY_INFORMATION,
          "System '%1' changes %2 MiB of memory a second and the link carries %3 MiB: moving it live would not "
          "end",
          NULL },
        { "plan-only-host", VSM_SEVERITY_INFORMATION,
          "Host '%1' is the only one that would do",
          NULL },
        { "plan-policy", VSM_SEVERITY_INFORMATION,
          "The fallback of system '%1' begins with '%2', so it does not move",
          NULL },
        { "plan-preferred", VSM_SEVERITY_INFORMATION,
          "Host '%1' is preferred by the priority of hosts",
          NULL },
        { "plan-quicker", VSM_SEVERITY_INFORMATION,
          "System '%1' would not arrive in time by '%2', so a quicker way is taken",
          NULL },
        { "plan-slowed-down", VSM_SEVERITY_WARNING,
          "System '%1' changes %2 MiB of memory a second and the link carries %3 MiB: it is slowed down while "
          "it moves",
          "Move it while it does less, or allow post-copy or resume in its fallback." },
        { "pool-fixed", VSM_SEVERITY_ERROR,
          "The storage pool '%2' of host '%1' is of the type '%3', in which no volumes are made",
          "Name an existing volume of it and allow that to be overwritten, or choose another pool." },
        { "pool-missing", VSM_SEVERITY_ERROR,
          "Host '%1' has no active storage pool '%2', which a disk of the system is in",
          "Define and start a pool of that name there." },
        { "post-copy-left-out", VSM_SEVERITY_INFORMATION,
          "System '%1' was moved without leave for post-copy, which host '%2' or this one cannot do",
          "Set the sysctl vm.unprivileged_userfaultfd to 1 on both hosts." },
        { "post-copy-not-possible", VSM_SEVERITY_ERROR,
          "System '%1' cannot be moved to host '%2' in post-copy",
          "Set the sysctl vm.unprivileged_userfaultfd to 1 on both hosts, or do without post-copy." },
        { "same-host", VSM_SEVERITY_ERROR,
          "Host '%1' is this host, or has the same host UUID",
          "Name another host. If it is another one, give it a host_uuid of its own in libvirtd.conf." },
        { "same-volume", VSM_SEVERITY_ERROR,
          "Disk '%1' may be the very volume '%2' of host '%3', on storage that both hosts use",
          "Leave the disk where it is, or name another path." },
        { "saved-image-there", VSM_SEVERITY_ERROR,
          "Host '%2' has a saved image of system '%1', from which it would start there",
          "Remove that image." },
        { "secret-in-clear", VSM_SEVERITY_ERROR,
          "Secret '%2' would go to host '%1' over a connection that anybody on the way can read",
          "Define it there by hand, or use another AuthenticationType than 32770." },
        { "secret-missing", VSM_SEVERITY_ERROR,
          "Host '%1' does not have the secret '%2'",
          "Define it there, and set its value." },
        { "tls-certificate", VSM_SEVERITY_ERROR,
          "The TLS certificate of host '%1' is not accepted: %2",
          "See to the certificates of both hosts, and that the destination's has the name by which it is called "
          "here." },
        { "tpm-missing", VSM_SEVERITY_ERROR,
          "Host '%1' does not offer the TPM that the system has (%2)",
          "Install swtpm there, in a version that has it." },
        { "tpm-not-carried", VSM_SEVERITY_ERROR,
          "System '%1' has a TPM whose state goes to another host only while the system runs",
          "Start the system and move it live." },
        { "transient-disk", VSM_SEVERITY_ERROR,
          "System '%1' has a disk whose changes are thrown away, which libvirt does not migrate",
          "Remove the disk, or make it permanent." },
        { "unknown-disk", VSM_SEVERITY_ERROR,
          "The system has no disk '%1'",
          "Name one by its target, such as 'vda'." },
        { "unknown-interface", VSM_SEVERITY_ERROR,
          "The system has no network interface with the address %1",
          "Name one by its MAC address." },
        { "unreadable-volume", VSM_SEVERITY_ERROR,
          "Volume '%1' cannot be read",
          "See to its storage and its permissions." },
        { "uuid-in-use", VSM_SEVERITY_ERROR,
          "Host '%2' has a system '%3' with the UUID of '%1'",
          "Remove the one that is not wanted." },
        { "virtiofs", VSM_SEVERITY_ERROR,
          "System '%1' shares a folder of this host by virtiofs (%2), which cannot be migrated",
          "Detach it before the migration, and attach it at the destination afterwards." },
        { "volume-in-use", VSM_SEVERITY_ERROR,
          "'%2' of host '%1' is used by system '%3'",
          "Name another path, or detach it from that system." },
        { "volume-missing", VSM_SEVERITY_ERROR,
          "Host '%1' has no volume '%2' in the storage pool '%3'",
          "Refresh the pool there if the volume is new; else let both hosts use the same storage, or copy it." },
        { NULL, 0, NULL, NULL },
};

typedef struct Reason {
        const VsmReasonInfo *info;
        char *source;
        char *libvirt_text;
        char **arguments;
} Reason;

struct VsmReasons {
        gint n_ref;
        GMutex lock;
        GPtrArray *list;
};

const VsmReasonInfo* vsm_reason_table(void) {
        return table;
}

const VsmReasonInfo* vsm_reason_find(const char *code) {
        for (const VsmReasonInfo *info = table; info->code; info++)
                if (strcmp(info->code, code) == 0)
                        return info;

        return NULL;
}

static void reason_free(void *userdata) {
        Reason *reason = userdata;

        g_free(reason->source);
        g_free(reason->libvirt_text);
        g_strfreev(reason->arguments);
        g_free(reason);
}

VsmReasons* vsm_reasons_new(void) {
        VsmReasons *reasons = g_new0(VsmReasons, 1);

        reasons->n_ref = 1;
        g_mutex_init(&reasons->lock);
        reasons->list = g_ptr_array_new_with_free_func(reason_free);
        return reasons;
}

VsmReasons* vsm_reasons_ref(VsmReasons *reasons) {
        g_atomic_int_inc(&reasons->n_ref);
        return reasons;
}

void vsm_reasons_unref(VsmReasons *reasons) {
        if (!reasons || !g_atomic_int_dec_and_test(&reasons->n_ref))
                return;

        g_ptr_array_unref(reasons->list);
        g_mutex_clear(&reasons->lock);
        g_free(reasons);
}

void vsm_reasons_add(
                VsmReasons *reasons,
                const char *code,
                const char *source,
                const char *libvirt_text,
                ...) {

        G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reasons->lock);
        g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
        Reason *reason;
        va_list ap;

        va_start(ap, libvirt_text);
        for (const char *s; (s = va_arg(ap, const char *));)
                g_strv_builder_add(builder, s);
        va_end(ap);

        reason = g_new(Reason, 1);
        *reason = (Reason) {
                .info = vsm_reason_find(code),
                .source = g_strdup(source),
                .libvirt_text = g_strdup(libvirt_text),
                .arguments = g_strv_builder_end(builder),
        };
        g_assert(reason->info);
        g_ptr_array_add(reasons->list, reason);
}

bool vsm_reasons_has(VsmReasons *reasons, const char *code) {
        G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reasons->lock);

        for (guint i = 0; i < reasons->list->len; i++)
                if (strcmp(((Reason *) g_ptr_array_index(reasons->list, i))->info->code, code) == 0)
                        return true;

        return false;
}

/* An argument is text of others: what looks like %1 in it stays as it is. */
static char* fill_in(const Reason *reason) {
        GString *text = g_string_new(NULL);
        unsigned n = g_strv_length(reason->arguments);

        for (const char *p = reason->info->message; *p; p++) {
                unsigned i = p[0] == '%' && g_ascii_isdigit(p[1]) ? (unsigned) (p[1] - '0') : 0;

                if (i < 1 || i > n) {
                        g_string_append_c(text, *p);
                        continue;
                }

                g_string_append(text, reason->arguments[i - 1]);
                p++;
        }

        if (reason->libvirt_text)
                g_string_append_printf(text, ": %s", reason->libvirt_text);
        return g_string_free(text, FALSE);
}

static GVariant* reason_to_variant(const Reason *reason) {
        const char *actions[] = { reason->info->action, NULL };
        g_autofree char *message = fill_in(reason);
        GVariantDict dict;

        g_variant_dict_init(&dict, NULL);
        g_variant_dict_insert(&dict, "MessageID", "s", reason->info->code);
        g_variant_dict_insert(&dict, "Message", "s", message);
        g_variant_dict_insert(&dict, "MessageArguments", "^as", reason->arguments);
        g_variant_dict_insert(&dict, "PerceivedSeverity", "q", reason->info->severity);
        g_variant_dict_insert(&dict, "ErrorSource", "s", reason->source ?: "");
        g_variant_dict_insert(&dict, "RecommendedActions", "^as", actions);
        if (reason->libvirt_text)
                g_variant_dict_insert(&dict, "LibvirtError", "s", reason->libvirt_text);

        return g_variant_dict_end(&dict);
}

GVariant* vsm_reasons_to_variant(VsmReasons *reasons) {
        static const uint16_t order[] = {
                VSM_SEVERITY_ERROR,
                VSM_SEVERITY_WARNING,
                VSM_SEVERITY_INFORMATION,
        };
        G_GNUC_UNUSED g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&reasons->lock);
        GVariantBuilder builder;

        g_variant_builder_init(&builder, G_VARIANT_TYPE("aa{sv}"));
        for (unsigned severity = 0; severity < G_N_ELEMENTS(order); severity++)
                for (guint i = 0; i < reasons->list->len; i++) {
                        const Reason *reason = g_ptr_array_index(reasons->list, i);

                        if (reason->info->severity == order[severity])
                                g_variant_builder_add_value(&builder, reason_to_variant(reason));
                }

        return g_variant_ref_sink(g_variant_builder_end(&builder));
}

uint16_t vsm_reasons_variant_severity(GVariant *reasons) {
        uint16_t highest = 0;

        for (gsize i = 0; i < g_variant_n_children(reasons); i++) {
                g_autoptr(GVariant) reason = g_variant_get_child_value(reasons, i);
                guint16 severity = 0;

                if (g_variant_lookup(reason, "PerceivedSeverity", "q", &severity))
                        highest = MAX(highest, severity);
        }

        return highest;
}

bool vsm_reasons_variant_has_error(GVariant *reasons) {
        return vsm_reasons_variant_severity(reasons) >= VSM_SEVERITY_ERROR;
}
