#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# As shipped: control connection and memory are encrypted, and the destination has to prove who it is. Anything wrong
# with its certificate ends the migration before a byte of the guest has left.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libtransport.sh
. "$test_dir/libtransport.sh"

encrypted() {
  local job
  job=$(hold A web B)
  wait_system A web MigrationState '^2$'
  assert_eq "$(prop A "$job" "$VSM_NAME.Job.Transfer" Encrypted)" true "Encrypted"
  assert_match "$(host_run A virsh qemu-monitor-command --hmp --domain web 'info migrate_parameters')" \
    "tls-creds: '.*tls.*'" "QEMU encrypts"
  assert_match "$(host_run A ss -Htn state established dport = 16514)" '10\.77\.0\.2|fd00:77::2' "and so does libvirt"
  assert_match "$(call A "$job" "$VSM_NAME.Job" GetRequest)" '"TransportType" q 3' "TransportType"
  let_go A "$job"
  wait_job A "$job" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop A "$job" JobState)" 7 "JobState"
  assert_guest_on B web
  assert_guest_good web
  wait_system B web OperatingStatus '^0$'
  job=$(migrate B web 10.77.0.1) # the certificate of a host knows its addresses as well
  wait_job B "$job" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop B "$job" JobState)" 7 "back, by address"
  wait_system A web OperatingStatus '^0$'
}

weaker_wish() {
  assert_refused IncompatibleParameters A "$VSM_ROOT" "$VSM_NAME.MigrateVirtualSystemToHost" \
    "$(system_path A web)" "$(host_name B)" "{'TransportType': <uint16 5>}" '{}' '[]'
  assert_eq "$(system_prop A web MigrationState)" 0 "nothing was started"
  assert_guest_on A web
}

# On host B, in the folder that the names are relative to; the lab's CA or a new one signs.
bad_certificate() { # CERT KEY lab|other NAME
  host_run B sh -es "$@" <<'END'
cd /etc/pki
umask 077
dir=CA key=CA/private/cakey.pem
if [ "$3" = other ]; then
  dir=/tmp key=/tmp/cakey.pem
  printf 'cn = "vsmd lab"\nca\ncert_signing_key\nexpiration_days = 30\n' >/tmp/ca.info
  certtool --generate-privkey --key-type=ecdsa --curve secp256r1 --outfile $key
  certtool --generate-self-signed --load-privkey $key --template /tmp/ca.info --outfile /tmp/cacert.pem
fi
printf '%s\n' "cn = \"$4\"" "dns_name = \"$4\"" tls_www_server signing_key encryption_key 'expiration_days = 30' >/tmp/info
certtool --generate-certificate --load-privkey "$2" --load-ca-certificate $dir/cacert.pem --load-ca-privkey $key \
  --template /tmp/info --outfile "$1"
# libvirtd starts only with a certificate of its own CA.
[ "$3" = lab ] || cp /tmp/cacert.pem CA/cacert.pem
END
  restart_libvirtd_there
}

# More often than systemd likes
restart_libvirtd_there() {
  host_run B sh -c 'systemctl reset-failed libvirtd.service; systemctl restart libvirtd.service'
}

restore() {
  host_run B sh -c '[ ! -d /etc/pki.kept ] || { rm -rf /etc/pki/* && cp -a /etc/pki.kept/. /etc/pki/; }'
  restart_libvirtd_there
}

assert_no_byte_leaves() { # REGEX of the reason
  local job
  monitor_start A bus.tls
  job=$(migrate A web "$(host_name B)")
  wait_job A "$job" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop A "$job" JobState)" 10 "JobState"
  assert_eq "$(prop A "$job" "$VSM_NAME.Job.Transfer" MemoryProcessed)" 0 "no byte has left"
  assert_eq "$(system_prop A web MigrationState)" 5 "MigrationState"
  wait_for_line bus.tls "\"JobState\":\{\"type\":\"q\",\"data\":10" >/dev/null
  assert_not_match "$(seen bus.tls MigrationState)" '[234]' "it never came to the transfer"
  assert_match "$(call A "$job" "$VSM_NAME.Job" GetErrorEx)" "$1" "the reason is told"
  assert_stayed A B web
  rm bus.tls
}

hosts_need gdbus
hosts_setup "$@"
host_run B sh -c 'rm -rf /etc/pki.kept && cp -a /etc/pki /etc/pki.kept'
at_exit 'restore; listen B yes'
guest_start A web
as_shipped A B
listen B no # so plain TCP would fail

encrypted
ok "encrypted, there and back"
weaker_wish
ok "a wish for less is refused"
bad_certificate libvirt/servercert.pem libvirt/private/serverkey.pem other "$(host_name B)"
assert_no_byte_leaves '[Cc]ertificate'
ok "signed by another CA"
restore
bad_certificate libvirt/servercert.pem libvirt/private/serverkey.pem lab elsewhere
assert_no_byte_leaves '[Cc]ertificate'
ok "made out to another name"
restore
bad_certificate qemu/server-cert.pem qemu/server-key.pem lab elsewhere
assert_no_byte_leaves 'TLS|[Cc]ertificate'
ok "QEMU's made out to another name"
restore
encrypted
ok "goes well after all that"

hosts_done
plan
