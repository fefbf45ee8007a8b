#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# build.sh OUTPUT SOURCE... - one place for the flags; meson and the lab both call it.
set -eu

output=$1
shift
here=$(dirname "$0")

# i586: no SSE, which would have to be switched on first, and which emulators are slow at
exec "${CC:-cc}" -m32 -march=i586 -O2 -std=gnu11 -Wall -Wextra \
  -ffreestanding -nostdlib -static -fno-pie -no-pie -fno-stack-protector -fcf-protection=none \
  -fno-asynchronous-unwind-tables -mgeneral-regs-only \
  -Wl,-T,"$here/link.ld" -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,max-page-size=4096 \
  -Wl,--no-warn-rwx-segments -o "$output" "$@"
