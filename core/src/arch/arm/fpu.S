@ f32 on the FPU of a Cortex-M4F, M7 or M33 (FPv4-SP, FPv5): products, activations, LSTM cells.
@ fpu.rs is their safe interface; activation/exp2.rs derives the activations and has their errors.
@
@ A product is bound by loads, as a weight is used once. VLDM takes up to 32 of them with one
@ instruction, and VFMA multiplies and adds: 4 rows x 8 columns are 5 VLDM, 32 VFMA and 2 for the
@ loop, 1.22 instructions a multiply-accumulate.
@
@ All 32 single registers are in use: s0-s7 x, s8-s23 two rows of weights, s24-s27 the sums of even
@ columns, s28-s31 of odd ones. So VFMAs that stand together do not wait for each other.

    .syntax unified
    .cpu    cortex-m4               @ rustc's -C target-cpu does not reach global_asm
    .fpu    fpv4-sp-d16
    .thumb
    .section .text.gatelet_fpu_products, "ax", %progbits

@ Two rows times x, eight columns or four: even columns to s\a and s\b, odd ones to s\c and s\d.
    .macro TWO_ROWS_8 row, other, a, b, c, d
    vldmia  \row!, {s8-s15}
    vldmia  \other!, {s16-s23}
    vfma.f32 s\a, s8, s0
    vfma.f32 s\b, s16, s0
    vfma.f32 s\c, s9, s1
    vfma.f32 s\d, s17, s1
    vfma.f32 s\a, s10, s2
    vfma.f32 s\b, s18, s2
    vfma.f32 s\c, s11, s3
    vfma.f32 s\d, s19, s3
    vfma.f32 s\a, s12, s4
    vfma.f32 s\b, s20, s4
    vfma.f32 s\c, s13, s5
    vfma.f32 s\d, s21, s5
    vfma.f32 s\a, s14, s6
    vfma.f32 s\b, s22, s6
    vfma.f32 s\c, s15, s7
    vfma.f32 s\d, s23, s7
    .endm

    .macro TWO_ROWS_4 row, other, a, b, c, d
    vldmia  \row!, {s8-s11}
    vldmia  \other!, {s16-s19}
    vfma.f32 s\a, s8, s0
    vfma.f32 s\b, s16, s0
    vfma.f32 s\c, s9, s1
    vfma.f32 s\d, s17, s1
    vfma.f32 s\a, s10, s2
    vfma.f32 s\b, s18, s2
    vfma.f32 s\c, s11, s3
    vfma.f32 s\d, s19, s3
    .endm

@ sums[r] += sum_k weights[r][k] x[k]       weights: [rows, columns], columns a multiple of four
@
@     r0  weights, row 0 of a block      r4-r6  its other rows      r7   rows left      r9  zeros
@     r1  x                              r8     bytes of a row      r12  columns left
@     r2  columns                        lr     x at a column       r3   sums
    .global gatelet_fpu_products
    .type gatelet_fpu_products, %function
    .thumb_func
    .balign 4
gatelet_fpu_products:
    push    {r4-r9, r12, lr}
    vpush   {s16-s31}
    ldr     r7, [sp, #96]           @ the fifth argument
    lsls    r8, r2, #2
    adr     r9, gatelet_fpu_zeros
    subs    r7, r7, #4
    blo     5f

    @ Four rows.
1:  add     r4, r0, r8
    add     r5, r4, r8
    add     r6, r5, r8
    mov     lr, r1
    vldmia  r3, {s24-s27}
    vldmia  r9, {s28-s31}
    subs    r12, r2, #8
    blo     3f
2:  vldmia  lr!, {s0-s7}
    TWO_ROWS_8 r0, r4, 24, 25, 28, 29
    TWO_ROWS_8 r5, r6, 26, 27, 30, 31
    subs    r12, r12, #8
    bhs     2b
3:  cmn     r12, #8                 @ -8: no column is left, -4: four
    beq     4f
    vldmia  lr, {s0-s3}
    TWO_ROWS_4 r0, r4, 24, 25, 28, 29
    TWO_ROWS_4 r5, r6, 26, 27, 30, 31
4:  vadd.f32 s24, s24, s28
    vadd.f32 s25, s25, s29
    vadd.f32 s26, s26, s30
    vadd.f32 s27, s27, s31
    vstmia  r3!, {s24-s27}
    mov     r0, r6
    subs    r7, r7, #4
    bhs     1b

    @ One row at a time of those that are left, in four sums.
5:  adds    r7, r7, #4
    beq     9f
6:  mov     lr, r1
    vldr    s24, [r3]
    vldmia  r9, {s25-s27}
    subs    r12, r2, #8
    blo     8f
7:  vldmia  lr!, {s0-s7}
    vldmia  r0!, {s8-s15}
    vfma.f32 s24, s8, s0
    vfma.f32 s25, s9, s1
    vfma.f32 s26, s10, s2
    vfma.f32 s27, s11, s3
    vfma.f32 s24, s12, s4
    vfma.f32 s25, s13, s5
    vfma.f32 s26, s14, s6
    vfma.f32 s27, s15, s7
    subs    r12, r12, #8
    bhs     7b
8:  cmn     r12, #8
    beq     10f
    vldmia  lr, {s0-s3}
    vldmia  r0!, {s8-s11}
    vfma.f32 s24, s8, s0
    vfma.f32 s25, s9, s1
    vfma.f32 s26, s10, s2
    vfma.f32 s27, s11, s3
10: vadd.f32 s24, s24, s25
    vadd.f32 s26, s26, s27
    vadd.f32 s24, s24, s26
    vstmia  r3!, {s24}
    subs    r7, r7, #1
    bne     6b
9:  vpop    {s16-s31}
    pop     {r4-r9, r12, pc}
    .balign 4
gatelet_fpu_zeros:
    .word   0, 0, 0, 0
    .size gatelet_fpu_products, . - gatelet_fpu_products

@ s8-s11 = 2^t for t in s0-s3: 47 instructions. r3 is struct Exp2. Clobbers r4-r9 and all other
@ single registers.
    .macro EXP2
    vcvtr.s32.f32 s4, s0            @ n, the integer next to t
    vcvtr.s32.f32 s5, s1
    vcvtr.s32.f32 s6, s2
    vcvtr.s32.f32 s7, s3
    vmov    r4, r5, s4, s5
    vmov    r6, r7, s6, s7
    vcvt.f32.s32 s4, s4
    vcvt.f32.s32 s5, s5
    vcvt.f32.s32 s6, s6
    vcvt.f32.s32 s7, s7
    vsub.f32 s0, s0, s4             @ r = t - n, exact
    vsub.f32 s1, s1, s5
    vsub.f32 s2, s2, s6
    vsub.f32 s3, s3, s7
    vldmia  r3, {s8-s31}            @ each coefficient four times: VFMA overwrites it
    vfma.f32 s24, s28, s0           @ p(r), by Horner's rule
    vfma.f32 s25, s29, s1
    vfma.f32 s26, s30, s2
    vfma.f32 s27, s31, s3
    vfma.f32 s20, s24, s0
    vfma.f32 s21, s25, s1
    vfma.f32 s22, s26, s2
    vfma.f32 s23, s27, s3
    vfma.f32 s16, s20, s0
    vfma.f32 s17, s21, s1
    vfma.f32 s18, s22, s2
    vfma.f32 s19, s23, s3
    vfma.f32 s12, s16, s0
    vfma.f32 s13, s17, s1
    vfma.f32 s14, s18, s2
    vfma.f32 s15, s19, s3
    vfma.f32 s8, s12, s0
    vfma.f32 s9, s13, s1
    vfma.f32 s10, s14, s2
    vfma.f32 s11, s15, s3
    ssat    r4, #7, r4              @ -64 to 63: products of two such powers are finite
    ssat    r5, #7, r5
    ssat    r6, #7, r6
    ssat    r7, #7, r7
    vmov    r8, r9, s8, s9
    add     r8, r8, r4, lsl #23     @ 2^n p(r)
    add     r9, r9, r5, lsl #23
    vmov    s8, s9, r8, r9
    vmov    r8, r9, s10, s11
    add     r8, r8, r6, lsl #23
    add     r9, r9, r7, lsl #23
    vmov    s10, s11, r8, r9
    .endm

@ Four numbers to s0-s3, each times what belongs to it.
    .macro SCALED numbers, by
    vldmia  \numbers, {s0-s3}
    vldmia  \by, {s4-s7}
    vmul.f32 s0, s0, s4
    vmul.f32 s1, s1, s5
    vmul.f32 s2, s2, s6
    vmul.f32 s3, s3, s7
    .endm

@ numbers[j] = offset + numerator / (1 + 2^(scale numbers[j])), 70 instructions for four
@
@     r0  numbers, [4 groups]    r1  groups, not 0    r2  struct Curves    r3  struct Exp2
    .section .text.gatelet_fpu_curve, "ax", %progbits
    .global gatelet_fpu_curve
    .type gatelet_fpu_curve, %function
    .thumb_func
    .balign 4
gatelet_fpu_curve:
    push    {r4-r9, r12, lr}
    vpush   {s16-s31}
    add     r12, r2, #16            @ numerator, offset
1:  SCALED  r0, r2
    EXP2
    vmov.f32 s12, #1.0
    vldmia  r12, {s16-s23}
    vadd.f32 s8, s8, s12
    vadd.f32 s9, s9, s12
    vadd.f32 s10, s10, s12
    vadd.f32 s11, s11, s12
    vdiv.f32 s16, s16, s8
    vdiv.f32 s17, s17, s9
    vdiv.f32 s18, s18, s10
    vdiv.f32 s19, s19, s11
    vadd.f32 s16, s16, s20
    vadd.f32 s17, s17, s21
    vadd.f32 s18, s18, s22
    vadd.f32 s19, s19, s23
    vstmia  r0!, {s16-s19}
    subs    r1, r1, #1
    bne     1b
    vpop    {s16-s31}
    pop     {r4-r9, r12, pc}
    .size gatelet_fpu_curve, . - gatelet_fpu_curve

@ LSTM cells, four units a round: 87 instructions a unit, three divisions in place of five:
@
@     c' = c / (1 + e_f)  +  (1 - e_g) / ((1 + e_i) (1 + e_g))   e_i = 2^(-log2(e) z_i), e_f, e_o so
@     h' = (1 - e_c) / ((1 + e_o) (1 + e_c))                     e_g = 2^(-2 log2(e) z_g), e_c so
@
@     r0  z, [4 rounds, i f g o]     r1  c, [4 rounds]     r2  h', [4 rounds], before it 1 + e_o
@     r3  struct Exp2                r12 scales of gates   lr  scales of c
@     r10 units of the round         r11 rounds, not 0
    .section .text.gatelet_fpu_lstm, "ax", %progbits
    .global gatelet_fpu_lstm
    .type gatelet_fpu_lstm, %function
    .thumb_func
    .balign 4
gatelet_fpu_lstm:
    push    {r4-r11, r12, lr}
    vpush   {s16-s31}
    ldr     r11, [sp, #104]         @ the fifth argument
    add     r12, r3, #96            @ behind the coefficients
    add     lr, r3, #112
1:  movs    r10, #4
2:  SCALED  "r0!", r12
    EXP2
    vmov.f32 s12, #1.0
    vldr    s13, [r1]
    vadd.f32 s8, s8, s12
    vadd.f32 s9, s9, s12
    vadd.f32 s14, s10, s12
    vadd.f32 s11, s11, s12
    vsub.f32 s10, s12, s10
    vmul.f32 s8, s8, s14
    vdiv.f32 s13, s13, s9
    vdiv.f32 s10, s10, s8
    vadd.f32 s13, s13, s10
    vstmia  r1!, {s13}
    vstmia  r2!, {s11}
    subs    r10, r10, #1
    bne     2b
    sub     r1, r1, #16
    SCALED  "r1!", lr
    EXP2
    vmov.f32 s12, #1.0
    vldmdb  r2!, {s16-s19}
    vadd.f32 s20, s8, s12
    vadd.f32 s21, s9, s12
    vadd.f32 s22, s10, s12
    vadd.f32 s23, s11, s12
    vsub.f32 s8, s12, s8
    vsub.f32 s9, s12, s9
    vsub.f32 s10, s12, s10
    vsub.f32 s11, s12, s11
    vmul.f32 s16, s16, s20
    vmul.f32 s17, s17, s21
    vmul.f32 s18, s18, s22
    vmul.f32 s19, s19, s23
    vdiv.f32 s16, s8, s16
    vdiv.f32 s17, s9, s17
    vdiv.f32 s18, s10, s18
    vdiv.f32 s19, s11, s19
    vstmia  r2!, {s16-s19}
    subs    r11, r11, #1
    bne     1b
    vpop    {s16-s31}
    pop     {r4-r11, r12, pc}
    .size gatelet_fpu_lstm, . - gatelet_fpu_lstm
