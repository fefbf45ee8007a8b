#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The service is killed and restarted, and libvirtd of either host is, while there is a guest at each moment of a
# migration: in the queue, in Setup, in Data Transfer, in Move, and after a cancel and a failure. Whatever happens,
# jobs keep their numbers, and the end that they tell of is the one that virsh sees on both hosts, in the history too.
# VSM_FAULTS names those to be tried; those of libvirtd are in test-migrate-kill-libvirt.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

# What comes of the guest that is at that moment, under that fault: JobState / MigrationState where the guest is / the
# host that runs it. Where there are two, libvirt's own timing decides; each has to be true in all its parts.
#
# fault      moment     end
table='
kill        queued     7/0/B
kill        setup      7/0/B
kill        transfer   7/0/B
kill        move       7/0/B
kill        cancelled  8/4/A
kill        failed     10/5/A
restart     queued     7/0/B
restart     setup      7/0/B
restart     transfer   7/0/B
restart     move       7/0/B
restart     cancelled  8/4/A
restart     failed     10/5/A
libvirt_a   queued     7/0/B
libvirt_a   setup      10/5/A 7/0/B
libvirt_a   transfer   10/5/A
libvirt_a   move       7/0/B 10/5/A
libvirt_a   cancelled  8/4/A
libvirt_a   failed     10/5/A
libvirt_b   queued     7/0/B
libvirt_b   setup      7/0/B 10/5/A
libvirt_b   transfer   10/5/A
libvirt_b   move       10/5/A
libvirt_b   cancelled  8/4/A
libvirt_b   failed     10/5/A
'

moments='cancelled failed setup transfer move queued'
END='^(7|8|9|10|32768)$'
declare -A job path before

### a guest at each moment

signal_libvirtd() { # HOST SIGNAL
  host_run "$1" systemctl kill --kill-who=main --signal="$2" libvirtd.service
}

begin() {
  job[cancelled]=$(hold A cancelled B)
  wait_job A "${job[cancelled]}" '^4$'
  assert_eq "$(request A "${job[cancelled]}" 4)" 4096 "cancelled"
  job[failed]=$(migrate A failed nosuchhost.invalid)
  wait_job A "${job[cancelled]}" '^8$'
  wait_job A "${job[failed]}" '^10$'

  job[transfer]=$(hold A transfer B)
  job[move]=$(hold A move B)
  wait_system A transfer MigrationState '^2$'
  wait_system A move MigrationState '^2$'
  # From here on libvirtd there stands still: a guest is handed over, and nobody takes it; another one's call is
  # answered by the kernel alone.
  signal_libvirtd B STOP
  let_go A "${job[move]}"
  wait_system A move MigrationState '^3$'
  job[setup]=$(migrate A setup "$(host_name B)")
  job[queued]=$(migrate A queued "$(host_name B)")
  wait_job A "${job[setup]}" '^3$'
}

# Into look.HOST: "path property value", of all systems and jobs at one moment
look() { # HOST
  host_run "$1" busctl --json=short call "$VSM_NAME" "$VSM_ROOT" org.freedesktop.DBus.ObjectManager \
    GetManagedObjects | python3 -c '
import json, sys
for path, interfaces in json.load(sys.stdin)["data"][0].items():
    for interface, properties in interfaces.items():
        if interface.endswith((".Job", ".System")):
            for name, value in properties.items():
                print(path, name, json.dumps(value["data"]))
' >"look.$1"
}

looked() { # HOST PATH PROPERTY
  sed -n "s:^$2 $3 ::p" "look.$1"
}

# What may not change by a fault, and nothing at all of a job that has ended
facts() { # MOMENT
  local names='InstanceID|TimeSubmitted|Owner|OwnerUID|Priority|MigrationType|JobType|VirtualSystemName|DestinationHost'
  case $1 in cancelled | failed) names='[A-Za-z]+' ;; esac
  grep -E "^${job[$1]} ($names) " look.A
}

note_before() {
  local moment states=''
  look A
  for moment in $moments; do
    before[$moment]=$(facts "$moment")
    states+=" $moment $(looked A "${job[$moment]}" JobState) $(looked A "${path[$moment]}" MigrationState)"
  done
  assert_eq "$states" ' cancelled 8 4 failed 10 5 setup 3 1 transfer 4 2 move 4 3 queued 2 1' "where each is"
}

### faults

fault_kill() { host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service; }
fault_restart() { host_run A systemctl restart vsmd.service; }
fault_libvirt_a() { restart_libvirtd A; }
fault_libvirt_b() { restart_libvirtd B; }

# A worker waits for the other host: an orderly stop would end by force, too, only later.
restart_libvirtd() { # HOST
  signal_libvirtd "$1" KILL
  host_run "$1" systemctl restart libvirtd.service
}

back_on_bus() {
  wait_service A 30 prop A "$VSM_ROOT" "$VSM_NAME" Status
  wait_prop A "$VSM_ROOT" "$VSM_NAME" Status '^OK$' >/dev/null
}

assert_same_jobs() { # MOMENT...
  local moment
  look A
  for moment; do
    assert_eq "$(facts "$moment")" "${before[$moment]}" "the job of \"$moment\" is the one of before"
    assert_eq "$(looked A "${path[$moment]}" MigrationJob)" "\"${job[$moment]}\"" "MigrationJob of $moment"
  done
}

# The service comes back to where it was, not a step behind.
assert_same_states() {
  local moment
  for moment in setup:3 transfer:4 move:4 queued:2; do
    wait_job A "${job[${moment%:*}]}" "^${moment#*:}$"
  done
  assert_same_jobs setup transfer move queued cancelled failed
  assert_eq "$(looked A "${path[setup]}" MigrationState) $(looked A "${path[queued]}" MigrationState)" "1 1" "Setup"
}

### ends

# Into history.A: "job JobState ErrorCode system", each entry
look_at_history() {
  host_run A busctl --json=short call "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME.Manager" ListHistory 'a{sv}' 0 | python3 -c '
import json, sys
for entry in json.load(sys.stdin)["data"][0]:
    entry = {k: v["data"] for k, v in entry.items()}
    assert entry["TimeSubmitted"] <= entry["StartTime"] <= entry["EndTime"], entry
    print(entry["Job"], entry["JobState"], entry["ErrorCode"], entry["SystemName"])
' >history.A
}

wait_ends() {
  local moment
  for moment in setup transfer move queued; do
    wait_job A "${job[$moment]}" "$END" 90
  done
  look A
  for moment in setup transfer move queued; do
    before[$moment]=$(grep "^${job[$moment]} " look.A)
  done
  look_at_history
}

before_of() { # MOMENT PROPERTY
  sed -n "s:^${job[$1]} $2 ::p" <<<"${before[$1]}"
}

assert_end() { # MOMENT END...
  local state host other error
  state=$(before_of "$1" JobState) error=$(before_of "$1" ErrorCode)
  host=$(guest_hosts "$1")
  if [ "$host" = B ]; then other=A; else other=B; fi
  assert_match " ${*:2} " " $state/$(system_prop "${host:-A}" "$1" MigrationState)/$host " "the end of $1"
  if [ "$state" = 10 ]; then assert_ne "$error" 0 "ErrorCode of $1"; else assert_eq "$error" 0 "ErrorCode of $1"; fi
  assert_eq "$(grep "^${job[$1]} " history.A)" "${job[$1]} $state $error $1" "history of $1"
  assert_eq "$(guest_state "$other" "$1")" none "no definition of $1 on host $other"
  assert_eq "$(autostart "$host" "$1")" enable "autostart of $1"
  wait_system "$host" "$1" OperatingStatus '^0$'
  wait_tick "$1"
  assert_guest_good "$1"
}

back() {
  local moment state home=''
  for moment in $moments; do
    [ "$(guest_state B "$moment")" = none ] || home+=" $moment"
  done
  for moment in $home; do
    job[$moment]=$(migrate B "$moment" "$(host_name A)")
  done
  for moment in $home; do
    wait_job B "${job[$moment]}" "$END"
    assert_guest_on A "$moment"
    wait_system A "$moment" OperatingStatus '^0$'
  done
}

scene() { # FAULT
  local fault moment row
  begin
  note_before
  "fault_$1"
  case $1 in
    kill | restart)
      back_on_bus
      assert_same_states
      signal_libvirtd B CONT
      let_go A "${job[transfer]}"
      ;;
    *)
      signal_libvirtd B CONT
      back_on_bus
      # shellcheck disable=SC2086 # a list
      assert_same_jobs $moments
      ;;
  esac
  wait_ends
  while read -r fault moment row; do
    [ "$fault" = "$1" ] || continue
    # shellcheck disable=SC2086 # one or two
    assert_end "$moment" $row
    ok "$1, $moment"
  done <<<"$table"
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount)" 0 "none is counted"
  back
}

hosts_setup "$@"
set_limit A 3
at_exit 'signal_libvirtd B CONT'
starting=''
for name in $moments; do
  guest_start A "$name" --ws 8 --autostart &
  starting+=" $!"
done
for pid in $starting; do
  wait "$pid"
done
for name in $moments; do
  path[$name]=$(system_path A "$name")
done
note "$SECONDS s"

for fault in ${VSM_FAULTS:-kill restart}; do
  note "$fault at $SECONDS s"
  scene "$fault"
done
note "$SECONDS s"

hosts_done
plan
