#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# ModifyServiceSettings: what it takes, what it refuses, that it holds at once and after a restart, over what the
# configuration files say; and that a reload reads them again.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

DROP_IN=/etc/vsmd/vsmd.conf.d/site.conf

setting() { # NAME
  prop A "$VSM_ROOT" "$VSM_NAME.ServiceSettingData" "$1"
}

modify() { # arguments as busctl takes them
  assert_eq "$(call A "$VSM_ROOT" "$VSM_NAME" ModifyServiceSettings 'a{sv}' "$@")" 'uo 0 "/"' "modified: $*"
}

# gdbus names the error, busctl does not.
refused() { # ERROR WORDS SETTINGS
  assert_fails_with "$VSM_NAME.Error.$1: .*$2" host_run A gdbus call --system --dest "$VSM_NAME" \
    --object-path "$VSM_ROOT" --method "$VSM_NAME.ModifyServiceSettings" "$3"
}

all() { # every property, without the fixed ones
  host_run A busctl --json=short call "$VSM_NAME" "$VSM_ROOT" org.freedesktop.DBus.Properties GetAll s \
    "$VSM_NAME.ServiceSettingData"
}

changes() { # FILE: names of the settings that signals told, one signal a line
  grep -F '"member":"PropertiesChanged"' "$1" | grep -F ServiceSettingData | grep -oE '"[A-Z][A-Za-z]+":\{"type"' |
    cut -d'"' -f2 | paste -sd ' '
}

journal_says() { # REGEX
  host_run A journalctl --quiet --no-pager -u vsmd -b | grep -E -- "$1" >/dev/null
}

taken() {
  monitor_start A bus.taken
  modify 3 MaximumActiveVirtualSystemMigration u 5 DefaultPostCopy s auto EnableCompression b false
  assert_eq "$(setting MaximumActiveVirtualSystemMigration) $(setting DefaultPostCopy)" "5 auto" "read at once"
  wait_for_line bus.taken '"DefaultPostCopy"' >/dev/null
  modify 2 DefaultPostCopy s auto HistoryLimit q 77
  wait_for_line bus.taken '"HistoryLimit"' >/dev/null
  assert_eq "$(changes bus.taken)" "MaximumActiveVirtualSystemMigration DefaultPostCopy HistoryLimit" \
    "what is new is told, and nothing else"
  modify 0
  # any integer type that holds it; Null is absent
  modify 4 MaximumActiveStorageMigration x 7 DefaultTransportType u 4 StallTimeout t 0 DefaultPostCopy s ''
  assert_eq "$(setting MaximumActiveStorageMigration) $(setting DefaultTransportType)" "7 4" "other types"
  assert_eq "$(setting StallTimeout) $(setting DefaultPostCopy)" "120000000 auto" "Null changes nothing"
}

not_taken() {
  local before
  before=$(all)
  refused InvalidParameter '"Colour" is unknown' "{'Colour': <1>}"
  refused InvalidParameter 'EnableCompression is of type "u"' "{'EnableCompression': <uint32 1>}"
  refused InvalidParameter 'MaximumActiveVirtualSystemMigration is 16' "{'MaximumActiveVirtualSystemMigration': <16>}"
  refused InvalidParameter 'MaximumActiveStorageMigration is 0' "{'MaximumActiveStorageMigration': <0>}"
  refused InvalidParameter 'MaximumBandwidth is 1048575' "{'MaximumBandwidth': <1048575>}"
  refused InvalidParameter 'DefaultPostCopy is "soon"' "{'DefaultPostCopy': <'soon'>}"
  refused NotSupported CredSSP "{'AuthenticationType': <0>}"
  refused NotSupported Kerberos "{'AuthenticationType': <1>}"
  refused NotSupported SMB "{'EnableSmbTransport': <true>}"
  refused NotSupported 'DefaultTransportType 32768' "{'DefaultTransportType': <uint16 32768>}"
  refused InvalidParameter 'ElementName.*left as it is' "{'ElementName': <'mine'>}"
  refused InvalidParameter 'InstanceID is of type' "{'InstanceID': <3>}"
  # all or nothing
  refused InvalidParameter HistoryLimit "{'EnableCompression': <true>, 'HistoryLimit': <-1>}"
  refused NotSupported SMB "{'HistoryLimit': <9>, 'EnableSmbTransport': <true>, 'EnableCompression': <true>}"
  assert_fails call A "$VSM_ROOT" "$VSM_NAME" ModifyServiceSettings 'a{sv}' 2 HistoryLimit u 8 HistoryLimit u 9
  assert_eq "$(all)" "$before" "nothing changed"
}

# As a client does that reads the instance, changes one thing and sends it.
whole_instance() {
  host_run A python3 - <<'EOF'
import re, subprocess
name, path = 'org.example.VirtualSystemMigration', '/org/example/VirtualSystemMigration'
def gdbus(*words):
    return subprocess.run(['gdbus', 'call', '--system', '--dest', name, '--object-path', path, '--method', *words],
                          check=True, capture_output=True, text=True).stdout
instance = gdbus('org.freedesktop.DBus.Properties.GetAll', name + '.ServiceSettingData')
instance = instance.strip()[1:-2].replace("'HistoryLimit': <uint32 77>", "'HistoryLimit': <uint32 78>")
assert '78' in instance, instance
print(gdbus(name + '.ModifyServiceSettings', instance))
EOF
  assert_eq "$(setting HistoryLimit)" 78 "the one that was different"
}

# The files decide about what nobody changed, whole instances or not.
files_and_restart() {
  host_write A "$DROP_IN" <<<$'[Service]\nMaximumActiveVirtualSystemMigration=3\nEnableCompression=true'
  host_run A systemctl restart vsmd.service
  assert_eq "$(setting MaximumActiveVirtualSystemMigration)" 5 "what was set is kept, over the file"
  assert_eq "$(setting EnableCompression)" true "what was not set is the file's"
  modify 1 MaximumActiveVirtualSystemMigration u 4
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  assert_true "started again" wait_until 20 setting HistoryLimit
  assert_eq "$(setting MaximumActiveVirtualSystemMigration)" 4 "kept over a kill"
  assert_eq "$(setting HistoryLimit)" 78 "this too"

  monitor_start A bus.reload
  host_write A "$DROP_IN" <<'EOF'
[Service]
MaximumActiveVirtualSystemMigration=9
MaximumBandwidth=2M
Colour=red
StallTimeout=soon
EOF
  host_run A systemctl reload vsmd.service
  wait_prop A "$VSM_ROOT" "$VSM_NAME.ServiceSettingData" MaximumBandwidth '^2097152$' >/dev/null
  assert_eq "$(setting MaximumActiveVirtualSystemMigration)" 4 "still over the file"
  assert_eq "$(setting EnableCompression)" false "what the file does not say any more is the default"
  assert_eq "$(changes bus.reload | tr ' ' '\n' | sort | paste -sd ' ')" "EnableCompression MaximumBandwidth" \
    "told"
  assert_true "faults are in the journal" wait_until 10 journal_says "$DROP_IN:4: .*\"Colour\" is unknown"
  assert_true "with file and line" journal_says "$DROP_IN:5: StallTimeout"
}

by_polkit() {
  local paths

  assert_fails_with 'authoriz|denied|permitted' call_as A alice "$VSM_ROOT" "$VSM_NAME" ModifyServiceSettings 'a{sv}' \
    1 HistoryLimit u 5
  polkit_rule A 50-settings <<'EOF'
polkit.addRule(function(action, subject) {
    if (action.id == "org.example.VirtualSystemMigration.modify-settings" && subject.user == "alice" &&
        ["HistoryLimit,EnableCompression", "SubnetNumber,PrefixLength,Metric"].indexOf(action.lookup("settings")) >= 0)
        return polkit.Result.YES;
});
EOF
  assert_eq "$(call_as A alice "$VSM_ROOT" "$VSM_NAME" ModifyServiceSettings 'a{sv}' \
    2 HistoryLimit u 500 EnableCompression b false)" 'uo 0 "/"' "a rule sees the keys"
  assert_fails call_as A alice "$VSM_ROOT" "$VSM_NAME" ModifyServiceSettings 'a{sv}' 1 EnableCompression b true

  # each key once, however many networks there are
  assert_eq "$(call_as A alice "$VSM_ROOT" "$VSM_NAME" AddNetworkSettings 'aa{sv}' 2 \
    3 SubnetNumber s 192.0.2.0 PrefixLength y 24 Metric u 5 2 SubnetNumber s 198.51.100.0 PrefixLength y 24)" \
    'uo 0 "/"' "and those of networks"
  assert_fails call_as A alice "$VSM_ROOT" "$VSM_NAME" AddNetworkSettings 'aa{sv}' 1 \
    2 SubnetNumber s 203.0.113.0 PrefixLength y 24

  # only the two for all networks are left, or no guest would find a way out of here
  mapfile -t paths < <(host_run A busctl --list tree "$VSM_NAME" | grep '/network/' | sort -V | tail -n 2)
  call A "$VSM_ROOT" "$VSM_NAME" RemoveNetworkSettings ao 2 "${paths[@]}" >/dev/null
}

# Many at once, each with a key of its own and one that all have: each of the own ones is there afterwards.
together() {
  host_run A sh -s <<EOF
for i in 1 2 3 4 5 6 7 8; do
  set -- HistoryLimit u 10\$i MaximumActiveStorageMigration u 6 MaximumBandwidth t 2000000 DefaultPostCopy s now \
    EnableCompression b true StallTimeout t 5000000 MaximumActiveVirtualSystemMigration u 8 DefaultTransportType q 5
  eval "shift \$(((i - 1) * 3))"
  busctl -q call $VSM_NAME $VSM_ROOT $VSM_NAME ModifyServiceSettings 'a{sv}' 2 "\$1" "\$2" "\$3" \
    MaximumActiveVirtualSystemMigration u \$((i + 2)) &
done
wait
EOF
  assert_match "$(setting HistoryLimit) $(setting MaximumActiveStorageMigration) $(setting MaximumBandwidth) \
$(setting DefaultPostCopy) $(setting EnableCompression) $(setting StallTimeout) $(setting DefaultTransportType)" \
    '^101 6 2000000 now true 5000000 5$' "one on top of the other"
  assert_between "$(setting MaximumActiveVirtualSystemMigration)" 3 10 "the common one is somebody's"
}

system_path() { # HOST NAME
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid "$1" "$2" | tr - _)"
}

hold() { # NAME: prints the path of the job
  local reply
  reply=$(call A "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost 'osa{sv}a{sv}aa{sv}' "$(system_path A "$1")" \
    "$(host_name B)" 2 Bandwidth q 1 AllowThrottling b false 0 0)
  reply=${reply#*\"}
  printf '%s\n' "${reply%\"}"
}

# The limit takes effect on what waits already.
queue() {
  local first second
  modify 1 MaximumActiveVirtualSystemMigration u 1
  first=$(hold one)
  second=$(hold two)
  wait_prop A "$first" "$VSM_NAME.Job" JobState '^4$' >/dev/null
  assert_eq "$(prop A "$second" "$VSM_NAME.Job" JobState)" 2 "the second one waits"
  modify 1 MaximumActiveVirtualSystemMigration u 2
  wait_prop A "$second" "$VSM_NAME.Job" JobState '^4$' >/dev/null
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount)" 2 "both run"

  # to less: what runs goes on
  modify 1 MaximumActiveVirtualSystemMigration u 1
  assert_eq "$(prop A "$first" "$VSM_NAME.Job" JobState)" 4 "the first one goes on"
  call A "$first" "$VSM_NAME.Job" RequestStateChange qt 4 0 >/dev/null
  call A "$second" "$VSM_NAME.Job" RequestStateChange qt 4 0 >/dev/null
  wait_prop A "$first" "$VSM_NAME.Job" JobState '^8$' >/dev/null
  wait_prop A "$second" "$VSM_NAME.Job" JobState '^8$' >/dev/null
}

hosts_need gdbus python3
hosts_setup "$@"

taken
ok "taken, told, and read at once"
not_taken
ok "refused by name, and nothing of it done"
whole_instance
ok "the whole instance sent back"
files_and_restart
ok "kept over a kill; files below; a reload"
by_polkit
ok "polkit, with the keys"
together
ok "many at once"
guest_start A one --ws 8
guest_start A two --ws 8
queue
ok "limits hold for what waits"

hosts_done
plan
