#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every property of the service, of a system and of a job, at the moments that can change it: at rest, with one in the
# queue, while one moves, is handed over and has moved, during a quiesce and after it, after a cancel and a failure,
# while libvirt is away, and when addresses come and go. Compared with the contract's values, in a table.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

END='^(7|8|9|10|32768)$'
declare -A submitted uuid path
facts=() asked=0

### comparing

time_on() { # HOST
  host_run "$1" date +%s%6N
}

compare() { # HOST PATH INTERFACE[-KIND] MOMENT BEGINNING FACT=JSON...
  local interface=$VSM_NAME.${3%-*} now
  [ "$3" != service ] || interface=$VSM_NAME
  host_run "$1" busctl --json=short call "$VSM_NAME" "$2" org.freedesktop.DBus.Properties GetAll s "$interface" \
    >all.json
  now=$(time_on "$1")
  [ -e "$interface.xml" ] || host_run A cat "/usr/share/dbus-1/interfaces/$interface.xml" >"$interface.xml"
  assert_true "$3, $4" "$test_dir/compare-values" "$test_dir/test-migrate-moments.table" "$interface.xml" "$3" "$4" \
    "now=$now" "since=$((now - $5))" "${@:6}" <all.json
}

# "9.1.2" as libvirt counts
version_number() {
  local major minor micro
  IFS=. read -r major minor micro
  echo $((major * 1000000 + minor * 1000 + micro))
}

learn_facts() {
  local versions
  versions=$(host_run A virsh version)
  facts=(
    # that it is a good one, and that Features are, is for test-bus-properties; here they never change
    "installed=$(prop A "$VSM_ROOT" "$VSM_NAME" InstallDate)"
    "features=$(host_run A busctl --json=short get-property "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME.Manager" Features |
      python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["data"]))')"
    "hostname=\"$(host_run A hostname)\""
    "version=\"$(host_run A vsmctl --version | head -n1 | cut -d' ' -f2)\""
    "libvirt=$(sed -n 's/^Using library: libvirt //p' <<<"$versions" | version_number)"
    "hypervisor=$(sed -n 's/^Running hypervisor: QEMU //p' <<<"$versions" | version_number)"
  )
}

compare_service() { # MOMENT
  local interface
  for interface in service ServiceSettingData Manager; do
    compare A "$VSM_ROOT" "$interface" "$1" 0 "${facts[@]}" "asked=$asked"
  done
}

compare_system() { # HOST NAME MOMENT [JOB]
  local memory
  memory=$(host_run "$1" virsh -q dominfo --domain "${uuid[$2]}" | awk '/^Max memory/ { print $3 * 1024 }')
  compare "$1" "${path[$2]}" System "$3" 0 "uuid=\"${uuid[$2]}\"" "name=\"$2\"" "job=\"${4-/}\"" "memory=$memory"
}

compare_job() { # JOB NAME MOMENT [DESTINATION]
  local interface
  for interface in Job Job.Transfer; do
    compare A "$1" "$interface" "$3" "${submitted[$1]}" "id=\"org.example:MigrationJob/${1##*/}\"" "name=\"$2\"" \
      "uuid=\"${uuid[$2]}\"" "system=\"${path[$2]}\"" "submitted=${submitted[$1]}" "some=1000000" \
      "destination=\"${4-$(host_name B)}\""
  done
}

compare_quiesce() { # JOB MOMENT
  compare A "$1" Job-quiesce "$2" "$asked" "id=\"org.example:MigrationJob/${1##*/}\"" "submitted=$asked"
}

### the moments

at_rest() {
  compare_service rest
  compare_system A web rest
  compare_system A other rest
}

wait_moving() { # JOB: some of the memory is there
  wait_prop A "$1" "$VSM_NAME.Job.Transfer" MemoryProcessed '^[1-9][0-9]{6}' >/dev/null
}

# "other" moves, and "web" waits; then it is its turn.
queued_and_running() {
  submitted[new]=$(time_on A)
  first=$(hold A other B)
  submitted[$first]=${submitted[new]}
  wait_moving "$first"
  submitted[new]=$(time_on A)
  moving=$(hold A web B)
  submitted[$moving]=${submitted[new]}
  wait_system A web MigrationState '^1$'
  compare_service queued
  compare_system A web queued "$moving"
  compare_job "$moving" web queued

  assert_eq "$(request A "$first" 4)" 4096 "cancelled"
  wait_job A "$first" '^8$'
  wait_moving "$moving"
  compare_service running
  compare_system A web running "$moving"
  compare_job "$moving" web running
  compare_system B web arriving
  compare_system A other cancelled "$first"
  compare_job "$first" other cancelled
}

quiesced() {
  local quiesce
  asked=$(time_on A)
  quiesce=$(call A "$VSM_ROOT" "$VSM_NAME" RequestStateChange qt 9 0)
  quiesce=${quiesce#*\"} quiesce=${quiesce%\"}
  compare_service quiescing
  compare_quiesce "$quiesce" quiescing
  compare_job "$moving" web running

  # libvirtd there stands still: handed over, and nobody takes it
  at_exit 'signal_libvirtd CONT'
  signal_libvirtd STOP
  let_go A "$moving"
  wait_system A web MigrationState '^3$'
  compare_service quiescing
  compare_system A web handed "$moving"
  compare_job "$moving" web handed
  signal_libvirtd CONT

  wait_job A "$moving" "$END"
  wait_job A "$quiesce" "$END"
  compare_service quiet
  compare_quiesce "$quiesce" quiet
  compare_job "$moving" web moved
  wait_system B web OperatingStatus '^0$'
  wait_system B web Autostart '^true$'
  compare_system B web moved
  assert_guest_on B web

  asked=$(time_on A)
  call A "$VSM_ROOT" "$VSM_NAME" StartService >/dev/null
  compare_service enabled
}

signal_libvirtd() { # SIGNAL
  host_run B systemctl kill --kill-who=main --signal="$1" libvirtd.service
}

failed() {
  submitted[new]=$(time_on A)
  moving=$(migrate A other nosuchhost.invalid)
  submitted[$moving]=${submitted[new]}
  wait_job A "$moving" "$END"
  compare_service enabled
  compare_system A other failed "$moving"
  compare_job "$moving" other failed nosuchhost.invalid
}

libvirt_away() {
  libvirt_off A
  wait_prop A "$VSM_ROOT" "$VSM_NAME" HealthState '^20$' >/dev/null
  compare_service lost
  compare_job "$moving" other failed nosuchhost.invalid
  libvirt_on A
  wait_prop A "$VSM_ROOT" "$VSM_NAME" HealthState '^5$' >/dev/null
  compare_service found
  compare_system A other failed "$moving"
}

address_changes() {
  local link
  link=$(host_run A ip -brief -4 addr show to 10.77.0.1 | awk '{ sub("@.*", "", $1); print $1 }')
  at_exit "host_run A ip addr del 10.77.0.101/24 dev '$link' 2>/dev/null"
  host_run A ip addr add 10.77.0.101/24 dev "$link"
  wait_prop A "$VSM_ROOT" "$VSM_NAME" MigrationServiceListenerIPAddressList '\.101' >/dev/null
  compare_service added
  host_run A ip addr del 10.77.0.101/24 dev "$link"
  wait_prop A "$VSM_ROOT" "$VSM_NAME" MigrationServiceListenerIPAddressList '^2 ' >/dev/null
  compare_service removed
}

hosts_setup "$@"
set_limit A 1
for name in web other; do
  guest_start A "$name" --ws 16 --autostart
  uuid[$name]=$(guest_uuid A "$name")
  path[$name]=$(system_path A "$name")
done
learn_facts

at_rest
ok "at rest"
queued_and_running
ok "one moves and one waits; then that one moves; the first was cancelled"
quiesced
ok "a quiesce while one moves, is handed over and has moved; after it; enabled again"
failed
ok "one failed"
libvirt_away
ok "libvirt goes and comes"
address_changes
ok "an address comes and goes"
assert_guest_good web
assert_guest_good other
ok "no guest noticed"

hosts_done
plan
