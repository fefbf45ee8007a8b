#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A running guest goes there and back with its disks: by virsh, by the bare bus call, in turn. Each pair of ways begins
# with the same disks, since what one of them leaves full the other would have to read.
#
# VSM_BENCH_PAIRS  rounds (4), of one move each way
# VSM_BENCH_RATE   of the link, as for tc (400mbit)
# VSM_BENCH_NOISE  MiB in each of the two disks, which have room for eight times as much (96)
# VSM_BENCH_TCG    1: no KVM. Rates and bytes are as good there.

# shellcheck source=tests/bench/libbench.sh
. "$(dirname "$0")/libbench.sh"
# shellcheck source=tests/libstorage.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libstorage.sh"

pairs=${VSM_BENCH_PAIRS:-4}
rate=${VSM_BENCH_RATE:-400mbit}
noise=${VSM_BENCH_NOISE:-96}
kinds=(virsh bus)
pool=/srv/disks

# What is in it, and nothing set apart for more
make_masters() {
  local size=$((noise * 8))M
  make_volume A disks one.qcow2 qcow2 "$size" "$noise" >/dev/null
  make_volume A disks two.raw raw "$size" "$noise" >/dev/null
  # shellcheck disable=SC2016 # for the shell over there
  host_run A sh -ec 'mkdir -p /srv/masters
    for f in "$1"/*; do cp --sparse=always "$f" /srv/masters/; cp --sparse=always "/srv/masters/${f##*/}" "$f"; done' \
    sh "$pool"
}

# Off and on again at home, with the disks of the beginning; sets since, where its console begins anew
renew() {
  host_run A virsh -q destroy --domain web
  since=$(console_size web)
  # shellcheck disable=SC2016 # for the shell over there
  host_run A sh -ec 'for f in /srv/masters/*; do cp --sparse=always "$f" "$1/"; done; sync
    virsh -q pool-refresh --pool disks; virsh -q start --domain web' sh "$pool"
  wait_console web "$since" '^VSM disk n=' 120
}

in_use() { # HOST: bytes of its volumes that are not holes
  # shellcheck disable=SC2016 # for the shell over there
  host_run "$1" sh -c 'sync; stat -c "%b %B" "$1"/* | awk "{ n += \$1 * \$2 } END { printf \"%d\\n\", n }"' sh "$pool"
}

bytes_sent() { # HOST: what left it, control connections and all
  host_run "$1" cat /sys/class/net/host0/statistics/tx_bytes
}

# The copies that stay behind: they would be in the way of the next one.
remove_copies() { # HOST
  # shellcheck disable=SC2016 # for the shell over there
  host_run "$1" sh -ec 'rm -f "$1"/*; virsh -q pool-refresh --pool disks' sh "$pool"
}

by_virsh() { # FROM TO
  timed "$1" virsh -q migrate --live --p2p --persistent --undefinesource --copy-storage-all --domain web \
    "$(host_uri "$2")"
}

by_bus() {
  local end
  # shellcheck disable=SC2154 # bench_remote is from libbench.sh
  read -r _ end < <(host_run "$1" "$bench_remote/bus-migrate" "$(guest_uuid "$1" web)" "$(host_name "$2")" 32771)
  echo "$end"
}

one() { # KIND FROM TO: the numbers go into files
  local before after usec used
  used=$(in_use "$2")
  before=$(bytes_sent "$2")
  usec=$("by_$1" "$2" "$3")
  after=$(bytes_sent "$2")
  assert_match "$usec" '^[0-9]+$' "$1 moved the guest"
  assert_guest_on "$3" web
  {
    echo "$usec" >&3
    echo "$((after - before))" >&4
    divide "$((after - before))" "$used" >&5
    divide "$(in_use "$3")" "$used" >&6
  } 3>>"$1.wall" 4>>"$1.bytes" 5>>"$1.moved" 6>>"$1.grown"
  remove_copies "$2"
}

there_and_back() { # KIND
  local since
  renew
  one "$1" A B
  one "$1" B A
  wait_disk_round web
  [ -n "${VSM_BENCH_TCG-}" ] || assert_guest_good web --since "$since"
}

report() {
  local kind what title unit divisor
  while read -r what unit divisor title; do
    table "$title" median quartiles n
    for kind in "${kinds[@]}"; do
      row "$kind" "$(median <"$kind.$what" | scale "$divisor" | xargs printf '%.3f')" \
        "$(spread "$divisor" <"$kind.$what")" "$(wc -l <"$kind.$what")"
      record_samples storage "$kind $what" "$unit" "$kind.$what"
    done
  done <<<$'wall us 1e6 wall, s\nbytes bytes 1048576 bytes moved, MiB
moved ratio 1 bytes moved / bytes in use at the source\ngrown ratio 1 bytes in use there / bytes in use at the source'
}

bench_setup
for host in A B; do
  make_pool "$host" disks "$pool"
  lab link "$host" rate "$rate"
done
make_masters
say "link $rate both ways; guest with two disks of $((noise * 8)) MiB, of each $noise MiB filled ${VSM_BENCH_TCG:+TCG}"
guest_start A web --ws 16 --rate 1 --disk "$pool/one.qcow2" --disk "$pool/two.raw" ${VSM_BENCH_TCG:+--tcg}

# once each that does not count
for kind in "${kinds[@]}"; do
  there_and_back "$kind"
done
rm -f ./*.wall ./*.bytes ./*.moved ./*.grown
for ((round = 0; round < pairs; round++)); do
  for kind in "${kinds[@]}"; do
    there_and_back "$kind"
  done
done
report
say ''
ratio storage 'wall, bare bus call / virsh' "$(median <bus.wall)" "$(median <virsh.wall)" none
ratio storage 'bytes moved, bus / virsh' "$(median <bus.bytes)" "$(median <virsh.bytes)" none
ratio_row 'bytes moved / bytes in use, bus' "$(median <bus.moved)" none
ratio_row 'bytes moved / bytes in use, virsh' "$(median <virsh.moved)" none
bench_done
