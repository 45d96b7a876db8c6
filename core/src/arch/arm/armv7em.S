@ int8 kernels for Layout::Pairs on an Armv7E-M with DSP (Cortex-M4, M7, M33). armv7em.rs is their safe interface.
@
@ The product, 4 rows x 8 columns a turn, 23 instructions for 32 multiply-accumulates: 0.72 each.
@
@ 1. The high byte is free. A 16-bit lane holds 256*a + b, a from row 0 and b from row 1, same column. SMLAD of the
@    raw word with x accumulates A = 256*R0 + R1 modulo 2^32, where Rn is row n times x. Once R1 is known,
@    A - R1 = 256*R0, exact while |R0| < 2^23: 127 * 128 * 512 columns stay below. Row 0 pays no extraction.
@
@ 2. Winograd's inner product for the low byte. Columns come in pairs (k, k+1) with low bytes (la, lb) and (Xe, Xo):
@
@        (la + Xo)(lb + Xe) = la*Xe + lb*Xo + la*lb + Xo*Xe
@
@    SXTAB16 extracts la *and* adds Xo, two columns at once; one SMLAD multiplies. sum la*lb is known when the image is
@    made: its negative starts the accumulator. sum Xo*Xe depends on x alone: it is taken once, while x is widened.
@    No lane overflows: |la + Xo| <= 255. Everything is exact modulo 2^32, and the results fit, so they are exact.
@
@ Requantization, round(acc * m >> 24), is one instruction: SMMULR takes the high word of a product plus a half, so
@ SMMULR(256*acc, m) = round(256*acc*m >> 32). And 256*acc is what step 1 leaves in the register.
@
@ Registers in the product:
@     r0  x, widened: Xe Xo Xe Xo ...          r2  256*R0 + R1 + S      r3  R1 + S, with S = sum Xo*Xe
@     r1  weights                              r4  256*R2 + R3 + S      r5  R3 + S
@     r6-r9  words a01 b01 a23 b23             r10-r12, lr  Xe Xo Xe Xo
@ All fourteen are taken: no counter. The turns are unrolled, and a block jumps in as many turns before the end as it
@ has; the way on from the end is in the frame. Everything else waits there too:

    .set FIRST, 0           @ 256 * sum Xo*Xe; of 4-bit weights 32 - shift
    .set MULTIPLIERS, 4     @ the next multiplier
    .set ADDEND, 8          @ the next addend
    .set SIGMOID, 12        @ the table
    .set TANH, 16           @ the table
    .set CELL, 20           @ the next c
    .set NEXT, 24           @ the next h', or the next result
    .set EXTRA, 28          @ integer bits of c above 3
    .set X, 32              @ x, widened
    .set XSUM, 36           @ sum Xo*Xe
    .set ENTRY, 40          @ where a block enters the product
    .set LEAVE, 44          @ where it goes from the end: DONE, or to another round
    .set DONE, 48           @ what uses the four sums
    .set END, 52            @ NEXT after the last block
    .set XEND, 56           @ the end of x
    .set STACK, 60          @ sp before the frame
    .set FRAME, 64

@ struct Call, as in armv7em.rs:
    .set CALL_X, 0
    .set CALL_COLUMNS, 4
    .set CALL_WEIGHTS, 8
    .set CALL_MULTIPLIERS, 12   @ then addend, sigmoid, tanh, cell, next: as in the frame
    .set CALL_END, 36
    .set CALL_EXTRA, 40
    .set CALL_LEFT, 44

@ Turns of a product that are unrolled, and bytes of a turn.
    .set UNROLL_pairs, 16
    .set TURN_BYTES_pairs, 92

    .syntax unified
    .cpu    cortex-m4               @ rustc's -C target-cpu does not reach global_asm
    .thumb
    .section .text.gatelet_pairs, "ax", %progbits
    .balign 4

@ Four rows, four columns.
    .macro QUAD xe, xo
    ldmia   r1!, {r6-r9}
    smlad   r2, r6, \xe, r2
    smlad   r2, r7, \xo, r2
    sxtab16 r6, \xo, r6
    sxtab16 r7, \xe, r7
    smlad   r3, r6, r7, r3
    smlad   r4, r8, \xe, r4
    smlad   r4, r9, \xo, r4
    sxtab16 r8, \xo, r8
    sxtab16 r9, \xe, r9
    smlad   r5, r8, r9, r5
    .endm

gatelet_pairs_product:
    .rept UNROLL_pairs
    ldmia.w r0!, {r10-r12, lr}
    QUAD    r10, r11
    QUAD    r12, lr
    .endr
gatelet_pairs_product_end:
    ldr     pc, [sp, #LEAVE]

@ Another round of turns, unless x is used up.
gatelet_pairs_more:
    ldr     r6, [sp, #XEND]
    cmp     r0, r6
    bne.w   gatelet_pairs_product
    ldr     pc, [sp, #DONE]

@ Starts a block: its two head words into r3 and r5. The other sums start at S, which then goes by itself.
    .macro BLOCK_pairs
    ldrd    r0, r2, [sp, #X]
    ldmia   r1!, {r3, r5}
    mov     r4, r2
    ldr     pc, [sp, #ENTRY]
    .endm

@ The four requantized sums in r2-r5. Of the frame leaves r7 MULTIPLIERS, advanced; r8 ADDEND; r9 SIGMOID; r10 TANH;
@ r11 CELL; r12 NEXT; lr EXTRA. Clobbers r0 and r6.
    .macro REQUANTIZE_pairs
    ldmia.w sp, {r6-r12, lr}
    subs    r2, r2, r3          @ 256*R0
    subs    r4, r4, r5          @ 256*R2
    rsb     r3, r6, r3, lsl #8  @ 256*R1
    rsb     r5, r6, r5, lsl #8  @ 256*R3
    ldrd    r0, r6, [r7], #8
    smmulr  r2, r2, r0
    smmulr  r3, r3, r6
    ldrd    r0, r6, [r7], #8
    smmulr  r4, r4, r0
    smmulr  r5, r5, r6
    .endm

@ r = table(z), Q16 above the table's bits: a segment is its own slope and addend (activation.rs).
    .macro ACTIVATE r, table, segment
    ubfx    \segment, \r, #8, #8
    ldr.w   \segment, [\table, \segment, lsl #2]
    smlabb  \r, \r, \segment, \segment
    .endm

@ What is summed while x is widened, into r4; r12 is free for it.
    .macro SUM_START_pairs
    .endm
    .macro SUM_pairs xe, xo
    smlad   r4, \xe, \xo, r4
    .endm
    .macro SUM_END_pairs
    .endm

@ The frame's first word, into r4, where the sum is; r11 is the Call.
    .macro FIRST_pairs
    lsls    r4, r4, #8
    .endm

@ Makes the frame from the Call in r0, widens x into it and takes its sum. Leaves the weights in r1.
    .macro PROLOGUE kind, done
    push    {r3-r11, lr}
    mov     r11, r0
    ldr     r2, [r11, #CALL_COLUMNS]
    mov     r12, sp
    add     r3, r2, #7
    bic     r3, r3, #7
    sub     r1, r12, r3, lsl #1
    sub     r4, r1, #FRAME
    mov     sp, r4
    str     r12, [sp, #STACK]
    str     r1, [sp, #X]

    @ ENTRY: ((turns - 1) mod UNROLL) + 1 turns before the end.
    lsrs    r5, r3, #3
    subs    r5, r5, #1
    and     r6, r5, #(UNROLL_\kind - 1)
    adds    r6, r6, #1
    movs    r7, #TURN_BYTES_\kind
    adr.w   r8, gatelet_\kind\()_product_end
    mls     r8, r6, r7, r8
    orr     r8, r8, #1
    str     r8, [sp, #ENTRY]
    adr.w   r8, \done
    orr     r8, r8, #1
    str     r8, [sp, #DONE]
    cmp     r5, #UNROLL_\kind
    blo     1f
    adr.w   r8, gatelet_\kind\()_more
    orr     r8, r8, #1
1:  str     r8, [sp, #LEAVE]

    @ Bytes x0..x7 to lanes (x0,x2) (x1,x3) (x4,x6) (x5,x7).
    ldr     r0, [r11, #CALL_X]
    movs    r4, #0
    SUM_START_\kind
    subs    r2, r2, #8
    blo     3f
2:  ldmia   r0!, {r5, r6}
    sxtb16  r7, r5
    sxtb16  r8, r5, ror #8
    sxtb16  r9, r6
    sxtb16  r10, r6, ror #8
    SUM_\kind r7, r8
    SUM_\kind r9, r10
    stmia   r1!, {r7-r10}
    subs    r2, r2, #8
    bhs     2b
3:  adds    r2, r2, #8
    beq     4f
    ldr     r5, [r0]            @ four columns are left; the other four are padding
    sxtb16  r7, r5
    sxtb16  r8, r5, ror #8
    movs    r9, #0
    mov     r10, r9
    SUM_\kind r7, r8
    stmia   r1!, {r7-r10}
4:  SUM_END_\kind
    str     r4, [sp, #XSUM]
    FIRST_\kind
    str     r4, [sp, #FIRST]
    str     r1, [sp, #XEND]

    add     r0, r11, #CALL_MULTIPLIERS
    ldmia   r0, {r2-r9}
    add     r0, sp, #MULTIPLIERS
    stmia   r0, {r2-r7}
    str     r8, [sp, #END]
    str     r9, [sp, #EXTRA]
    ldr     r1, [r11, #CALL_WEIGHTS]
    .endm

    .macro EPILOGUE
    ldr     r0, [sp, #STACK]
    mov     sp, r0
    pop     {r3-r11, pc}
    .endm

@ The three functions that armv7em.rs calls.
    .macro FUNCTIONS kind

@ One step of an LSTM layer: a block is a unit, its rows the gates i, f, g, o. scalar.rs has the formulas.
    .global gatelet_\kind\()_lstm
    .type gatelet_\kind\()_lstm, %function
    .thumb_func
gatelet_\kind\()_lstm:
    PROLOGUE \kind, gatelet_\kind\()_unit
gatelet_\kind\()_next_unit:
    BLOCK_\kind
    .balign 4
gatelet_\kind\()_unit:
    REQUANTIZE_\kind                  @ r8 addend, r9 sigmoid, r10 tanh, r11 c, r12 h'
    ldrd    r0, r6, [r8], #8
    strd    r7, r8, [sp, #MULTIPLIERS]
    sxtah   r2, r2, r0          @ z = sat16(a + ...)
    sxtah   r3, r3, r0, ror #16
    sxtah   r4, r4, r6
    sxtah   r5, r5, r6, ror #16
    ssat    r2, #16, r2
    ssat    r3, #16, r3
    ssat    r4, #16, r4
    ssat    r5, #16, r5
    ACTIVATE r2, r9, r0         @ i, Q2.13 in the high half; so are the others
    ACTIVATE r3, r9, r6         @ f
    ACTIVATE r4, r10, r7        @ g, Q4.11
    ACTIVATE r5, r9, r8         @ o
    ldrsh   r6, [r11]           @ c
    smultt  r2, r2, r4          @ i*g
    lsls    r2, r2, #1
    asr     r2, r2, lr
    add     r2, r2, #0x1000     @ half a unit of c
    smlatb  r2, r3, r6, r2      @ + f*c
    ssat    r2, #16, r2, asr #13
    strh    r2, [r11], #2
    lsl     r2, r2, lr          @ tanh takes Q3.12
    ssat    r2, #16, r2
    ACTIVATE r2, r10, r0        @ tanh(c), Q4.11
    smultt  r2, r2, r5          @ o*tanh(c)
    add     r2, r2, #0x10000    @ half a unit of h
    ssat    r2, #8, r2, asr #17
    strb    r2, [r12], #1
    ldr     r0, [sp, #END]
    strd    r11, r12, [sp, #CELL]
    cmp     r12, r0
    bne     gatelet_\kind\()_next_unit
    EPILOGUE

@ One step of an RNN layer: a block is four units.
    .global gatelet_\kind\()_rnn
    .type gatelet_\kind\()_rnn, %function
    .thumb_func
gatelet_\kind\()_rnn:
    PROLOGUE \kind, gatelet_\kind\()_units
gatelet_\kind\()_next_units:
    BLOCK_\kind
    .balign 4
gatelet_\kind\()_units:
    REQUANTIZE_\kind                  @ r8 addend, r10 tanh, r12 h'
    .irp    r, r2, r3, r4, r5
    ldrsh   r0, [r8], #2        @ rows of a token need not start at a whole word
    add     \r, \r, r0
    ssat    \r, #16, \r
    ACTIVATE \r, r10, r0        @ Q4.11 in the high half
    add     \r, \r, #0x80000    @ half a unit of h
    ssat    \r, #8, \r, asr #20
    strb    \r, [r12], #1
    .endr
    strd    r7, r8, [sp, #MULTIPLIERS]
    str     r12, [sp, #NEXT]
    ldr     r0, [sp, #END]
    cmp     r12, r0
    bne     gatelet_\kind\()_next_units
    EPILOGUE

@ next = addend + round(W x * m >> 24), int32, four rows a block: the head.
    .global gatelet_\kind\()_affine
    .type gatelet_\kind\()_affine, %function
    .thumb_func
gatelet_\kind\()_affine:
    PROLOGUE \kind, gatelet_\kind\()_rows
gatelet_\kind\()_next_rows:
    BLOCK_\kind
    .balign 4
gatelet_\kind\()_rows:
    REQUANTIZE_\kind                  @ r8 addend, r12 next
    ldmia   r8!, {r0, r6, r9, r10}
    adds    r2, r2, r0
    adds    r3, r3, r6
    add     r4, r4, r9
    add     r5, r5, r10
    stmia   r12!, {r2-r5}
    strd    r7, r8, [sp, #MULTIPLIERS]
    str     r12, [sp, #NEXT]
    ldr     r0, [sp, #END]
    cmp     r12, r0
    bne     gatelet_\kind\()_next_rows
    EPILOGUE
    .endm

    FUNCTIONS pairs
