@ 4-bit layers for Helium: what differs from mve.S, which comes before this in one file.
@
@ A byte has two weights of a row, each as w + 8: in a word (nibbles.rs has the order) the low halves are those of columns
@ 0 4 2 6, the high halves those of 1 5 3 7. x is put into the same order once a product, for every 32 columns
@
@     16 bytes of x for the low halves    x0 x4 x2 x6   x8 x12 x10 x14   x16 ...
@     16 bytes of x for the high halves   x1 x5 x3 x7   x9 x13 x11 x15   x17 ...
@
@ so that 16 bytes of weights are two vectors of 16 columns, after a mask and after a shift: 1 load, 2 for that, and two
@ VMLADAVA. Four rows share the two loads of x: 22 instructions for 128 multiply-accumulates.
@
@     offset      sum w x = sum (w + 8) x - 8 sum x: the sums start at the last term, which is the same for all rows.
@     columns     32 a turn, in one tail-predicated loop for all widths; where a word's last four columns do not exist, x is 0.
@     requantize  round(acc m >> s) is VRMULH of (acc << 32 - s) and m: exact where the shifted sum fits an i32. Sums are
@                 at most 7 * 128 * columns: below 2^19 for 512 columns, so that s may be 20, and less for fewer.
@
@ Registers as in mve.S; q0, q1 are x, q2 and q5 weights, q3 one half of them, q4 the mask.
@
@ Instructions, at 128 columns: 114 a unit, 92 of them in the loop; 113 for four logits; 48 for the order of x.

@ The frame's first words (mve4.rs: Operand). X is in that order, and the others are as they were.
    .equ    BYTES, 4                @ of a row
    .equ    OFFSET, 8               @ -8 sum x
    .equ    LEFT, 12                @ 32 - s

@ A row's 32 columns in `w`, while the next row's are loaded.
    .macro  nibbles acc, w, next, pointer
    vand    q3, \w, q4
    .ifnb   \next
    vldrb.8 \next, [\pointer], #16
    .endif
    vmladava.s8 \acc, q3, q0
    vshr.u8 \w, \w, #4
    vmladava.s8 \acc, \w, q1
    .endm

@ q0 = round(sums * multipliers >> s) of the four rows from r0 on, which moves behind them.
    .macro  four_products
    ldrd    r12, lr, [sp, #X]                   @ and BYTES
    ldr     r4, [sp, #OFFSET]
    add     r1, r0, lr
    add     r2, r1, lr
    add     r3, r2, lr
    mov     r6, r4
    mov     r8, r4
    mov     r10, r4
    dlstp.8 lr, lr
1:
    vldrb.8 q0, [r12], #16
    vldrb.8 q2, [r0], #16
    vldrb.8 q1, [r12], #16
    nibbles r4, q2, q5, r1
    nibbles r6, q5, q2, r2
    nibbles r8, q2, q5, r3
    nibbles r10, q5
    letp    lr, 1b
    ldrd    r12, lr, [sp, #LEFT]                @ and OVER
    sub     r0, r3, lr
    collect
    vshl.s32 q0, r12
    multiply
    .endm

@ int32_t gatelet_mve4_order(const int8_t *x, size_t columns, int8_t *into): returns sum x
    .section .text.gatelet_mve4_order, "ax", %progbits
    .global gatelet_mve4_order
    .type gatelet_mve4_order, %function
    .thumb_func
    .p2align 2
gatelet_mve4_order:
    push    {r4, lr}
    adr     r3, gatelet_mve4_low
    vldrb.8 q0, [r3]
    movs    r4, #0
    bic     r12, r1, #7                         @ columns of whole words
    lsls    r1, r1, #29
    bpl     1f
    ldr     r1, [r0, r12]                       @ the last four; the other half of their word is 0
    and     lr, r12, #24
    sub     r3, r12, lr, lsr #1                 @ 16 bytes further every 32 columns, else 4 every 8
    add     r3, r3, r2
    and     lr, r1, #0x00ff00ff                 @ x0, 0, x2, 0
    str     lr, [r3]
    sxtb16  r4, r1
    sxtab16 r4, r4, r1, ror #8                  @ x0 + x1, x2 + x3
    sxth    lr, r4
    add     r4, lr, r4, asr #16
    lsrs    r1, r1, #8
    and     lr, r1, #0x00ff00ff                 @ x1, 0, x3, 0
    str     lr, [r3, #16]
1:
    adds    r3, r0, #1
    lsr     lr, r12, #1                         @ bytes of whole words
    wlstp.8 lr, lr, 3f
2:
    vldrb.u8 q1, [r0, q0]
    adds    r0, r0, #32
    vldrb.u8 q2, [r3, q0]
    adds    r3, r3, #32
    vaddva.s8 r4, q1
    vstrb.8 q1, [r2], #16
    vaddva.s8 r4, q2
    vstrb.8 q2, [r2], #16
    letp    lr, 2b
3:
    mov     r0, r4
    pop     {r4, pc}
    .p2align 2
gatelet_mve4_low:                               @ columns of the low halves; those of the high halves are one further
    .byte   0, 4, 2, 6, 8, 12, 10, 14, 16, 20, 18, 22, 24, 28, 26, 30
    .size gatelet_mve4_order, . - gatelet_mve4_order

@ void gatelet_mve4_lstm(const Lstm *arguments)
    .section .text.gatelet_mve4_lstm, "ax", %progbits
    .global gatelet_mve4_lstm
    .type gatelet_mve4_lstm, %function
    .thumb_func
    .p2align 2
gatelet_mve4_lstm:
    lstm_start
gatelet_mve4_group:
    group_start
    vmov.i8 q4, #15
2:
    four_products
    preactivate
    subs    r11, r11, #1
    bne     2b
    cells   gatelet_mve4_group
    .size gatelet_mve4_lstm, . - gatelet_mve4_lstm

@ void gatelet_mve4_rows(const Rows *arguments): out = bias + round(sums * multipliers >> s) of blocks of four rows
    .section .text.gatelet_mve4_rows, "ax", %progbits
    .global gatelet_mve4_rows
    .type gatelet_mve4_rows, %function
    .thumb_func
    .p2align 2
gatelet_mve4_rows:
    push    {r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}
    vpush   {d8, d9, d10, d11}
    sub     sp, sp, #24
    ldm     r0!, {r1, r2, r3, r4, r5}
    stm     sp, {r1, r2, r3, r4, r5}
    ldm     r0, {r0, r5, r7, r9, r11}           @ weights, out, bias, multipliers, blocks
    vmov.i8 q4, #15
2:
    four_products
    affine
    subs    r11, r11, #1
    bne     2b
    add     sp, sp, #24
    vpop    {d8, d9, d10, d11}
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, r12, pc}
    .size gatelet_mve4_rows, . - gatelet_mve4_rows
