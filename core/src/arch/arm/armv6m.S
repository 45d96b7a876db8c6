@ gatelet_dots4: four rows of int8 weights times one int8 vector, for the Armv6-M (Cortex-M0, M0+).
@
@     sums[r] = sum_k weights[r][k] * x[k]          r = 0..3, int32, exact
@
@ Armv6-M has eight registers that its arithmetic can use, and a byte load with sign takes its address from two of
@ them, so: one negative offset, counting up to zero, serves five pointers to the ends of the rows and of x. The sums
@ stand in the high registers, which ADD, alone of the arithmetic, can reach.
@
@     r0 - r3   ends of the rows           r4   end of x          r5   offset: -columns .. -1
@     r6        x[k]                       r7   w[k], then the product
@     r8 - r11  sums                       r12  where they go
@
@ A column costs 1 load of x, 4 times (load, multiply, add), 1 step of the offset: 14, and a branch after four columns.
@ 57 instructions for 16 multiply-accumulates: 3.56.

    .syntax unified
    .thumb
    .section .text.gatelet_dots4, "ax", %progbits
    .global gatelet_dots4
    .type gatelet_dots4, %function
    .thumb_func
    .p2align 2
gatelet_dots4:
    push    {r4, r5, r6, r7, lr}
    mov     r4, r8
    mov     r5, r9
    mov     r6, r10
    mov     r7, r11
    push    {r4, r5, r6, r7}
    mov     r12, r3
    adds    r4, r1, r2                  @ x and the rows: pointers to their ends
    adds    r0, r0, r2
    adds    r1, r0, r2
    rsbs    r5, r2, #0
    subs    r3, r1, r5                  @ row 2: one further on
    adds    r2, r3, #0
    subs    r3, r3, r5                  @ row 3
    movs    r7, #0
    mov     r8, r7
    mov     r9, r7
    mov     r10, r7
    mov     r11, r7
1:
    .rept   4
    ldrsb   r6, [r4, r5]
    ldrsb   r7, [r0, r5]
    muls    r7, r6, r7
    add     r8, r7
    ldrsb   r7, [r1, r5]
    muls    r7, r6, r7
    add     r9, r7
    ldrsb   r7, [r2, r5]
    muls    r7, r6, r7
    add     r10, r7
    ldrsb   r7, [r3, r5]
    muls    r7, r6, r7
    add     r11, r7
    adds    r5, r5, #1
    .endr
    bne     1b
    mov     r0, r12
    mov     r4, r8
    mov     r5, r9
    mov     r6, r10
    mov     r7, r11
    stm     r0!, {r4, r5, r6, r7}
    pop     {r4, r5, r6, r7}
    mov     r8, r4
    mov     r9, r5
    mov     r10, r6
    mov     r11, r7
    pop     {r4, r5, r6, r7, pc}
    .size gatelet_dots4, . - gatelet_dots4
