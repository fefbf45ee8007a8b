/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Entry from the multiboot loader (32-bit, flat, no paging): own GDT, own stack, then C. */

        .section .multiboot, "a"
        .align  4
        .long   0x1BADB002                      /* multiboot 1 */
        .long   0x00000002                      /* we want the memory size */
        .long   -(0x1BADB002 + 0x00000002)

        .text
        .globl  start, wait_for_timer, irq0
start:
        cli
        lgdt    gdt_pointer
        ljmp    $0x08, $1f
1:      mov     $0x10, %ax
        mov     %ax, %ds
        mov     %ax, %es
        mov     %ax, %fs
        mov     %ax, %gs
        mov     %ax, %ss
        mov     $stack_top, %esp
        push    %ebx                            /* struct multiboot_info* */
        call    guest_main
2:      cli
        hlt
        jmp     2b

/* Sleeps until the timer ticks. The interrupt lands at irq0, wherever it met us, and never goes back
 * there: that closes the gap between sti and hlt, and needs no iret, which KVM can not emulate in
 * protected mode where it has to emulate all (software-nested machines: "KVM internal error. Suberror:
 * 1"). */
wait_for_timer:
        sti
3:      hlt
        jmp     3b
irq0:
        add     $12, %esp                       /* eip, cs, eflags; the gate has cleared IF */
        mov     $0x20, %al
        out     %al, $0x20
        ret

        .section .data
        .align  8
gdt:
        .quad   0
        .quad   0x00CF9A000000FFFF              /* code, flat */
        .quad   0x00CF92000000FFFF              /* data, flat */
gdt_pointer:
        .word   . - gdt - 1
        .long   gdt

        .bss
        .align  16
        .skip   16384
stack_top:
        .section .note.GNU-stack, "", @progbits
