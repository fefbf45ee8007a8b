#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# One guest goes to and fro over a limited link: by virsh, by the bare bus call, by vsmctl, in turn. An odd number
# of ways, so that each is used in both directions; where a pair of hosts is not quite alike, all feel it.
#
# VSM_BENCH_PAIRS  rounds for the big guest (6), of one migration each way; for the tiny one twice as many
# VSM_BENCH_RATE   of the link, as for tc (200mbit)
# VSM_BENCH_WS     MiB that the big guest fills with what cannot be compressed (128)
# VSM_BENCH_DIRTY  MiB/s of it that it writes (4)
# VSM_BENCH_TCG    1: no KVM. Rates and bytes are as good there; nothing is said about the memory.

# shellcheck source=tests/bench/libbench.sh
. "$(dirname "$0")/libbench.sh"

pairs=${VSM_BENCH_PAIRS:-6}
rate=${VSM_BENCH_RATE:-200mbit}
ws=${VSM_BENCH_WS:-128}
dirty=${VSM_BENCH_DIRTY:-4}
kinds=(virsh bus vsmctl)

start() { # NAME WS RATE
  guest_start A "$1" --ws "$2" --rate "$3" --tick 10 ${VSM_BENCH_TCG:+--tcg}
}

bytes_sent() { # HOST: what left it, control connections and all
  host_run "$1" cat /sys/class/net/host0/statistics/tx_bytes
}

by_virsh() { # FROM TO NAME
  timed "$1" virsh -q migrate --live --p2p --persistent --undefinesource --domain "$3" "$(host_uri "$2")"
}

by_vsmctl() {
  timed "$1" vsmctl migrate "$3" "$(host_name "$2")"
}

by_bus() {
  local reply end
  # shellcheck disable=SC2154 # bench_remote is from libbench.sh
  read -r reply end < <(host_run "$1" "$bench_remote/bus-migrate" "$(guest_uuid "$1" "$3")" "$(host_name "$2")")
  echo "$reply" >>"$3.bus.reply"
  echo "$end"
}

# Until the guest itself has counted so many milliseconds from its next line on
wait_guest_time() { # NAME MS
  local tail pid line first='' r=1
  exec {tail}< <(exec tail -c "+$(($(console_size "$1") + 1))" -s 0.1 -F -- "$(lab console "$1")" 2>/dev/null 3>&-)
  pid=$!
  while read -r -t "$(scaled 30)" line <&"$tail"; do
    [[ $line =~ ^'VSM tick n='[0-9]+' t='([0-9]+)' ' ]] || continue
    first=${first:-${BASH_REMATCH[1]}}
    [ $((BASH_REMATCH[1] - first)) -lt "$2" ] || { r=0 && break; }
  done
  kill "$pid" 2>/dev/null || true
  exec {tail}<&-
  return "$r"
}

one() { # KIND FROM TO NAME: the numbers go into files
  local size before after usec out=$4.$1
  size=$(console_size "$4")
  before=$(bytes_sent "$2")
  usec=$("by_$1" "$2" "$3" "$4")
  after=$(bytes_sent "$2")
  assert_match "$usec" '^[0-9]+$' "$1 moved the guest"
  # a pause that only the wall clock shows is told up to two seconds late
  wait_guest_time "$4" 2500
  assert_guest_on "$3" "$4"
  echo "$usec" >>"$out.wall"
  echo "$((after - before))" >>"$out.bytes"
  guest_pause "$4" --since "$size" >>"$out.pause"
}

to_and_fro() { # NAME ROUNDS
  local from=A to=B round kind
  # once each that does not count
  one bus A B "$1"
  one virsh B A "$1"
  rm -f "$1".*
  for ((round = 0; round < $2; round++)); do
    for kind in "${kinds[@]}"; do
      one "$kind" "$from" "$to" "$1"
      read -r from to <<<"$to $from"
    done
  done
  # home, for whoever comes next
  [ "$from" = A ] || by_virsh B A "$1" >/dev/null
}

report() { # NAME TITLE
  local kind what unit raw divisor
  for what in 'wall s us 1e6' 'pause ms ms 1' 'bytes MiB bytes 1048576'; do
    read -r what unit raw divisor <<<"$what"
    table "$2: $what, $unit" median quartiles n
    for kind in "${kinds[@]}"; do
      row "$kind" "$(median <"$1.$kind.$what" | scale "$divisor" | xargs printf '%.3f')" \
        "$(spread "$divisor" <"$1.$kind.$what")" "$(wc -l <"$1.$kind.$what")"
      record_samples "$1" "$kind $what" "$raw" "$1.$kind.$what"
    done
  done
}

med() { # FILE
  median <"$1"
}

# What else runs on the machine can only add: of two fastest runs it has added least.
fastest() { # FILE
  sort -g "$1" | head -n1
}

startup_of_virsh() {
  local n
  for ((n = 0; n < 9; n++)); do
    timed A virsh -q uri
  done | median
}

bench_setup
lab link A rate "$rate"
lab link B rate "$rate"
say "link $rate both ways; guest with $ws MiB, $dirty MiB/s of them written ${VSM_BENCH_TCG:+TCG}"

start big "$ws" "$dirty"
to_and_fro big "$pairs"
report big "big guest"
[ -n "${VSM_BENCH_TCG-}" ] || assert_guest_good big

start tiny 1 0
to_and_fro tiny "$((pairs * 2))"
report tiny "tiny guest"
row "bus: call to reply, ms" "$(med tiny.bus.reply | scale 1000 | xargs printf '%.2f')" \
  "$(spread 1000 <tiny.bus.reply)" "$(wc -l <tiny.bus.reply)"

startup=$(startup_of_virsh)
table 'vsmd against virsh' 'ms'
for kind in bus vsmctl; do
  extra=$(awk -v a="$(med "tiny.$kind.wall")" -v b="$(med tiny.virsh.wall)" 'BEGIN { printf "%.1f", (a - b) / 1000 }')
  row "fixed extra (tiny guest), $kind - virsh" "$extra"
  record "\"set\":\"tiny\",\"measure\":\"extra $kind\",\"unit\":\"ms\",\"median\":$extra"
done
row 'start of virsh (virsh uri), in its times' "$(scale 1000 <<<"$startup" | xargs printf '%.1f')"

ratio big 'wall, bare bus call / virsh' "$(med big.bus.wall)" "$(med big.virsh.wall)" '1.03 (virsh >= 5 s)'
ratio big 'wall, vsmctl / virsh' "$(med big.vsmctl.wall)" "$(med big.virsh.wall)" '1.03 (virsh >= 5 s)'
ratio big 'the same, of the fastest of each' "$(fastest big.bus.wall)" "$(fastest big.virsh.wall)" '1.03 (virsh >= 5 s)'
ratio big 'wall, bare bus call / virsh without its start' "$(med big.bus.wall)" \
  "$(awk -v a="$(med big.virsh.wall)" -v b="$startup" 'BEGIN { print a - b }')" '1.00 (goal)'
ratio big 'pause felt, bus / virsh' "$(med big.bus.pause)" "$(med big.virsh.pause)" 1.05
ratio big 'pause felt, vsmctl / virsh' "$(med big.vsmctl.pause)" "$(med big.virsh.pause)" 1.05
ratio big 'bytes sent, bus / virsh' "$(med big.bus.bytes)" "$(med big.virsh.bytes)" 'no extra pass'
ratio tiny 'tiny guest: wall, bus / virsh' "$(med tiny.bus.wall)" "$(med tiny.virsh.wall)" none
bench_done
