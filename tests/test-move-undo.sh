#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A move of a guest with its disks that does not come to its end leaves nothing: neither volumes nor definitions, block
# jobs, ports or processes, whatever ended it and in whatever phase, and the guest runs on with the disks it had.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libstorage.sh
. "$test_dir/libstorage.sh"
# shellcheck source=tests/libmove.sh
. "$test_dir/libmove.sh"

# Slow enough to be met in its disks, and let go by the link
hold_disks() { # [SETTINGS] [RESOURCES]: sets job
  lab link A rate 8mbit
  job=$(move A web B "$@")
  wait_prop A "$job" "$VSM_NAME.Job.Transfer" DiskProcessed '^[1-9]' >/dev/null
  assert_eq "$(transfer_prop A "$job" Phase)" disks "Phase"
}

# The disks are through, the memory comes at 4 MiB/s
hold_memory() { # sets job
  job=$(move A small B "'Bandwidth': <uint16 4>")
  wait_phase A "$job" '^memory$'
}

volumes_there() {
  volumes B disks
  volumes B more
}

no_volumes_there() {
  [ -z "$(volumes_there)" ]
}

# As it was: nothing there, everything here
assert_undone() { # NAME [JOBSTATE MIGRATIONSTATE]
  lab link A rate unlimited # what is in flight counts
  wait_job A "$job" "$END" 120
  reasons A "$job" | evidence
  assert_eq "$(job_prop A "$job" JobState)" "${2-10}" "JobState"
  assert_eq "$(system_prop A "$1" MigrationState)" "${3-5}" "MigrationState"
  assert_guest_on A "$1"
  assert_eq "$(volumes_there)" "" "volumes there"
  assert_eq "$(volumes A disks)" "$here" "volumes here"
  assert_no_leftovers A web small
  assert_no_leftovers B
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveStorageMigrationCount)" 0 "moves of storage that are counted"
}

# Its disks, as it sees them
assert_intact() { # NAME
  wait_disk_round "$1"
  assert_guest_good "$1"
}

cancel() {
  assert_eq "$(request A "$job" 4)" 4096 "cancelled"
}

cancelled_in_setup() {
  lab cut B
  job=$(move A web B)
  wait_job A "$job" '^3$'
  cancel
  wait_job A "$job" '^8$'
  lab heal B
  assert_undone web 8 4
}

cancelled_in_disks() {
  hold_disks
  assert_eq "$(volumes B disks)" "$two_volumes" "they are made before"
  cancel
  assert_undone web 8 4
}

cancelled_in_memory() {
  hold_memory
  cancel
  assert_undone small 8 4
}

# Its file system is smaller than what it holds: found while it is copied
disk_full() {
  hold_disks '' "$(disk_to '*' '' more)"
  host_run B sh -c 'cat /dev/zero >/srv/more/fill 2>/dev/null || true'
  lab link A rate unlimited
  wait_job A "$job" "$END" 120
  host_run B rm -f /srv/more/fill
  assert_undone web
}

# The first is made by then. A list of a pool does not show what is put into its folder behind it.
second_exists() {
  host_run B sh -c 'echo theirs >/srv/disks/two.raw'
  job=$(move A web B)
  wait_job A "$job" "$END" 120
  assert_eq "$(host_run B cat /srv/disks/two.raw)" theirs "somebody's file"
  host_run B rm /srv/disks/two.raw
  assert_undone web
}

pool_gone() {
  host_run B virsh -q pool-destroy --pool more
  job=$(move A web B '' "$(disk_to '*' '' more)")
  wait_job A "$job" "$END"
  host_run B virsh -q pool-start --pool more
  assert_match "$(reasons A "$job")" "pool 'more'" "the reason"
  assert_undone web
}

# root there may write where the mode forbids it, but not where nobody may
not_allowed() {
  host_run B mount -o remount,ro /srv/more
  job=$(move A web B '' "$(disk_to hda ''), $(disk_to hdb '' more)")
  wait_job A "$job" "$END"
  host_run B mount -o remount,rw /srv/more
  assert_undone web
}

# It is back in a moment, knowing nothing of what it was doing
libvirtd_killed_there() {
  hold_disks
  host_run B systemctl kill --kill-who=main --signal=KILL libvirtd.service
  lab link A rate unlimited
  wait_job A "$job" "$END" 120
  wait_until 60 no_volumes_there || fail "volumes are removed when libvirtd there is back"
  assert_undone web
}

libvirtd_restarted_here() {
  hold_disks
  host_run A systemctl restart libvirtd.service
  lab link A rate unlimited
  wait_job A "$job" "$END" 120
  wait_until 60 no_volumes_there || fail "volumes are removed when libvirtd here is back"
  assert_undone web
}

# libvirt goes on without us; the same job sees its end. What else can be killed when: rough/faults.
service_killed() {
  hold_disks
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  wait_job A "$job" '^(3|4)$'
  cancel
  assert_undone web 8 4
}

# What is written down is all that is known: nothing came of it, or all of it.
service_killed_early() {
  local state
  lab link A rate 8mbit
  job=$(move A web B)
  wait_until 20 volume_made || fail "a volume is made"
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  wait_job A "$job" '^(4|10)$'
  state=$(job_prop A "$job" JobState)
  [ "$state" = 10 ] || cancel
  wait_until 60 no_volumes_there || fail "volumes are removed by the next start"
  [ "$state" = 10 ] || state=8
  assert_undone web "$state" $((state == 10 ? 5 : 4))
}

volume_made() {
  host_run B sh -c 'ls /srv/disks/* 2>/dev/null'
}

# It is not there to be asked; what was made there is removed when it is back.
there_is_off() {
  hold_disks
  lab cut B
  host_run B systemctl stop vsmd.service
  host_run B sh -c 'systemctl stop libvirtd.service libvirtd-tcp.socket libvirtd-tls.socket'
  cancel
  lab heal
  wait_job A "$job" "$END" 150
  lab link A rate unlimited
  assert_guest_on_a web
  assert_ne "$(host_run B ls /srv/disks)" "" "they cannot be removed yet"
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  host_run B systemctl start libvirtd-tcp.socket libvirtd-tls.socket libvirtd.service vsmd.service
  wait_until 150 no_volumes_there || fail "volumes are removed when the host is back"
  assert_no_leftovers B
  assert_eq "$(system_prop A web OperatingStatus)" 0 "OperatingStatus"
}

assert_guest_on_a() { # NAME: the other host cannot be asked
  assert_eq "$(guest_state A "$1")" running "state of $1 on host A"
}

hosts_need kvm gdbus
hosts_setup "$@"
for host in A B; do
  make_pool "$host" disks /srv/disks
done
make_pool B more /srv/more 64m
make_volume A disks one.qcow2 qcow2 24M 6 >/dev/null
make_volume A disks two.raw raw 24M 6 >/dev/null
make_volume A disks small.qcow2 qcow2 17M 1 >/dev/null
here=$'one.qcow2\nsmall.qcow2\ntwo.raw'
two_volumes=$'one.qcow2\ntwo.raw'
guest_start A web --ws 1 --rate 0 --autostart --disk /srv/disks/one.qcow2 --disk /srv/disks/two.raw
guest_start A small --ws 24 --rate 0 --disk /srv/disks/small.qcow2
sums="$(disk_sum A /srv/disks/one.qcow2) $(disk_sum A /srv/disks/two.raw)"
job=''

cancelled_in_setup
ok "cancelled before it began"
cancelled_in_disks
ok "cancelled while disks move"
cancelled_in_memory
ok "cancelled while memory moves"
second_exists
ok "the second disk cannot be made"
pool_gone
ok "the pool is not active"
not_allowed
ok "there is no writing there"
disk_full
assert_intact web
ok "the file system there is full"
libvirtd_killed_there
ok "libvirtd there is killed while disks move"
service_killed
ok "the service is killed while disks move"
service_killed_early
ok "the service is killed while it makes volumes"
libvirtd_restarted_here
ok "libvirtd here is restarted while disks move"
there_is_off
ok "the other host is off, and comes back"

assert_intact web
assert_intact small
assert_eq "$(disk_sum A /srv/disks/one.qcow2) $(disk_sum A /srv/disks/two.raw)" "$sums" "what nobody wrote"
hosts_done
plan
