#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# System objects follow what others do to guests. After each act: the signal that told it, the property itself, and
# virsh, which is right.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

mark=1

path_of() { # NAME
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid A "$1" | tr - _)"
}

# From here on signals count for the next act.
act() { # virsh's arguments
  mark=$(($(wc -l <bus.A) + 1))
  host_run A virsh -q "$@" >&2
}

# A line of the monitor's that came after the act
wait_signal() { # REGEX
  local lines r=0
  exec {lines}< <(exec tail -n "+$mark" -s 0.1 -F bus.A 2>/dev/null 3>&-)
  local pid=$!
  timeout "$(scaled 30)" grep -qm1 -E -- "$1" <&"$lines" || r=$?
  kill "$pid" 2>/dev/null || true
  exec {lines}<&-
  [ "$r" = 0 ] || {
    tail -n "+$mark" bus.A | evidence
    fail "a signal with $1"
  }
}

wait_changed() { # PATH PROPERTY JSON-VALUE
  wait_signal "\"path\":\"$1\".*\"member\":\"PropertiesChanged\".*\"$2\":\{\"type\":\"[a-z]+\",\"data\":$3\}"
}

# Told, true, and as libvirt has it
assert_state() { # PATH ENABLED-STATE VIRSH-STATE
  wait_changed "$1" EnabledState "$2"
  assert_eq "$(prop A "$1" "$VSM_NAME.System" EnabledState)" "$2" "EnabledState"
  assert_eq "$(guest_state A "$(name_of "$1")")" "$3" "virsh domstate"
}

name_of() { # PATH: the name or UUID by which virsh knows it
  basename "$1" | tr _ -
}

assert_prop() { # PATH NAME VALUE
  assert_eq "$(prop A "$1" "$VSM_NAME.System" "$2")" "$3" "$2"
}

wait_added() { # PATH
  wait_signal "\"member\":\"InterfacesAdded\".*\"$1\",\{.*\"$VSM_NAME.System\":\{"
}

# The signal, and the object answers no more
assert_removed() { # PATH
  wait_signal "\"member\":\"InterfacesRemoved\".*\"$1\",\[.*\"$VSM_NAME.System\""
  assert_fails_with 'UnknownObject' host_run A gdbus call --system --dest "$VSM_NAME" --object-path "$1" \
    --method org.freedesktop.DBus.Properties.Get "$VSM_NAME.System" Name
}

# The systems are exactly virsh's domains.
assert_as_virsh() {
  assert_eq "$(host_run A busctl tree --list "$VSM_NAME" | grep -F "$VSM_ROOT/system/" | xargs -r -n1 basename |
    tr _ - | sort)" "$(host_run A virsh -q list --all --uuid | grep . | sort)" "the systems are virsh's domains"
}

define_and_describe() {
  mark=$(($(wc -l <bus.A) + 1))
  guest_define A web --mem 96
  web=$(path_of web)
  wait_added "$web"
  assert_as_virsh
  assert_prop "$web" Name "$(guest_uuid A web)"
  assert_prop "$web" ElementName web
  assert_prop "$web" EnabledState 3
  assert_prop "$web" OperationalStatus '1 2'
  assert_prop "$web" HealthState 5
  assert_prop "$web" Persistent true
  assert_prop "$web" Autostart false
  assert_prop "$web" MigrationJob /
  assert_prop "$web" MemorySize $((96 * 1024 * 1024))
  assert_prop "$web" NumberOfProcessors "$(host_run A virsh -q dominfo --domain web | awk '/^CPU\(s\)/ { print $2 }')"

  act desc --domain web --config --title "first title"
  wait_changed "$web" Description '"first title"'
  assert_prop "$web" Description "first title"
  act domrename --domain web www
  wait_changed "$web" ElementName '"www"'
  assert_eq "$(path_of www)" "$web" "a new name is not a new object"
  assert_eq "$(tail -n "+$mark" bus.A | grep -cE '"Interfaces(Added|Removed)"')" 0 "no object came or went"
  act domrename --domain www web
  wait_changed "$web" ElementName '"web"'
}

# libvirt tells nobody of the autostart mark: it is right at the next thing that happens to the guest.
autostart() {
  act autostart --domain web
  act desc --domain web --config --title "second title"
  wait_changed "$web" Autostart true
  assert_prop "$web" Autostart true
  act autostart --domain web --disable
  act desc --domain web --config --title ""
  wait_changed "$web" Autostart false
}

states() {
  act start --domain web
  assert_state "$web" 2 running
  act desc --domain web --live --title "while it runs"
  wait_changed "$web" Description '"while it runs"'
  act suspend --domain web
  assert_state "$web" 32768 paused
  act resume --domain web
  assert_state "$web" 2 running
  act managedsave --domain web
  assert_state "$web" 32769 "shut off"
  act start --domain web
  assert_state "$web" 2 running
  act destroy --domain web
  assert_state "$web" 3 "shut off"
  assert_prop "$web" OperationalStatus '1 2'
  mark=$(($(wc -l <bus.A) + 1))
  guest_start A web # waits until it hears the power button
  assert_state "$web" 2 running
  act shutdown --domain web
  assert_state "$web" 3 "shut off"
  assert_prop "$web" HealthState 5
}

crash() {
  act start --domain web
  assert_state "$web" 2 running
  mark=$(($(wc -l <bus.A) + 1))
  host_run A pkill -KILL qemu-system
  wait_changed "$web" OperationalStatus '\[6\]'
  wait_changed "$web" HealthState 25
  assert_prop "$web" OperationalStatus '1 6'
  assert_prop "$web" HealthState 25
  assert_prop "$web" EnabledState 3
  assert_match "$(host_run A virsh -q domstate --reason --domain web)" 'shut off \(crashed\)' "virsh says so too"
  act start --domain web
  wait_changed "$web" HealthState 5
  assert_prop "$web" OperationalStatus '1 2'
}

# What is not defined any more goes when it stops, and not before.
undefine() {
  act undefine --domain web
  wait_changed "$web" Persistent false
  assert_prop "$web" EnabledState 2
  act destroy --domain "$(name_of "$web")"
  assert_removed "$web"
  mark=$(($(wc -l <bus.A) + 1))
  guest_define A idle
  idle=$(path_of idle)
  wait_added "$idle"
  act undefine --domain idle
  assert_removed "$idle"
  assert_as_virsh
}

transient() {
  local path
  mark=$(($(wc -l <bus.A) + 1))
  guest_start A passing --transient
  path=$(path_of passing)
  wait_added "$path"
  wait_prop A "$path" "$VSM_NAME.System" EnabledState '^2$' >/dev/null
  assert_prop "$path" Persistent false
  act destroy --domain passing
  assert_removed "$path"
}

# The name as it is, on the bus and in a look-up; nobody's shell saw it.
odd_names() {
  local name path json
  # shellcheck disable=SC2016 # that is the point
  for name in 'a b' 'ümläut' '$(id)' "it's \"q\" \\ \`id\`" '-dash' '--help' '%s%n' '<&>'; do
    mark=$(($(wc -l <bus.A) + 1))
    guest_define A "$name"
    path=$(path_of "$name")
    wait_added "$path"
    json=${name//\\/\\\\} json=${json//\"/\\\"}
    assert_eq "$(host_run A busctl --json=short get-property "$VSM_NAME" "$path" "$VSM_NAME.System" ElementName)" \
      "{\"type\":\"s\",\"data\":\"$json\"}" "ElementName"
    assert_eq "$(host_run A busctl call -- "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME.Manager" GetSystem s "$name")" \
      "o \"$path\"" "GetSystem $name"
  done
  assert_as_virsh
}

hosts_need gdbus
hosts_setup "$@"
monitor_start A bus.A

define_and_describe
ok "defined, described, renamed"
autostart
ok "the autostart mark, with the next event"
states
ok "started, paused, saved, shut down, destroyed"
crash
ok "crashed, and started again"
undefine
ok "undefined while it runs, and while not"
transient
ok "a transient guest"
odd_names
ok "guests with odd names"

hosts_done
plan
