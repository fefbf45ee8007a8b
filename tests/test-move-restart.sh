#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest is shut down here and started on the other host, with its disk (MigrationType Restart), or runs on here.
# It is never off for good, whatever happens in the middle.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libstorage.sh
. "$test_dir/libstorage.sh"
# shellcheck source=tests/libplace.sh
. "$test_dir/libplace.sh"

DIR=/var/lib/libvirt/store

# A guest that goes off may leave a line that is cut off, before the next one's first.
boots() { # NAME
  grep -ac 'VSM boot=' "$(lab console "$1")"
}

booted() { # NAME TIMES
  [ "$(boots "$1")" = "$2" ]
}

shutdowns() { # NAME
  grep -ac 'VSM shutdown' "$(lab console "$1")" || true
}

runs_on_a() { # NAME
  [ "$(guest_state A "$1")" = running ]
}

off_on_a() { # NAME
  [ "$(guest_state A "$1")" = "shut off" ]
}

assert_runs_here() { # NAME
  wait_until 60 runs_on_a "$1"
  assert_guest_on A "$1"
  assert_eq "$(guest_state B "$1")" none "no definition of $1 on host B"
  assert_eq "$(volumes B store)" "" "no volume on host B"
  assert_eq "$(autostart A "$1")" enable "autostart of $1"
  assert_no_leftovers B
  wait_tick "$1"
}

assert_went() { # NAME FROM TO BOOTS
  assert_guest_on "$3" "$1"
  assert_eq "$(guest_state "$2" "$1")" none "no definition of $1 on host $2"
  assert_eq "$(autostart "$3" "$1")" enable "autostart on host $3"
  assert_fails has_mark "$3" "$1"
  wait_until 30 booted "$1" "$4"
  wait_tick "$1"
}

there_and_back() {
  local job sum n
  n=$(boots web)
  sum=$(disk_sum A "$DIR/disk.qcow2")
  job=$(move_begin A web B 4 store)
  assert_job A "$job" 7
  assert_went web A B $((n + 1))
  assert_eq "$(disk_sum B "$DIR/disk.qcow2")" "$sum" "the disk holds what it held"
  assert_eq "$(shutdowns web)" 1 "it was shut down in order"
  job=$(move_begin B web A 4 store 'AllowOverwriteExistingFile b true RetainVhdCopiesOnSource b false')
  assert_job B "$job" 7
  assert_went web B A $((n + 2))
  assert_eq "$(volumes B store)" "" "the source's volume was removed"
  wait_disk_round web
}

# One that does not listen to its power button. It was asked, so it may still go off when nobody wants that any more:
# that is waited for, and then it is started again.
deaf() {
  local job
  host_run A virsh -q start --paused --domain deaf
  start_background qemu.log "$hosts_lab" --dir "$VSM_LAB_DIR" run A stdbuf -oL \
    virsh qemu-monitor-event --domain deaf --event '^(RESUME|POWERDOWN)$' --regex --loop
  job=$(move_begin A deaf B 4 -)
  assert_job_fails A "$job" 'paused'
  host_run A virsh -q resume --domain deaf
  wait_for_line qemu.log RESUME 10 >/dev/null
  wait_tick deaf
  job=$(move_begin A deaf B 4 -)
  wait_for_line qemu.log POWERDOWN 30 >/dev/null
  cancel A "$job"
  host_run A virsh -q destroy --domain deaf
  assert_job A "$job" 8
  assert_eq "$(guest_state A deaf)" running "it was started again"
  assert_eq "$(guest_state B deaf)" none "no definition of it on host B"
  host_run A virsh -q destroy --domain deaf
}

interrupted() { # COMMAND...: while its disk is copied, so it is off
  local job n
  n=$(boots web)
  lab link A rate 80mbit
  job=$(move_begin A web B 4 store)
  wait_until 60 off_on_a web
  assert_true "its definition is there, marked" has_mark B web
  "$@" "$job"
  lab link A rate unlimited
  assert_runs_here web
  wait_until 30 booted web $((n + 1))
}

# By a guest that was started and shut down again, say: the copy is neither the old disk nor the new one.
written() { # JOB
  wait_prop A "$1" "$VSM_NAME.Job.Transfer" DiskProcessed '^[1-9]' >/dev/null
  host_run A touch "$DIR/disk.qcow2"
  lab link A rate unlimited
  assert_job_fails A "$1" 'was changed'
}

# Nothing is done to it for that.
dialling() {
  local n
  n=$(boots web)
  dial_and_cancel web 4
  assert_runs_here web
  assert_eq "$(boots web)" "$n" "it was not shut down"
}

# The other host goes away: here it is started again without it, and there all goes when it is back.
cut_off() { # JOB
  lab cut B
  assert_job A "$1" 10
  wait_until 60 runs_on_a web
  lab heal B
  host_run A systemctl restart vsmd.service
  wait_until 120 nothing_left B
  wait_until 60 eval '! has_volumes B store'
}

# It cannot be started there: no such CPU, no such file, ... here because a rule of that host's says so.
start_refused() {
  local job n
  n=$(boots web)
  host_write B /etc/libvirt/hooks/qemu.d/zz-test <<<$'#!/bin/sh\n[ "$2" != prepare ] || exit 1'
  host_run B chmod 755 /etc/libvirt/hooks/qemu.d/zz-test
  host_run B systemctl restart libvirtd.service
  job=$(move_begin A web B 4 store)
  assert_job_fails A "$job" 'cannot start it'
  host_run B rm /etc/libvirt/hooks/qemu.d/zz-test
  host_run B systemctl restart libvirtd.service
  assert_runs_here web
  wait_until 30 booted web $((n + 1))
}

# Killed when it has just been started there
killed_late() {
  local job n
  n=$(boots web)
  slow_down A B lifecycle "*'web': Resumed*"
  job=$(move_begin A web B 4 store)
  wait_killed
  survived A "$job" 7 >/dev/null
  assert_went web A B $((n + 1))
}

hosts_need kvm
hosts_setup "$@"
make_pool A store "$DIR"
make_pool B store "$DIR"
make_volume A store disk.qcow2 qcow2 256M 64 >/dev/null
guest_start A web --autostart --region 256 --disk "$DIR/disk.qcow2"
guest_define A deaf --ws 8 --deaf

if [ "${VSM_RESTARTS-}" = cut_off ]; then
  interrupted cut_off
  ok "the other host goes away: started again here, and tidied up there later"
  hosts_done
  plan
  exit
fi

there_and_back
ok "there and back, with its disk"
deaf
ok "one that is paused runs on, one that goes off late is started again"
dialling
ok "cancelled while the other host is dialled: it was not even shut down"
interrupted cancelled
ok "cancelled while its disk is copied: started again here"
interrupted killed
ok "the service is killed while its disk is copied: started again here"
interrupted written
ok "its disk is written to while it is copied: started again here"
start_refused
ok "it cannot be started there: started again here"
killed_late
ok "the service is killed when it was just started there"

hosts_done
plan
