@ gatelet_nibble_dot: a row of 4-bit weights times a vector, for the Armv7-M without DSP, and for any Armv8-M mainline core.
@
@     start + sum_k (w[k] + 8) x[k]                 int32, exact; nibbles.rs has the order of the weights
@
@ Without SMLAD one MLA still does two columns. A word of weights, shifted by 0, 4, 8 or 12 and masked with 0x000f000f, has
@ two of them 16 bits apart, u in the low half and v in the high one. x comes as words of two columns, in the other order:
@
@     (2^16 v + u) (2^16 x_u + x_v) = 2^16 (u x_u + v x_v) + u x_v      modulo 2^32
@
@ The sum stands in the high half. In 16 columns, 8 such products, it is at most 16 * 15 * 128 < 2^15 in magnitude; and what
@ stands in the low half at most 8 * 15 * 128 < 2^15. So they start at 2^15, which keeps the low half from going below zero,
@ and after 16 columns a shift by 16 gives exactly the sum. That start is the addend of the first MLA: it costs nothing.
@
@     r0  weights     r1  x     r2  words left     r3  sum     r4 - r7  x, two columns each
@     r8, r9  words   r10  two weights     r11  the products' sum     r12  mask     lr  2^15
@
@ 22 instructions for 16 columns: 1.38 a multiply-accumulate.

    .syntax unified
    .thumb

@ The eight columns of a word; their sum starts at `from`.
    .macro  eight_columns word, from
    ldm     r1!, {r4, r5, r6, r7}
    and     r10, r12, \word
    mla     r11, r10, r4, \from
    and     r10, r12, \word, lsr #4
    mla     r11, r10, r5, r11
    and     r10, r12, \word, lsr #8
    mla     r11, r10, r6, r11
    and     r10, r12, \word, lsr #12
    mla     r11, r10, r7, r11
    .endm

    .section .text.gatelet_nibble_dot, "ax", %progbits
    .global gatelet_nibble_dot
    .type gatelet_nibble_dot, %function
    .thumb_func
    .p2align 2
gatelet_nibble_dot:
    push    {r4, r5, r6, r7, r8, r9, r10, r11, lr}
    mov     r12, #0x000f000f
    mov     lr, #0x8000
    lsls    r8, r2, #31
    beq     1f
    ldr     r8, [r0], #4                @ an odd word goes first
    eight_columns r8, lr
    add     r3, r3, r11, asr #16
    subs    r2, r2, #1
    beq     2f
1:
    ldrd    r8, r9, [r0], #8
    eight_columns r8, lr
    eight_columns r9, r11
    add     r3, r3, r11, asr #16
    subs    r2, r2, #2
    bne     1b
2:
    mov     r0, r3
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, pc}
    .size gatelet_nibble_dot, . - gatelet_nibble_dot
