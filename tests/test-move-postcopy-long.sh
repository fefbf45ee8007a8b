#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# As test-move-postcopy, what takes longer: with its disks; to a host whose hypervisor cannot do it, where "auto" does
# without and "now" fails by name; and a hand-over that takes longer than was allowed. Minutes.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libstorage.sh
. "$test_dir/libstorage.sh"
# shellcheck source=tests/libmove.sh
. "$test_dir/libmove.sh"

TRANSFER=$VSM_NAME.Job.Transfer

with_disks() {
  local host job sum
  for host in A B; do
    make_pool "$host" disks /srv/disks
  done
  make_volume A disks one.qcow2 qcow2 24M 6 >/dev/null
  sum=$(disk_sum A /srv/disks/one.qcow2)
  guest_start A store --ws 8 --rate 16 --disk /srv/disks/one.qcow2
  lab link A rate 40mbit
  job=$(move A store B "'PostCopy': <'now'>")
  wait_prop A "$job" "$TRANSFER" Mode '^post-copy$' >/dev/null
  assert_eq "$(system_prop A store MigrationState)" 3 "handed over"
  assert_moved A "$job"
  lab link A rate unlimited
  assert_guest_on B store
  assert_eq "$(guest_state A store)" none "no definition of it on host A"
  wait_disk_round store
  assert_guest_good store
  assert_eq "$(disk_sum B /srv/disks/one.qcow2)" "$sum" "what nobody wrote"
  host_run B virsh -q destroy --domain store
}

# Each half waits for the other, as after a link that was cut for long: the guest is called otherwise there, and has to
# be asked for by that name.
renamed() {
  local job
  guest_start A before --ws 8
  job=$(start_move A before "$(host_name B)" "'PostCopy': <'now'>, 'Bandwidth': <uint16 2>" \
    "'ElementName': <'after'>")
  wait_prop A "$job" "$TRANSFER" Mode '^post-copy$' >/dev/null
  host_run A virsh -q qemu-monitor-command --domain before '{"execute": "migrate-pause"}' >/dev/null
  wait_until 30 parted
  assert_moved A "$job"
  assert_guest_on B after
  assert_eq "$(guest_state A before)" none "no definition of it on host A"
  wait_tick before
  assert_guest_good before
  host_run B virsh -q destroy --domain after
}

parted() { # says libvirt
  host_run A journalctl --quiet --no-pager --unit libvirtd.service |
    grep -q 'Migration of domain before failed during post-copy'
}

# QEMU of host B is not root from here on, and the kernel lets root alone wait for pages.
qemu_user() { # USER
  host_run B sed -i "s/^user = .*/user = \"$1\"/" /etc/libvirt/qemu.conf
  host_run B systemctl restart libvirtd.service
  wait_prop B "$VSM_ROOT" "$VSM_NAME" Status '^OK$' >/dev/null
}

cannot() {
  local job
  if [ "$(cat /proc/sys/vm/unprivileged_userfaultfd)" != 0 ]; then
    skip "a host that cannot do post-copy" "on this machine all can"
    return
  fi
  # emulated: the machine's /dev/kvm may be for root alone
  guest_start A other --tcg
  host_run A chmod 0666 "$(host_console other)"
  qemu_user libvirt-qemu
  job=$(start_move A other "$(host_name B)" "'PostCopy': <'now'>")
  wait_job A "$job" "$END"
  assert_eq "$(job_prop A "$job" JobState) $(system_prop A other MigrationState)" "10 5" "\"now\" fails"
  assert_match "$(reasons A "$job")" '"post-copy-not-possible"' "by its reason"
  assert_guest_on A other
  job=$(start_move A other "$(host_name B)" "'PostCopy': <'auto'>")
  assert_moved A "$job"
  assert_match "$(reasons A "$job")" '"post-copy-left-out"' "\"auto\" does without"
  assert_eq "$(prop A "$job" "$TRANSFER" Mode)" pre-copy "Mode"
  assert_guest_on B other
  assert_guest_good other
  host_run B virsh -q destroy --domain other
  qemu_user root
  ok "\"auto\" does without post-copy where a host cannot do it, and \"now\" fails by name"
}

host_console() { # NAME: as the hosts have it
  host_run A virsh -q dumpxml --domain "$1" | sed -n "s/.*<source path='\([^']*\)'.*/\1/p" | head -n 1
}

# All is sent, and libvirtd there does not start it for longer than was allowed.
paused_longer() {
  local job
  job=$(start_move A web "$(host_name B)" "'Bandwidth': <uint16 1>, 'CancelIfBlackoutThresholdExceeded': <true>,
    'MaximumDowntime': <uint32 500>")
  wait_system A web MigrationState '^2$'
  host_run B systemctl kill --kill-who=main --signal=STOP libvirtd.service
  let_go A "$job"
  wait_system A web MigrationState '^3$'
  wait_until 60 paused_for 3
  host_run B systemctl kill --kill-who=main --signal=CONT libvirtd.service
  wait_job A "$job" "$END"
  case $(job_prop A "$job" JobState) in
    10)
      assert_match "$(reasons A "$job")" '"blackout-too-long"' "its reason"
      assert_guest_on A web
      ;;
    *)
      assert_eq "$(job_prop A "$job" JobState)" 32768 "it moved, with a warning"
      assert_match "$(reasons A "$job")" '"blackout-longer"' "its reason"
      assert_guest_on B web
      ;;
  esac
  assert_guest_good web
}

paused_for() { # SECONDS since its last tick
  [ $(($(date +%s) - $(stat -c %Y "$(lab console web)"))) -ge "$1" ]
}

hosts_need kvm
hosts_setup "$@"
at_exit 'qemu_user root'
at_exit 'host_run B systemctl kill --kill-who=main --signal=CONT libvirtd.service'
with_disks
ok "with its disks"
renamed
ok "resumed under the name that it has there"
guest_start A web --ws 8
cannot
paused_longer
ok "a hand-over that takes longer than was allowed is taken back, or told"

hosts_done
plan
