#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Bad input of each kind gets the error that the contract names, in words that name the parameter, and changes
# nothing: as root, whom polkit lets through, so that it is the argument that is refused.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

check=CheckVirtualSystemIsMigratableToHost move=MigrateVirtualSystemToHost
good='^\(uint32 0, (true|false), ' # of a check: it came to a verdict

system_path() { # NAME
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid A "$1" | tr - _)"
}

# The reply, or the error with its name
answer() { # PATH INTERFACE.METHOD [arguments in GVariant's text]
  host_run A gdbus call --system --dest "$VSM_NAME" --object-path "$1" --method "${@:2}" 2>&1 || true
}

five() { # METHOD SYSTEM DESTINATION [MIGRATION [SYSTEM-SETTINGS [RESOURCES]]]
  local destination=${3//\\/\\\\}
  answer "$VSM_ROOT" "$VSM_NAME.$1" "'$2'" "'${destination//\'/\\\'}'" "${4:-{\}}" "${5:-{\}}" "${6:-[]}"
}

# Both methods of FIVE judge alike, unless the test says which. The message names the parameter.
refused() { # ERROR REGEX-OF-MESSAGE SYSTEM DESTINATION [...]
  local error=$1 regex=$2 method what
  shift 2
  what=${*:2}
  for method in ${only:-$move $check}; do
    assert_match "$(five "$method" "$@" | tr '\n' ' ')" "GDBus.Error:[A-Za-z.]*\.Error\.$error: .*$regex" \
      "$method: $error because of ${what:0:120}"
  done
}

systems() {
  local path
  for path in / "$VSM_ROOT" "$VSM_ROOT/system" "$VSM_ROOT/system/x" "$VSM_ROOT/network/1" "$VSM_ROOT/job/1" \
    "$VSM_ROOT/system/00000000_0000_0000_0000_000000000000" "${web^^}" "${web}0" "${web%?}" "$web/x" /a/b; do
    refused InvalidParameter ComputerSystem "$path" hostb
  done
  # no path at all: the client's own library refuses it, or the bus
  assert_fails host_run A gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.$move" "objectpath 'no path'" hostb '{}' '{}' '[]'
  only=$move refused InvalidState run "$off" hostb
  only=$check refused InvalidState run "$off" hostb
}

destinations() {
  local text
  # shellcheck disable=SC2016 # no shell is to see them
  for text in '' . .. 'qemu+tcp://hostb/system' 'qemu+ssh://hostb/system?command=/bin/id' 'test:///etc/shadow' \
    root@hostb hostb:16509 hostb/ 'hostb?x=y' 'hostb#x' 'host b' ' hostb' '-oProxyCommand=x' -- '-' \
    '$(id)' '`id`' 'hostb;id' 'hostb|id' "host'b" 'host\b' $'hostb\nx' 'höst' host_b 'a..b' \
    127.0.0.1 127.1 127.0.0.2 2130706433 0x7f000001 0177.0.0.1 010.77.0.2 10.77.2 0.0.0.0 255.255.255.255 224.0.0.1 \
    ::1 :: ::ffff:127.0.0.1 '[fd00:77::2]' 'fe80::1%host0' ff02::1 localhost LOCALHOST localhost. a.localhost \
    ip6-localhost "$(printf 'a%.0s' {1..64})" "$(printf 'a.%.0s' {1..150})"; do
    only=$move refused InvalidParameter DestinationHost "$web" "$text"
  done
  for text in "$(host_name A)" "$(host_name A | tr '[:lower:]' '[:upper:]')." 10.77.0.1 fd00:77::1 fd00:77:0::0001 \
    ::ffff:10.77.0.1; do
    refused InvalidParameter 'DestinationHost is this host' "$web" "$text"
  done
}

# "error|message|migration settings", one a line
settings() {
  local error regex migration
  while IFS='|' read -r error regex migration; do
    refused "$error" "$regex" "$web" hostb "$migration"
  done <<'EOT'
InvalidParameter|MigrationSettingData: "Bandwith"|{'Bandwith': <1>}
InvalidParameter|MigrationSettingData: "bandwidth"|{'bandwidth': <1>}
InvalidParameter|MigrationSettingData: ""|{'': <1>}
InvalidParameter|MigrationSettingData: Bandwidth is given twice|{'Bandwidth': <1>, 'Bandwidth': <1>}
InvalidParameter|MigrationSettingData: Bandwidth is given twice|{'Bandwidth': <0>, 'Bandwidth': <0>}
InvalidParameter|MigrationSettingData: Bandwidth |{'Bandwidth': <'5'>}
InvalidParameter|MigrationSettingData: Bandwidth |{'Bandwidth': <5.0>}
InvalidParameter|MigrationSettingData: Bandwidth |{'Bandwidth': <true>}
InvalidParameter|MigrationSettingData: Bandwidth |{'Bandwidth': <<uint16 5>>}
InvalidParameter|MigrationSettingData: Bandwidth is -1 |{'Bandwidth': <int16 -1>}
InvalidParameter|MigrationSettingData: Bandwidth is 65536 |{'Bandwidth': <uint32 65536>}
InvalidParameter|MigrationSettingData: Bandwidth is 4294967296 |{'Bandwidth': <uint64 4294967296>}
InvalidParameter|MigrationSettingData: Bandwidth |{'Bandwidth': <101>, 'BandwidthUnit': <'percent'>}
InvalidParameter|MigrationSettingData: BandwidthUnit |{'BandwidthUnit': <'furlong'>}
InvalidParameter|MigrationSettingData: EnableCompression |{'EnableCompression': <1>}
InvalidParameter|MigrationSettingData: MigrationType is 5 |{'MigrationType': <5>}
InvalidParameter|MigrationSettingData: TransportType is 7 |{'TransportType': <7>}
InvalidParameter|MigrationSettingData: CPUCappingMagnitude is 3 |{'CPUCappingMagnitude': <3>}
InvalidParameter|MigrationSettingData: MaximumDowntime is -5 |{'MaximumDowntime': <-5>}
InvalidParameter|MigrationSettingData: PostCopy |{'PostCopy': <'perhaps'>}
InvalidParameter|MigrationSettingData: ParallelConnections is 1 |{'ParallelConnections': <1>}
InvalidParameter|MigrationSettingData: ParallelConnections is 256 |{'ParallelConnections': <256>}
InvalidParameter|MigrationSettingData: Timeout |{'Timeout': <'1h'>}
InvalidParameter|MigrationSettingData: DestinationIPAddressList|{'DestinationIPAddressList': <['hostb']>}
InvalidParameter|MigrationSettingData: DestinationIPAddressList|{'DestinationIPAddressList': <['127.0.0.1']>}
InvalidParameter|MigrationSettingData: DestinationIPAddressList|{'DestinationIPAddressList': <'10.77.0.2'>}
InvalidParameter|MigrationSettingData: DestinationPlannedVirtualSystemId|{'DestinationPlannedVirtualSystemId': <'x'>}
InvalidParameter|UnmanagedVhds.*VhdSourcePath|{'UnmanagedVhds': <[{'VhdSourcePath': <'/a/../b'>}]>}
InvalidParameter|DestinationHost must be empty|{'MigrationType': <32769>}
IncompatibleParameters|BandwidthUnit|{'Bandwidth': <5>, 'BandwidthUnit': <'percent'>}
IncompatibleParameters|TransportType|{'TransportType': <2>}
IncompatibleParameters|TransportType|{'TransportType': <4>}
IncompatibleParameters|CPUCappingMagnitude|{'CPUCappingMagnitude': <1>, 'AllowThrottling': <false>}
IncompatibleParameters|PostCopy|{'PostCopy': <'now'>, 'ParallelConnections': <2>}
IncompatibleParameters|PostCopy|{'PostCopy': <'now'>, 'MigrationType': <3>}
IncompatibleParameters|UnmanagedVhds.*32768|{'UnmanagedVhds': <[{'VhdSourcePath': <'/a'>, 'VhdDestinationPath': <'/b'>}]>}
IncompatibleParameters|UnmanagedVhds\[1\]|{'MigrationType': <32771>, 'UnmanagedVhds': <[{'VhdSourcePath': <'/a'>, 'VhdDestinationPath': <'/b'>}, {'VhdSourcePath': <'/c'>, 'VhdDestinationPath': <'/b'>}]>}
IncompatibleParameters|PlannedVirtualSystemId|{'MigrationType': <32770>, 'DestinationPlannedVirtualSystemId': <'6e0ed3b4-1a1a-4c8e-9e8f-000000000000'>}
InvalidState|is running or paused|{'MigrationType': <1>}
InvalidParameter|VhdDestinationPath|{'UnmanagedVhds': <[{'VhdSourcePath': <'/a'>, 'VhdDestinationPath': <'/b/'>}]>}
NotSupported|TransportType 1 |{'TransportType': <1>}
NotSupported|TransportType 6 |{'TransportType': <6>}
NotSupported|TransportType 32768 |{'TransportType': <32768>}
IncompatibleParameters|CancelIfBlackout|{'PostCopy': <'now'>, 'CancelIfBlackoutThresholdExceeded': <true>}
EOT
  only=$move refused InvalidParameter 'MigrationType 32772 ' "$web" hostb "{'MigrationType': <32772>}"
}

other_dicts() {
  local disk="'ResourceType': <17>, 'InstanceID': <'vda'>"
  refused InvalidParameter 'NewSystemSettingData: "Name"' "$web" hostb '{}' "{'Name': <'x'>}"
  refused InvalidParameter 'NewSystemSettingData: ElementName' "$web" hostb '{}' "{'ElementName': <'a/b'>}"
  refused InvalidParameter 'NewSystemSettingData: ElementName' "$web" hostb '{}' "{'ElementName': <7>}"
  refused IncompatibleParameters 'ElementName.*32769' "$web" '' "{'MigrationType': <32769>}" "{'ElementName': <'x'>}"
  refused IncompatibleParameters 'AutomaticStart.*32769' "$web" '' "{'MigrationType': <32769>}" \
    "{'AutomaticStart': <true>}"
  refused NotSupported ConfigurationDataRoot "$web" hostb '{}' "{'ConfigurationDataRoot': <'/x'>}"
  refused InvalidParameter 'NewResourceSettingData.*InstanceID' "$web" hostb '{}' '{}' "[{'ResourceType': <17>}]"
  refused InvalidParameter 'NewResourceSettingData.*ResourceType is 3 ' "$web" hostb '{}' '{}' "[{'ResourceType': <3>}]"
  refused InvalidParameter 'NewResourceSettingData\[1\]: "X"' "$web" hostb '{}' '{}' "[{$disk}, {'X': <1>}]"
  refused IncompatibleParameters 'disk in NewResourceSettingData.*32768' "$web" hostb '{}' '{}' "[{$disk}]"
  refused InvalidParameter 'NewResourceSettingData\[1\]: InstanceID' "$web" hostb "{'MigrationType': <32771>}" '{}' \
    "[{$disk}, {$disk}]"
  refused InvalidParameter 'NewResourceSettingData\[0\]: Connection' "$web" hostb "{'MigrationType': <32771>}" '{}' \
    "[{$disk, 'Connection': <['lan']>}]"
  refused InvalidParameter 'NewResourceSettingData\[0\]: HostResource' "$web" hostb "{'MigrationType': <32771>}" '{}' \
    "[{$disk, 'HostResource': <['/a/']>}]"
  refused InvalidParameter 'NewResourceSettingData\[0\]: InstanceID.*MAC' "$web" hostb '{}' '{}' \
    "[{'ResourceType': <10>, 'InstanceID': <'eth0'>, 'Connection': <['lan']>}]"
  refused IncompatibleParameters 'network in NewResourceSettingData' "$web" '' "{'MigrationType': <32769>}" '{}' \
    "[{'ResourceType': <10>, 'InstanceID': <'52:54:00:00:00:01'>, 'Connection': <['lan']>}]"
}

list() { # COUNT ELEMENT
  # shellcheck disable=SC2046 # words
  printf "$2%.0s" $(seq "$1") | sed 's/,$//'
}

limits() {
  refused LimitsExceeded 256 "$web" hostb "{'DestinationIPAddressList': <[$(list 257 "'10.77.0.2',")]>}"
  refused LimitsExceeded 256 "$web" hostb '{}' '{}' "[$(list 257 '@a{sv} {},')]"
  refused LimitsExceeded 4096 "$web" hostb "{'BandwidthUnit': <'$(list 5000 x)'>}"
  refused LimitsExceeded 4096 "$web" hostb "{'$(list 5000 x)': <1>}"
  refused LimitsExceeded 65536 "$web" hostb "{'PostCopy': <[$(list 20 "'$(list 4000 x)',")]>}"
  only=$move refused LimitsExceeded 65536 "$web" "$(list 70000 a)"
  refused InvalidParameter 'containers' "$web" hostb "{'PostCopy': <[[[[[[[[[[1]]]]]]]]]]>}"
  refused InvalidParameter 'descriptor' "$web" hostb "{'PostCopy': <@ah []>}"
}

integers() {
  local type
  for type in byte int16 uint16 int32 uint32 int64 uint64; do
    assert_match "$(five "$check" "$web" hostb "{'Bandwidth': <$type 100>, 'Timeout': <$type 0>}")" "$good" "$type"
  done
  # Null counts as absent
  assert_match "$(five "$check" "$web" hostb "{'MigrationType': <0>, 'PostCopy': <''>,
    'DestinationIPAddressList': <@as []>, 'UnmanagedVhds': <@aa{sv} []>, 'ParallelConnections': <0>}")" "$good" "Nulls"
  host_run A virsh -q suspend --domain web
  wait_prop A "$web" "$VSM_NAME.System" EnabledState '^32768$' >/dev/null
  assert_match "$(five "$check" "$web" hostb)" "$good" "a paused one can be asked about"
}

# MigrationState is the one thing that can be written, with the one value.
writes() {
  local value set=org.freedesktop.DBus.Properties.Set
  for value in 1 2 3 4 5 6 4294967295; do
    assert_match "$(answer "$web" "$set" "$VSM_NAME.System" MigrationState "<uint32 $value>")" \
      'Error.InvalidParameter: MigrationState' "$value"
  done
  for value in 'uint16 0' 'int32 0' "''" false '<uint32 0>' '@au []'; do
    assert_match "$(answer "$web" "$set" "$VSM_NAME.System" MigrationState "<$value>")" \
      'Error.InvalidParameter: MigrationState' "$value"
  done
  assert_eq "$(answer "$web" "$set" "$VSM_NAME.System" MigrationState '<uint32 0>')" '()' "0, while it is 0"
  assert_match "$(answer "$web" "$set" "$VSM_NAME.System" Nothing '<uint32 0>')" 'DBus.Error.UnknownProperty'
  assert_match "$(answer "$VSM_ROOT/system/x" "$set" "$VSM_NAME.System" MigrationState '<uint32 0>')" UnknownObject
}

get_system() { # NAME-OR-UUID
  answer "$VSM_ROOT" "$VSM_NAME.Manager.GetSystem" "'$1'"
}

look_ups() {
  local uuid text
  uuid=$(guest_uuid A web)
  guest_define A "$uuid" # another one, named as this one is numbered
  for text in web "$uuid" "${uuid^^}"; do
    assert_eq "$(get_system "$text")" "(objectpath '$web',)" "GetSystem $text"
  done
  for text in '' Web WEB web. 'web ' "$(tr -d - <<<"$uuid")" "{$uuid}" 00000000-0000-0000-0000-000000000000; do
    assert_match "$(get_system "$text")" 'Error.InvalidParameter: .*no system of that name' "GetSystem $text"
  done
  assert_match "$(get_system "$(list 5000 x)")" 'DBus.Error.LimitsExceeded: .*4096' "a long name"
}

# What callers write stays out of the journal, or comes there harmless.
journal() {
  refused InvalidParameter 'MigrationSettingData: "a\\nb\\033' "$web" hostb "{'a\\nb\\u001b[31mfake\\u0007': <1>}"
  get_system 'a\nFORGED\u001b[31m' >/dev/null
  only=$move refused InvalidParameter DestinationHost "$web" $'a\nFORGED'
  host_run A journalctl --sync
  host_run A journalctl --quiet --all -o cat -u vsmd.service >journal
  assert_file_has_content journal 'Connected to libvirt'
  assert_not_file_has_content journal $'[\x01-\x08\x0b-\x1f\x7f]' '^FORGED' '^b'
}

hosts_need gdbus
hosts_setup "$@"

guest_start A web
guest_define A off
web=$(system_path web) off=$(system_path off)
process=$(host_run A systemctl show -p MainPID -p NRestarts vsmd.service)
monitor_start A bus.A "--match=type=signal,path_namespace=$VSM_ROOT"

systems
ok "systems that are none, or do not run"
destinations
ok "destinations that are none, or this host"
settings
ok "settings: each mistake by its name"
other_dicts
ok "settings of the new system and its resources"
limits
ok "too much of anything"
integers
ok "any integer type that holds the value, and Nulls"
writes
ok "MigrationState takes 0"
look_ups
ok "systems by name and UUID"
journal
ok "the journal is not a caller's to write"

assert_eq "$(host_run A systemctl show -p MainPID -p NRestarts vsmd.service)" "$process" "still the same process"
assert_not_file_has_content bus.A "$VSM_ROOT/job/" '"PropertiesChanged".*"MigrationState"'
assert_eq "$(host_run A busctl tree --list "$VSM_NAME" | grep -c "$VSM_ROOT/job/")" 0 "no job is there"
ok "the daemon lives, and nothing was started"

hosts_done
plan
