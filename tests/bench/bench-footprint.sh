#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What the service costs while it does nothing, and what its start takes: from the first call to a service that
# does not run to the answer; private memory, fresh, with 10 systems; wake-ups in a minute.
#
# VSM_BENCH_STARTS  how often it is started (10)
# VSM_BENCH_IDLE    seconds that are watched (60)

# shellcheck source=tests/bench/libbench.sh
. "$(dirname "$0")/libbench.sh"

starts=${VSM_BENCH_STARTS:-10}
idle=${VSM_BENCH_IDLE:-60}
libvirt=/org/libvirt/QEMU

pid_of() { # BUS-NAME
  host_run A busctl --no-pager --no-legend list --unique --acquired | awk -v name="$1" '$1 == name { print $2 }'
}

# Started this often, it would be taken for one that fails.
stop_unit() { # UNIT
  host_run A systemctl stop "$1"
  host_run A systemctl reset-failed "$1" 2>/dev/null || true
}

# libvirt-dbus is no unit
stop_service() { # vsmd|hostnamed|libvirt-dbus
  local pid
  case $1 in
    vsmd) stop_unit vsmd.service ;;
    hostnamed) stop_unit systemd-hostnamed.service ;;
    libvirt-dbus)
      pid=$(pid_of org.libvirt)
      case $pid in
        '' | - | *[!0-9]*) return ;;
      esac
      end_process "$pid"
      ;;
  esac
}

# Returns when it is gone: its end is an event to whoever holds a descriptor of it.
end_process() { # PID: in host A
  host_run A python3 -c '
import os, select, signal, sys
end = select.poll()
process = os.pidfd_open(int(sys.argv[1]))
end.register(process, select.POLLIN)
signal.pidfd_send_signal(process, signal.SIGTERM)
sys.exit(not end.poll(10000))' "$1"
}

# One call to something that libvirt or the service itself has to know
first_call() { # vsmd|hostnamed|libvirt-dbus
  case $1 in
    vsmd) set -- "$VSM_NAME" "$VSM_ROOT" "$VSM_NAME" Name ;;
    hostnamed) set -- org.freedesktop.hostname1 /org/freedesktop/hostname1 org.freedesktop.hostname1 Hostname ;;
    libvirt-dbus) set -- org.libvirt "$libvirt" org.libvirt.Connect LibVersion ;;
  esac
  timed A busctl get-property "$@"
}

activation() {
  local i service
  for ((i = 0; i < starts; i++)); do
    for service in "${services[@]}"; do
      stop_service "$service"
      first_call "$service" >>"$service.cold"
      first_call "$service" >>"$service.warm"
    done
    timed A virsh -q uri >>virsh.warm
  done
  table 'busctl get-property: median ms' stopped running difference
  for service in "${services[@]}"; do
    row "$service" "$(median <"$service.cold" | scale 1000 | xargs printf '%.1f')" \
      "$(median <"$service.warm" | scale 1000 | xargs printf '%.1f')" \
      "$(awk -v a="$(median <"$service.cold")" -v b="$(median <"$service.warm")" \
        'BEGIN { printf "%.1f", (a - b) / 1000 }')"
    record_samples activation "$service cold" us "$service.cold"
    record_samples activation "$service warm" us "$service.warm"
  done
  row 'virsh uri: a connection to libvirt' - "$(median <virsh.warm | scale 1000 | xargs printf '%.1f')" -
  row 'vsmd - hostnamed - virsh uri' "$(awk -v a="$(median <vsmd.cold)" -v b="$(median <hostnamed.cold)" \
    -v c="$(median <virsh.warm)" 'BEGIN { printf "%.1f", (a - b - c) / 1000 }')"
  ratio activation 'vsmd stopped / hostnamed stopped' "$(median <vsmd.cold)" "$(median <hostnamed.cold)" \
    'hostnamed + libvirt open'
}

define_ten() {
  local i
  for i in {1..10}; do
    guest_define A "many$i"
  done
}

smaps() { # PID: kB of private, dirty private, proportional and resident memory
  host_run A cat "/proc/$1/smaps_rollup" | awk '
    /^Private_(Clean|Dirty):/ { private += $2 }
    /^Private_Dirty:/ { dirty = $2 }
    /^Pss:/ { pss = $2 }
    /^Rss:/ { rss = $2 }
    END { print private, dirty, pss, rss }'
}

# voluntary switches of all threads: each is one wake-up
switches() { # PID: "TID NAME COUNT" lines
  # shellcheck disable=SC2016 # for the shell over there
  host_run A sh -c 'cat /proc/$1/task/*/status' sh "$1" |
    awk '/^Name:/ { name = $2 } /^Pid:/ { pid = $2 } /^voluntary_/ { print pid, name, $2 }'
}

watchdog_stamp() {
  host_run A systemctl show -P WatchdogTimestampMonotonic vsmd.service
}

# The other host has its own vsmd, which would share the program's pages with this one: it stops.
fresh() {
  local service
  host_run B systemctl stop vsmd.service
  for service in "${services[@]}"; do
    stop_service "$service"
  done
  for service in "${services[@]}"; do
    first_call "$service" >/dev/null
  done
  [ -z "$with_libvirt_dbus" ] ||
    host_run A busctl call org.libvirt "$libvirt" org.libvirt.Connect ListDomains u 0 >/dev/null
  host_run A busctl call "$VSM_NAME" "$VSM_ROOT" org.freedesktop.DBus.ObjectManager GetManagedObjects >/dev/null
  # Idle threads of pools go after 15 s. Nobody tells of a thread that ends, or that none will any more.
  sleep 25
}

memory() {
  local service pid numbers
  declare -A private
  table '10 systems, fresh: kB' private 'of it dirty' 'PSS'
  for service in "${services[@]}"; do
    pid=${pids[$service]-}
    [ -n "$pid" ] || continue
    read -ra numbers < <(smaps "$pid")
    private[$service]=${numbers[0]}
    row "$service" "${numbers[@]:0:3}"
    record "$(printf '"set":"memory","measure":"%s","unit":"kB","private":%d,"dirty":%d,"pss":%d,"rss":%d' \
      "$service" "${numbers[@]}")"
  done
  [ -z "$with_libvirt_dbus" ] ||
    ratio memory 'private memory, vsmd / libvirt-dbus' "${private[vsmd]}" "${private[libvirt-dbus]}" 1.00
}

woken() { # SERVICE: of the time between before and after
  awk 'NR == FNR { before[$1] = $3; next } { n += $3 - before[$1] } END { print n + 0 }' "before.$1" "after.$1"
}

wakeups() {
  local service stamp pings=0
  stamp=$(watchdog_stamp)
  for service in "${!pids[@]}"; do
    switches "${pids[$service]}" >"before.$service"
  done
  sleep "$idle" # this time is what is measured
  for service in "${!pids[@]}"; do
    switches "${pids[$service]}" >"after.$service"
  done
  [ "$stamp" = "$(watchdog_stamp)" ] || pings=1
  table "wake-ups in $idle s" all 'per minute'
  for service in "${services[@]}"; do
    [ -n "${pids[$service]-}" ] || continue
    row "$service" "$(woken "$service")" "$(($(woken "$service") * 60 / idle))"
    record "$(printf '"set":"idle","measure":"%s wake-ups","unit":"1/min","value":%d' "$service" \
      "$(($(woken "$service") * 60 / idle))")"
  done
  awk 'NR == FNR { before[$1] = $3; next } $3 != before[$1] { print $2, $3 - before[$1] }' before.vsmd after.vsmd |
    while read -r thread n; do
      row "  of vsmd, thread $thread" "$n"
    done
  row '  of these the watchdog' "$pings"
  row '  libvirtd, which pings each client every 5 s' "$((idle / 5))"
  ratio_row 'vsmd without the watchdog' "$(($(woken vsmd) - pings))" 0
  ratio_row 'vsmd without the watchdog and these pings' "$(($(woken vsmd) - pings - idle / 5))" 0
  say '  (Where else a container sets its name, the kernel wakes all who follow the name.)'
}

bench_setup
services=(vsmd hostnamed)
with_libvirt_dbus=''
if first_call libvirt-dbus >/dev/null 2>&1; then
  with_libvirt_dbus=1
  services+=(libvirt-dbus)
fi
define_ten
activation

fresh
declare -A pids=([vsmd]=$(pid_of "$VSM_NAME"))
[ -z "$with_libvirt_dbus" ] || pids[libvirt-dbus]=$(pid_of org.libvirt)
memory
wakeups
bench_done
