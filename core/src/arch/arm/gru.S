@ The cells of a GRU with reset after, in integers: `cell/gru.rs` is their specification.
@
@   r0 sums of r            r1 bytes to those of z          r2 bytes to those of U h
@   r3 the next carried h   r4 the next h                   r5, r6 tables of sigmoid and tanh
@   r7 units left           r8 to r12 of the unit
@
@ A table's word is slope and height: (z slope + word) >> 16 is the function's value.

    .syntax unified
    .cpu    cortex-m4
    .thumb
    .section .text.gatelet_gru, "ax", %progbits
    .balign 4

@ r = table(sat16(r)) in the high half.
    .macro GRU_TABLE r, table
    ssat    \r, #16, \r
    ubfx    r12, \r, #8, #8
    ldr     r12, [\table, r12, lsl #2]
    smlabb  \r, \r, r12, r12
    .endm

    .global gatelet_gru_cells
    .type gatelet_gru_cells, %function
    .thumb_func
gatelet_gru_cells:
    push    {r4-r11, lr}
    ldmia   r0, {r0-r7}             @ as in `Cells`
gatelet_gru_unit:
    ldr     r9, [r0, r1]            @ z
    ldr     r10, [r0, r1, lsl #1]   @ what the candidate reads
    ldr     r11, [r0, r2]           @ u
    ldr     r8, [r0], #4            @ r
    GRU_TABLE r8, r5                @ Q2.13
    asr     r8, r8, #16
    ssat    r11, #19, r11
    cmn     r11, #0x40000           @ u is within 2^18 - 1 on both sides
    it      eq
    addeq   r11, r11, #1
    mul     r11, r8, r11
    add     r11, r11, #0x1000
    add     r10, r10, r11, asr #13
    GRU_TABLE r10, r6               @ n, Q4.11
    GRU_TABLE r9, r5                @ Q2.13
    asr     r9, r9, #16
    ldrsh   r12, [r3]
    rsb     r11, r9, #0x2000
    smulbt  r11, r11, r10           @ (1 - z) n
    smulbb  r12, r9, r12            @ z H
    add     r12, r12, r11, lsl #4
    add     r12, r12, #0x1000
    ssat    r12, #16, r12, asr #13
    strh    r12, [r3], #2
    add     r12, r12, #0x80         @ half a unit of h
    ssat    r12, #8, r12, asr #8
    strb    r12, [r4], #1
    subs    r7, r7, #1
    bne     gatelet_gru_unit
    pop     {r4-r11, pc}
