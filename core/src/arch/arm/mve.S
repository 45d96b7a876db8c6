@ int8 layers for Helium, the vector extension of Armv8.1-M (Cortex-M55, M85).
@
@ A step of an LSTM layer, for every group of eight units:
@
@     for every unit: four sums of products (its gates i, f, g, o), requantized to pre-activations z   -> stack
@     for the eight units at once: the cell update on vectors of eight int16
@
@ What is what:
@
@     product     VMLADAVA adds the 16 products of two vectors of int8 to a general register. Four rows share each load
@                 of x: 9 instructions for 64 multiply-accumulates.
@     columns     64 a turn; the rest by a tail-predicated loop, whose last turn leaves out what lies behind the row.
@     requantize  round(acc m >> 24) is VRMULH of (acc << 8) and m, exact while |acc| < 2^23: up to 512 columns.
@     activation  y = (z T.slope + T) >> 16, T = intercept * 2^16 + slope (activation.rs). T's halves are gathered
@                 separately: y = intercept + ((z + 1) slope >> 16), and (z + 1) slope = ~z (-slope), whose high half is
@                 one VMULH of numbers that all fit an int16, also for z = 32767.
@     cell        products of int16 in 32 bits (VMULLB, VMULLT: even and odd units), then VQRSHRN: rounding, shift and
@                 saturation in one instruction.
@
@ The sums are exact in any order, so the bits are those of kernel/scalar.rs.

@ Register map, in both functions:
@
@     r0 - r3   four rows              r12  x                  r4, r6, r8, r10   their sums (VMLADAVA: even ones)
@     r7        addend or bias         r9   multipliers        r11  units or blocks left
@     r5        where results go       lr   loop counter
@
@ Instructions, at 128 columns: 92 a unit, 81 of them for its sums; 91 for the cells of eight units; 91 for four logits.

    .syntax unified
    .thumb
    .cpu    cortex-m55              @ rustc's -C target-cpu does not reach global_asm

@ The frame of both functions: the first words of their arguments (mve.rs: Frame), then the scratch.
    .equ    X, 0                    @ *i8
    .equ    COLUMNS, 4
    .equ    TURNS, 8                @ turns of 64 columns after the first, when there are 64
    .equ    REST, 12                @ columns after them
    .equ    OVER, 16                @ by how much the last turn of the rest moves the pointers too far
    .equ    C, 20                   @ *i16
    .equ    NEXT, 24                @ *i8
    .equ    UNITS, 28               @ units left
    .equ    EXTRA, 32               @ integer bits of c above 3
    .equ    SIGMOID, 36
    .equ    TANH, 40
    .equ    Z, 48                   @ [8 units, 4 gates], i16
    .equ    FRAME, 112

@ Sixteen columns at an offset. `sum` is vmladav, which starts a sum, or vmladava, which adds to it.
    .macro  chunk sum, offset
    vldrb.8 q0, [r12, #\offset]
    vldrb.8 q1, [r0, #\offset]
    \sum\().s8 r4, q1, q0
    vldrb.8 q2, [r1, #\offset]
    \sum\().s8 r6, q2, q0
    vldrb.8 q3, [r2, #\offset]
    \sum\().s8 r8, q3, q0
    vldrb.8 q1, [r3, #\offset]
    \sum\().s8 r10, q1, q0
    .endm

@ Sixteen columns at the pointers, which then move on.
    .macro  chunk_on sum, step
    vldrb.8 q0, [r12], #\step
    vldrb.8 q1, [r0], #\step
    \sum\().s8 r4, q1, q0
    vldrb.8 q2, [r1], #\step
    \sum\().s8 r6, q2, q0
    vldrb.8 q3, [r2], #\step
    \sum\().s8 r8, q3, q0
    vldrb.8 q1, [r3], #\step
    \sum\().s8 r10, q1, q0
    .endm

@ The sums of four rows from r0 on; r0 moves behind them. `wide`: 64 columns or more. `rest`: no multiple of 64.
    .macro  four_sums wide, rest
    ldr     lr, [sp, #COLUMNS]
    ldr     r12, [sp, #X]
    add     r1, r0, lr
    add     r2, r1, lr
    add     r3, r2, lr
    .if     \wide
    chunk   vmladav, 16
    chunk   vmladava, 32
    chunk   vmladava, 48
    chunk_on vmladava, 64
    ldr     lr, [sp, #TURNS]
    wls     lr, lr, 2f
1:
    chunk   vmladava, 16
    chunk   vmladava, 32
    chunk   vmladava, 48
    chunk_on vmladava, 64
    le      lr, 1b
2:
    .else
    movs    r4, #0
    movs    r6, #0
    mov     r8, r4
    mov     r10, r4
    .endif
    .if     \rest
    ldr     lr, [sp, #REST]
    dlstp.8 lr, lr
3:
    chunk_on vmladava, 16
    letp    lr, 3b
    ldr     lr, [sp, #OVER]
    sub     r0, r3, lr
    .else
    mov     r0, r3
    .endif
    .endm

@ q0 = the four sums.
    .macro  collect
    vmov    q0[2], q0[0], r4, r8              @ the first register goes to the lower lane
    vmov    q0[3], q0[1], r6, r10
    .endm

@ q0 = round(q0 * multipliers >> 32). Uses q1.
    .macro  multiply
    vldrw.32 q1, [r9], #16
    vrmulh.s32 q0, q0, q1
    .endm

@ q0 = round(sums * multipliers >> 24). Uses q1.
    .macro  requantize
    collect
    vshl.i32 q0, q0, #8
    multiply
    .endm

@ z of a unit = sat16(addend + q0). Uses q1.
    .macro  preactivate
    vldrh.s32 q1, [r7], #8
    vadd.i32 q0, q0, q1
    vqmovnb.s32 q0, q0
    vstrh.32 q0, [r5], #8
    .endm

@ Four results = bias + q0. Uses q1.
    .macro  affine
    vldrw.32 q1, [r7], #16
    vadd.i32 q0, q0, q1
    vstrw.32 q0, [r5], #16
    .endm

@ z[4] = sat16(addend + ...) for r11 units.
    .macro  units wide, rest
5:
    four_sums \wide, \rest
    requantize
    preactivate
    subs    r11, r11, #1
    bne     5b
    .endm

@ y = the table's function of z, in place. `slopes`: the table; `intercepts`: two bytes further. Uses q4 - q6.
    .macro  activation z, slopes, intercepts
    vshr.u16 q4, \z, #8                         @ segment
    vshl.i16 q4, q4, #1                         @ its place in halfwords
    vldrh.u16 q5, [\slopes, q4, uxtw #1]
    vldrh.u16 q6, [\intercepts, q4, uxtw #1]
    vneg.s16 q5, q5
    vmvn    \z, \z
    vmulh.s16 q5, q5, \z
    vadd.i16 \z, q5, q6
    .endm

@ The frame; leaves weights, addend and multipliers in their registers.
    .macro  lstm_start
    push    {r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}
    vpush   {d8, d9, d10, d11, d12, d13, d14, d15}
    sub     sp, sp, #FRAME
    ldm     r0!, {r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}
    stm     sp, {r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}
    ldm     r0, {r0, r7, r9}                    @ weights, addend, multipliers
    .endm

@ The next group: r11 units, whose z go to r5.
    .macro  group_start
    ldr     r11, [sp, #UNITS]
    cmp     r11, #8
    it      hi
    movhi   r11, #8
    add     r5, sp, #Z
    .endm

@ The cells of a group whose z are in the frame; then the next group, or the end.
    .macro  cells group
    ldrd    r8, r6, [sp, #C]                    @ and NEXT
    ldrd    r11, r10, [sp, #UNITS]              @ and EXTRA
    ldrd    r1, r3, [sp, #SIGMOID]              @ and TANH
    add     r2, r1, #2
    add     r4, r3, #2
    rsb     r5, r10, #1
    add     r12, sp, #Z
    vctp.16 r11                                 @ the last group may have fewer units
    vld40.16 {q0, q1, q2, q3}, [r12]
    vld41.16 {q0, q1, q2, q3}, [r12]
    vld42.16 {q0, q1, q2, q3}, [r12]
    vld43.16 {q0, q1, q2, q3}, [r12]            @ z of i, f, g, o of eight units
    activation q0, r1, r2
    activation q1, r1, r2
    activation q2, r3, r4
    activation q3, r1, r2
    vpst
    vldrht.u16 q7, [r8]
    @ c = sat16(round(f c + (i g << 1 >> extra) >> 13)): even units, then odd ones
    vmullb.s16 q4, q0, q2
    vshl.s32 q4, r5                             @ left by 1 - extra: right, when that is negative
    vmullb.s16 q5, q1, q7
    vadd.i32 q4, q4, q5
    vmullt.s16 q5, q0, q2
    vshl.s32 q5, r5
    vmullt.s16 q6, q1, q7
    vadd.i32 q5, q5, q6
    vqrshrnb.s32 q7, q4, #13
    vqrshrnt.s32 q7, q5, #13
    vpst
    vstrht.16 q7, [r8], #16
    @ h = sat8(round(o tanh(c) >> 17))
    vqshl.s16 q7, r10                           @ c in Q3.12
    activation q7, r3, r4
    vmullb.s16 q4, q3, q7
    vmullt.s16 q5, q3, q7
    vrshr.s32 q4, q4, #17
    vrshr.s32 q5, q5, #17
    vmovnt.i32 q4, q5
    vqmovnb.s16 q4, q4
    vpst
    vstrbt.16 q4, [r6], #8
    strd    r8, r6, [sp, #C]
    subs    r11, r11, #8
    str     r11, [sp, #UNITS]
    bhi     \group
    add     sp, sp, #FRAME
    vpop    {d8, d9, d10, d11, d12, d13, d14, d15}
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, r12, pc}
    .endm

@ void gatelet_mve_lstm(const Lstm *arguments)
    .section .text.gatelet_mve_lstm, "ax", %progbits
    .global gatelet_mve_lstm
    .type gatelet_mve_lstm, %function
    .thumb_func
    .p2align 2
gatelet_mve_lstm:
    lstm_start
gatelet_mve_group:
    group_start
    ldr     r1, [sp, #COLUMNS]
    ldr     r3, [sp, #REST]
    cmp     r1, #64
    blo     gatelet_mve_narrow
    cmp     r3, #0
    bne     gatelet_mve_rest
    units   1, 0
    b       gatelet_mve_cells
gatelet_mve_rest:
    units   1, 1
    b       gatelet_mve_cells
gatelet_mve_narrow:
    units   0, 1
gatelet_mve_cells:
    cells   gatelet_mve_group
    .size gatelet_mve_lstm, . - gatelet_mve_lstm

@ void gatelet_mve_rows(const Rows *arguments): out = bias + round(sums * multipliers >> 24) of blocks of four rows
    .section .text.gatelet_mve_rows, "ax", %progbits
    .global gatelet_mve_rows
    .type gatelet_mve_rows, %function
    .thumb_func
    .p2align 2
gatelet_mve_rows:
    push    {r4, r5, r6, r7, r8, r9, r10, r11, r12, lr}
    sub     sp, sp, #24
    ldm     r0!, {r1, r2, r3, r4, r5}
    stm     sp, {r1, r2, r3, r4, r5}
    ldm     r0, {r0, r5, r7, r9, r11}           @ weights, out, bias, multipliers, blocks
    cmp     r2, #64
    blo     gatelet_mve_narrow_rows

    .macro  blocks wide, rest
5:
    four_sums \wide, \rest
    requantize
    affine
    subs    r11, r11, #1
    bne     5b
    add     sp, sp, #24
    pop     {r4, r5, r6, r7, r8, r9, r10, r11, r12, pc}
    .endm

    cmp     r4, #0
    bne     gatelet_mve_rest_rows
    blocks  1, 0
gatelet_mve_rest_rows:
    blocks  1, 1
gatelet_mve_narrow_rows:
    blocks  0, 1
    .size gatelet_mve_rows, . - gatelet_mve_rows
