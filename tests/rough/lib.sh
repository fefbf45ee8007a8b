# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For the scripts of this folder: source it first.
#
# Each of them is run by "./check --all", or by hand from anywhere:
#
#   VSM_ROUGH_DIR  where to build and to leave evidence; default: build-check of the source tree
#   VSM_LAB_DIR    where the two hosts are; default: one of the script's own, that goes when it ends
#
# They print TAP, as the tests do; the exit status is 0 only if nothing failed.
set -Eeuo pipefail

rough_source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck disable=SC2034 # for the scripts
rough_dir=${VSM_ROUGH_DIR:-$rough_source/build-check}
rough_count=0 rough_bad=0 rough_lab=''

rough_ok() { # WHAT
  rough_count=$((rough_count + 1))
  printf 'ok %s - %s\n' "$rough_count" "$*"
}

rough_not_ok() { # WHAT; what it saw from stdin
  rough_count=$((rough_count + 1)) rough_bad=$((rough_bad + 1))
  printf 'not ok %s - %s\n' "$rough_count" "$*"
  sed 's/^/# /'
}

rough_skip() { # WHAT REASON
  rough_count=$((rough_count + 1))
  printf 'ok %s - %s # SKIP %s\n' "$rough_count" "$1" "$2"
}

# Ends the script: the plan, and the status that runners believe
rough_done() {
  printf '1..%s\n' "$rough_count"
  [ "$rough_bad" = 0 ] && [ "$rough_count" -gt 0 ]
}

lab() {
  "$rough_source/tests/lab/lab" --dir "$VSM_LAB_DIR" "$@"
}

# A lab of this script's own with what was built in DIR; the one that ./check left is not ours to change.
rough_lab_up() { # DIR [options of "lab up"]
  rough_lab=/run/vsmd-rough-$$
  export VSM_LAB_DIR=$rough_lab
  trap rough_lab_down EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  lab up --prefix-root "$1/root" "${@:2}"
}

rough_lab_down() {
  [ -z "$rough_lab" ] || lab down || true
  rough_lab=''
}

# The names of the lab's hosts
rough_hosts() {
  echo "A B C" | cut -d' ' "-f1-$(cat "$VSM_LAB_DIR/hosts")"
}

# A drop-in for the unit, in all hosts, from stdin: the daemon runs with it when this returns
rough_drop_in() { # NAME
  local text host
  text=$(cat)
  for host in $(rough_hosts); do
    # shellcheck disable=SC2016 # for the shell over there
    lab run "$host" sh -c 'mkdir -p /etc/systemd/system/vsmd.service.d &&
      cat >"/etc/systemd/system/vsmd.service.d/$1.conf"' sh "$1" <<<"$text"
    lab run "$host" systemctl daemon-reload
    lab run "$host" systemctl restart vsmd.service
  done
}
