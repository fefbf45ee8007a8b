#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vsmctl sets the service up: settings, networks, hosts, states, compatibility, history, and the words of the
# Hyper-V sample; here, and of another host through ssh. What it says is held against the bus.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

SETTINGS=$VSM_NAME.ServiceSettingData

# Runs vsmctl on host A; sets status, and leaves what it said in out and err.
vsmctl() { # [-u USER] ARGUMENTS...
  local user=root
  [ "$1" != -u ] || { user=$2 && shift 2; }
  status=0
  as_user A "$user" vsmctl "$@" >out 2>err </dev/null || status=$?
}

says() { # STATUS FILE REGEX [REGEX...]
  assert_eq "$status" "$1" "exit status ($(head -c 300 err))"
  assert_file_has_content "$2" "${@:3}"
}

# Lines of a table are for people on 80 columns.
narrow() { # FILE
  assert_eq "$(wc -L <"$1")" "$(wc -L <"$1" | awk '{print ($1 > 80) ? 80 : $1}')" "at most 80 columns"
}

setting() { # HOST NAME
  prop "$1" "$VSM_ROOT" "$SETTINGS" "$2"
}

service_prop() { # HOST NAME
  prop "$1" "$VSM_ROOT" "$VSM_NAME" "$2"
}

networks() { # HOST: their paths
  host_run "$1" busctl tree --list "$VSM_NAME" | grep "^$VSM_ROOT/network/[0-9]" | sort | paste -sd ' '
}

system_path() { # HOST NAME
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid "$1" "$2" | tr - _)"
}

wait_system() { # HOST NAME PROPERTY REGEX
  wait_prop "$1" "$(system_path "$1" "$2")" "$VSM_NAME.System" "$3" "$4" >/dev/null
}

settings() {
  vsmctl settings
  says 0 out '^SETTING +VALUE' '^MaximumBandwidth +0 \(no limit\)' '^StallTimeout +2min' '^DefaultPostCopy +never'
  narrow out
  vsmctl settings MaximumBandwidth=200MiB/s StallTimeout=90s MaximumActiveVirtualSystemMigration=3
  says 0 out '^MaximumBandwidth +200MiB/s' '^StallTimeout +90s' '^MaximumActiveVirtualSystemMigration +3'
  assert_not_file_has_content out 'HistoryLimit'
  assert_eq "$(setting A MaximumBandwidth) $(setting A StallTimeout)" "209715200 90000000" "what was set"
  assert_eq "$(setting A MaximumActiveVirtualSystemMigration)" 3 "what was set"
  vsmctl --json settings DefaultPostCopy=auto
  says 0 out '"DefaultPostCopy" *: *"auto"' '"StallTimeout" *: *90000000'
  vsmctl settings MaximumBandwidth=0 MaximumActiveVirtualSystemMigration=16
  says 1 err 'MaximumActiveVirtualSystemMigration'
  assert_eq "$(setting A MaximumBandwidth)" 209715200 "nothing of a refused change"
  vsmctl settings EnableSmbTransport=yes
  says 1 err 'not supported'
  vsmctl settings AuthenticationType=kerberos
  says 1 err '[Nn]ot supported|NotSupported|Kerberos'
  vsmctl -u alice settings HistoryLimit=5
  says 4 err 'not allowed|password'
  vsmctl -u alice settings
  says 0 out '^HistoryLimit +10000'
  vsmctl settings MaximumBandwidth=0 StallTimeout=2min MaximumActiveVirtualSystemMigration=2 DefaultPostCopy=never
  says 0 out '.'
}

network() {
  local n
  vsmctl network
  says 0 out 'NUMBER +SUBNET +METRIC +TAGS' '0\.0\.0\.0/0 +1000' '::/0 +1000'
  narrow out
  vsmctl network add 10.77.0.0/24 --metric 7 --tag org.example:a --tag org.example:b
  says 0 out '^ *[0-9]+ +10\.77\.0\.0/24 +7 +org.example:a, org.example:b$'
  assert_eq "$(wc -l <out)" 2 "the new one only"
  n=$(awk 'END { print $1 }' out)
  assert_eq "$(prop A "$VSM_ROOT/network/$n" "$VSM_NAME.NetworkSettingData" Metric)" 7 "Metric on the bus"
  vsmctl network add fd00:77::/64 --metric 9
  says 0 out 'fd00:77::/64 +9'
  vsmctl network modify "$n" --metric 70
  says 0 out "^ *$n +10\.77\.0\.0/24 +70 +org.example:a, org.example:b\$"
  vsmctl --json network modify "$n" --subnet 10.77.0.0/25 --tag org.example:c
  says 0 out '"PrefixLength" *: *25' '"Metric" *: *70' '"org.example:c"'
  vsmctl network remove "$n" 4711
  says 1 err '.'
  assert_match "$(networks A)" "network/$n( |\$)" "all are removed or none"
  vsmctl network remove "$n" "$((n + 1))"
  says 0 out '2 networks are removed'
  vsmctl network remove "$n"
  says 1 err '.'
  vsmctl -u alice network add 10.77.0.0/24
  says 4 err 'not allowed|password'
  vsmctl --json network list
  says 0 out '"SubnetNumber" *: *"0.0.0.0"'
  assert_not_file_has_content out '10\.77'
}

host() {
  vsmctl host
  says 0 out 'no known hosts'
  vsmctl host add hostc --address 10.77.0.3 --address fd00:77::3 --authentication none --port 16509 \
    --priority 7 --memory-limit 8GiB --verifies-clients --disabled
  says 0 out 'hostc is known'
  vsmctl host list
  says 0 out '^NAME +STATE' '^hostc +[a-z]+ +no +7 .*none +10\.77\.0\.3, fd00:77::3'
  vsmctl --json host
  says 0 out '"MemoryLimit" *: *8589934592' '"VerifiesClients" *: *true' '"Enabled" *: *false' '"Port" *: *16509'
  vsmctl host add hostc
  says 0 out 'hostc is known'
  vsmctl --json host
  says 0 out '"Port" *: *0'
  vsmctl host add 'qemu://hostc/system'
  says 1 err '.'
  vsmctl -u alice host remove hostc
  says 4 err 'not allowed|password'
  vsmctl host remove hostc
  says 0 out 'hostc is forgotten'
  vsmctl host remove hostc
  says 1 err "no known host 'hostc'"
}

states() {
  vsmctl service
  says 0 out 'State: enabled' 'Running: 0'
  vsmctl service stop
  says 0 out 'State: disabled'
  assert_eq "$(service_prop A EnabledState)" 3 "EnabledState"
  vsmctl migrate web "$(host_name B)"
  says 1 err '.'
  assert_guest_on A web
  vsmctl --json service start
  says 0 out '"EnabledState" *: *2'
  vsmctl -u alice service stop
  says 4 err 'not allowed|password'
  assert_eq "$(service_prop A EnabledState)" 2 "EnabledState"
}

# Lasts as long as what runs; gives up waiting when it was told to.
quiesce() {
  local job
  vsmctl migrate web "$(host_name B)" --set Bandwidth=1 --no-wait
  wait_system A web MigrationState '^2$'
  job=$(prop A "$(system_path A web)" "$VSM_NAME.System" MigrationJob)
  vsmctl service quiesce --timeout 500ms
  says 1 err '[Ff]ailed: quiesce'
  assert_eq "$(service_prop A EnabledState)" 9 "EnabledState stays"
  start_background quiesce.log "$hosts_lab" --dir "$VSM_LAB_DIR" run A vsmctl service quiesce
  wait_for_line quiesce.log 'running|starting' 20 >/dev/null
  assert_eq "$(service_prop A TransitioningToState)" 9 "TransitioningToState"
  vsmctl service status
  says 0 out 'State: quiesce' 'On its way to: quiesce' 'Running: 1'
  assert_true "the migration goes on" \
    call A "$job" "$VSM_NAME.Job.Transfer" SetParameters 'a{sv}' 1 Bandwidth q 1000
  status=0
  wait "$background_pid" || status=$?
  assert_eq "$status" 0 "exit status: $(cat quiesce.log)"
  assert_file_has_content quiesce.log 'Done: quiesce'
  assert_guest_on B web
  vsmctl service start
  says 0 out 'State: enabled'
  wait_system B web OperatingStatus '^0$'
  host_run B vsmctl migrate web "$(host_name A)" >/dev/null
  wait_system A web OperatingStatus '^0$'
}

compat() {
  vsmctl compat export web -o /root/web.blob
  says 0 out 'in /root/web.blob'
  vsmctl compat check /root/web.blob
  says 0 out 'Compatible with this host'
  assert_true "through pipes to another host" host_run A sh -c \
    'vsmctl compat export web | ssh hostb vsmctl compat check - | grep "Compatible with this host"'
  host_run A sh -c 'printf VSMX >/root/bad.blob; cat /root/web.blob >>/root/bad.blob'
  vsmctl compat check /root/bad.blob
  says 1 err '.'
  vsmctl --json compat export
  says 0 out '"CompatibilityInfo" *: *"[A-Za-z0-9+/]+=*"'
  status=0
  host_run A script -qec 'vsmctl compat export web' /dev/null >out 2>&1 || status=$?
  says 2 out 'does not go to a terminal'
  vsmctl compat export nonesuch
  says 1 err 'no system'
}

history() {
  vsmctl history
  says 0 out '^ +STARTED +SYSTEM +TO +RESULT' '^20[0-9-]+ [0-9:]+ +web +hostb +completed .* root$'
  narrow out
  vsmctl history --system web --to "$(host_name B)" --since 1h --state completed --limit 1
  assert_eq "$(wc -l <out)" 2 "one line below the headings"
  vsmctl history --until yesterday
  says 0 out 'no such migrations'
  vsmctl history --state killed
  says 0 out 'no such migrations'
  vsmctl history --offset 1000
  says 0 out 'no such migrations'
  vsmctl --json history --limit 1
  says 0 out '"SystemName" *: *"web"' '"JobState" *: *7'
  vsmctl -u alice history
  says 4 err 'not allowed|password'
}

# Every verb that asks can ask there; one clear sentence when ssh cannot.
remote() {
  local b
  b=$(host_name B)
  vsmctl -H "$b" settings HistoryLimit=77
  says 0 out '^HistoryLimit +77'
  assert_eq "$(setting B HistoryLimit) $(setting A HistoryLimit)" "77 10000" "HistoryLimit at B and at A"
  vsmctl -H "root@$b" settings HistoryLimit=10000
  says 0 out '10000'
  vsmctl -H fd00:77::2 status
  says 0 out "on $b,"
  for verb in list jobs network host service history "compat check /root/web.blob" "--json compat export"; do
    # shellcheck disable=SC2086 # words
    vsmctl -H "$b" $verb
    says 0 out '.'
  done
  vsmctl -H nonesuch list
  says 1 err '^vsmctl: The bus of nonesuch cannot be reached through ssh$'
  assert_eq "$(grep -c '^vsmctl: ' err)" 1 "one sentence"
  vsmctl -H "nobody@$b" list
  says 1 err '^vsmctl: The bus of nobody@hostb cannot be reached through ssh$'
}

words_that_move() {
  local a b
  a=$(host_name A) b=$(host_name B)
  vsmctl VM-Simple "$a" "$b" web
  says 0 out 'web runs on hostb now'
  assert_guest_on B web
  wait_system B web OperatingStatus '^0$'
  # Now the source is the other host, and this one the destination: which tells of one address only.
  vsmctl network add fd00:77::/64
  vsmctl vm-simple-with-ip "$b" "$a" web
  says 0 out 'web runs on hosta now'
  assert_guest_on A web
  assert_match "$(host_run B vsmctl --json history --limit 1)" '"Address" *: *"fd00:77::1"' "the address that A told"
  vsmctl network remove "$(host_run A vsmctl network | awk '/fd00:77/ { print $1 }')"
  wait_system A web OperatingStatus '^0$'
  vsmctl vm-compression localhost "$b" web
  says 0 out 'web runs on hostb now'
  assert_guest_on B web
  wait_system B web OperatingStatus '^0$'
  vsmctl -H "$b" vm-simple "$b" "$a" web
  says 0 out 'web runs on hosta now'
  assert_guest_on A web
  wait_system A web OperatingStatus '^0$'
  vsmctl -H "$b" vm-simple "$a" "$b" web
  says 2 err 'leads to another host'
  vsmctl vm-simple-with-new-root "$a" "$b" web
  says 1 err 'ConfigurationDataRoot'
  host_run B vsmctl settings EnableVirtualSystemMigration=no >/dev/null
  vsmctl vm-simple-with-ip "$a" "$b" web
  says 1 err 'hostb does not allow migrations'
  host_run B vsmctl settings EnableVirtualSystemMigration=yes >/dev/null
  host_run B vsmctl network add 192.0.2.0/24 >/dev/null
  vsmctl vm-simple-with-ip "$a" "$b" web
  says 1 err 'hostb has no address in its migration networks'
  host_run B vsmctl network remove "$(host_run B vsmctl network | awk '/192\.0\.2/ { print $1 }')" >/dev/null
  assert_guest_on A web
}

word_that_checks() {
  local a b
  a=$(host_name A) b=$(host_name B)
  vsmctl vm-simple-check "$a" "$b" web
  says 0 out 'web can be migrated to hostb'
  guest_define B web
  vsmctl vm-simple-check "$a" "$b" web
  says 3 out 'web cannot be migrated to hostb' 'another system with the name'
  vsmctl --json vm-simple-check "$a" "$b" web
  says 3 out '"IsMigratable" *: *false' '"name-in-use"'
  host_run B virsh -q undefine --domain web
  vsmctl -u alice vm-simple-check "$a" "$b" web
  says 4 err 'not allowed|password'
}

words_that_compare() {
  local a b
  a=$(host_name A) b=$(host_name B)
  vsmctl checkcompatibility "$a" "$b"
  says 0 out 'Compatible with hostb'
  vsmctl CheckCompatibility "$b" "$a"
  says 0 out 'Compatible with hosta'
  vsmctl checkcompatibility "$a" "$b" web
  says 0 out 'Compatible with hostb'
  vsmctl compare-compatibility-vectors "$a" web
  says 0 out 'All vectors of the system are compatible'
  vsmctl --json compare-compatibility-vectors "$a" web
  says 0 out '"IsCompatible" *: *true' '"Failing" *: *\[\]'
  vsmctl compare-compatibility-vectors "$b" web
  says 1 err 'no system'
}

words_that_change() {
  local b before
  b=$(host_name B)
  before=$(networks B)
  vsmctl modifynetworks "$b"
  says 0 out '192\.168\.1\.0/24 +100 +org.example:UserManaged$' '192\.168\.1\.0/24 +200 +org.example:UserManaged$'
  assert_eq "$(networks B)" "$before" "networks of B"
  assert_eq "$(grep -c '192\.168\.1\.0/24' out)" 2 "it went again"
  vsmctl modifyservice "$b"
  says 0 out 'MaximumActiveVirtualSystemMigration: 4' 'MaximumActiveStorageMigration: 5' \
    'ActiveVirtualSystemMigrationCount: 0'
  assert_eq "$(setting B MaximumActiveVirtualSystemMigration)" 4 "limit of B"
  assert_eq "$(setting A MaximumActiveVirtualSystemMigration)" 2 "limit of A"
  vsmctl EnableCompression localhost
  says 0 out 'EnableCompression: no' 'EnableCompression: yes'
  assert_eq "$(setting A EnableCompression)" true "EnableCompression"
  vsmctl settings EnableCompression=no
  vsmctl enablesmb "$b"
  says 1 err 'EnableSmbTransport.* not supported'
  host_run B vsmctl settings MaximumActiveVirtualSystemMigration=2 MaximumActiveStorageMigration=2 >/dev/null
}

# ENTER is wanted between the steps, and only there.
words_on_a_terminal() {
  printf '\n\n\n' | host_run A script -qec 'vsmctl modifynetworks localhost' /dev/null >out 2>&1
  assert_eq "$(grep -c 'Press ENTER' out)" 3 "three questions"
  assert_file_has_content out '192\.168\.1\.0/24 +200'
  vsmctl modifynetworks localhost
  assert_not_file_has_content out 'Press ENTER'
}

# What the service says in English comes out in the user's language.
german() {
  vsmctl_de network
  says 0 out 'TEILNETZ'
  guest_define B web
  vsmctl_de check web "$(host_name B)"
  says 3 out 'kann nicht nach hostb migriert werden' 'Rechner „hostb“ hat ein anderes System mit dem Namen „web“' \
    'Benennen Sie eines davon um'
  host_run B virsh -q undefine --domain web
}

vsmctl_de() { # ARGUMENTS...
  status=0
  host_run A env LC_ALL=C.UTF-8 LANGUAGE=de vsmctl "$@" >out 2>err </dev/null || status=$?
}

hosts_need script
hosts_setup "$@"
guest_start A web

settings
ok "settings"
network
ok "network"
host
ok "host"
states
ok "service start, stop"
quiesce
ok "service quiesce"
compat
ok "compat"
history
ok "history"
remote
ok "another host through ssh"
words_that_move
ok "the sample's words that move"
words_that_compare
ok "the sample's words that compare"
words_that_change
ok "the sample's words that change"
words_on_a_terminal
ok "ENTER between the steps on a terminal"
german
ok "German, reasons too"
word_that_checks
ok "the sample's word that checks"
assert_guest_good web

hosts_done
plan
