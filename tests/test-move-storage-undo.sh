#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Disks that go elsewhere on their host and do not come to the end: cancelled, no room, the service killed. Nothing is
# left behind, and the guest writes on where it did; what is half way over goes over.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libstorage.sh
. "$test_dir/libstorage.sh"
# shellcheck source=tests/libmove.sh
. "$test_dir/libmove.sh"
# shellcheck source=tests/libstoragemove.sh
# shellcheck disable=SC2154 # where, sums are from there
. "$test_dir/libstoragemove.sh"

cancelled() {
  local job before
  before=$(on_host)
  job=$(hold "$(disk_to '*' '' other)")
  assert_match "$(volumes A other)" 'one.qcow2' "there is something to take back"
  assert_eq "$(request A "$job" 4)" 4096 "cancelled"
  assert_stayed "$job" 8 4 "$before"
}

# The second disk finds no room: neither moves.
full() {
  local job before
  before=$(on_host)
  job=$(storage web "$(disk_to hda '' other), $(disk_to hdb '' full)")
  assert_stayed "$job" 10 5 "$before"
  assert_match "$(reasons A "$job")" 'no-space|[Nn]o space|room|full' "the reason is told"
}

# There was room when it was looked at.
filled_meanwhile() {
  local job before
  before=$(on_host)
  job=$(hold "$(disk_to hda '' other), $(disk_to hdb '' roomy)")
  host_run A sh -c 'head -c 200M /dev/zero >/srv/roomy/filler 2>/dev/null || true'
  wait_job A "$job" "$END"
  host_run A rm /srv/roomy/filler
  assert_stayed "$job" 10 5 "$before"
}

# The service dies: what it had begun is taken back by the next one.
killed() {
  local job before
  before=$(on_host)
  job=$(hold "$(disk_to '*' '' other)")
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  wait_until 20 host_run A busctl get-property "$VSM_NAME" "$job" "$VSM_NAME.Job" JobState
  assert_stayed "$job" 10 5 "$before"
}

# It dies between the two: one disk is changed over, so the other follows. By hand, as nobody hits that moment.
killed_half_way() {
  local job
  job=$(hold "$(disk_to hda '' other), $(disk_to hdb /srv/other/b.raw)" "$REMOVE")
  host_run A systemctl kill --kill-who=main --signal=STOP vsmd.service
  # shellcheck disable=SC2016 # for the shell over there
  host_run A sh -ec 'for disk in hda hdb; do virsh -q blockjob --domain web --path $disk --bandwidth 1000; done'
  wait_until 20 host_run A virsh -q blockjob --domain web --path hda --pivot
  host_run A systemctl kill --kill-who=main --signal=KILL vsmd.service
  wait_until 20 host_run A busctl get-property "$VSM_NAME" "$job" "$VSM_NAME.Job" JobState
  assert_moved A "$job"
  where=$'hda /srv/other/one.qcow2\nhdb /srv/other/b.raw'
  assert_disks web "$where"
  assert_not_match "$(volumes A disks)" "one.qcow2|two.raw" "what they were copied from is removed when that is wanted"
  assert_rest web
}

# Kills vsmd when the guest has been paused. Both numbers are known before, so that nothing is run in between.
# shellcheck disable=SC2016 # for the shell over there
kill_in_the_pause() { # NAME
  start_background killer "$hosts_lab" --dir "$VSM_LAB_DIR" run A bash -c '
    vsmd=$(systemctl show --property=MainPID --value vsmd.service)
    while read -r line; do
      case $line in *Suspended*) kill -KILL "$vsmd" && echo killed && exit ;; esac
    done < <(exec stdbuf -oL virsh event --domain "$1" --event lifecycle --loop)' bash "$1"
  wait_until 10 host_run A pgrep -f "virsh event --domain $1" >/dev/null
}

# It dies while the guest is paused to change a disk over: the next one resumes it, wherever the disk is then.
killed_in_the_pause() {
  local job
  make_volume A disks brief.raw raw 20M 1 >/dev/null
  guest_start A brief --disk /srv/disks/brief.raw
  job=$(storage brief "$(disk_to '*' '' other)" "$SLOW, $REMOVE")
  wait_prop A "$job" "$VSM_NAME.Job.Transfer" DiskProcessed '^[1-9]' >/dev/null
  kill_in_the_pause brief
  call A "$job" "$VSM_NAME.Job.Transfer" SetParameters 'a{sv}' 1 Bandwidth q 1000
  wait_for_line killer killed >/dev/null
  wait_until 20 host_run A busctl get-property "$VSM_NAME" "$job" "$VSM_NAME.Job" JobState
  wait_job A "$job" "$END"
  assert_guest_on A brief
  assert_eq "$(disk_paths A brief config)" "$(disk_paths A brief live)" "both definitions say the same"
  assert_eq "$(host_run A find /srv/disks /srv/other -name 'brief.*')" "$(disk_paths A brief live | cut -d' ' -f2)" \
    "there is one copy, which it uses"
  host_run A journalctl --unit=vsmd.service | grep 'was resumed' >resumed || fail "the next one resumed it"
  wait_disk_round brief
  assert_guest_good brief
  assert_rest brief web
  host_run A pkill -f 'virsh event --domain brief' || true
  host_run A virsh -q destroy --domain brief
  host_run A virsh -q undefine --domain brief
  host_run A find /srv/disks /srv/other -name 'brief.*' -delete
  host_run A sh -c 'virsh -q pool-refresh disks; virsh -q pool-refresh other'
}

# What is stored names its disks by their pool, which libvirt does not change itself, and cannot be stored: all that
# was changed over goes back, with what the guest has written since.
not_to_be_stored() {
  local job before
  make_volume A disks by-pool.qcow2 qcow2 64M 2 >/dev/null
  make_volume A disks by-pool.raw raw 20M 1 >/dev/null
  guest_start A pooled --disk by-pool.qcow2,pool=disks,format=qcow2 --disk by-pool.raw,pool=disks
  before=$(on_host)
  host_run A sh -ec 'mount --bind /etc/libvirt/qemu /etc/libvirt/qemu; mount -o remount,bind,ro /etc/libvirt/qemu'
  job=$(storage pooled "$(disk_to '*' '' other)")
  wait_job A "$job" "$END"
  host_run A umount /etc/libvirt/qemu
  reasons A "$job" | evidence
  assert_eq "$(job_prop A "$job" JobState)" 10 "JobState"
  assert_match "$(disk_paths A pooled live)" '^hda /srv/disks/by-pool.qcow2$' "the first disk as it runs"
  assert_match "$(disk_paths A pooled live)" '^hdb /srv/disks/by-pool.raw$' "the second one"
  assert_not_match "$(disk_paths A pooled config)" other "as it is stored"
  assert_eq "$(on_host)" "$before" "no volume came or went"
  wait_disk_round pooled
  assert_guest_good pooled
  job=$(storage pooled "$(disk_to '*' '' other)")
  assert_moved A "$job"
  assert_eq "$(disk_paths A pooled config)" $'hda /srv/other/by-pool.qcow2\nhdb /srv/other/by-pool.raw' "now it is stored"
  assert_eq "$(disk_paths A pooled live)" "$(disk_paths A pooled config)" "as it runs"
  assert_rest pooled web
  host_run A virsh -q destroy --domain pooled
  host_run A virsh -q undefine --domain pooled
}

hosts_need kvm gdbus
hosts_setup "$@"
prepare

cancelled
ok "cancelled"
full
ok "no room for the second disk"
filled_meanwhile
ok "the room goes meanwhile"
killed
ok "the service is killed"
not_to_be_stored
ok "what cannot be stored goes back"
killed_in_the_pause
ok "the service is killed while the guest is paused for a disk"
killed_half_way
ok "the service is killed when the first disk is changed over"
assert_nothing_lost
ok "after all that the guest has lost nothing"

hosts_done
plan
