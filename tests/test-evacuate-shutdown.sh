#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A host that goes down sends its guests away first, and gets them back when it comes up again. What only restarts the
# service, the unit or libvirt moves nothing.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libevacuate.sh
. "$test_dir/libevacuate.sh"

configure() { # LINE...: [Evacuation] of host A
  printf '%s\n' '[Evacuation]' "$@" | host_write A /etc/vsmd/vsmd.conf.d/evacuation.conf
  host_run A systemctl reload-or-restart vsmd.service
}

# Its own end is what stops the unit: nothing but that may move a guest.
restarts() {
  local unit
  for unit in vsmd.service vsm-evacuate.service libvirtd.service; do
    host_run A systemctl restart "$unit"
  done
  host_run A systemctl daemon-reload
  host_run A systemctl stop vsm-evacuate.service
  host_run A systemctl start vsm-evacuate.service
  wait_prop A "$VSM_ROOT" "$VSM_NAME" Status '^OK$' >/dev/null
  assert_eq "$(draining A)" "false 2" "nothing drains"
  assert_eq "$(host_run A busctl tree --list "$VSM_NAME" | grep -c /job/ || true)" 0 "no job was started"
  assert_stays A busy steady passing
  assert_guest_on A store
}

down() { # poweroff|reboot
  local since
  since=$(stat -c %s "$VSM_LAB_DIR/host.A.log")
  host_run A systemctl "$1" || true
  lab wait-off A
  tail -c "+$((since + 1))" "$VSM_LAB_DIR/host.A.log" >console.A
}

# Three of them run elsewhere while A is off; the one with a disk of its own was saved on it.
gone() {
  assert_left A busy steady passing
  assert_eq "$(guest_hosts store)" "" "store runs nowhere"
}

said() {
  assert_file_has_content console.A 'busy' 'steady' 'passing'
}

up() {
  lab boot A
  wait_prop A "$VSM_ROOT" "$VSM_NAME" Status '^OK$' >/dev/null
}

# The guest goes on where it was: libvirt-guests or a person starts it, not we.
store_goes_on() {
  assert_match "$(host_run A virsh -q dominfo --domain store)" 'Managed save: +yes' "store was saved"
  host_run A virsh -q start --domain store
  wait_tick store
  assert_guest_good store
}

# Who has it saved has it go on, when the others come home.
store_is_back() {
  assert_eq "$(guest_hosts store)" A "store runs on host A"
  wait_tick store
  assert_guest_good store
}

# It goes down again while they come home: nobody comes in any more, and who has come leaves again.
down_while_they_come() {
  local host
  for host in $(others A); do
    lab link "$host" rate 20mbit
  done
  start_background back.log "$hosts_lab" --dir "$VSM_LAB_DIR" run A vsmctl bring-back
  wait_until 60 host_run A sh -c 'virsh -q list --all | grep -v store | grep -q .'
  down poweroff
  for host in $(others A); do
    lab link "$host" rate unlimited
  done
  gone
}

back_by_hand() {
  client A bring-back
  assert_eq "$status" 0 "vsmctl bring-back ($(head -n 3 err))"
  assert_stays A busy steady passing
}

back_by_itself() {
  assert_true "they come back by themselves" wait_service A 90 all_here
  assert_stays A busy steady passing
  assert_eq "$(draining A)" "false 2" "it takes guests again"
}

all_here() {
  [ "$(guest_hosts busy) $(guest_hosts steady) $(guest_hosts passing) $(guest_hosts store)" = "A A A A" ]
}

hosts_setup "$@"
know_all
configure 'PowerOff=evacuate' 'Reboot=evacuate' 'Halt=evacuate' 'KExec=evacuate'
host_run A systemctl enable --now vsm-evacuate.service
lab link A rate 100mbit
guest_start A busy --ws 16 --rate 40
guest_start A steady --autostart
guest_start A passing --transient
own_disk A /var/tmp/store.img
guest_start A store --disk /var/tmp/store.img

restarts
ok "restarts of the service, the unit and libvirt move nothing"
down poweroff
gone
said
ok "poweroff: three are elsewhere, one is saved, each once"
up
assert_eq "$(guest_hosts steady | wc -w)" 1 "autostart does not start it a second time"
assert_eq "$(draining A)" "false 2" "a host that has booted drains no more"
store_goes_on
down_while_they_come
up
store_goes_on
ok "poweroff in the middle of a bring-back: they stay where they are"
back_by_hand
ok "they come back when they are called"
configure 'PowerOff=evacuate' 'Reboot=evacuate' 'Halt=evacuate' 'KExec=evacuate' 'BringBack=true'
host_run A systemctl enable vsm-bring-back.service
lab link A rate 100mbit
down reboot
gone
said
up
back_by_itself
store_is_back
ok "reboot: the same, and they come back by themselves"

hosts_done
plan
