#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The order in which a client hears of a migration: of one that went well, and of one that was cancelled. All messages
# of the service are recorded, and read afterwards.
# shellcheck source=tests/libtest.sh
. "$(dirname "$0")/libtest.sh"
# shellcheck source=tests/libhosts.sh
# shellcheck disable=SC2154 # test_dir is from libtest.sh
. "$test_dir/libhosts.sh"

# Reads a record. Prints what is wrong with it; nothing if all is well.
check_record() { # FILE SYSTEM JOB moved|cancelled
  python3 - "$@" <<'END'
import json, sys

path_file, system, job, end = sys.argv[1:]
name = "org.example.VirtualSystemMigration"
root = "/" + name.replace(".", "/")
events = []         # (what, path, interface, {property: value}, time)

for line in open(path_file, encoding="utf-8"):
    if not line.startswith("{"):
        continue
    m = json.loads(line)
    data = m.get("payload", {}).get("data", [])
    when = m["timestamp-realtime"]
    if m.get("member") == "PropertiesChanged":
        events.append(("changed", m["path"], data[0], {k: v["data"] for k, v in data[1].items()}, when))
    elif m.get("member") in ("InterfacesAdded", "InterfacesRemoved"):
        events.append((m["member"], data[0], "", {}, when))
    elif m["type"] == "method_return" and m["payload"].get("type") == "uo":
        events.append(("reply", data[1], "", {}, when))

bad = []
def check(true, what):
    if not true:
        bad.append(what)

def find(f):
    return [i for i, e in enumerate(events) if f(e)]

def values(path, interface, key):
    return [e[3][key] for e in events if e[0] == "changed" and e[1] == path and e[2] == name + interface and key in e[3]]

def one(what, f):
    found = find(f)
    check(len(found) == 1, "%s: %d times" % (what, len(found)))
    return found[0] if found else -1

# each state once, none left out, none merged with another
states = values(system, ".System", "MigrationState")
check(states == ([1, 2, 3, 0] if end == "moved" else [1, 2, 4]), "MigrationState went %s" % states)
jobs = values(job, ".Job", "JobState")
check(jobs == ([3, 4, 7] if end == "moved" else [3, 4, 6, 8]), "JobState went %s" % jobs)

# the beginning: object, reply, state
added = one("InterfacesAdded of the job", lambda e: e[0] == "InterfacesAdded" and e[1] == job)
reply = one("reply", lambda e: e[0] == "reply" and e[1] == job)
setup = one("MigrationState 1", lambda e: e[1] == system and e[3].get("MigrationState") == 1)
check(added < reply < setup, "the beginning: job %d, reply %d, state %d" % (added, reply, setup))
check(find(lambda e: e[1] == system)[0] == setup, "something of the system came before its state")

# the end: system, counters, job, departure
final = jobs[-1] if jobs else 0
last_system = find(lambda e: e[0] == "changed" and e[1] == system)[-1]
count = find(lambda e: e[0] == "changed" and e[1] == root and e[3].get("ActiveVirtualSystemMigrationCount") == 0)[-1]
last_state = one("final JobState", lambda e: e[1] == job and e[3].get("JobState") == final)
check(last_system < count < last_state,
      "the end: system %d, counters %d, job %d" % (last_system, count, last_state))
removed = find(lambda e: e[0] == "InterfacesRemoved" and e[1] == system)
if end == "moved":
    check(len(removed) == 1 and removed[0] > last_state, "InterfacesRemoved of the system: %s" % removed)
else:
    check(not removed, "the system was removed")

# progress: never falls, 100 only at a good end, and not too often
percents = values(job, ".Job", "PercentComplete")
check(percents == sorted(percents), "PercentComplete fell: %s" % percents)
check((100 in percents) == (end == "moved"), "PercentComplete ended at %s" % percents[-1:])
check([p for p in percents if p == 100] in ([], [100]) and max(percents) <= 100, "PercentComplete: %s" % percents)
progress = values(system, ".System", "MigrationProgress")
check(progress == sorted(progress), "MigrationProgress fell: %s" % progress)
check(len(percents) >= 3, "too little progress: %s" % percents)
for path, interface in ((job, ".Job"), (job, ".Job.Transfer"), (system, ".System")):
    times = [e[4] for e in events if e[0] == "changed" and e[1] == path and e[2] == name + interface
             and not {"JobState", "MigrationState", "Phase", "Cancellable"} & set(e[3])]
    for i, t in enumerate(times):
        n = len([u for u in times if t <= u < t + 1000000])
        if n > 5:
            check(False, "%d progress signals of %s within a second" % (n, interface))
            break

phases = values(job, ".Job.Transfer", "Phase")
wanted = (["preparing", "memory", "switch-over", "finishing", "done"] if end == "moved" else
          ["preparing", "memory", "finishing", "done"])
check(phases == wanted, "Phase went %s" % phases)
check(not values(job, ".Job", "ElapsedTime"), "ElapsedTime is in a signal")
print("\n".join(bad))
END
}

assert_record() { # FILE NAME JOB moved|cancelled WHAT
  local bad
  bad=$(check_record "$1" "$2" "$3" "$4")
  assert_eq "$bad" '' "$5"
}

# A number of virsh domjobinfo in bytes; "Memory processed", say
virsh_number() { # LABEL
  sed -n "s/^$1: *//p" jobinfo | head -n 1 | awk '
    { unit = 1 }
    $2 ~ /^KiB/ { unit = 1024 }
    $2 ~ /^MiB/ { unit = 1048576 }
    $2 ~ /^GiB/ { unit = 1073741824 }
    { printf "%d\n", $1 * unit }'
}

transfer() { # JOB PROPERTY
  prop A "$1" "$VSM_NAME.Job.Transfer" "$2"
}

# What the service says of a transfer against what libvirt says: they are read at two moments.
compare_numbers() { # JOB
  local total processed
  wait_prop A "$1" "$VSM_NAME.Job.Transfer" Iteration '^[1-9]' >/dev/null
  wait_prop A "$1" "$VSM_NAME.Job.Transfer" MemoryProcessed '^[0-9]{7,}$' >/dev/null
  host_run A virsh domjobinfo --domain web >jobinfo
  total=$(transfer "$1" MemoryTotal) processed=$(transfer "$1" MemoryProcessed)
  assert_between "$(($(virsh_number 'Memory total') - total))" -1048576 1048576 "MemoryTotal $total"
  assert_between "$((processed - $(virsh_number 'Memory processed')))" -4194304 8388608 "MemoryProcessed"
  assert_between "$(transfer "$1" MemoryRemaining)" 1 "$total" "MemoryRemaining"
  assert_between "$(transfer "$1" Bandwidth)" 100000 10000000 "Bandwidth with a limit of 1 MiB/s"
  assert_eq "$(transfer "$1" DiskTotal) $(transfer "$1" DiskRemaining)" "0 0" "no disks"
  assert_eq "$(transfer "$1" Encrypted) $(transfer "$1" Mode)" "false pre-copy" "Encrypted, Mode"
  assert_between "$(job_prop A "$1" ElapsedTime)" 1000000 60000000 "ElapsedTime can be read"
}

# A few steps, however slow the machine is: the record is to have some progress in it.
steps() { # JOB HOW-MANY
  local percent i
  for ((i = 0; i < $2; i++)); do
    percent=$(job_prop A "$1" PercentComplete)
    wait_prop A "$1" "$VSM_NAME.Job" PercentComplete "^($((percent + 1))|$((percent + 2))|$((percent + 3)))\$" \
      >/dev/null
  done
}

hosts_need python3
hosts_setup "$@"
guest_start A web
system=$(system_path A web)

monitor_start A bus.cancelled
job=$(hold A web B)
compare_numbers "$job"
ok "the numbers are those of libvirt"
steps "$job" 3
request A "$job" 4 >/dev/null
wait_for_line bus.cancelled "\"$job\".*\"JobState\":\{\"type\":\"q\",\"data\":8" >/dev/null
wait_tick web
assert_record bus.cancelled "$system" "$job" cancelled "the order of one that is cancelled"
ok "the order of one that is cancelled"

monitor_start A bus.moved
job=$(hold A web B)
wait_prop A "$job" "$VSM_NAME.Job.Transfer" MemoryProcessed '^[0-9]{7,}$' >/dev/null
steps "$job" 2
let_go A "$job"
wait_for_line bus.moved "InterfacesRemoved.*\"$system\"" >/dev/null
wait_tick web
assert_record bus.moved "$system" "$job" moved "the order of one that goes well"
assert_between "$(prop A "$job" "$VSM_NAME.Job.Transfer" Downtime)" 1 2000 "Downtime in ms"
assert_guest_on B web
assert_guest_good web
ok "the order of one that goes well"

monitor_start B bus.back
wait_system B web OperatingStatus '^0$'
job=$(migrate B web "$(host_name A)")
wait_for_line bus.back "InterfacesRemoved.*\"$system\"" >/dev/null
assert_eq "$(seen bus.back MigrationState)" "1 2 3 0" "no state is left out, however quick it is"
assert_guest_on A web
assert_guest_good web
ok "all states of one that is quick"

hosts_done
plan
