#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the objects say about themselves is what the installed files say, in both directions; the tree is the one of
# the contract; systemd and the bus start the daemon, once.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

interfaces=/usr/share/dbus-1/interfaces # in the host
manager=org.freedesktop.DBus.ObjectManager

system_path() { # HOST NAME
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid "$1" "$2" | tr - _)"
}

# Paths of all objects, by the object manager: its keys, not what properties point at
managed() {
  host_run A busctl --json=short call "$VSM_NAME" "$VSM_ROOT" "$manager" GetManagedObjects |
    grep -oE '"/[^"]*":\{' | tr -d '":{' | sort
}

introspect() { # TOOL PATH
  case $1 in
    busctl) host_run A busctl introspect --xml-interface "$VSM_NAME" "$2" ;;
    gdbus) host_run A gdbus introspect --xml --system --dest "$VSM_NAME" --object-path "$2" ;;
  esac
}

# The interfaces are exactly these, besides the ones that every object of sd-bus has, and each is as installed.
assert_object() { # TOOL PATH INTERFACE...
  local tool=$1 path=$2 interface
  shift 2
  introspect "$tool" "$path" >live.xml
  assert_eq "$(grep -oE '<interface name="[^"]+"' live.xml | cut -d'"' -f2 | grep -v '^org.freedesktop.DBus' |
    sort | paste -sd ' ')" "$(printf '%s\n' "$@" | sort | paste -sd ' ')" "$tool: interfaces of $path"
  for interface; do
    host_run A cat "$interfaces/$interface.xml" >file.xml
    assert_true "$tool: $interface of $path is as installed" \
      bash -c "'$test_dir/compare-interface' file.xml '$interface' <live.xml"
  done
}

objects_as_installed() {
  local tool
  for tool in busctl gdbus; do
    assert_object "$tool" "$VSM_ROOT" "$VSM_NAME" "$VSM_NAME".{ServiceSettingData,Capabilities,Manager}
    assert_object "$tool" "$(system_path A still)" "$VSM_NAME.System"
    assert_object "$tool" "$job" "$VSM_NAME.Job" "$VSM_NAME.Job.Transfer"
    assert_object "$tool" "$VSM_ROOT/network/1" "$VSM_NAME.NetworkSettingData"
    assert_object "$tool" "$VSM_ROOT/network/2" "$VSM_NAME.NetworkSettingData"
    assert_object "$tool" "$planned" "$VSM_NAME.PlannedSystem"
  done
}

# Introspection is one thing, what can be read another: each property of an installed file answers, and no other.
properties_as_installed() { # PATH INTERFACE
  host_run A cat "$interfaces/$2.xml" >file.xml
  assert_eq "$(host_run A busctl --json=short call "$VSM_NAME" "$1" org.freedesktop.DBus.Properties GetAll s "$2" |
    grep -oE '"[A-Za-z]+":\{"type":"[^"]+"' | sed -E 's/"(.*)":\{"type":"(.*)"/\1 \2/' | sort)" \
    "$(grep -oE '<property name="[^"]+" type="[^"]+"' file.xml | cut -d'"' -f2,4 | tr '"' ' ' | sort)" \
    "GetAll of $2 gives the properties of its file"
}

# Neither the root nor the nodes between are managed objects; the enumeration for "busctl tree" agrees.
tree() {
  local have
  have=$(managed)
  assert_eq "$have" "$(printf '%s\n' "$job" "$VSM_ROOT"/network/{1,2} "$(system_path A still)" \
    "$(system_path A other)" "$planned" | sort)" "the managed objects are jobs, networks, systems and planned ones"
  assert_eq "$(host_run A busctl tree --list "$VSM_NAME" | grep -E "^$VSM_ROOT/[a-z]+/" | sort)" "$have" "tree"
  assert_eq "$(introspect busctl "$VSM_ROOT/job" | grep -c "name=\"$VSM_NAME")" 0 "a node between has nothing"
}

# No path that merely looks like an object answers.
strangers() {
  local path
  for path in "$VSM_ROOT"/job/{0,999999,01,x} "$VSM_ROOT"/network/{0,3,01} "$VSM_ROOT/system/x" \
    "$VSM_ROOT/system/$(tr - _ <<<00000000-0000-0000-0000-000000000000)" \
    "$VSM_ROOT"/{host,planned}/hostb "${planned/planned/system}"; do
    assert_fails_with 'DBus.Error.UnknownObject' host_run A gdbus call --system --dest "$VSM_NAME" \
      --object-path "$path" --method org.freedesktop.DBus.Properties.GetAll "$VSM_NAME.Job"
  done
}

unit() { # PROPERTY
  host_run A systemctl show --value -p "$1" vsmd.service
}

# Nobody is started by this question.
owner_pid() {
  host_run A busctl --json=short call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus \
    GetConnectionUnixProcessID s "$VSM_NAME" | grep -oE '[0-9]+'
}

assert_nobody_owns() {
  assert_fails_with 'no owner|Could not get PID' host_run A gdbus call --system --dest org.freedesktop.DBus \
    --object-path / --method org.freedesktop.DBus.GetConnectionUnixProcessID "$VSM_NAME"
}

activation() {
  local before
  assert_eq "$(unit Type)" notify "Type="
  before=$(managed)
  host_run A systemctl stop vsmd.service
  assert_nobody_owns
  # the answer to the very first call is complete already
  assert_eq "$(managed | grep -v /job/)" "$(grep -v /job/ <<<"$before")" "a call to the stopped service"
  assert_eq "$(unit ActiveState)" active "the call has started the unit"
  assert_eq "$(owner_pid)" "$(unit MainPID)" "the unit's process has the name"

  # "started" means ready: the name is there, without activation, when systemctl returns. A libvirt that does not
  # answer makes the way there long enough to see, and is not waited for for ever.
  at_exit 'host_run A systemctl kill -s CONT libvirtd.service'
  host_run A systemctl kill -s STOP libvirtd.service
  host_run A systemctl restart vsmd.service
  assert_eq "$(owner_pid)" "$(unit MainPID)" "the name is there when the start is over"
  host_run A systemctl kill -s CONT libvirtd.service
  host_run A systemctl stop vsmd.service
  assert_eq "$(unit Result)" success "a stop is a success"
  host_run A systemctl start vsmd.service
}

# As the service's own user, with a state folder of its own: so the bus name alone decides. And as root, whom the
# bus does not let own it.
second_daemon() {
  local program user pid
  pid=$(unit MainPID)
  program=$(unit ExecStart | grep -oE 'path=[^ ]+')
  for user in vsmd root; do
    host_run A install -d -o "$user" "/run/second-$user"
    assert_status 1 as_user A "$user" timeout "$(scaled 30)" "${program#path=}" \
      --state-directory "/run/second-$user"
    assert_eq "$(owner_pid)" "$pid" "the name stays with the first"
  done
  assert_eq "$(unit MainPID) $(unit NRestarts)" "$pid 0" "the first did not notice"
}

hosts_need gdbus python3
hosts_setup "$@"

guest_define A still
guest_define A other
planned=$(guest_plan A planned hostc)
guest_start A web
job=$(call A "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost 'osa{sv}a{sv}aa{sv}' "$(system_path A web)" \
  "$(host_name B)" 0 0 0 | cut -d'"' -f2)
wait_prop A "$job" "$VSM_NAME.Job" JobState '^7$' >/dev/null

objects_as_installed
ok "every object has exactly the interfaces and members of the installed files, to busctl and to gdbus"

for interface in "$VSM_NAME" "$VSM_NAME".{ServiceSettingData,Capabilities,Manager}; do
  properties_as_installed "$VSM_ROOT" "$interface"
done
properties_as_installed "$(system_path A still)" "$VSM_NAME.System"
properties_as_installed "$job" "$VSM_NAME.Job"
properties_as_installed "$job" "$VSM_NAME.Job.Transfer"
properties_as_installed "$VSM_ROOT/network/1" "$VSM_NAME.NetworkSettingData"
properties_as_installed "$planned" "$VSM_NAME.PlannedSystem"
ok "every property of the files can be read, and no other"

tree
ok "the object manager has jobs, networks, systems and planned systems, and nothing else"

strangers
ok "paths without an object do not answer"

second_daemon
ok "a second daemon leaves, and does not get the name"

activation
ok "the first call starts the daemon, and a start is over when it serves"

hosts_done
plan
