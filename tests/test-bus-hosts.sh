#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Known destinations: from files and over the bus, whether they answer and what memory they have left, and what a
# migration to one of them takes from it. The oracles are virsh on the other host, and polkit's rules.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

MANAGER=$VSM_NAME.Manager
HOST=$VSM_NAME.Host

manager() { # METHOD ARGUMENT, as gdbus takes it
  host_run A gdbus call --system --timeout "$(scaled 60)" --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$MANAGER.$1" "$2"
}

host_path() { # ENCODED-NAME
  printf '%s/host/%s' "$VSM_ROOT" "$1"
}

host_prop() { # ENCODED-NAME PROPERTY
  prop A "$(host_path "$1")" "$HOST" "$2"
}

paths() {
  host_run A busctl tree --list "$VSM_NAME" | grep "^$VSM_ROOT/host/" | sed 's,.*/,,' | paste -sd ' '
}

assert_refused() { # ERROR TEXT METHOD ARGUMENT
  local before
  before=$(paths)
  assert_fails_with "(Error\.$1|DBus\.Error\.$1): .*$2" manager "${@:3}"
  assert_eq "$(paths)" "$before" "nothing has changed after $3"
}

is_up() { # ENCODED-NAME STATE
  [ "$(host_prop "$1" State)" = "$2" ]
}

system_path() { # HOST NAME
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid "$1" "$2" | tr - _)"
}

added_and_removed() {
  assert_eq "$(paths)" "" "no hosts at first"
  monitor_start A bus.A
  assert_eq "$(manager AddHost "{'Name': <'HostB.'>, 'Addresses': <['10.77.0.2', 'fd00:77:0::2']>}")" \
    "(objectpath '$(host_path hostb)',)" "the path"
  assert_eq "$(manager AddHost "{'Name': <'spare-1.example'>, 'Enabled': <false>, 'Priority': <7>}")" \
    "(objectpath '$(host_path spare_2d1_2eexample)',)" "a path that is escaped"
  assert_eq "$(host_prop hostb Name)" hostb "the name"
  assert_eq "$(host_prop hostb Addresses)" '2 "10.77.0.2" "fd00:77::2"' "the addresses"
  assert_eq "$(host_prop hostb AuthenticationType)" 32770 "the service's"
  assert_eq "$(host_prop spare_2d1_2eexample Enabled) $(host_prop spare_2d1_2eexample Priority)" "false 7" "as given"

  # the same name again replaces
  manager AddHost "{'Name': <'hostb'>, 'Addresses': <['10.77.0.2']>, 'Port': <16509>, 'AuthenticationType': <32770>}"
  assert_eq "$(host_prop hostb Addresses) $(host_prop hostb Port)" '1 "10.77.0.2" 16509' "replaced"
  assert_eq "$(paths)" "hostb spare_2d1_2eexample" "two hosts"
  wait_for_line bus.A 'PropertiesChanged.*/host/hostb".*"Port"|/host/hostb".*PropertiesChanged.*"Port"' 30 >/dev/null
  assert_not_match "$(grep -F '/host/hostb"' bus.A | grep -F PropertiesChanged | grep -F '"Port"')" '"Priority"' "no more"

  assert_refused InvalidParameter 'Name is missing' AddHost "@a{sv} {}"
  assert_refused InvalidParameter 'Name' AddHost "{'Name': <'qemu+ext://x/system?command=y'>}"
  assert_refused InvalidParameter '"State" is unknown' AddHost "{'Name': <'c'>, 'State': <'up'>}"
  assert_refused NotSupported 'Kerberos' AddHost "{'Name': <'c'>, 'AuthenticationType': <1>}"
  assert_refused InvalidParameter 'this host itself' AddHost "{'Name': <'$(host_name A)'>}"
  assert_refused InvalidParameter 'this host itself' AddHost "{'Name': <'c'>, 'Addresses': <['10.77.0.1']>}"
  assert_refused IncompatibleParameters "also of host 'hostb'" AddHost "{'Name': <'c'>, 'Addresses': <['10.77.0.2']>}"
  assert_refused InvalidParameter "no Host's" RemoveHost "$(host_path nobody)"

  host_run A systemctl restart vsmd.service
  assert_eq "$(paths)" "hostb spare_2d1_2eexample" "kept"
  assert_eq "$(host_prop hostb Port)" 16509 "with its settings"
  manager RemoveHost "$(host_path spare_2d1_2eexample)"
  host_run A systemctl restart vsmd.service
  assert_eq "$(paths)" "hostb" "removed for good"
  manager RemoveHost "$(host_path hostb)"
  assert_eq "$(paths)" "" "none"
}

from_files() {
  host_write A /etc/vsmd/hosts.d/b.conf <<<$'# b\n[Host]\nName=hostb\nAddresses=10.77.0.2\nMemoryLimit=1G'
  host_write A /etc/vsmd/hosts.d/bad.conf <<<$'[Host]\nName=bad\nColour=red'
  host_write A /etc/vsmd/hosts.d/me.conf <<<$'[Host]\nName='"$(host_name A)"
  host_run A systemctl restart vsmd.service
  assert_eq "$(paths)" "hostb" "the good one; not the bad one, and not this host"
  assert_match "$(host_run A journalctl --quiet --no-pager -u vsmd -o cat)" \
    '/etc/vsmd/hosts\.d/bad\.conf:3: .*"Colour" is unknown' "the fault with file and line"
  assert_refused InvalidState 'in a file' AddHost "{'Name': <'hostb'>}"
  assert_refused InvalidState 'in a file' RemoveHost "$(host_path hostb)"
}

state_and_memory() {
  local stats free all have
  wait_until 30 is_up hostb up
  assert_eq "$(host_prop hostb LastError)" "" "no error"
  assert_eq "$(host_prop hostb FreeMemory)" $((1024 * 1024 * 1024)) "cut by MemoryLimit"
  assert_between "$(host_prop hostb LastContact)" "$(($(date +%s) - 60))000000" "$(date +%s)999999" "LastContact"

  host_write A /etc/vsmd/hosts.d/b.conf <<<$'[Host]\nName=hostb\nAddresses=10.77.0.2'
  host_run A systemctl restart vsmd.service
  wait_until 30 is_up hostb up
  have=$(host_prop hostb FreeMemory)
  stats=$(host_run B virsh -q nodememstats)
  free=$(($(awk '/^free/ { print $3 }' <<<"$stats") * 1024))
  all=$(($(awk '/^(free|buffers|cached)/ { sum += $3 } END { print sum }' <<<"$stats") * 1024))
  note "FreeMemory $have; virsh there: $free free, $all with buffers and caches"
  # other things run on this machine: nearer to all than to what is free
  assert_between "$have" $(((free + all) / 2)) $((all + (all - free) / 2)) "FreeMemory against virsh there"
}

goes_down() {
  local system
  guest_start A web
  system=$(system_path A web)
  host_run B systemctl stop libvirtd-tcp.socket libvirtd-tls.socket libvirtd.socket libvirtd-ro.socket libvirtd-admin.socket libvirtd.service
  assert_match "$(call A "$VSM_ROOT" "$VSM_NAME" CheckVirtualSystemIsMigratableToSystem 'ooa{sv}a{sv}aa{sv}' \
    "$system" "$(host_path hostb)" 0 0 0)" 'ubaa\{sv\} 0 false .*"destination-unreachable"' "a check says so"
  wait_until 30 is_up hostb down
  assert_match "$(host_prop hostb LastError)" '^The host, or libvirt on it, ' "a sentence of ours"
  assert_not_match "$(host_prop hostb LastError)" '10\.77|refused' "and nothing private"
  assert_eq "$(host_prop hostb FreeMemory)" 0 "nothing is known to be free"

  host_run B systemctl start libvirtd.socket libvirtd-ro.socket libvirtd-tcp.socket libvirtd-tls.socket
  assert_match "$(call A "$VSM_ROOT" "$VSM_NAME" CheckVirtualSystemIsMigratableToSystem 'ooa{sv}a{sv}aa{sv}' \
    "$system" "$(host_path hostb)" 0 0 0)" 'ubaa\{sv\} 0 true ' "a check succeeds"
  wait_until 30 is_up hostb up
  assert_eq "$(host_prop hostb LastError)" "" "no error any more"
}

to_system() {
  local reply job
  assert_fails_with 'Error\.InvalidParameter: .*no Host' host_run A gdbus call --system --dest "$VSM_NAME" \
    --object-path "$VSM_ROOT" --method "$VSM_NAME.MigrateVirtualSystemToSystem" "$(system_path A web)" \
    "$(host_path nobody)" '{}' '{}' '[]'
  reply=$(call A "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToSystem 'ooa{sv}a{sv}aa{sv}' "$(system_path A web)" \
    "$(host_path hostb)" 0 0 0)
  assert_match "$reply" "^uoo 4096 \"/\" \"$VSM_ROOT/job/[0-9]+\"$" "a job, and no system of this bus"
  job=${reply#*\"/\" \"} job=${job%\"}
  wait_prop A "$job" "$VSM_NAME.Job" JobState '^(7|8|9|10|32768)$' >/dev/null
  assert_eq "$(prop A "$job" "$VSM_NAME.Job" JobState)" 7 "completed"
  assert_eq "$(prop A "$job" "$VSM_NAME.Job" DestinationHost)" hostb "by its name"
  assert_guest_on B web
  wait_tick web
  assert_guest_good web
}

# A rule that lets alice migrate to known hosts only, by the Host's name
known_only() {
  local destination
  guest_start A second
  polkit_rule A 50-known <<'END'
polkit.addRule(function(action, subject) {
    if (subject.user == "alice" && /\.check$/.test(action.id) &&
        action.lookup("destination.known") == "true" && action.lookup("destination") == "hostb")
        return polkit.Result.YES;
});
END
  for destination in hostb HOSTB. 10.77.0.2; do
    assert_match "$(call_as A alice "$VSM_ROOT" "$VSM_NAME" CheckVirtualSystemIsMigratableToHost \
      'osa{sv}a{sv}aa{sv}' "$(system_path A second)" "$destination" 0 0 0)" '^ubaa\{sv\} 0 true' "$destination is known"
  done
  for destination in fd00:77::2 hostc; do
    assert_fails_with '[Aa]ccess ?[Dd]enied|[Ii]nteractive' call_as A alice "$VSM_ROOT" "$VSM_NAME" \
      CheckVirtualSystemIsMigratableToHost 'osa{sv}a{sv}aa{sv}' "$(system_path A second)" "$destination" 0 0 0
  done
}

# TLS Strict asks for a Host of which somebody says that it verifies clients.
strict() {
  local r='osa{sv}a{sv}aa{sv}' arguments
  arguments=("$(system_path A second)" hostb 1 TransportType q 4 0 0)
  assert_fails_with 'VerifiesClients' call A "$VSM_ROOT" "$VSM_NAME" CheckVirtualSystemIsMigratableToHost "$r" \
    "${arguments[@]}"
  host_write A /etc/vsmd/hosts.d/b.conf <<<$'[Host]\nName=hostb\nAddresses=10.77.0.2\nVerifiesClients=true'
  host_run A systemctl restart vsmd.service
  assert_match "$(call A "$VSM_ROOT" "$VSM_NAME" CheckVirtualSystemIsMigratableToHost "$r" "${arguments[@]}")" \
    '^ubaa\{sv\} 0 true' "allowed"
}

hosts_need gdbus
hosts_setup "$@"

added_and_removed
ok "AddHost and RemoveHost"

from_files
ok "hosts.d"

state_and_memory
ok "State and FreeMemory"

goes_down
ok "down when libvirt there stops, up when it is back"

to_system
ok "MigrateVirtualSystemToSystem"

known_only
ok "polkit hears the Host's Name, and that it is known"

strict
ok "TLS Strict with VerifiesClients only"

hosts_done
plan
