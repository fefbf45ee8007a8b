#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A guest with an encrypted disk (LUKS) moves there and back with it. What opens the disk goes along over an encrypted
# connection, over no other, and is taken back with all else. The variables of a guest's firmware go along while it
# runs; of one that is off they are refused.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"
# shellcheck source=tests/libstorage.sh
. "$test_dir/libstorage.sh"
# shellcheck source=tests/libmove.sh
. "$test_dir/libmove.sh"

nvram=/var/lib/libvirt/qemu/nvram/firm.fd

secret=6a0e5bb7-59c6-4d37-8e39-5d1d3b0a7c11
encryption="<encryption format='luks'><secret type='passphrase' uuid='$secret'/></encryption>"
value=c2VzYW1l

make_secret() { # HOST
  host_run "$1" virsh -q secret-define /dev/stdin <<EOF2
<secret ephemeral='no' private='no'><uuid>$secret</uuid><usage type='volume'><volume>web</volume></usage></secret>
EOF2
  host_run "$1" virsh -q secret-set-value --secret "$secret" --base64 "$value" >/dev/null 2>&1
}

value_on() { # HOST: of the secret, or "none"
  host_run "$1" virsh -q secret-get-value --secret "$secret" 2>/dev/null | head -n1 | grep . || echo none
}

make_guest() {
  host_run A virsh -q vol-create --pool disks /dev/stdin <<EOF2
<volume><name>luks.img</name><capacity unit='M'>20</capacity>
  <target><format type='raw'/>$encryption</target></volume>
EOF2
  guest_define A web --disk /srv/disks/luks.img,format=raw
  host_run A virsh -q dumpxml --inactive --domain web |
    sed -E "s,(<source file='/srv/disks/luks.img')/>,\1>$encryption</source>," | host_run A virsh -q define /dev/stdin
  host_run A virsh -q start --domain web
  wait_for_line "$(lab console web)" '^VSM disk' 60 >/dev/null
}

check() { # prints what stands against it
  host_run A gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.CheckVirtualSystemIsMigratableToHost" "$(system_path A web)" "$(host_name B)" \
    "{'MigrationType': <uint16 32771>}" '{}' '[]'
}

# The lab's own settings are for plain TCP.
in_the_clear() {
  local job
  assert_match "$(check)" "false.*secret-in-clear" "the check says so"
  job=$(move A web B)
  wait_job A "$job" "$END"
  assert_eq "$(job_prop A "$job" JobState)" 10 "JobState over plain TCP"
  assert_match "$(reasons A "$job")" "$secret" "the reason names it"
  assert_eq "$(value_on B)" none "no secret there"
  assert_eq "$(volumes B disks)" "" "no volume there"
  assert_guest_on A web
}

encrypted() {
  local host
  for host in A B; do
    host_run "$host" rm -f /etc/vsmd/vsmd.conf
    host_run "$host" systemctl restart vsmd.service
  done
  wait_system A web OperatingStatus '^0$'
}

cancelled() {
  local job
  lab link A rate 8mbit
  job=$(move A web B)
  wait_prop A "$job" "$VSM_NAME.Job.Transfer" DiskProcessed '^[1-9]' >/dev/null
  assert_eq "$(value_on B)" "$value" "it is there while the disk moves"
  assert_eq "$(request A "$job" 4)" 4096 "cancelled"
  lab link A rate unlimited
  assert_moved A "$job" 8
  assert_eq "$(value_on B)" none "and is taken back"
  assert_eq "$(volumes B disks)" "" "no volume stays"
  assert_guest_on A web
}

there_and_back() {
  local job
  wait_system A web OperatingStatus '^0$'
  assert_match "$(check)" "^\(uint32 0, true" "the check sees that it goes along"
  job=$(move A web B "'RetainVhdCopiesOnSource': <false>")
  assert_moved A "$job"
  assert_eq "$(value_on B)" "$value" "its value"
  assert_guest_on B web
  assert_match "$(host_run B head -c 4 /srv/disks/luks.img)" LUKS "the disk there is encrypted"
  wait_disk_round web
  assert_guest_good web
  wait_system B web OperatingStatus '^0$'
  job=$(move B web A)
  assert_moved B "$job"
  wait_disk_round web
  assert_guest_good web
}

# Any image of that size will do: nobody but QEMU writes it. The other host makes the file from the template, and
# QEMU fills it with what comes.
make_firm() { # [TEMPLATE]
  local firmware=/usr/share/seabios/bios-256k.bin template=${1:+" template='$1'"}
  guest_define A firm
  host_run A virsh -q dumpxml --inactive --domain firm | sed "s,</os>,<loader readonly='yes' \
type='pflash'>$firmware</loader><nvram$template>$nvram</nvram></os>," | host_run A virsh -q define /dev/stdin
}

ask_firm() { # TYPE
  host_run A gdbus call --system --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.CheckVirtualSystemIsMigratableToHost" "$(system_path A firm)" "$(host_name B)" \
    "{'MigrationType': <uint16 $1>}" '{}' '[]'
}

firmware_variables() {
  local job template=/usr/share/seabios/bios.bin
  # shellcheck disable=SC2016 # for the shell over there
  host_run A sh -ec 'mkdir -p "$(dirname "$1")"; cp "$2" "$1"; printf mine | dd of="$1" conv=notrunc status=none' \
    sh "$nvram" "$template"
  make_firm
  host_run A virsh -q start --domain firm
  assert_match "$(ask_firm 32768)" "not-verifiable.*'$nvram' .nvram" "without a template it has to be there"
  host_run A sh -c "virsh -q destroy --domain firm; virsh -q undefine --keep-nvram --domain firm"
  make_firm "$template"
  assert_match "$(ask_firm 1)" "false.*nvram-not-carried" "off, the check refuses it"
  job=$(start_move A firm "$(host_name B)" "'MigrationType': <uint16 1>")
  wait_job A "$job" "$END"
  assert_eq "$(job_prop A "$job" JobState)" 10 "off, it stays"
  host_run A virsh -q start --domain firm
  wait_system A firm OperatingStatus '^0$'
  wait_system A firm EnabledState '^2$'
  job=$(start_move A firm "$(host_name B)" "'MigrationType': <uint16 32768>")
  assert_moved A "$job"
  assert_guest_on B firm
  assert_eq "$(host_run B head -c 4 "$nvram")" mine "they are what they were here"
  host_run B sh -c "virsh -q destroy --domain firm; virsh -q undefine --nvram --domain firm"
  host_run A rm -f "$nvram"
}

hosts_need kvm gdbus
hosts_setup "$@"
for host in A B; do
  make_pool "$host" disks /srv/disks
  at_exit "host_run $host virsh -q secret-undefine --secret $secret >/dev/null 2>&1 || true"
done
make_secret A
make_guest

in_the_clear
ok "not over a connection that others can read"
encrypted
cancelled
ok "cancelled: the secret is taken back"
there_and_back
ok "there and back, with what opens it"
firmware_variables
ok "the variables of its firmware"
assert_no_leftovers A web
assert_no_leftovers B

hosts_done
plan
