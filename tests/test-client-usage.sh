#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# vsmctl without a service: what it says and returns before it asks anybody. TAP on stdout.
# usage: test-client-usage.sh [VSMCTL]
set -u

vsmctl=${1:-${VSMCTL:-vsmctl}}
export LC_ALL=C.UTF-8 DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent/bus
failed=0 n=0

check() { # STATUS TEXT NAME ARGUMENTS...
  local wanted=$1 text=$2 name=$3 output status
  shift 3
  n=$((n + 1))
  output=$("$vsmctl" "$@" 2>&1 </dev/null)
  status=$?
  if [ "$status" = "$wanted" ] && [[ $output == *"$text"* ]]; then
    echo "ok $n - $name"
  else
    echo "not ok $n - $name"
    echo "# status $status instead of $wanted, '$text' wanted in:"
    echo "# ${output//$'\n'/$'\n# '}"
    failed=1
  fi
}

plan=$(grep -cE "^check [0-9]" "$0")
echo "1..$plan"
check 0 "migrate VM HOST"          "help"                          --help
check 0 "migrate VM HOST"          "help as a verb"                help
check 0 "vsmctl migrate [OPTION"   "help of a verb"                migrate --help
check 0 "--no-wait"                "help of a verb, as a verb"     help migrate
check 0 "vsmctl "                  "version"                       --version
check 2 "verb is missing"          "no verb"
check 2 "Did you mean 'list'?"     "a verb with a letter missing"  lst
check 2 "no verb 'frobnicate'"     "no verb at all"                frobnicate
check 2 "--bogus"                  "unknown option"                --bogus
check 2 "--bogus"                  "unknown option of a verb"      list --bogus
check 2 "VM HOST"                  "argument missing"              migrate web
check 2 "too much"                 "too many arguments"            list web
check 2 "Did you mean 'Priority'?" "unknown key"                   migrate web hostb --set Priorty=3
check 2 "twice"                    "a key given twice"             migrate web hostb --set Priority=3 --set Priority=3
check 2 "TransportType"            "a value that is none"          check web hostb --set TransportType=pigeon
check 2 "storage-deep-check"       "a type that is none"           check web hostb --type alive
check 2 "TARGET="                  "a disk without a target"       migrate web hostb --disk vda
check 0 "vsmctl network add [OPT"   "help of a verb below a verb"   help network add
check 0 "network remove N"         "help of a verb with verbs"     network --help
check 0 "--memory-limit"           "its options"                   host add --help
check 0 "vm-simple-with-ip SOURCE" "help has the sample's words"   help
check 2 "Did you mean 'network list'?" "a verb below, misspelt"    network lst
check 2 "compat VERB"              "a verb below is missing"       compat
check 2 "Did you mean 'HistoryLimit'?" "unknown setting"           settings HistoryLimits=3
check 2 "200MiB/s"                 "a rate without unit"           settings MaximumBandwidth=200
check 2 "60s"                      "a time without unit"           settings StallTimeout=60
check 2 "x509, ssh or none"        "a login that is none"          settings AuthenticationType=password
check 2 "192.168.1.0/24"           "a subnet without prefix"       network add 192.168.1.0
check 2 "192.168.1.0/24"           "a prefix that is too long"     network add 192.168.1.0/33
check 2 "4294967295"               "a metric that is none"         network add 192.168.1.0/24 --metric low
check 2 "--metric, --subnet"       "nothing to modify"             network modify 3
check 2 "number of a network"      "a network that is no number"   network remove 3 lan
check 2 "0 to 65535"               "a port that is none"           host add hostb --port 70000
check 2 "64GiB"                    "a size without unit"           host add hostb --memory-limit 64
check 2 "--timeout"                "a timeout without unit"        service quiesce --timeout 30
check 2 "--since"                  "a moment that is none"         history --since soon
check 2 "--state"                  "a state that is none"          history --state running
check 2 "--limit"                  "a limit that is none"          history --limit many
check 2 "There is no setting"      "a policy that is none"         policy web Colour=red
check 2 "There is no setting"      "a policy taken away, none"     policy web Colour=
check 1 "No such file"             "a file that is not there"      compat check nonesuch
check 1 "is empty"                 "nothing on stdin"              compat check -
check 2 "SOURCE DESTINATION VM"    "a word with too little"        vm-simple hosta hostb
check 2 "vm-simple-check"          "a word misspelt"               vm-simple-chek hosta hostb web
check 1 "over SMB"                 "a word that cannot be"         vm-smb hosta hostb web
check 2 "HOST VM POOL PATH"        "in capital letters"            STORAGE-Simple-with-POOL hosta web pool
check 2 "VM LOCATION"              "a place is missing"            vm-and-storage hosta hostb web
check 2 "SOURCE DESTINATION VM"    "and for the simple one none"   vm-and-storage-simple hosta hostb web /path
check 2 "vsmctl migrate VM HOST"   "a host is missing"             migrate web
check 2 "vsmctl migrate VM"        "one too much for storage"      migrate web hostb --type storage
check 1 "cannot be reached"        "storage without a host"        -H nonesuch.invalid migrate web --type storage
check 2 "exclude each other"       "two wishes for autostart"      migrate web hostb --autostart --no-autostart
check 2 "twice"                    "a planned system twice"        migrate web hostb --planned a --set DestinationPlannedVirtualSystemId=b
check 2 "too much"                 "its arguments are counted"     storage-simple hosta web /path more
check 2 "[USER@]HOST"              "a host that is none"           -H 'a b:c/d' list
check 2 "[USER@]HOST"              "a host without name"           -H '' list
check 2 "name of a host"           "a source without name"         vm-simple root@ hostb web
check 1 "cannot be reached"        "a host that is nowhere"        -H nonesuch.invalid list
check 1 "nonesuch.invalid"         "a source that is nowhere"      modifyservice nonesuch.invalid
check 1 "nonesuch.invalid"         "a destination that is nowhere" vm-simple-with-ip localhost nonesuch.invalid web
check 1 "Cannot connect"           "a source that is here"         vm-simple localhost hostb web
check 0 "--keep-draining"          "options of evacuate"           evacuate --help
check 2 "live, post-copy, resume"  "a fallback that is none"       evacuate --fallback live,destroy
check 2 "live, post-copy, resume"  "a fallback of nothing"         evacuate --fallback ''
check 2 "--deadline"               "a deadline without unit"       evacuate --plan --deadline 20
check 2 "stand after --to"         "a destination without --to"    evacuate hostb
check 2 "the plan says the rest"   "a plan, and another wish"      evacuate --plan-id x --to hostb
check 2 "the plan says the rest"   "a plan to be planned"          evacuate --plan-id x --plan
check 1 "Cannot connect"           "destinations after --to"       evacuate --to hostb hostc
check 1 "Cannot connect"           "all come home"                 bring-back
check 2 "number of a job"          "a job that is no number"       cancel seven
check 2 "UTF-8"                    "an argument that is no text"   status $'we\xffb'
check 1 "Cannot connect"           "no bus"                        list
check 1 "Cannot connect"           "options after the verb"        status web --json --no-pager
exit $failed
