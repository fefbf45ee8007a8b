#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every member of every interface file is called, as root, as a user whom polkit lets and as one whom it does not,
# with good arguments and bad ones: the answer is the contract's, a refusal changes nothing, and polkit was asked
# about the action that the file names. The calls are made from the files and test-bus-members.table; a member
# without a row there ends the test.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libstorage.sh
. "$test_dir/libstorage.sh"

interfaces=/usr/share/dbus-1/interfaces # in the host
held="{'Bandwidth': <uint16 1>, 'AllowThrottling': <false>}" # in the transfer

path_on() { # HOST KIND NAME
  printf '%s/%s/%s\n' "$VSM_ROOT" "$2" "$(guest_uuid "$1" "$3" | tr - _)"
}

system_path() { # NAME
  path_on A system "$1"
}

# The first object path in the reply
path_of() { # METHOD ARGUMENTS...
  host_run A gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" --method "$VSM_NAME.$1" "${@:2}" |
    grep -oE "objectpath '[^']+'|^\('[^']+'" | tail -n 1 | cut -d"'" -f2
}

job_state() { # JOB REGEX
  wait_prop A "$1" "$VSM_NAME.Job" JobState "$2" >/dev/null
}

# One object of each kind, the jobs in each state: all are root's
make_objects() {
  web=$(system_path web) busy=$(system_path busy)
  make_network 10.77.0.0 # the two that count for all networks do so no longer, once there are others
  ended=$(path_of MigrateVirtualSystemToHost "$web" hostb "$held" '{}' '[]')
  wait_prop A "$web" "$VSM_NAME.System" MigrationState '^2$' >/dev/null
  # the service becomes quiet for as long as it takes; this job knows of no guest
  quiesce=$(path_of RequestStateChange 9 0)
  call A "$ended" "$VSM_NAME.Job" RequestStateChange qt 4 0 >/dev/null
  job_state "$ended" '^8$'
  job_state "$quiesce" '^7$'
  call A "$VSM_ROOT" "$VSM_NAME" StartService >/dev/null
  # nobody is away: it is through at once
  home=$(path_of Manager.BringBack '@a{sv} {}')
  job_state "$home" '^7$'
  checked=$(path_of CheckVirtualSystemIsMigratable "$web" hostb '{}' '{}' '[]')
  job_state "$checked" '^7$'
  job=$(path_of MigrateVirtualSystemToHost "$busy" hostb "$held" '{}' '[]')
  wait_prop A "$busy" "$VSM_NAME.System" MigrationState '^2$' >/dev/null
  path_of Manager.AddHost "{'Name': <'hostx'>}" >/dev/null # one to be removed
  host=$(path_of Manager.AddHost "{'Name': <'hostb'>}")
  blob=$(host_run A gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.GetSystemCompatibilityInfo" "$VSM_ROOT" | sed -E 's/^\(uint32 0, (.*)\)$/\1/')
}

# What no row has to bring into order again
make_network() { # SUBNET
  local number
  call A "$VSM_ROOT" "$VSM_NAME" AddNetworkSettings 'aa{sv}' 1 2 SubnetNumber s "$1" PrefixLength y 24 >/dev/null
  number=$(host_run A busctl tree --list "$VSM_NAME" | grep -oE 'network/[0-9]+' | cut -d/ -f2 | sort -n | tail -n 1)
  network=$VSM_ROOT/network/$number
  network_id=$(prop A "$network" "$VSM_NAME.NetworkSettingData" InstanceID)
}

# One to be destroyed, unless it is there
make_planned() {
  [ "$(guest_state A planned)" != none ] || planned=$(guest_plan A planned hostc)
}

# What moves away, or moves its disk
make_movable() {
  local host
  for host in A B; do
    make_pool "$host" pool /var/lib/libvirt/pool
    make_pool "$host" spare /var/lib/libvirt/spare
  done
  make_volume A pool disk.qcow2 qcow2 64M 4 >/dev/null
  guest_start A data --ws 8 --rate 20 --disk /var/lib/libvirt/pool/disk.qcow2
  guest_start A warm --ws 8
  make_volume A pool stored.qcow2 qcow2 4M >/dev/null
  guest_define A stored --disk /var/lib/libvirt/pool/stored.qcow2
  guest_define A cold
  guest_define B taken
}

# For whoever may move: virsh finds it there, and it is moved back.
fetch() { # WHO NAME TYPE STATE
  if [ "$1" = refused ]; then
    assert_eq "$(guest_state A "$2") $(guest_state B "$2")" "$4 none" "$2 has stayed"
    return
  fi
  assert_eq "$(guest_state A "$2") $(guest_state B "$2")" "none $4" "$2 has moved"
  wait_prop B "$(path_on B system "$2")" "$VSM_NAME.System" OperatingStatus '^0$' >/dev/null
  [ "$4" != running ] || wait_tick "$2" # one that still boots does not notice its power button
  host_run B gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.MigrateVirtualSystemToHost" "$(path_on B system "$2")" "$(host_name A)" \
    "{'MigrationType': <$3>}" "{'Description': <'back'>}" '[]' >/dev/null
  wait_until 60 is_back "$2" "$4"
}

is_back() { # NAME STATE
  [ "$(guest_state A "$1") $(guest_state B "$1")" = "$2 none" ]
}

staged() { # WHO
  if [ "$1" = refused ]; then
    assert_eq "$(guest_state B data) $(guest_state A planned)" "none shut off" "nothing is staged, nor destroyed"
    return
  fi
  assert_eq "$(guest_state B data) $(guest_state A planned)" "shut off none" "staged there, destroyed here"
  assert_eq "$(volumes B pool)" disk.qcow2 "with its disk"
  call B "$(path_on B planned data)" "$VSM_NAME.PlannedSystem" Destroy >/dev/null
}

objects() { # SUBNET
  printf '@%s@ %s\n' root "$VSM_ROOT" web "$web" busy "$busy" off "$(system_path off)" job "$job" ended "$ended" \
    checked "$checked" quiesce "$quiesce" home "$home" network "$network" network-id "$network_id" host "$host" blob "$blob" \
    data "$(system_path data)" data-uuid "$(guest_uuid A data)" cold "$(system_path cold)" \
    warm "$(system_path warm)" stored "$(system_path stored)" planned "$planned" held "$held" \
    here "$(host_name A)" subnet "$1"
}

everything() { # as libvirt and the disk have it
  local h
  for h in A B; do
    host_run "$h" virsh -q list --all | awk '$2 != "planned" { $1 = ""; print }' | sort
    host_run "$h" virsh -q list --all --name --autostart
    volumes "$h" pool
    volumes "$h" spare
  done
  for h in off data; do
    host_run A virsh -q dumpxml --inactive --domain "$h" | grep -v '<backingStore/>' # said since its disk was moved
  done
  host_run A ls /var/lib/vsmd
  host_run A systemctl show -p MainPID -p NRestarts vsmd.service
}

# USER WHO NUMBER: WHO is allowed or refused
every_member() {
  local before subnet=198.51.$((100 + $3)).0
  make_network "192.0.$((2 + $3)).0"
  make_planned
  before=$(everything)
  objects "$subnet" | "$test_dir/generate-members" calls interfaces "$test_dir/test-bus-members.table" "$2" "$1.json" \
    >"$1.calls"
  as_user A "$1" "$bus_caller" <"$1.calls" >"$1.answers" 2>"$1.errors" || cat "$1.errors"
  "$test_dir/generate-members" judge "$1.json" <"$1.answers" >"$1.verdict" || {
    evidence <"$1.verdict"
    fail "as $1: each answer is the contract's"
  }
  tail -n 1 "$1.verdict" | evidence
  staged "$2"
  fetch "$2" cold 1 'shut off'
  fetch "$2" warm 4 running
  assert_eq "$(everything)" "$before" "as $1: guests, state files and process are as before"
}

asked_for_actions() { # USER
  local name
  name=$(awk -F'\t' '$1 == "name" { print $3 }' "$1.answers")
  # all is here when a call of later is
  call A "$VSM_ROOT" "$VSM_NAME.Manager" GetSystem s the-last-call 2>/dev/null || true
  wait_for_line bus.A the-last-call >/dev/null
  "$test_dir/generate-members" asked interfaces "$1.json" "$name" <bus.A >asked.verdict || {
    evidence <asked.verdict
    fail "polkit was asked for $1 as the interface files say"
  }
}

# By introspection of a live object, and the installed files: the same members both ways
live_as_installed() {
  local path interface file=0
  while read -r path interface; do
    host_run A busctl introspect --xml-interface "$VSM_NAME" "$path" >live.xml
    assert_true "$interface of $path is as installed" \
      bash -c "'$test_dir/compare-interface' 'interfaces/$interface.xml' '$interface' <live.xml"
    file=$((file + 1))
  done <<EOT
$VSM_ROOT $VSM_NAME
$VSM_ROOT $VSM_NAME.ServiceSettingData
$VSM_ROOT $VSM_NAME.Capabilities
$VSM_ROOT $VSM_NAME.Manager
$web $VSM_NAME.System
$job $VSM_NAME.Job
$job $VSM_NAME.Job.Transfer
$quiesce $VSM_NAME.Job
$home $VSM_NAME.Job.Evacuation
$VSM_ROOT/network/1 $VSM_NAME.NetworkSettingData
$host $VSM_NAME.Host
$planned $VSM_NAME.PlannedSystem
EOT
  # Job was looked at twice
  assert_eq "$((file - 1))" "$(find interfaces -name "$VSM_NAME*.xml" | wc -l)" "each file was compared"
}

hosts_need python3 gdbus
hosts_setup "$@"

bus_caller=$test_dir/bus-caller
[ -x "$bus_caller" ] || bus_caller=/usr/libexec/installed-tests/vsmd/bus-caller
mkdir interfaces
host_run A tar -C "$interfaces" -cf - . | tar -C interfaces -xf -
guest_start A web --ws 8 --rate 20
guest_start A busy --ws 8 --rate 20
guest_define A off
make_movable
make_objects
make_planned
live_as_installed
ok "every interface file and a live object of its kind are the same"

every_member bob refused 0
ok "as a refused user: every call is refused, but the queries, and nothing changes"

polkit_allow A alice "^$VSM_NAME\\."
start_background bus.A "$hosts_lab" --dir "$VSM_LAB_DIR" run A stdbuf -oL busctl monitor --json=short \
  --match="type=method_call,destination=$VSM_NAME" \
  --match="type=method_call,sender=$VSM_NAME,member=CheckAuthorization"
wait_for_line bus.A '^Monitoring bus message stream' 10 >/dev/null
every_member alice allowed 1
ok "as an allowed user: good calls do what they say, bad ones are refused by name and change nothing"
asked_for_actions alice
ok "polkit was asked about the action that the interface file names"

every_member root allowed 2
ok "as root: the same"

call A "$job" "$VSM_NAME.Job" RequestStateChange qt 4 0 >/dev/null
job_state "$job" '^8$'
hosts_done
plan
