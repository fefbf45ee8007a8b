#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# No more guests move at a time than the limit allows: two, by default. The others wait, which everybody can see, and
# go by priority, then by age.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

assert_counts() { # RUNNING QUEUED WHEN
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount)" "$1" "running $3"
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME.Manager" QueuedJobs)" "$2" "waiting $3"
}

assert_waits() { # NAME JOB
  assert_eq "$(job_prop A "$2" JobState)" 2 "JobState of $1"
  assert_eq "$(job_prop A "$2" StartTime)" 0 "$1 was not started"
  assert_eq "$(prop A "$2" "$VSM_NAME.Job.Transfer" Phase)" queued "phase of $1"
  assert_eq "$(system_prop A "$1" MigrationState)" 1 "MigrationState of $1"
  assert_eq "$(guest_state B "$1")" none "nothing of $1 is on host B"
  assert_eq "$(libvirt_job A "$1")" None "libvirt waits too"
}

assert_went() { # NAME JOB
  wait_job A "$2" '^(7|8|9|10|32768)$'
  assert_eq "$(job_prop A "$2" JobState)" 7 "JobState of $1"
  assert_guest_on B "$1"
}

three_with_two() {
  local one two three
  assert_counts 0 0 "at first"
  one=$(hold A one B)
  wait_system A one MigrationState '^2$'
  assert_counts 1 0 "with one"
  two=$(hold A two B)
  wait_system A two MigrationState '^2$'
  assert_counts 2 0 "with two"
  three=$(hold A three B)
  assert_counts 2 1 "with three"
  assert_waits three "$three"
  assert_eq "$(job_prop A "$one" JobState) $(job_prop A "$two" JobState)" "4 4" "the others move"
  let_go A "$one"
  assert_went one "$one"
  wait_system A three MigrationState '^2$'
  assert_counts 2 0 "when one has gone"
  assert_eq "$(job_prop A "$two" JobState) $(job_prop A "$three" JobState)" "4 4" "the third moves now"
  let_go A "$two"
  let_go A "$three"
  assert_went two "$two"
  assert_went three "$three"
  assert_counts 0 0 "at last"
}

back() {
  local name job
  for name in one two three; do
    wait_system B "$name" OperatingStatus '^0$'
    job=$(migrate B "$name" "$(host_name A)")
    wait_job B "$job" '^7$'
    wait_system A "$name" OperatingStatus '^0$'
  done
}

# The later one asks to be sooner. Then both had their turn, in the other order.
priority() {
  local one two three
  set_limit A 1
  one=$(hold A one B)
  wait_system A one MigrationState '^2$'
  two=$(migrate A two "$(host_name B)")
  three=$(migrate A three "$(host_name B)" 1 Priority q 5)
  assert_eq "$(job_prop A "$one" Priority) $(job_prop A "$three" Priority)" "100 5" "Priority"
  assert_counts 1 2 "with a limit of one"
  assert_waits two "$two"
  assert_waits three "$three"
  monitor_start A bus.priority
  let_go A "$one"
  assert_went one "$one"
  assert_went three "$three"
  assert_went two "$two"
  assert_counts 0 0 "at last"
  wait_for_line bus.priority "\"$two\".*\"JobState\":\{\"type\":\"q\",\"data\":7\}" 10 >/dev/null
  assert_eq "$(order bus.priority "$one" "$two" "$three")" "one three two" "the order in which they ended"
  assert_eq "$(seen bus.priority ActiveVirtualSystemMigrationCount)" "0 1 0 1 0" "never two at a time"
  assert_eq "$(seen bus.priority QueuedJobs)" "1 0" "the queue went down"
}

order() { # FILE ONE TWO THREE: in which their jobs became 7
  grep -F '"JobState":{"type":"q","data":7}' "$1" | grep -oE '"path":"[^"]*"' |
    sed "s:.*$2\"\$:one:; s:.*$3\"\$:two:; s:.*$4\"\$:three:" | paste -sd ' '
}

# What libvirt lets a guest's migration send, in MiB/s. It has no event for a change of that: asked again and again.
wait_speed() { # NAME MIB
  assert_true "$1 may send $2 MiB/s" wait_until 30 speed_is "$1" "$2"
}

speed_is() { # NAME MIB
  [ "$(host_run A virsh -q migrate-getspeed --domain "$1" | tr -d '\n')" = "$2" ]
}

# MaximumBandwidth is of all together: each has its part, and the last one all of it.
bandwidth() {
  local one two
  host_run A rm /etc/vsmd/vsmd.conf.d/limit.conf
  host_write A /etc/vsmd/vsmd.conf.d/bandwidth.conf <<<$'[Service]\nMaximumBandwidth=2M'
  host_run A systemctl restart vsmd.service
  one=$(migrate A one "$(host_name B)")
  wait_speed one 2
  two=$(migrate A two "$(host_name B)")
  wait_speed one 1
  wait_speed two 1
  call A "$one" "$VSM_NAME.Job" RequestStateChange qt 5 0 >/dev/null
  wait_job A "$one" '^9$'
  wait_speed two 2
  call A "$two" "$VSM_NAME.Job" RequestStateChange qt 5 0 >/dev/null
  wait_job A "$two" '^9$'
}

hosts_setup "$@"
for name in one two three; do
  guest_start A "$name" --ws 8
done
three_with_two
ok "three guests with a limit of two: the third waits, then goes"
back
priority
ok "Priority decides who is next"
for name in one two three; do
  assert_guest_good "$name"
done
ok "all three are undisturbed"
back
bandwidth
ok "what all may send together is shared by those that run"

hosts_done
plan
