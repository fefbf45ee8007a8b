#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What calls on the bus take: against a method of our own that does nothing, against libvirt-dbus and hostnamed; with
# 4 migrations under way against none; with 500 systems.
#
# VSM_BENCH_CALLS    rounds of the quick calls (2000)
# VSM_BENCH_SYSTEMS  defined for the list (500)

# shellcheck source=tests/bench/libbench.sh
. "$(dirname "$0")/libbench.sh"

calls=${VSM_BENCH_CALLS:-2000}
systems=${VSM_BENCH_SYSTEMS:-500}
hostnamed=org.freedesktop.hostname1
libvirt=/org/libvirt/QEMU
own=("Ping=ping,$VSM_NAME,$VSM_ROOT" "Get=get,$VSM_NAME,$VSM_ROOT,$VSM_NAME,ActiveVirtualSystemMigrationCount"
  "GetAll=getall,$VSM_NAME,$VSM_ROOT,$VSM_NAME")

domain_path() { # NAME: what libvirt-dbus calls it
  echo "$libvirt/domain/_$(guest_uuid A "$1" | tr - _)"
}

# Is libvirt-dbus here? It is started by the first call, in its own time.
has_libvirt_dbus() {
  host_run A busctl --timeout=20 call org.libvirt "$libvirt" org.libvirt.Connect ListDomains u 0 >/dev/null 2>&1
}

reads() {
  local system domain specs ratios
  system=$(system_path A still)
  specs=("${own[@]}" "Get of a system=get,$VSM_NAME,$system,$VSM_NAME.System,EnabledState"
    "GetAll of a system=getall,$VSM_NAME,$system,$VSM_NAME.System"
    "hostnamed Get=get,$hostnamed,/org/freedesktop/hostname1,$hostnamed,Hostname")
  ratios=(--ratio 'Get / own Ping=Get/Ping=1.2' --ratio 'GetAll / own Ping=GetAll/Ping=2.0'
    --ratio 'Get of a system / own Ping=Get of a system/Ping=1.2'
    --ratio 'GetAll of a system / own Ping=GetAll of a system/Ping=2.0'
    --ratio 'Get / hostnamed Get=Get/hostnamed Get=none')
  if [ -n "$with_libvirt_dbus" ]; then
    domain=$(domain_path still)
    specs+=("libvirt-dbus Ping=ping,org.libvirt,$libvirt"
      "libvirt-dbus Get=get,org.libvirt,$domain,org.libvirt.Domain,Active"
      "libvirt-dbus GetState=flags,org.libvirt,$domain,org.libvirt.Domain,GetState"
      "libvirt-dbus GetAll=getall,org.libvirt,$domain,org.libvirt.Domain")
    ratios+=(--ratio 'Get of a system / libvirt-dbus Get=Get of a system/libvirt-dbus Get=0.25'
      --ratio 'Get of a system / libvirt-dbus GetState=Get of a system/libvirt-dbus GetState=0.25'
      --ratio 'GetAll of a system / libvirt-dbus GetAll=GetAll of a system/libvirt-dbus GetAll=0.10')
  fi
  latency A 'reads, one guest that runs' "$calls" "${ratios[@]}" "${specs[@]}"
}

# One migration is held, so that others wait in the queue: what is timed is the call, not what it begins. The
# store writes each job to the disk before the reply.
submit() {
  local set='MigrateVirtualSystemToHost, as root'
  set_limit A 1
  migrate_held A held1 "$(host_name B)"
  latency A "$set" 200 \
    --ratio 'call to reply / polkit check=Migrate/polkit check=check + 2 ms' \
    "Migrate=migrate,$(system_path A held2),$(host_name B)" "polkit check=polkit,$VSM_NAME.migrate" "${own[0]}"
  # shellcheck disable=SC2154 # held_job is from libbench.sh
  cancel A "$held_job"
  row 'call to reply - polkit check, ms (bar 2)' "$(awk -v a="$(latency_of "$set" Migrate)" \
    -v b="$(latency_of "$set" 'polkit check')" 'BEGIN { printf "%.2f", (a - b) / 1000 }')"
}

# Idle and busy in turn, and in each the two calls in turn
under_load() {
  local i n jobs=() idle=() busy=() specs
  specs=("${own[@]:0:2}" "Get of a system=get,$VSM_NAME,$(system_path A still),$VSM_NAME.System,EnabledState")
  set_limit A 4
  for i in 1 2 3; do
    latency A "idle $i" "$((calls / 2))" "${specs[@]}"
    jobs=()
    for n in 1 2 3 4; do
      migrate_held A "held$n" "$(host_name B)"
      jobs+=("$held_job")
    done
    latency A "4 migrations $i" "$((calls / 2))" "${specs[@]}"
    assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveVirtualSystemMigrationCount)" 4 "4 migrations run all the time"
    for n in "${jobs[@]}"; do
      cancel A "$n"
    done
    idle+=("$(divide "$(latency_of "idle $i" Get)" "$(latency_of "idle $i" Ping)")")
    busy+=("$(divide "$(latency_of "4 migrations $i" Get)" "$(latency_of "4 migrations $i" Ping)")")
  done
  table 'Get / Ping' idle '4 running'
  for i in 0 1 2; do
    row "turn $((i + 1))" "${idle[i]}" "${busy[i]}"
  done
  ratio load '(Get/Ping with 4 migrations) / (Get/Ping idle)' "$(printf '%s\n' "${busy[@]}" | median)" \
    "$(printf '%s\n' "${idle[@]}" | median)" 1.3
  ratio load 'Get itself, 4 migrations / idle' "$(each_load '4 migrations' | median)" "$(each_load idle | median)" none
}

each_load() { # SET
  local i
  for i in 1 2 3; do
    latency_of "$1 $i" Get
  done
}

define_many() {
  monitor_start A many.log "--match=sender=$VSM_NAME,member=InterfacesAdded"
  # shellcheck disable=SC2016,SC2154 # for the shell over there; bench_remote is from libbench.sh
  host_run A bash -c 'for i in $(seq "$1"); do
      echo "<domain type=\"qemu\"><name>many$i</name><memory unit=\"MiB\">64</memory>" \
        "<os><type arch=\"x86_64\">hvm</type></os></domain>" >"$2/many.$i.xml"
      echo "define $2/many.$i.xml"
    done >"$2/many.virsh"; virsh -q <"$2/many.virsh" >/dev/null' define "$systems" "$bench_remote"
  # announced in the order in which they were defined
  wait_for_line many.log "\"$(system_path A "many$systems")\"" >/dev/null
  kill "$background_pid" # it would be measured, too
  assert_true "all are known" all_known
}

all_known() {
  [ "$(host_run A busctl tree --list "$VSM_NAME" | grep -c /system/)" -gt "$systems" ]
}

list() {
  local specs ratios=()
  define_many
  specs=("GetManagedObjects=objects,$VSM_NAME,$VSM_ROOT")
  if [ -n "$with_libvirt_dbus" ]; then
    specs+=("libvirt-dbus walk=walk,org.libvirt,$libvirt")
    ratios=(--ratio 'GetManagedObjects / walk=GetManagedObjects/libvirt-dbus walk=0.10 (as GetAll)')
    say ''
    say 'libvirt-dbus has no object manager: "walk" is ListDomains and then GetAll of each.'
  fi
  latency A "$systems systems" 15 --warm 2 "${ratios[@]}" "${specs[@]}" "${own[@]}"
}

bench_setup
guest_start A still --ws 1 --rate 0
for n in 1 2 3 4; do
  guest_start A "held$n" --ws 16 --rate 4 --no-wait --tcg
done
with_libvirt_dbus=''
if has_libvirt_dbus; then
  with_libvirt_dbus=1
else
  say 'no libvirt-dbus in the hosts: nothing is compared with it'
fi
reads
submit
under_load
list
bench_done
