#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is to be different there: name, description, autostart, networks. It is so in the guest that runs and in what is
# stored, hence also after its next start; what cannot be is told by its name, and nothing happened.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libmove.sh
. "$test_dir/libmove.sh"

LIVE="'MigrationType': <uint16 32768>"
MAC=52:54:00:77:00:01
ODD="o&d <\"n' ü\$x"
ODD_NETWORK="la n<&\">ü"

# Its name changes here, its UUID does not.
system_path() { # HOST UUID
  printf '%s/system/%s\n' "$VSM_ROOT" "${2//-/_}"
}

# As GVariant text has it
text() { # STRING
  local s=${1//\\/\\\\}
  printf "'%s'" "${s//\'/\\\'}"
}

network_to() { # MAC NAME
  printf "{'ResourceType': <uint16 33>, 'InstanceID': <'%s'>, 'Connection': <[%s]>}" "$1" "$(text "$2")"
}

# Switched by a bridge that is there: a network of libvirt's that changes no rules of the host's
make_network() { # HOST NAME BRIDGE
  local name=${2//&/"&amp;"}
  host_run "$1" ip link add "$3" type bridge
  host_run "$1" ip link set "$3" up
  host_run "$1" virsh -q net-define /dev/stdin <<<"<network><name>${name//</"&lt;"}</name><forward mode='bridge'/>
    <bridge name='$3'/></network>"
  host_run "$1" virsh -q net-start --network "$2"
}

remove_networks() {
  local host
  for host in A B; do
    # shellcheck disable=SC2016 # for the shell over there
    host_run "$host" sh -c 'virsh -q net-list --all --uuid | while read -r net; do
        [ -z "$net" ] || { virsh -q net-destroy "$net"; virsh -q net-undefine "$net"; }
      done; for bridge in brlan brodd brbare; do ip link delete "$bridge"; done' >/dev/null 2>&1 || true
  done
}

define_with_interface() { # NAME
  guest_define A "$1" --ws 8
  host_run A virsh dumpxml --inactive --domain "$1" |
    sed "s,</devices>,<interface type='network'><mac address='$MAC'/><source network='lan'/><model type='e1000e'/>\
<rom enabled='no'/></interface>&," | host_run A virsh -q define /dev/stdin
}

xml() { # HOST UUID live|config PATH: the text of an element or of an attribute, "" when there is none
  local inactive='' path=$4
  [ "$3" = live ] || inactive=--inactive
  [[ $path == */@* ]] || path+='/text()'
  # shellcheck disable=SC2086 # an option or nothing
  { host_run "$1" virsh -q dumpxml $inactive --domain "$2" --xpath "/domain/$path" 2>/dev/null || true; } |
    sed -E 's/^ *[a-z]+="(.*)"$/\1/; s/&lt;/</g; s/&gt;/>/g; s/&quot;/"/g; s/&#xFC;/ü/g; s/&amp;/\&/g'
}

# The same in what runs and in what is stored
assert_xml() { # HOST UUID XPATH WANT
  assert_eq "$(xml "$1" "$2" live "$3")" "$4" "$3 as it runs"
  assert_eq "$(xml "$1" "$2" config "$3")" "$4" "$3 as it is stored"
}

autostart() { # HOST UUID: enable or disable, as virsh has it
  host_run "$1" virsh -q dominfo --domain "$2" | awk '/^Autostart/ { print $2 }'
}

assert_runs() { # HOST OTHER UUID NAME: under that name and nowhere else
  assert_eq "$(host_run "$1" virsh -q domname --domain "$3" | head -n 1)" "$4" "its name on host $1"
  assert_eq "$(host_run "$1" virsh -q domstate --domain "$3" | head -n 1)" running "its state on host $1"
  assert_eq "$(guest_state "$2" "$3")" none "nothing of it is left on host $2"
}

# Nothing of it has gone: it runs here as it was, and there is nothing there.
assert_stayed() { # NAME
  assert_runs A B "$uuid" "$1"
  assert_eq "$(host_run B pgrep -c qemu-system || true)" 0 "no QEMU on host B"
  assert_eq "$(xml A "$uuid" config name)$(xml A "$uuid" config description)" "$before" "stored as before"
  assert_eq "$(autostart A "$uuid")" disable "its autostart mark"
}

refused() { # REGEX SYSTEM RESOURCES
  local reply job
  before=$(xml A "$uuid" config name)$(xml A "$uuid" config description)
  if reply=$(ask_start A "$uuid" "$(host_name B)" "$LIVE" "$2" "$3" 2>refused); then
    job=$(grep -oE "$VSM_ROOT/job/[0-9]+" <<<"$reply")
    wait_job A "$job" "$END"
    assert_eq "$(job_prop A "$job" JobState)" 10 "JobState of what is refused"
    assert_eq "$(transfer_prop A "$job" MemoryProcessed)" 0 "no byte has left"
    assert_match "$(reasons A "$job")" "$1" "the reason is told"
  else
    assert_file_has_content refused "$1"
  fi
  assert_stayed web
}

there_all_at_once() {
  local job before
  before=$(console_size web)
  job=$(start_move A "$uuid" "$(host_name B)" "$LIVE" \
    "'ElementName': <$(text "$ODD")>, 'Description': <$(text "Web & <more> 'ü'")>, 'AutomaticStart': <true>" \
    "$(network_to "$MAC" "$ODD_NETWORK")")
  assert_moved A "$job"
  assert_runs B A "$uuid" "$ODD"
  assert_xml B "$uuid" name "$ODD"
  assert_xml B "$uuid" description "Web & <more> 'ü'"
  assert_xml B "$uuid" devices/interface/source/@network "$ODD_NETWORK"
  assert_match "$(host_run B ip -o link show master brodd)" 'vnet[0-9]+' "it is connected to that bridge"
  assert_eq "$(autostart B "$uuid")" enable "autostart there"
  assert_eq "$(host_run B busctl --json=short get-property "$VSM_NAME" "$(system_path B "$uuid")" "$VSM_NAME.System" \
    ElementName)" "{\"type\":\"s\",\"data\":\"${ODD//\"/\\\"}\"}" "ElementName"
  wait_tick web
  assert_guest_good web
}

started_anew() {
  host_run B virsh -q destroy --domain "$uuid"
  : >"$(lab console web)"
  host_run B virsh -q start --domain "$uuid"
  wait_tick web
  assert_runs B A "$uuid" "$ODD"
  assert_xml B "$uuid" devices/interface/source/@network "$ODD_NETWORK"
  assert_match "$(host_run B ip -o link show master brodd)" 'vnet[0-9]+' "it is connected to that bridge"
}

back_to_a_bridge() {
  local job
  wait_system B "$uuid" OperatingStatus '^0$'
  job=$(start_move B "$uuid" "$(host_name A)" "$LIVE" \
    "'ElementName': <'web'>, 'AutomaticStart': <false>" "$(network_to "${MAC^^}" brbare)")
  assert_moved B "$job"
  assert_runs A B "$uuid" web
  assert_xml A "$uuid" devices/interface/@type bridge
  assert_xml A "$uuid" devices/interface/source/@bridge brbare
  assert_xml A "$uuid" description "Web & <more> 'ü'"
  assert_match "$(host_run A ip -o link show master brbare)" 'vnet[0-9]+' "it is connected to that bridge"
  assert_eq "$(autostart A "$uuid")" disable "autostart"
  wait_tick web
  assert_guest_good web
}

bad_wishes() {
  guest_define B taken
  refused "another system with the name 'taken'|'taken'" "'ElementName': <'taken'>" ''
  refused 'InvalidParameter.*ElementName' "'ElementName': <'a/b'>" ''
  refused 'InvalidParameter.*ElementName' "'ElementName': <'a\\nb'>" ''
  refused '52:54:00:77:00:99' '' "$(network_to 52:54:00:77:00:99 "$ODD_NETWORK")"
  refused "'nosuch'|nosuch" '' "$(network_to "$MAC" nosuch)"
  refused 'InvalidParameter.*InstanceID' '' "$(network_to net0 "$ODD_NETWORK")"
  host_run B virsh -q net-destroy --network "$ODD_NETWORK"
  refused "no active network 'la n" '' "$(network_to "$MAC" "$ODD_NETWORK")"
  host_run B virsh -q net-start --network "$ODD_NETWORK"
  host_run B virsh -q undefine --domain taken
}

# In the middle of it: here it has its old name, and is on its old network.
cancelled() {
  local job
  before=$(xml A "$uuid" config name)$(xml A "$uuid" config description)
  job=$(start_move A "$uuid" "$(host_name B)" "$LIVE, 'Bandwidth': <uint16 1>" \
    "'ElementName': <'other'>, 'Description': <'never'>, 'AutomaticStart': <true>" "$(network_to "$MAC" "$ODD_NETWORK")")
  wait_system A "$uuid" MigrationState '^2$'
  assert_eq "$(guest_state B other)" paused "it arrives under its new name"
  assert_eq "$(request A "$job" 4)" 4096 "cancelled"
  wait_job A "$job" "$END"
  assert_eq "$(job_prop A "$job" JobState)" 8 "JobState"
  assert_stayed web
  assert_eq "$(guest_state B other)" none "nothing of it there under the other name"
  assert_xml A "$uuid" devices/interface/source/@bridge brbare
  wait_tick web
  assert_guest_good web
}

# The service dies in the middle: whoever finds out where it is knows it by its UUID.
killed() {
  local job
  job=$(start_move A "$uuid" "$(host_name B)" "$LIVE, 'Bandwidth': <uint16 1>" \
    "'ElementName': <'other'>, 'AutomaticStart': <true>" "$(network_to "$MAC" "$ODD_NETWORK")")
  wait_system A "$uuid" MigrationState '^2$'
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  wait_until 20 host_run A busctl get-property "$VSM_NAME" "$job" "$VSM_NAME.Job" JobState
  host_run A virsh -q migrate-setspeed --domain "$uuid" --bandwidth 1000
  assert_moved A "$job"
  assert_runs B A "$uuid" other
  assert_xml B "$uuid" devices/interface/source/@network "$ODD_NETWORK"
  assert_eq "$(autostart B "$uuid")" enable "autostart there"
  wait_tick web
  assert_guest_good web
}

transient() {
  local job
  guest_start A passing --ws 8 --transient
  uuid=$(guest_uuid A passing)
  job=$(start_move A "$uuid" "$(host_name B)" "$LIVE" "'ElementName': <'gone'>, 'Description': <'passing'>")
  assert_moved A "$job"
  assert_runs B A "$uuid" gone
  assert_eq "$(xml B "$uuid" live description)" passing "description of a transient one"
  assert_match "$(host_run B virsh -q dominfo --domain gone)" 'Persistent: +no' "it is still transient"
  wait_tick passing
  assert_guest_good passing
}

hosts_need kvm gdbus
hosts_setup "$@"
at_exit remove_networks
remove_networks
make_network A lan brlan
make_network B "$ODD_NETWORK" brodd
host_run A sh -ec 'ip link add brbare type bridge; ip link set brbare up'
define_with_interface web
guest_start A web
uuid=$(guest_uuid A web)

bad_wishes
ok "what cannot be is told by its name"
there_all_at_once
ok "name, description, autostart and network change on the way"
started_anew
ok "the next start is as it was asked for"
back_to_a_bridge
ok "back, to a bridge that libvirt has no network for"
cancelled
ok "cancelled"
killed
ok "the service is killed"
transient
ok "a transient guest"

hosts_done
plan
