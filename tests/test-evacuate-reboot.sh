#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A host that is started anew in the middle of an evacuation: who had left by then is away, and comes home when called.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libevacuate.sh
. "$test_dir/libevacuate.sh"

# What had been begun goes on in libvirt and QEMU, and nobody here sees it arrive.
arrives_unseen() {
  limit_bandwidth A 2
  job=$(evacuate A)
  child=$(wait_prop A "$job" "$EVACUATION" Jobs "$VSM_ROOT/job/[0-9]+" | grep -oE "$VSM_ROOT/job/[0-9]+" | head -n1)
  wait_prop A "$child" "$VSM_NAME.Job.Transfer" Phase '^memory$' 30 >/dev/null
  host_run A systemctl mask --quiet --runtime vsmd.service
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  host_run A virsh -q migrate-setspeed --domain one --bandwidth 1000
  wait_until 60 has_left
}

has_left() {
  [ "$(guest_hosts one)" = B ]
}

# Here nothing is left of it to be seen: the way it went is on the other host, and in the records.
reboots() {
  lab crash A
  lab boot A
  wait_prop A "$VSM_ROOT" "$VSM_NAME" Status '^OK$' >/dev/null
  wait_job A "$child" "$END" 60
  assert_eq "$(job_prop A "$job" JobState)" 10 "the evacuation is not gone on with"
  assert_guest_on B one
  assert_eq "$(draining A)" "false 2" "this host takes guests again"
}

comes_home() {
  client A bring-back
  assert_eq "$status" 0 "vsmctl bring-back ($(head -n 3 err))"
  assert_file_has_content out '1 of 1 system'
  assert_stays A one
}

hosts_setup "$@"
know A B
guest_start A one --ws 8 --rate 0

arrives_unseen
reboots
ok "the host is started anew: the evacuation has ended, and its guest runs on at the other"
comes_home
ok "who had left comes home"

hosts_done
plan
