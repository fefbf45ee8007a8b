# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For tests that put the disks of guest web on host A elsewhere there: source it after libmove.sh.

SLOW="'Bandwidth': <uint16 1>"
# shellcheck disable=SC2034 # for the tests
OVERWRITE="'AllowOverwriteExistingFile': <true>"
# shellcheck disable=SC2034 # for the tests
REMOVE="'RetainVhdCopiesOnSource': <false>"

storage() { # NAME RESOURCES [SETTINGS]: prints the path of the job
  start_move A "$1" '' "'MigrationType': <uint16 32769>${3:+, $3}" '' "$2"
}

assert_disks() { # NAME LINES: as it runs, and as it is stored
  assert_eq "$(disk_paths A "$1" live)" "$2" "disks of $1"
  assert_eq "$(disk_paths A "$1" config)" "$2" "stored disks of $1"
}

# What nobody wrote, of each disk
sums_of() { # NAME
  local path
  disk_paths A "$1" config | while read -r _ path; do
    disk_sum A "$path" </dev/null
  done
}

# All that a move may change or leave: volumes of all pools, temporary pools, block jobs, counters
on_host() {
  local pool
  for pool in disks other; do
    volumes A "$pool" | sed "s,^,$pool/,"
  done
  host_run A find /srv/full /srv/roomy /srv/listed -type f
  host_run A virsh -q pool-list --all --name | grep vsmd- || true
}

assert_rest() { # NAME
  assert_no_leftovers A "$@"
  assert_eq "$(prop A "$VSM_ROOT" "$VSM_NAME" ActiveStorageMigrationCount)" 0 "no move is counted"
  assert_eq "$(system_prop A "$1" OperatingStatus)" 0 "OperatingStatus of $1"
}

# It ends as it should, and all is as it was before.
assert_stayed() { # JOB JOBSTATE MIGRATIONSTATE BEFORE
  wait_job A "$1" "$END"
  [ "$(job_prop A "$1" JobState)" = "$2" ] || reasons A "$1" | evidence
  assert_eq "$(job_prop A "$1" JobState)" "$2" "JobState"
  assert_eq "$(system_prop A web MigrationState)" "$3" "MigrationState"
  assert_disks web "$where"
  assert_eq "$(on_host)" "$4" "no volume came or went"
  assert_rest web
  assert_guest_on A web
  wait_tick web
}

# Held in the middle of it. Prints the path of the job.
hold() { # RESOURCES [SETTINGS]
  local job
  job=$(storage web "$1" "$SLOW${2:+, $2}")
  wait_prop A "$job" "$VSM_NAME.Job.Transfer" DiskProcessed '^[1-9]' >/dev/null
  printf '%s\n' "$job"
}

# Two disks in the first of three pools, one of which has no room; a directory that is no pool.
prepare() {
  local one two
  make_pool A disks /srv/disks
  make_pool A other /srv/other
  make_pool A full /srv/full 2m
  make_pool A roomy /srv/roomy 100m
  host_run A sh -ec 'rm -rf /srv/listed /srv/nopool /srv/disks/folder; mkdir -p /srv/listed'
  one=$(make_volume A disks one.qcow2 qcow2 64M 6)
  two=$(make_volume A disks two.raw raw 20M 2)
  guest_start A web --rate 1 --disk "$one" --disk "$two"
  where="hda $one"$'\n'"hdb $two"
  sums=$(sums_of web)
}

# Whatever happened, the guest has lost nothing.
assert_nothing_lost() {
  wait_disk_round web
  assert_guest_good web
  assert_eq "$(sums_of web)" "$sums" "what nobody wrote is as it was"
  assert_rest web
}
