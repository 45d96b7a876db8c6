@ gatelet_nibble_dot: a row of 4-bit weights times a vector, for the Armv6-M (Cortex-M0, M0+).
@
@     start + sum_k (w[k] + 8) x[k]                 int32, exact
@
@ One multiplication does two columns, as armv7m4.S derives; their products start at 2^15 and give the sum after 16 columns.
@
@     r0  weights     r1  x     r2  word     r3  two weights, then their products     r4  the products' sum
@     r5, r6  x, two columns each     r7  mask     r8  end of x     r9  2^15     r12  sum
@
@ Two columns cost 4 (shift, mask, multiply, add) and half a load of x. 42 instructions for 16 columns: 2.63 a
@ multiply-accumulate.

    .syntax unified
    .thumb

@ The eight columns of a word: the `first` ones of a sum, or more of it.
    .macro  eight_columns first
    ldm     r0!, {r2}
    ldm     r1!, {r5, r6}
    .if     \first
    movs    r4, r2
    ands    r4, r7
    muls    r4, r5, r4
    add     r4, r9
    .else
    movs    r3, r2
    ands    r3, r7
    muls    r3, r5, r3
    adds    r4, r4, r3
    .endif
    lsrs    r3, r2, #4
    ands    r3, r7
    muls    r3, r6, r3
    adds    r4, r4, r3
    ldm     r1!, {r5, r6}
    lsrs    r3, r2, #8
    ands    r3, r7
    muls    r3, r5, r3
    adds    r4, r4, r3
    lsrs    r3, r2, #12
    ands    r3, r7
    muls    r3, r6, r3
    adds    r4, r4, r3
    .endm

@ Takes the sum.
    .macro  take
    asrs    r4, r4, #16
    add     r12, r4
    cmp     r1, r8
    .endm

    .section .text.gatelet_nibble_dot, "ax", %progbits
    .global gatelet_nibble_dot
    .type gatelet_nibble_dot, %function
    .thumb_func
    .p2align 2
gatelet_nibble_dot:
    push    {r4, r5, r6, r7, lr}
    mov     r4, r8
    mov     r5, r9
    push    {r4, r5}
    mov     r12, r3
    lsls    r4, r2, #4                  @ a word of weights has four of x
    adds    r4, r4, r1
    mov     r8, r4
    movs    r4, #1
    lsls    r4, r4, #15
    mov     r9, r4
    ldr     r7, gatelet_nibble_mask
    lsls    r2, r2, #31
    beq     1f
    eight_columns 1                     @ an odd word goes first
    take
    beq     2f
1:
    eight_columns 1
    eight_columns 0
    take
    bne     1b
2:
    mov     r0, r12
    pop     {r4, r5}
    mov     r8, r4
    mov     r9, r5
    pop     {r4, r5, r6, r7, pc}
    .p2align 2
gatelet_nibble_mask:
    .word   0x000f000f
    .size gatelet_nibble_dot, . - gatelet_nibble_dot
