#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two hosts that differ: the check names all that is in the way at once, by its code and the thing itself; what libvirt
# cannot show is said to be so; after mending, the migration runs. Nothing on either host is changed by looking.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

caps=/var/cache/libvirt/qemu/capabilities
pool=/var/lib/libvirt/vsm-pool
secret=6a0e5bb7-59c6-4d37-8e39-5d1d3b0a7c11

path_of() { # HOST NAME
  printf '%s/system/%s\n' "$VSM_ROOT" "$(guest_uuid "$1" "$2" | tr - _)"
}

# In JSON
reasons_raw() { # FROM NAME TO
  host_run "$1" busctl --json=short --timeout=60 call "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME" \
    CheckVirtualSystemIsMigratableToHost 'osa{sv}a{sv}aa{sv}' "$(path_of "$1" "$2")" "$(host_name "$3")" 0 0 0
}

# "CODE:SOURCE..." of a reply in JSON, sorted, without what cannot be verified
reasons_in() { # REPLY
  paste -d: <(grep -oE '"MessageID":\{"type":"s","data":"[^"]*' <<<"$1" | sed 's/.*"//') \
    <(grep -oE '"ErrorSource":\{"type":"s","data":"[^"]*' <<<"$1" | sed 's/.*"//') |
    grep -v '^not-verifiable:' | sort | paste -sd ' '
}

# The questions that could not be answered, in lines
questions_in() { # REPLY
  grep -oE '"Message":\{"type":"s","data":"It could not be verified: [^"]*' <<<"$1" | sed 's/.*verified: //'
}

check() { # FROM NAME TO: "ISMIGRATABLE CODE:SOURCE..."
  local reply
  reply=$(reasons_raw "$@") || return
  [[ $reply =~ \"data\":\[0,(true|false), ]]
  printf '%s %s\n' "${BASH_REMATCH[1]}" "$(reasons_in "$reply")"
}

### as a job

check_job() { # HOST NAME TO [USER]: the path of the job
  local reply
  reply=$(call_as "$1" "${4-root}" "$VSM_ROOT" "$VSM_NAME" CheckVirtualSystemIsMigratable 'osa{sv}a{sv}aa{sv}' \
    "$(path_of "$1" "$2")" "$3" 0 0 0) || return
  assert_match "$reply" "^uo 4096 \"$VSM_ROOT/job/[0-9]+\"$" "the call gives a job"
  reply=${reply#*\"}
  printf '%s\n' "${reply%\"}"
}

job_prop() { # JOB PROPERTY
  prop A "$1" "$VSM_NAME.Job" "$2"
}

job_ends() { # JOB STATE ERRORCODE
  wait_prop A "$1" "$VSM_NAME.Job" JobState '^(7|8|9|10|32768)$' >/dev/null
  assert_eq "$(job_prop "$1" JobState) $(job_prop "$1" ErrorCode)" "$2 $3" "JobState and ErrorCode of $1"
}

job_reasons() { # JOB
  reasons_in "$(host_run A busctl --json=short call "$VSM_NAME" "$1" "$VSM_NAME.Job" GetErrorEx)"
}

### what the guests are, and what is there

define_with() { # HOST NAME SED-SCRIPT: as the lab's guest, changed
  local xml
  guest_define "$1" "$2"
  xml=$(host_run "$1" virsh dumpxml --inactive --domain "$2" | sed "$3")
  host_write "$1" /root/guest.xml <<<"$xml"
  host_run "$1" virsh -q define /root/guest.xml
}

start_with() { # NAME DEVICES [SED-SCRIPT]
  define_with A "$1" "/<devices>/a $2
${3-}"
  host_run A virsh -q start --domain "$1"
}

network_define() { # HOST NAME: without addresses, so that it needs no dnsmasq
  host_write "$1" /root/net.xml <<<"<network><name>$2</name><bridge name='vbr-$2'/></network>"
  host_run "$1" virsh -q net-define /root/net.xml
  host_run "$1" virsh -q net-start --network "$2"
}

network_remove() { # HOST NAME
  host_run "$1" virsh -q net-destroy --network "$2" || true
  host_run "$1" virsh -q net-undefine --network "$2" || true
}

pool_define() { # HOST
  host_run "$1" mkdir -p "$pool"
  host_run "$1" truncate -s 1M "$pool/disk.img"
  host_run "$1" virsh -q pool-define-as --name vsm --type dir --target "$pool"
  host_run "$1" virsh -q pool-start --pool vsm
}

pool_remove() { # HOST
  host_run "$1" virsh -q pool-destroy --pool vsm || true
  host_run "$1" virsh -q pool-undefine --pool vsm || true
}

secret_define() { # HOST
  host_write "$1" /root/secret.xml <<EOF2
<secret ephemeral='no' private='yes'><uuid>$secret</uuid><usage type='volume'><volume>vsm</volume></usage></secret>
EOF2
  host_run "$1" virsh -q secret-define /root/secret.xml
}

# libvirt reads what it knows about its emulator when it starts
restart_libvirt() { # HOST
  host_run "$1" systemctl restart libvirtd.service
  wait_until 30 host_run "$1" virsh -q domcapabilities --virttype kvm >/dev/null
}

# In what libvirt remembers of this emulator: as if it were on another processor, and of another version
lose_cpu_and_machine() {
  host_run B virsh -q domcapabilities --virttype kvm >/dev/null
  host_run B sh -c "sed -i -e \"/name='clwb'/s/value='true' migratable='yes'/value='false'/\" \
    -e \"/<machine .*name='pc-q35-7.1'/d\" \$(grep -l '<emulator>/usr/bin/qemu-system-x86_64<' $caps/*.xml)"
  restart_libvirt B
}

mend_cpu_and_machine() {
  host_run B sh -c "rm -f $caps/*"
  restart_libvirt B
}

# The host takes connections and does not answer.
freeze_libvirt() { # STOP|CONT
  host_run B systemctl kill --kill-whom=main -s "$1" libvirtd.service
}

leave_no_trace() {
  local host
  freeze_libvirt CONT
  for host in A B; do
    network_remove "$host" lan
    pool_remove "$host"
    host_run "$host" rm -rf "$pool"
    host_run "$host" virsh -q secret-undefine --secret "$secret" || true
  done
  mend_cpu_and_machine
}

# All that a check could leave behind
state_of() { # HOST
  # shellcheck disable=SC2016 # for the shell over there
  host_run "$1" sh -c 'for d in $(virsh -q list --all --name); do virsh -q dumpxml --security-info --domain "$d"; done
    virsh -q list --all; virsh -q net-list --all; virsh -q pool-list --all --details; virsh -q secret-list'
}

### the tests

three_by_name() {
  assert_eq "$(check A both B)" "false cpu-feature-missing:clwb machine-type-unknown:pc-q35-7.1 network-missing:lan" \
    "all three at once"
}

nothing_changes() {
  state_of A >a.before
  state_of B >b.before
  watch_libvirt A events.log --all --timestamp
  reasons_raw A both B >reply
  assert_match "$(cat reply)" '"network-missing"' "it was a real check"
  state_of A >a.after
  state_of B >b.after
  assert_true "host A is as before" diff a.before a.after
  assert_true "host B is as before" diff b.before b.after
  # something that does happen shows that it was listened to
  host_run A virsh -q desc --domain both --live "seen" >/dev/null
  wait_for_line events.log "event 'metadata-change'" 10 >/dev/null
  assert_not_file_has_content events.log "event '(lifecycle|job|migration|block|reboot)"
}

name_and_memory() {
  short_of_memory B
  guest_define B web
  assert_eq "$(check A web B)" "false name-in-use:hostb not-enough-memory:hostb" "both at once"
  enough_memory B
  host_run B virsh -q undefine --domain web
  assert_eq "$(check A web B)" "true " "nothing any more"
}

# The disk is a file, too, which libvirt does not take for shared.
storage_and_secret() {
  local reply
  assert_eq "$(check A stored B)" "false disk-not-shared:stored pool-missing:vda secret-missing:$secret" "pool and secret"
  secret_define B
  pool_define B
  assert_eq "$(check A stored B)" "false disk-not-shared:stored secret-missing:$secret" "a secret without a value"
  host_run B virsh -q secret-set-value --secret "$secret" --base64 cHc= >/dev/null 2>&1
  reply=$(reasons_raw A stored B)
  assert_eq "$(reasons_in "$reply")" "disk-not-shared:stored" "both are there"
  assert_match "$(questions_in "$reply")" "whether the secret '$secret' has the same value on host 'hostb'" "its value"
  assert_match "$(questions_in "$reply")" "whether both hosts lock disks" "locks"
  host_run B virsh -q vol-delete --pool vsm disk.img
  assert_eq "$(check A stored B)" "false disk-not-shared:stored volume-missing:vda" "the volume is not"
  pool_remove B
}

# A certificate is for the name, not for the host.
certificate() {
  call A "$VSM_ROOT" "$VSM_NAME.Manager" AddHost 'a{sv}' 3 Name s other.example Addresses as 1 10.77.0.2 \
    AuthenticationType u 32768 >/dev/null
  host_run A sh -c 'echo "10.77.0.2 other.example" >>/etc/hosts'
  local reply
  reply=$(host_run A busctl --json=short --timeout=60 call "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME" \
    CheckVirtualSystemIsMigratableToHost 'osa{sv}a{sv}aa{sv}' "$(path_of A web)" other.example 0 0 0)
  assert_eq "$(reasons_in "$reply")" "tls-certificate:other.example" "another name"
  # shellcheck disable=SC2016 # for the shell over there
  host_run A sh -c 'grep -v other.example /etc/hosts >/root/hosts; cat /root/hosts >/etc/hosts'
  call A "$VSM_ROOT" "$VSM_NAME.Manager" RemoveHost o "$VSM_ROOT/host/other_2eexample" >/dev/null
}

cannot_see() {
  local questions
  questions=$(questions_in "$(reasons_raw A both B)")
  assert_match "$questions" "whether host 'hostb' has '/srv/lab/vsm-guest' \(kernel\)" "the kernel"
  assert_match "$questions" "whether host 'hostb' has '/srv/lab/console/both.log' \(serial0\)" "the console"
  assert_match "$questions" "whether the firewall of host 'hostb' lets the memory through" "the firewall"
}

as_a_job() {
  local job system
  system=$(path_of A both)
  job=$(check_job A both "$(host_name B)")
  job_ends "$job" 10 6
  assert_eq "$(job_reasons "$job")" "cpu-feature-missing:clwb machine-type-unknown:pc-q35-7.1 network-missing:lan" \
    "GetErrorEx"
  assert_eq "$(job_prop "$job" JobType)" 301 JobType
  assert_eq "$(job_prop "$job" VirtualSystem)" "$system" VirtualSystem
  assert_match "$(job_prop "$job" ErrorDescription)" '^The system cannot be migrated to that host' "a public sentence"
  assert_not_match "$(job_prop "$job" ErrorDescription)" 'hostb|lan|clwb|pc-q35' "nothing private in it"
  assert_eq "$(prop A "$system" "$VSM_NAME.System" MigrationState)" 0 "MigrationState is not touched"
  assert_eq "$(prop A "$system" "$VSM_NAME.System" MigrationJob)" / "nor is MigrationJob"

  job=$(check_job A web "$(host_name B)")
  job_ends "$job" 7 0
  assert_eq "$(job_prop "$job" ErrorDescription)" "" "nothing is wrong"
  assert_match "$(questions_in "$(host_run A busctl --json=short call "$VSM_NAME" "$job" "$VSM_NAME.Job" GetErrorEx)")" \
    'firewall' "what was not verified is told all the same"
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount)" 0 "no migration is counted"
}

by_whom() {
  assert_fails_with 'authoriz|[Dd]enied' check_job A web "$(host_name B)" alice
  polkit_allow A alice '\.check$'
  check_job A web "$(host_name B)" alice >/dev/null
}

cancelled() {
  local job state since
  freeze_libvirt STOP
  for state in 4:8 5:9; do
    job=$(check_job A web "$(host_name B)")
    wait_prop A "$job" "$VSM_NAME.Job" JobState '^4$' >/dev/null
    since=$SECONDS
    assert_eq "$(call A "$job" "$VSM_NAME.Job" RequestStateChange qt "${state%:*}" 0)" "u 4096" "the wish is taken"
    job_ends "$job" "${state#*:}" 0
    # it does not wait for the host, which is given up after 10 s
    assert_between $((SECONDS - since)) 0 6 "seconds until it was cancelled"
    assert_eq "$(call A "$job" "$VSM_NAME.Job" RequestStateChange qt 4 0)" "u 0" "it is over"
  done

  # a restart of the daemon ends what it found, under its path
  job=$(check_job A web "$(host_name B)")
  wait_prop A "$job" "$VSM_NAME.Job" JobState '^4$' >/dev/null
  host_run A systemctl kill --kill-whom=main -s KILL vsmd.service
  wait_until 30 job_prop "$job" JobState >/dev/null
  job_ends "$job" 10 32768
  assert_eq "$(prop A "$(path_of A web)" "$VSM_NAME.System" MigrationState)" 0 "MigrationState is not touched"
  freeze_libvirt CONT
  wait_until 30 host_run B virsh -q list >/dev/null
}

mended() {
  local job
  network_define B lan
  mend_cpu_and_machine
  assert_eq "$(check A both B)" "true " "nothing is in the way"
  job=$(call A "$VSM_ROOT" "$VSM_NAME" MigrateVirtualSystemToHost 'osa{sv}a{sv}aa{sv}' "$(path_of A both)" \
    "$(host_name B)" 0 0 0)
  job=${job#*\"}
  job_ends "${job%\"}" 7 0
  assert_guest_on B both
}

# Encrypted, so that the guest has a secret. libvirt here has no qemu-img.
make_disk() {
  local line
  coproc QSD { exec "$hosts_lab" --dir "$VSM_LAB_DIR" run A qemu-storage-daemon --object secret,id=s,data=pw \
    --blockdev "driver=file,node-name=f,filename=$pool/disk.img" --chardev stdio,id=c --monitor c 3>&- 2>&1; }
  # shellcheck disable=SC2154 # bash sets it
  printf '%s\n' '{"execute":"qmp_capabilities"}' '{"execute":"blockdev-create","arguments":{"job-id":"j","options":
    {"driver":"luks","file":"f","size":1048576,"key-secret":"s","iter-time":10}}}' >&"${QSD[1]}"
  while read -r -t "$(scaled 60)" line <&"${QSD[0]}"; do
    case $line in *'"concluded"'*) break ;; esac
  done
  printf '%s\n' '{"execute":"job-dismiss","arguments":{"id":"j"}}' '{"execute":"quit"}' >&"${QSD[1]}"
  # shellcheck disable=SC2154 # bash sets it
  wait "$QSD_PID" || true
  host_run A virsh -q pool-refresh --pool vsm
  host_run A virsh -q secret-set-value --secret "$secret" --base64 cHc= >/dev/null 2>&1
}

hosts_need kvm # qemu-storage-daemon is in the hosts
hosts_setup "$@"
at_exit leave_no_trace

network_define A lan
pool_define A
secret_define A
make_disk
lose_cpu_and_machine

guest_start A web
start_with both "<interface type='network'><source network='lan'/><model type='virtio'/></interface>" \
  "s/pc-q35-7.2/pc-q35-7.1/;/<cpu /,/<\\/cpu>/c <cpu mode='custom' match='exact' check='partial'><model>kvm64</model><feature policy='disable' name='pni'/><feature policy='require' name='clwb'/></cpu>"
start_with stored "<disk type='volume'><driver name='qemu' type='raw'/><source pool='vsm' volume='disk.img'><encryption format='luks'><secret type='passphrase' uuid='$secret'/></encryption></source><target dev='vda' bus='virtio'/></disk>"

three_by_name
ok "CPU, machine type and network that are not there are named at once"
cannot_see
ok "what libvirt does not show is said to be not verifiable"
nothing_changes
ok "looking changes nothing"
name_and_memory
ok "name in use, and too little memory, at once"
storage_and_secret
ok "pool, volume and secret"
certificate
ok "a certificate for another name"
as_a_job
ok "the check as a job: its end is the verdict"
by_whom
ok "who may ask"
cancelled
ok "cancelled, killed, and cut off by a restart of the daemon"
mended
ok "after mending, the check finds nothing and the migration runs"

hosts_done
plan
