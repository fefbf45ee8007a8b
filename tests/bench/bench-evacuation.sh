#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Eight guests leave a host over a limited link to the others: by vsmctl evacuate, by virsh one by one, two and three at
# a time, all at once; in turn. Beside it what no schedule can beat: sum M/(B-D) + o, with the M that one migration of
# each guest sent, and the o that it took beyond M/(B-D).
#
# VSM_BENCH_ROUNDS  of all of them (3)
# VSM_BENCH_RATE    of the link, as for tc; Mbit (200mbit)
# VSM_BENCH_GUESTS  how many (8)
# VSM_BENCH_WS      MiB that each fills with what cannot be compressed (32; dirty: 96); of the mix half to double of it.
#                   32 MiB go in twice the time that a set-up takes: what two at a time send twice does not show then
# VSM_BENCH_SETS    idle, dirty (each writes a tenth of the link), mix
# VSM_BENCH_KINDS   evacuate, serial, two, three, all
# VSM_BENCH_TCG     0: KVM; rates and bytes are as good without, and the guests are filled at once

# shellcheck source=tests/bench/libbench.sh
. "$(dirname "$0")/libbench.sh"
# shellcheck source=tests/libevacuate.sh
. "$test_dir/libevacuate.sh"

rounds=${VSM_BENCH_ROUNDS:-3}
rate=${VSM_BENCH_RATE:-200mbit}
count=${VSM_BENCH_GUESTS:-8}
read -ra sets <<<"${VSM_BENCH_SETS:-idle dirty mix}"
tcg=--tcg
[ "${VSM_BENCH_TCG-1}" != 0 ] || tcg=''
link=$((${rate%mbit} * 125000)) # bytes/s
read -ra kinds <<<"${VSM_BENCH_KINDS:-evacuate serial two three all}"

### the guests

guest_ws() { # SET NUMBER
  local ws=${VSM_BENCH_WS:-32}
  [ "$1" != dirty ] || ws=${VSM_BENCH_WS:-96}
  case $1 in
    mix) echo $((ws / 2 + ws * 3 / 2 * ($2 - 1) / (count - 1))) ;;
    *) echo "$ws" ;;
  esac
}

# MiB/s that it writes
guest_rate() { # SET NUMBER
  case $1 in
    idle) echo 0 ;;
    dirty) echo $((link / 10485760)) ;;
    mix) echo $(($2 % 2 * link / 10485760)) ;;
  esac
}

start_guests() { # SET
  local i
  for ((i = 1; i <= count; i++)); do
    # shellcheck disable=SC2086 # one word or none
    guest_start A "g$i" --ws "$(guest_ws "$1" "$i")" --rate "$(guest_rate "$1" "$i")" --tick 10 $tcg
  done
}

end_guests() {
  local i host
  for ((i = 1; i <= count; i++)); do
    for host in $(hosts); do
      quietly host_run "$host" virsh -q destroy --domain "g$i" || true
      quietly host_run "$host" virsh -q undefine --domain "g$i" || true
    done
  done
}

### the ways: each prints its wall time in us

# The plan is made beforehand, as virsh is told beforehand what goes where; what it takes is said apart.
by_evacuate() {
  local start=$EPOCHREALTIME plan
  plan=$(host_run A vsmctl --json evacuate --plan | json '[o["PlanID"]]')
  echo "$(((${EPOCHREALTIME/./} - ${start/./}) / 1000))" >>planning
  timed A vsmctl evacuate --plan-id "$plan"
}

# Half of them to each of the others, so that both ways have the same to do
virsh_list() {
  local i targets
  read -ra targets <<<"$(others A)"
  for ((i = 1; i <= count; i++)); do
    echo "g$i $(host_uri "${targets[i % ${#targets[@]}]}")"
  done
}

by_xargs() { # AT-A-TIME
  local list
  list=$(virsh_list)
  # shellcheck disable=SC2016 # for the shell over there
  timed A bash -c 'xargs -P "$1" -L 1 sh -c '\''virsh -q migrate --live --p2p --persistent --undefinesource \
    --domain "$1" "$2" </dev/null'\'' sh <<<"$2"' sh "$1" "$list"
}

by_serial() { by_xargs 1; }
by_two() { by_xargs 2; }
by_three() { by_xargs 3; }
by_all() { by_xargs "$count"; }

bytes_sent() {
  host_run A cat /sys/class/net/host0/statistics/tx_bytes
}

# Home, without the limit: it is not part of it. A host that was emptied takes guests again first.
come_home() {
  local i host
  host_run A vsmctl service start >/dev/null
  for host in $(others A); do
    for ((i = 1; i <= count; i++)); do
      [ "$(guest_state "$host" "g$i")" != running ] || host_run "$host" virsh -q migrate --live --p2p --persistent \
        --undefinesource --domain "g$i" "$(host_uri A)"
    done
  done
}

one() { # SET KIND
  local before usec
  lab link A rate "$rate"
  before=$(bytes_sent)
  usec=$("by_$2")
  assert_match "$usec" '^[0-9]+$' "$2 moved the guests"
  echo "$usec" >>"$1.$2.wall"
  echo $(($(bytes_sent) - before)) >>"$1.$2.bytes"
  lab link A rate unlimited
  assert_eq "$(host_run A virsh -q list --name | grep -c '^g')" 0 "$2: none is left"
  come_home
}

# What one guest after the other sends and takes, alone on the link: M and o of each
bound() { # SET: us
  local i before usec sent host sum=0 overhead=''
  host=$(others A | cut -d' ' -f1)
  lab link A rate "$rate"
  for ((i = 1; i <= count; i++)); do
    before=$(bytes_sent)
    usec=$(timed A virsh -q migrate --live --p2p --persistent --undefinesource --domain "g$i" "$(host_uri "$host")")
    sent=$(($(bytes_sent) - before))
    # sent is M plus what it wrote meanwhile: M/(B-D) is the time that it takes to send that at B
    sum=$((sum + sent * 1000000 / link))
    overhead+="$((usec - sent * 1000000 / link))"$'\n'
  done
  lab link A rate unlimited
  come_home
  echo $((sum + $(printf %s "$overhead" | median | cut -d. -f1)))
}

report() { # SET BOUND
  local kind best
  table "$1: s for $count guests of $(guest_ws "$1" 1) to $(guest_ws "$1" "$count") MiB" median quartiles MiB
  for kind in "${kinds[@]}"; do
    row "$kind" "$(median <"$1.$kind.wall" | scale 1e6 | xargs printf '%.2f')" "$(spread 1e6 <"$1.$kind.wall")" \
      "$(median <"$1.$kind.bytes" | scale 1048576 | xargs printf '%.0f')"
    record_samples "$1" "$kind wall" us "$1.$kind.wall"
    record_samples "$1" "$kind bytes" bytes "$1.$kind.bytes"
  done
  row 'bound: sum M/(B-D) + o' "$(scale 1e6 <<<"$2" | xargs printf '%.2f')"
  best=$(for kind in "${kinds[@]}"; do [ "$kind" = evacuate ] || median <"$1.$kind.wall"; done | sort -g | head -n1)
  if [ -e "$1.evacuate.wall" ]; then
    ratio "$1" 'evacuate / bound' "$(median <"$1.evacuate.wall")" "$2" 1.10
    ratio "$1" 'evacuate / the best of the others' "$(median <"$1.evacuate.wall")" "$best" 1.00
  fi
  against "$1" serial wall 0.85
  against "$1" all wall 0.60
  against "$1" serial bytes 1.05
}

against() { # SET KIND WHAT BAR
  [ -e "$1.evacuate.$3" ] && [ -e "$1.$2.$3" ] || return 0
  ratio "$1" "$3, evacuate / $2" "$(median <"$1.evacuate.$3")" "$(median <"$1.$2.$3")" "$4"
}

measure() { # SET
  local round kind
  start_guests "$1"
  least=$(bound "$1")
  for ((round = 0; round < rounds; round++)); do
    for kind in "${kinds[@]}"; do
      one "$1" "$kind"
    done
  done
  report "$1" "$least"
  end_guests
}

bench_setup
know_all
# as many as the widest of what virsh is asked for: one moves, one ends, one is set up. The default, 2, sets up later.
host_run A vsmctl settings MaximumActiveVirtualSystemMigration=3 >/dev/null
say "link of the source $rate; $count guests, to $(others A | wc -w) hosts"
for set in "${sets[@]}"; do
  measure "$set"
done
say "planning took $(median <planning) ms"
bench_done
