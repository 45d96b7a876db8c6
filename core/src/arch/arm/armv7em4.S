@ 4-bit kernels for Layout::Pairs on an Armv7E-M with DSP: what differs from armv7em.S, which comes before this in one file.
@
@ The product, 4 rows x 8 columns a turn, 35 instructions for 32 multiply-accumulates: 1.09 each. A word holds eight
@ weights of a row, each as w + 8 (nibbles.rs has the order), so that after a shift by 0, 4, 8 or 12 the mask 0x000f000f
@ leaves two of them in lanes, and these belong to the lanes into which SXTB16 puts eight bytes of x:
@
@     shift   0         4         8         12
@     lanes   w0 w2     w1 w3     w4 w6     w5 w7
@     x       r10       r11       r12       lr
@
@ AND takes the shift for nothing; SMLAD multiplies two lanes. The offset costs nothing either: the sums start at -8 sum x.
@ Sums are exact, and at most 7 * 128 * 512 < 2^19 in magnitude: there is room for 2^12 of them, so that requantization,
@ SMMULR(acc << (32 - s), m) = round(acc * m >> s), is exact for shifts s of 20 to 24, and not of 24 alone.
@
@ Registers in the product: r0 x, widened; r1 weights; r2-r5 the four sums; r6, r7 words; r8 the mask; r9 two lanes.

    .set UNROLL_nibbles, 8
    .set TURN_BYTES_nibbles, 136

    .section .text.gatelet_nibbles, "ax", %progbits
    .balign 4

@ A row's eight columns.
    .macro EIGHT sum, word
    and.w   r9, \word, r8
    smlad   \sum, r9, r10, \sum
    and.w   r9, r8, \word, lsr #4
    smlad   \sum, r9, r11, \sum
    and.w   r9, r8, \word, lsr #8
    smlad   \sum, r9, r12, \sum
    and.w   r9, r8, \word, lsr #12
    smlad   \sum, r9, lr, \sum
    .endm

gatelet_nibbles_product:
    .rept UNROLL_nibbles
    ldmia.w r0!, {r10-r12, lr}
    ldmia   r1!, {r6, r7}
    EIGHT   r2, r6
    EIGHT   r3, r7
    ldmia   r1!, {r6, r7}
    EIGHT   r4, r6
    EIGHT   r5, r7
    .endr
gatelet_nibbles_product_end:
    ldr     pc, [sp, #LEAVE]

@ Another round of turns, unless x is used up.
gatelet_nibbles_more:
    ldr     r6, [sp, #XEND]
    cmp     r0, r6
    bne.w   gatelet_nibbles_product
    ldr     pc, [sp, #DONE]

@ Starts a block.
    .macro BLOCK_nibbles
    ldrd    r0, r2, [sp, #X]
    mov.w   r8, #0x000f000f
    mov     r3, r2
    mov     r4, r2
    mov     r5, r2
    ldr     pc, [sp, #ENTRY]
    .endm

@ As REQUANTIZE_pairs.
    .macro REQUANTIZE_nibbles
    ldmia.w sp, {r6-r12, lr}    @ r6 is 32 - s
    lsls    r2, r2, r6
    lsls    r3, r3, r6
    lsls    r4, r4, r6
    lsls    r5, r5, r6
    ldrd    r0, r6, [r7], #8
    smmulr  r2, r2, r0
    smmulr  r3, r3, r6
    ldrd    r0, r6, [r7], #8
    smmulr  r4, r4, r0
    smmulr  r5, r5, r6
    .endm

@ -8 sum x: two lanes by ones.
    .macro SUM_START_nibbles
    mov.w   r12, #0x00010001
    .endm
    .macro SUM_nibbles xe, xo
    smlad   r4, \xe, r12, r4
    smlad   r4, \xo, r12, r4
    .endm
    .macro SUM_END_nibbles
    lsls    r4, r4, #3
    rsbs    r4, r4, #0
    .endm
    .macro FIRST_nibbles
    ldr     r4, [r11, #CALL_LEFT]
    .endm

    FUNCTIONS nibbles
