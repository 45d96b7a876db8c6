@ gatelet_dots4: four rows of int8 weights times one int8 vector, for the Armv7-M without DSP (Cortex-M3), and for any
@ Armv8-M mainline core.
@
@     sums[r] = sum_k weights[r][k] * x[k]          r = 0..3, int32, exact
@
@     r0, r4 - r6   rows             r1   x             r2   columns left          r3   where the sums go
@     r7 - r10      sums             r11  x[k]          r12  w[k]
@
@ Loads move their pointers on, so a column costs 1 load of x and 4 times (load, multiply-accumulate): 9. Sixteen columns
@ a turn: 146 instructions for 64 multiply-accumulates, 2.28. Columns come in fours; when they are no whole number of
@ turns, the first turn is entered in the middle.

    .syntax unified
    .thumb

    .macro  four_columns
    .rept   4
    ldrsb   r11, [r1], #1
    ldrsb   r12, [r0], #1
    mla     r7, r12, r11, r7
    ldrsb   r12, [r4], #1
    mla     r8, r12, r11, r8
    ldrsb   r12, [r5], #1
    mla     r9, r12, r11, r9
    ldrsb   r12, [r6], #1
    mla     r10, r12, r11, r10
    .endr
    .endm

    .section .text.gatelet_dots4, "ax", %progbits
    .global gatelet_dots4
    .type gatelet_dots4, %function
    .thumb_func
    .p2align 2
gatelet_dots4:
    push    {r4, r5, r6, r7, r8, r9, r10, r11, lr}
    add     r4, r0, r2
    add     r5, r4, r2
    add     r6, r5, r2
    movs    r7, #0
    mov     r8, r7
    mov     r9, r7
    mov     r10, r7
    ands    r12, r2, #15                @ columns of the first turn: 0 is all 16
    beq     1f
    add     r2, r2, #15
    bic     r2, r2, #15
    cmp     r12, #8
    bhi     4f
    beq     3f
    b       2f
1:
    four_columns
4:
    four_columns
3:
    four_columns
2:
    four_columns
    subs    r2, #16
    bne     1b
    stm     r3, {r7, r8, r9, r10}
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .size gatelet_dots4, . - gatelet_dots4
