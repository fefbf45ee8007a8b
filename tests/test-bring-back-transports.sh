#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests come home over TLS, as the service is shipped, and over ssh: the other host calls this one in the same way as
# it is called.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libbringback.sh
# shellcheck disable=SC2119 # bring_back takes none to mean all
. "$test_dir/libbringback.sh"
# shellcheck source=tests/libtransport.sh
. "$test_dir/libtransport.sh"

# Nothing but what this way needs is open between them.
comes_home() { # PORTS-THAT-ARE-CUT...
  local job child ports
  away web=B
  for ports; do
    lab cut A "$ports"
    lab cut B "$ports"
  done
  job=$(bring_back)
  assert_eq "$(wait_back "$job")" 7 "it comes home"
  lab heal
  child=$(children "$job")
  assert_eq "$(prop A "$child" "$VSM_NAME.Job.Transfer" Encrypted)" true "Encrypted"
  assert_guest_on A web
  assert_eq "$(guest_state B web)" none "nothing of it on host B"
  assert_eq "$(still_away)" "" "nobody is away"
  assert_guest_good web
}

leave() {
  host_run A virsh -q migrate --live --p2p --persistent --undefinesource --domain web "$(host_uri B)"
}

not_home() { # REGEX of what it says
  local job child
  away web=B
  job=$(bring_back)
  assert_eq "$(wait_back "$job")" 10 "it does not come"
  for child in "$job" $(children "$job"); do
    call A "$child" "$VSM_NAME.Job" GetErrorEx
  done >errors
  call A "$job" "$VSM_NAME.Job.Evacuation" GetLeftovers >>errors
  assert_file_has_content errors "$1"
  assert_guest_on B web
  assert_eq "$(still_away)" web "it can be asked for again"
}

certificate=/etc/pki/libvirt/clientcert.pem

# shellcheck disable=SC2016 # for the shell over there
restore() {
  host_run A sh -c '[ ! -e "$1.kept" ] || mv "$1.kept" "$1"' sh "$certificate"
}

hosts_need kvm
hosts_setup "$@"
at_exit 'restore; take_keys A B; lab heal'
guest_start A web --ws 8
leave
as_shipped A B
comes_home 16509
ok "over TLS"
leave
host_run A mv "$certificate" "$certificate.kept"
not_home 'LibvirtError.*TLS'
restore
ok "without a certificate of its own it does not, and can be asked for again"
give_keys A
use_ssh A 2
comes_home 16509-16514 49152-49215
ok "over ssh, with no other port open"

hosts_done
plan
