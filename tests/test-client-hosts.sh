#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vsmctl against the service: what a person or a script gets to see, and the exit status.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

ESC=$'\033'

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

looking() {
  vsmctl list
  says 0 out '^NAME +UUID +STATE' "^web +$(guest_uuid A web) +running"
  vsmctl --json list
  says 0 out '"ElementName" *: *"web"'
  vsmctl status
  says 0 out "$(host_run A virsh -q version --daemon | sed -n 's/.*libvirt \([0-9.]*\).*/\1/p' | head -n1)"
  vsmctl status web
  says 0 out "$(guest_uuid A web)" 'running'
  vsmctl status nonesuch
  says 1 err 'no system'
  vsmctl jobs
  says 0 out '.'
}

checking() {
  vsmctl check web "$(host_name B)"
  says 0 out 'web can be migrated to hostb'
  guest_define B web
  vsmctl check web "$(host_name B)"
  says 3 out 'web cannot be migrated to hostb' 'UUID'
  vsmctl --json check web "$(host_name B)"
  says 3 out '"IsMigratable" *: *false' '"name-in-use"'
  host_run B virsh -q undefine --domain web
}

moving() {
  vsmctl migrate web "$(host_name B)"
  says 0 out 'web: ' 'preparing|memory|data|transfer' 'web runs on hostb now.* sent.*paused'
  assert_file_has_content out '[0-9]+%'
  assert_not_file_has_content out "$ESC|"$'\r'
  assert_guest_on B web
  wait_system B web OperatingStatus '^0$'
  host_run B vsmctl migrate web "$(host_name A)" >/dev/null
  assert_guest_on A web
  wait_system A web OperatingStatus '^0$'
}

background() {
  local n
  vsmctl migrate web "$(host_name B)" --set Bandwidth=1 --no-wait
  says 0 out 'is job [0-9]+ now'
  n=$(grep -oE 'is job [0-9]+' out | grep -oE '[0-9]+')
  wait_system A web MigrationState '^2$'
  vsmctl list
  says 0 out '^web .*hostb'
  vsmctl job "$n"
  says 0 out 'hostb' 'root'
  vsmctl jobs
  says 0 out "^ *$n .*web +hostb"
  vsmctl migrate web "$(host_name B)"
  says 1 err 'migrated already'
  vsmctl cancel "$n"
  assert_eq "$status" 0 "status of cancel"
  wait_job A "$VSM_ROOT/job/$n" '^8$'
  vsmctl job "$n"
  says 0 out '[Cc]ancel|terminated'
  vsmctl cancel 99999
  says 1 err '99999'
  assert_stayed A B web
}

failing() {
  guest_define B web
  vsmctl migrate web "$(host_name B)"
  says 1 err 'Failed: ' 'another system with the name' 'vsmctl reset web'
  host_run B virsh -q undefine --domain web
  vsmctl status web
  says 0 out '[Ff]ail'
  vsmctl reset web
  says 0 out 'web is reset'
  assert_eq "$(system_prop A web MigrationState)" 0 "MigrationState"
}

usage() {
  vsmctl migrate web
  says 2 err '.'
  vsmctl migrate web "$(host_name B)" --set Nonesuch=3
  says 2 err 'Nonesuch'
  vsmctl migrate web 'qemu+tcp://hostb/system'
  says 1 err '.'
}

denied() {
  vsmctl -u alice list
  says 0 out '^web '
  vsmctl -u alice migrate web "$(host_name B)"
  says 4 err 'not allowed|password'
  vsmctl -u alice check web "$(host_name B)"
  says 4 err 'not allowed|password'
  assert_eq "$(system_prop A web MigrationState)" 0 "nothing was started"
}

# Without a terminal there is nobody to ask: it leaves, and the migration goes on.
interrupted() {
  local job client
  start_background client.log "$hosts_lab" --dir "$VSM_LAB_DIR" run A \
    vsmctl migrate web "$(host_name B)" --set Bandwidth=1
  client=$background_pid
  wait_for_line client.log 'web: .*%' 20 >/dev/null
  wait_system A web MigrationState '^2$'
  job=$(system_prop A web MigrationJob)
  host_run A pkill -INT -x vsmctl
  status=0
  wait "$client" || status=$?
  assert_eq "$status" 1 "exit status of one that left"
  assert_file_has_content client.log 'goes on in the background' "cancel ${job##*/}"
  assert_eq "$(job_prop A "$job" JobState)" 4 "the migration goes on"
  let_go A "$job"
  wait_job A "$job" '^7$'
  assert_guest_on B web
  wait_system B web OperatingStatus '^0$'
}

watching() {
  start_background watch.json "$hosts_lab" --dir "$VSM_LAB_DIR" run B vsmctl --json watch
  wait_for_line watch.json '"Event":"Loaded"' 20 >/dev/null
  host_run B vsmctl --json migrate web "$(host_name A)" >migrate.json
  assert_file_has_content migrate.json '"JobState" *: *7'
  wait_for_line watch.json '"Event":"Removed".*/system/' 20 >/dev/null
  assert_eq "$(grep -oE '"MigrationState":[0-9]+' watch.json | cut -d: -f2 | uniq | paste -sd ' ')" "1 2 3 0" \
    "each state has a line"
  assert_eq "$(grep -cvE '^\{.*\}$' watch.json || true)" 0 "one object to a line"
  assert_guest_on A web
  wait_system A web OperatingStatus '^0$'
}

# A guest may have any name, and its description anything: a terminal gets nothing of it raw.
odd_names() {
  local name="o&d <\"n' ä\$x"
  guest_start A "$name" --ws 8
  guest_define A described
  host_run A virsh -q desc --domain described --config --title "${ESC}[2Jtitle"
  wait_system A described Description 'title'
  vsmctl status described
  says 0 out '2Jtitle'
  assert_not_file_has_content out "$ESC"
  vsmctl migrate "$name" "$(host_name B)"
  says 0 out 'runs on hostb now'
  assert_guest_on B "$name"
  vsmctl status "${ESC}]0;title"
  says 1 err 'no system'
  assert_not_file_has_content err "$ESC"
  vsmctl migrate web "${ESC}[31mhost"
  assert_eq "$status" 1 "an absurd host"
  assert_not_file_has_content err "$ESC"
}

hosts_setup "$@"
at_failure 'echo "== what vsmctl said last" && cat out err'
guest_start A web

looking
ok "list, status, jobs"
checking
ok "check: 0, or 3 with the reasons"
moving
ok "migrate: lines of progress, and what came of it"
background
ok "--no-wait, job, cancel"
failing
ok "a failure, its reason, reset"
usage
ok "wrong usage"
denied
ok "denied"
interrupted
ok "^C without a terminal leaves it running"
watching
ok "watch --json, migrate --json"
odd_names
ok "odd names"
assert_guest_good web

hosts_done
plan
