# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
# For tests of evacuations: source it after libhosts.sh.

# shellcheck disable=SC2034 # for the tests
END='^(7|8|9|10|32768)$'
EVACUATION=$VSM_NAME.Job.Evacuation

# All hosts but this one
others() { # HOST
  local host list=()
  for host in $(hosts); do
    [ "$host" = "$1" ] || list+=("$host")
  done
  echo "${list[*]}"
}

# Makes a destination of evacuations known, or tells it anew.
know() { # HOST OTHER [options of "vsmctl host add"]
  host_run "$1" vsmctl host add "$(host_name "$2")" --authentication none "${@:3}" >/dev/null
}

know_all() { # each host all others
  local host other
  for host in $(hosts); do
    for other in $(others "$host"); do
      know "$host" "$other"
    done
  done
}

# vsmctl on a host; sets status, and leaves what it said in out and err.
client() { # HOST ARGUMENTS...
  status=0
  host_run "$1" vsmctl "${@:2}" >out 2>err </dev/null || status=$?
}

# All of them boot at the same time.
start_all() { # HOST NAME...
  local name
  for name in "${@:2}"; do
    guest_start "$1" "$name" --ws 8 --rate 0 --no-wait
  done
  for name in "${@:2}"; do
    wait_console "$name" 0 '^VSM full' 60
  done
}

### JSON: what vsmctl and busctl print

# busctl wraps each variant: {"type": ..., "data": ...}
json() { # EXPRESSION of python, in which "o" is what stdin holds
  python3 -c '
import json, sys
def bare(o):
    if isinstance(o, dict):
        return bare(o["data"]) if o.keys() == {"type", "data"} else {k: bare(v) for k, v in o.items()}
    return [bare(v) for v in o] if isinstance(o, list) else o
o = bare(json.load(sys.stdin))
for line in eval(sys.argv[1]):
    print(line)' "$1"
}

# "NAME DESTINATION METHOD", by order; "-" is none
plan_lines() { # EXPRESSION for the entries
  json "[' '.join((e['SystemName'], e['DestinationHost'] or '-', e['Method']))
         for e in sorted($1, key=lambda e: e['Order'])]"
}

job_rows() { # HOST JOB METHOD: as JSON
  host_run "$1" busctl --json=short --timeout="$(scaled 60)" call "$VSM_NAME" "$2" "$EVACUATION" "$3"
}

job_plan() { # HOST JOB: as plan_lines has it
  job_rows "$1" "$2" GetPlan | plan_lines 'o[0]'
}

# "NAME REASON REASON...", of all that is left over, in the order of the alphabet
leftovers() { # HOST JOB
  job_rows "$1" "$2" GetLeftovers |
    json "sorted(' '.join([e['SystemName']] + [r['MessageID'] for r in e['Reasons']]) for e in o[0])"
}

### evacuations

# Over D-Bus; options as gdbus takes them. Prints the path of the job.
evacuate() { # HOST [OPTIONS]
  manager "$1" Evacuate "{${2-}}"
}

bring_back() { # HOST [OPTIONS]
  manager "$1" BringBack "{${2-}}"
}

manager() { # HOST METHOD OPTIONS
  local reply options=$3
  [ "$options" != '{}' ] || options='@a{sv} {}'
  reply=$(host_run "$1" gdbus call --system --timeout "$(scaled 60)" --dest "$VSM_NAME" --object-path "$VSM_ROOT" \
    --method "$VSM_NAME.Manager.$2" "$options")
  assert_match "$reply" "^\(objectpath '$VSM_ROOT/job/[0-9]+',\)$" "$2 gives a job"
  grep -oE "$VSM_ROOT/job/[0-9]+" <<<"$reply"
}

evacuation_prop() { # HOST JOB PROPERTY
  prop "$1" "$2" "$EVACUATION" "$3"
}

# Waits for its end, which has to be this one.
assert_ends() { # HOST JOB JOBSTATE [SECONDS]
  local state
  wait_job "$1" "$2" "$END" "${4:-90}"
  state=$(job_prop "$1" "$2" JobState)
  [[ $state =~ ^($3)$ ]] || show_job "$1" "$2" | evidence
  assert_match "$state" "^($3)$" "JobState of the evacuation"
}

show_job() { # HOST JOB
  host_run "$1" vsmctl job "${2##*/}"
  job_rows "$1" "$2" GetPlan
  job_rows "$1" "$2" GetLeftovers
}

assert_counts() { # HOST JOB TOTAL DONE FAILED
  assert_eq "$(evacuation_prop "$1" "$2" Total) $(evacuation_prop "$1" "$2" Done) $(evacuation_prop "$1" "$2" Failed)" \
    "$3 $4 $5" "Total, Done, Failed"
}

draining() { # HOST: "true 9" or "false 2", or the like
  echo "$(prop "$1" "$VSM_ROOT" "$VSM_NAME.Manager" Draining) $(prop "$1" "$VSM_ROOT" "$VSM_NAME" EnabledState)"
}

# All that move at once, together; 0 for no limit. Holds an evacuation, and lets it go.
limit_bandwidth() { # HOST MIB
  host_run "$1" vsmctl settings "MaximumBandwidth=${2}MiB/s" >/dev/null
}

# A disk of its own, which no other host has: it cannot leave by memory alone.
own_disk() { # HOST PATH
  # shellcheck disable=SC2016 # for the shell over there
  host_run "$1" sh -c 'mkdir -p "$(dirname "$1")" && truncate -s 4M "$1"' sh "$2"
}

# Exactly once, not on this host, and undisturbed
assert_left() { # HOST NAME...
  local name place
  for name in "${@:2}"; do
    place=$(guest_hosts "$name")
    assert_eq "$(wc -w <<<"$place")" 1 "guest $name runs once (${place:-nowhere})"
    assert_ne "$place" "$1" "guest $name has left host $1"
    wait_tick "$name"
    assert_guest_good "$name"
  done
}

assert_stays() { # HOST NAME...
  local name
  for name in "${@:2}"; do
    assert_guest_on "$1" "$name"
    wait_tick "$name"
    assert_guest_good "$name"
  done
}

# libvirt has its memory on the disk of this host.
assert_saved() { # HOST NAME
  assert_eq "$(guest_hosts "$2")" "" "guest $2 runs nowhere"
  assert_match "$(host_run "$1" virsh -q dominfo --domain "$2")" 'Managed save: +yes' "the memory of $2 is saved"
}
