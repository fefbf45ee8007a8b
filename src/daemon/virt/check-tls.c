/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Certificates, and the way that the memory takes. The control connection verifies libvirt's certificate
 * there by itself; what it says when it does not like it is made sense of here. Workers. */

#include <string.h>

#include "daemon/virt/check.h"
#include "shared/enums.h"

/* Words of libvirt and of GnuTLS, in lower case. The first one that fits counts. */
static const struct {
        const char *text;
        const char *fault;
} faults[] = {
        { "does not match the hostname",        "it is for another name"                                   },
        { "hasn't got a known issuer",          "it is from an authority that this host does not trust"    },
        { "certificate is not trusted",         "it is from an authority that this host does not trust"    },
        { "has been revoked",                   "it was revoked"                                           },
        { "insecure algorithm",                 "it is signed in a way that is not secure"                 },
        { "certificate has expired",            "it has expired"                                           },
        { "certificate is not yet active",      "it is not valid yet"                                      },
        { "has expired",                        "a certificate of this host has expired"                   },
        { "is not yet active",                  "a certificate of this host is not valid yet"              },
        { "cannot read ca certificate",         "this host has no certificates of authorities"             },
        { "unable to set x509",                 "this host's own certificates cannot be used"              },
        { "certificate is bad",                 "that host does not accept the certificate of this one"    },
        { "certificate is required",            "that host asks for a certificate, and this one has none"  },
        { "certificate was required",           "that host asks for a certificate, and this one has none"  },
        { "unknown ca",                         "that host does not know the authority of this one's"      },
        { "ca is unknown",                      "that host does not know the authority of this one's"      },
        { "tls confirmation",                   "that host does not accept the certificate of this one"    },
        { "server verification",                "that host does not accept the certificate of this one"    },
        { "failed to verify peer's certificate", "it is for another name, from an authority that this host "
                                                 "does not trust, or not valid at this time"               },
        { "certificate failed validation",      "it is not valid"                                          },
};

const char* vsm_tls_fault(const char *text) {
        g_autofree char *lower = g_ascii_strdown(text, -1);

        for (size_t i = 0; i < G_N_ELEMENTS(faults); i++)
                if (strstr(lower, faults[i].text))
                        return faults[i].fault;

        return NULL;
}

/* Libvirt's own certificate has been seen when we come here. QEMU, which takes the memory, has one from a
 * folder of its own, that nobody can look at before a migration begins. */
bool vsm_check_tls(VsmCheck *check, GError **error) {
        uint16_t transport = check->options.destination->transport;

        if (transport == VSM_TRANSPORT_TLS || transport == VSM_TRANSPORT_TLS_STRICT)
                vsm_check_not_verifiable(check, check->host, NULL,
                                         "whether QEMU on host '%s' has a certificate for that name", check->host);

        return true;
}

/* Not to be tried out: where a QEMU waits for another migration, it would take our connection for that. */
bool vsm_check_ports(VsmCheck *check, GError **error) {
        if (check->options.destination->transport != VSM_TRANSPORT_SSH)
                vsm_check_not_verifiable(check, check->host, NULL,
                                         "whether the firewall of host '%s' lets the memory through (TCP ports "
                                         "49152 to 49215, unless qemu.conf there says otherwise)", check->host);

        return true;
}
