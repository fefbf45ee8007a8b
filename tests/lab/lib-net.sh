# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# Certificates; and what tests do to the network between the hosts.

# Made anew for each lab. RSA for the hosts: libvirt insists on "key encipherment", which certtool gives
# to no elliptic key ("usage does not permit key encipherment"). A CA and certificates for server and
# client of each host. All of it runs certtool inside a root folder, since the machine need not have it.
certs_prepare() {
  local r=$LAB_DIR/mnt/base/root dir=etc/pki/CA
  mkdir -p "$r/$dir/private" "$r"/etc/pki/{libvirt/private,qemu}
  chmod 700 "$r/$dir/private"
  printf 'cn = "vsmd lab"\nca\ncert_signing_key\nexpiration_days = 30\n' >"$r/$dir/ca.info"
  certs_tool "$r" --generate-privkey --key-type=ecdsa --curve secp256r1 --outfile $dir/private/cakey.pem
  certs_tool "$r" --generate-self-signed --load-privkey $dir/private/cakey.pem --template $dir/ca.info \
    --outfile $dir/cacert.pem
}

certs_tool() { # ROOT ARGUMENTS...
  local root=$1 out
  shift
  out=$(chroot "$root" certtool "$@" 2>&1) || die "certtool $*: $out"
}

certs_common() { # ROOT
  cp "$1/etc/pki/CA/cacert.pem" "$1/etc/pki/qemu/ca-cert.pem"
}

certs_one() { # ROOT NAME KEY-FILE CERT-FILE TEMPLATE-LINES...
  local r=$1 name=$2 key=$3 cert=$4
  shift 4
  printf '%s\n' "cn = \"$name\"" 'organization = "vsmd lab"' signing_key encryption_key \
    'expiration_days = 30' "$@" >"$r/etc/pki/one.info"
  certs_tool "$r" --generate-privkey --key-type=rsa --bits 2048 --outfile "$key"
  certs_tool "$r" --generate-certificate --load-privkey "$key" --load-ca-certificate etc/pki/CA/cacert.pem \
    --load-ca-privkey etc/pki/CA/private/cakey.pem --template etc/pki/one.info --outfile "$cert"
  rm "$r/etc/pki/one.info"
}

certs_host() { # ROOT LETTER
  local r=$1 name pki=etc/pki
  name=$(host_name "$2")
  certs_one "$r" "$name" $pki/libvirt/private/serverkey.pem $pki/libvirt/servercert.pem tls_www_server \
    "dns_name = \"$name\"" "ip_address = \"$(host_ip4 "$2")\"" "ip_address = \"$(host_ip6 "$2")\""
  certs_one "$r" "$name client" $pki/libvirt/private/clientkey.pem $pki/libvirt/clientcert.pem tls_www_client
  cp "$r/$pki/libvirt/servercert.pem" "$r/$pki/qemu/server-cert.pem"
  cp "$r/$pki/libvirt/private/serverkey.pem" "$r/$pki/qemu/server-key.pem"
  cp "$r/$pki/libvirt/clientcert.pem" "$r/$pki/qemu/client-cert.pem"
  cp "$r/$pki/libvirt/private/clientkey.pem" "$r/$pki/qemu/client-key.pem"
  certs_access "$r"
}

# The service opens control connections itself, as its own user; QEMU and libvirtd are root here.
certs_access() { # ROOT
  chmod 755 "$1"/etc/pki "$1"/etc/pki/{CA,libvirt,qemu}
  chmod 750 "$1/etc/pki/libvirt/private"
  chmod 640 "$1/etc/pki/libvirt/private/clientkey.pem"
  if grep -q '^vsmd:' "$1/etc/group"; then
    chroot "$1" chgrp vsmd /etc/pki/libvirt/private /etc/pki/libvirt/private/clientkey.pem
  fi
}

cmd_link() { # HOST rate RATE|unlimited
  [[ ${2-} = rate && -n ${3-} ]] || die "link HOST rate RATE|unlimited"
  if [ "$3" = unlimited ]; then
    in_host "$1" tc qdisc del dev host0 root 2>/dev/null || true
  else
    in_host "$1" tc qdisc replace dev host0 root tbf rate "$3" burst 256k latency 100ms
  fi
}

# Nothing answers: packets vanish without a word, as with a broken switch. Established connections hang.
cmd_cut() { # HOST [PORT[-PORT]]
  local what=''
  [ -n "${1-}" ] || die "cut HOST [PORT[-PORT]]"
  [ -z "${2-}" ] || what="tcp dport $2"
  in_host "$1" nft -f - <<EOF
table inet vsm_lab_cut {
  chain in { type filter hook input priority -300; }
  chain out { type filter hook output priority -300; }
}
add rule inet vsm_lab_cut in iifname "host0" $what drop
add rule inet vsm_lab_cut out oifname "host0" $what drop
${2:+add rule inet vsm_lab_cut in iifname "host0" tcp sport $2 drop}
${2:+add rule inet vsm_lab_cut out oifname "host0" tcp sport $2 drop}
EOF
}

cmd_heal() { # [HOST]
  local host
  for host in ${1:-$(host_letters)}; do
    # A host that is off has nothing to heal.
    host_is_on "$host" || continue
    in_host "$host" nft delete table inet vsm_lab_cut 2>/dev/null || true
  done
}
