#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The root's properties: the values of the contract, and how they follow what happens to libvirt, to the host's
# addresses and to its name.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

root_prop() { # NAME
  prop A "$VSM_ROOT" "$VSM_NAME" "$1"
}

wait_root() { # NAME REGEX
  wait_prop A "$VSM_ROOT" "$VSM_NAME" "$1" "$2" >/dev/null
}

# "Name value" lines, the value as busctl writes it, from stdin; and no property is left out.
assert_values() { # INTERFACE
  local wanted names
  wanted=$(cat)
  mapfile -t names < <(cut -d' ' -f1 <<<"$wanted")
  assert_eq "$(host_run A busctl get-property "$VSM_NAME" "$VSM_ROOT" "$1" "${names[@]}" |
    paste -d' ' <(printf '%s\n' "${names[@]}") -)" "$wanted" "values of $1"
  assert_eq "$(host_run A busctl introspect --no-legend "$VSM_NAME" "$VSM_ROOT" "$1" | grep -c ' property ')" \
    "${#names[@]}" "number of properties of $1"
}

# The 31 of CIM. The two that depend on the moment of the first start are looked at after.
service_values() {
  local date state
  date=$(root_prop InstallDate)
  state=$(root_prop TimeOfLastStateChange)
  assert_values "$VSM_NAME" <<EOT
InstanceID s ""
Caption s "Virtual System Migration Service"
Description s "Virtual System Migration Service"
ElementName s "Virtual System Migration Service"
InstallDate t $date
OperationalStatus aq 1 2
StatusDescriptions as 1 "OK"
Status s "OK"
HealthState q 5
CommunicationStatus q 2
DetailedStatus q 0
OperatingStatus q 16
PrimaryStatus q 1
EnabledState q 2
OtherEnabledState s ""
RequestedState q 0
EnabledDefault q 2
TimeOfLastStateChange t $state
AvailableRequestedStates aq 2 3 9
TransitioningToState q 5
SystemCreationClassName s "Msvm_ComputerSystem"
SystemName s "$(host_run A hostname)"
CreationClassName s "Msvm_VirtualSystemMigrationService"
Name s "migrationwmi"
PrimaryOwnerName s ""
PrimaryOwnerContact s ""
StartMode s ""
Started b true
ActiveVirtualSystemMigrationCount u 0
ActiveStorageMigrationCount u 0
MigrationServiceListenerIPAddressList as 2 "10.77.0.1" "fd00:77::1"
EOT
  assert_between "$date" "$(($(date +%s%6N) - 3600 * 1000000))" "$(date +%s%6N)" "InstallDate is of this lab"
  assert_eq "$state" 0 "TimeOfLastStateChange: it never changed"
  host_run A systemctl restart vsmd.service
  assert_eq "$(root_prop InstallDate)" "$date" "InstallDate is not the date of the start"
}

# Without a configuration file; the lab's own one allows plain TCP. "lab reset" puts it back.
setting_defaults() {
  host_run A rm /etc/vsmd/vsmd.conf
  host_run A systemctl restart vsmd.service
  assert_values "$VSM_NAME.ServiceSettingData" <<EOT
InstanceID s "org.example:MigrationServiceSettingData"
Caption s "Migration Service Setting Data"
Description s "Virtual System Migration Service Setting Data"
ElementName s "Migration Service Setting Data"
EnableVirtualSystemMigration b true
MaximumActiveVirtualSystemMigration u 2
MaximumActiveStorageMigration u 2
AuthenticationType u 32768
DefaultTransportType q 3
DefaultPostCopy s "never"
EnableCompression b false
EnableSmbTransport b false
MaximumBandwidth t 0
StallTimeout t 120000000
HistoryLimit u 10000
EOT
  host_run A cp /etc/vsmd/vsmd.conf.lab /etc/vsmd/vsmd.conf
  host_run A systemctl restart vsmd.service
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME.ServiceSettingData" DefaultTransportType)" 5 "from the file"
}

# "9.1.2" as libvirt counts
version_number() {
  local major minor micro
  IFS=. read -r major minor micro
  echo $((major * 1000000 + minor * 1000 + micro))
}

capabilities_and_manager() {
  local name version features
  for name in SynchronousMethodsSupported:'2 4 5' AsynchronousMethodsSupported:'3 2 3 32768' \
    DestinationHostFormatsSupported:'3 2 3 4'; do
    assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME.Capabilities" "${name%%:*}")" "${name#*:}" "$name"
  done
  # these two grow with what is built; what is not listed there is refused: see test-bus-arguments
  assert_match "$(prop A "$VSM_ROOT" "$VSM_NAME.Capabilities" MigrationTypesSupported)" '\b9 1 2 3 4 32768 32769 32770 32771 32772\b'
  assert_match "$(prop A "$VSM_ROOT" "$VSM_NAME.Capabilities" TransportTypesSupported)" '\b4 2 3 4 5\b'
  for name in InstanceID Caption Description ElementName; do
    assert_ne "$(prop A "$VSM_ROOT" "$VSM_NAME.Capabilities" "$name")" "" "$name"
  done

  version=$(host_run A virsh version)
  features=$(prop A "$VSM_ROOT" "$VSM_NAME.Manager" Features)
  assert_values "$VSM_NAME.Manager" <<EOT
APIVersion u 1
Features as $features
Version s "$(host_run A vsmctl --version | head -n1 | cut -d' ' -f2)"
Draining b false
LibvirtVersion t $(sed -n 's/^Using library: libvirt //p' <<<"$version" | version_number)
HypervisorVersion t $(sed -n 's/^Running hypervisor: QEMU //p' <<<"$version" | version_number)
QueuedJobs u 0
EOT
  for name in MigrateVirtualSystemToHost CheckVirtualSystemIsMigratableToHost GetSystem; do
    assert_match "$features" "\"$name\"" "Features"
  done
}

# The signals that told a property of the root
told() { # PROPERTY
  grep -F '"member":"PropertiesChanged"' bus.A | grep -F "\"path\":\"$VSM_ROOT\"" | grep -F "\"$1\":{" || true
}

count_told() { # PROPERTY
  told "$1" | wc -l
}

status_values() {
  host_run A busctl get-property "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME" HealthState OperationalStatus \
    StatusDescriptions Status CommunicationStatus PrimaryStatus Started | paste -sd ' '
}

refused() { # METHOD
  assert_fails_with "$VSM_NAME.Error.SystemNotAvailable: .*libvirt" host_run A gdbus call --system \
    --dest "$VSM_NAME" --object-path "$VSM_ROOT" --method "$VSM_NAME.$1" "$system" "$(host_name B)" '{}' '{}' '[]'
}

# What happens to a guest while nobody can tell is known when libvirt is back.
libvirt_away() {
  local pid
  pid=$(host_run A systemctl show --value -p MainPID vsmd.service)
  monitor_start A bus.A
  libvirt_off A
  wait_root HealthState '^20$'
  assert_eq "$(status_values)" 'q 20 aq 1 13 as 1 "Lost connection to libvirt" s "Lost Comm" q 3 q 3 b true' "lost"
  refused MigrateVirtualSystemToHost
  refused CheckVirtualSystemIsMigratableToHost
  assert_eq "$(prop A "$system" "$VSM_NAME.System" EnabledState)" 2 "the last that was known"
  assert_eq "$(count_told HealthState)" 1 "one signal told it"
  assert_match "$(told HealthState)" \
    'OperationalStatus.*StatusDescriptions.*Status.*CommunicationStatus.*PrimaryStatus' "all in the one signal"

  host_run A pkill -KILL qemu-system
  libvirt_on A
  wait_root HealthState '^5$'
  assert_eq "$(status_values)" 'q 5 aq 1 2 as 1 "OK" s "OK" q 2 q 1 b true' "found again"
  wait_prop A "$system" "$VSM_NAME.System" EnabledState '^3$' >/dev/null
  assert_eq "$(count_told HealthState)" 2 "one signal more"
  assert_eq "$(host_run A systemctl show --value -p MainPID vsmd.service)" "$pid" "the daemon was not restarted"
}

drop_addresses() { # LINK: whichever the test has left
  local address
  host_run A ip addr del 127.0.0.77/8 dev lo
  for address in 169.254.77.1/16 169.254.77.2/32 fd00:77::dead/64 fd00:77::101/64 10.77.0.101/24; do
    host_run A ip addr del "$address" dev "$1"
  done
} 2>/dev/null

addresses_followed() {
  local link before own='"10.77.0.1"' own6='"fd00:77::1"'
  link=$(host_run A ip -brief -4 addr show to 10.77.0.1 | awk '{ sub("@.*", "", $1); print $1 }')
  before=$(count_told MigrationServiceListenerIPAddressList)
  at_exit "drop_addresses '$link'"

  # none of these is ever listed; the one that comes last is, and shows that they were looked at
  host_run A ip addr add 127.0.0.77/8 dev lo
  host_run A ip addr add 169.254.77.1/16 dev "$link" scope link
  host_run A ip addr add 169.254.77.2/32 dev "$link"
  host_run A ip -6 addr add fd00:77::dead/64 dev "$link" nodad preferred_lft 0
  host_run A ip addr add 10.77.0.101/24 dev "$link"
  wait_root MigrationServiceListenerIPAddressList "^3 $own \"10.77.0.101\" $own6\$"
  host_run A ip -6 addr add fd00:77::101/64 dev "$link" nodad
  wait_root MigrationServiceListenerIPAddressList "^4 $own \"10.77.0.101\" $own6 \"fd00:77::101\"\$"
  host_run A ip -6 addr change fd00:77::101/64 dev "$link" nodad preferred_lft 0
  wait_root MigrationServiceListenerIPAddressList "^3 $own \"10.77.0.101\" $own6\$"
  host_run A ip addr del 10.77.0.101/24 dev "$link"
  wait_root MigrationServiceListenerIPAddressList "^2 $own $own6\$"

  assert_eq "$(($(count_told MigrationServiceListenerIPAddressList) - before))" 4 "one signal for each change"
  assert_eq "$(told MigrationServiceListenerIPAddressList | grep -cE '"127\.|"169\.254|dead"|"fe80')" 0 \
    "none of the others was ever told"
}

# A bridge of libvirt's own leads nowhere else; any other one may.
bridges_left_out() {
  at_exit 'host_run A sh -c "virsh -q net-destroy --network inner; ip link del vsm-plain" >/dev/null 2>&1 || true'
  host_run A virsh -q net-create /dev/stdin >/dev/null <<'EOT'
<network>
  <name>inner</name><forward mode='open'/><bridge name='virbr77'/><dns enable='no'/>
  <ip address='192.168.77.1' netmask='255.255.255.0'/>
</network>
EOT
  assert_match "$(host_run A ip -brief addr show virbr77)" 192.168.77.1 "the bridge has its address"
  host_run A ip link add vsm-plain type bridge
  host_run A ip addr add 192.168.78.1/24 dev vsm-plain
  wait_root MigrationServiceListenerIPAddressList '^3 "10.77.0.1" "192.168.78.1" "fd00:77::1"$'
  host_run A ip link del vsm-plain
  host_run A virsh -q net-destroy --network inner
  wait_root MigrationServiceListenerIPAddressList '^2 "10.77.0.1" "fd00:77::1"$'
}

host_renamed() {
  local name
  name=$(host_run A hostname)
  # shellcheck disable=SC2064 # its value now
  at_exit "host_run A hostname '$name'"
  host_run A hostname renamed-host
  wait_root SystemName '^renamed-host$'
  host_run A hostname "$name"
  wait_root SystemName "^$name\$"
  assert_eq "$(count_told SystemName)" 2 "each change was told"
}

hosts_need gdbus
hosts_setup "$@"

service_values
ok "the 31 properties of the service"
setting_defaults
ok "the service's settings without a configuration file"
capabilities_and_manager
ok "capabilities, versions and features"

guest_start A web
system=$VSM_ROOT/system/$(guest_uuid A web | tr - _)
libvirt_away
ok "libvirt goes and comes: told once, refused meanwhile, and found again"
addresses_followed
ok "the listener's list follows addresses, and never has those that lead nowhere"
bridges_left_out
ok "the bridges of libvirt's networks are not in it"
host_renamed
ok "SystemName follows the host's name"

hosts_done
plan
