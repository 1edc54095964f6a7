/*
 * The exported dlsym(3) and dlopen(3), and what they jump to until the next function of that name is
 * known. They must JUMP there, with the caller's return address left in place: see dlsym.h. A
 * compiler's tail call would do the same, but no compiler guarantees one.
 */
#define RG_ASSEMBLER
#include "hooks/dlsym.h"

#ifdef RG_DL_STUBS

	.text

#define BEGIN(name)                                                                                \
	.globl name;                                                                               \
	.type name, %function;                                                                     \
	.p2align 4;                                                                                \
name:                                                                                              \
	.cfi_startproc
#define END(name)                                                                                  \
	.cfi_endproc;                                                                              \
	.size name, . - name

	.hidden rg_dlsym_target, rg_dlopen_target, rg_dlsym_answer, rg_dlopen_deepbind
	.hidden rg_dlsym_check, rg_dlopen_check
	.hidden rg_dlsym_first, rg_dlopen_first

#if defined __x86_64__

/* The arguments are in %rdi and %rsi, the return address is at (%rsp). */
#define PUSH(register) push register; .cfi_adjust_cfa_offset 8
#define POP(register)  pop register; .cfi_adjust_cfa_offset -8
#define CALL(function)                                                                             \
	PUSH(%rdi); PUSH(%rsi); PUSH(%rax); /* the last one aligns the stack */                    \
	call function;                                                                             \
	POP(%rdx); POP(%rsi); POP(%rdi)

BEGIN(dlsym) /* only names that begin with S may be ours */
	endbr64
	cmpb $'S', (%rsi)
	je 1f
0:	jmp *rg_dlsym_target(%rip)
1:	mov (%rsp), %rdx
	CALL(rg_dlsym_answer)
	cmp $RG_DLSYM_PASS, %rax
	je 0b
	ret
END(dlsym)

BEGIN(dlopen)
	endbr64
	test $RG_DLSYM_DEEPBIND, %esi
	jne 1f
	jmp *rg_dlopen_target(%rip)
1:	CALL(rg_dlopen_deepbind)
	jmp *%rax
END(dlopen)

BEGIN(rg_dlsym_first)
	endbr64
	CALL(rg_dlsym_check)
	jmp *%rax
END(rg_dlsym_first)

BEGIN(rg_dlopen_first)
	endbr64
	CALL(rg_dlopen_check)
	jmp *%rax
END(rg_dlopen_first)

#elif defined __i386__

/* The arguments are at 4(%esp) and 8(%esp), the return address is at (%esp). CALL leaves all there. */
#define CALL(function)                                                                             \
	sub $12, %esp; .cfi_adjust_cfa_offset 12;                                                  \
	call function;                                                                             \
	add $12, %esp; .cfi_adjust_cfa_offset -12
#define JUMP(pointer)                                                                              \
	call 9f;                                                                                   \
9:	pop %ecx;                                                                                  \
	add $_GLOBAL_OFFSET_TABLE_ + (. - 9b), %ecx;                                               \
	jmp *pointer@GOTOFF(%ecx)

BEGIN(dlsym)
	endbr32
	mov 8(%esp), %ecx
	cmpb $'S', (%ecx)
	je 1f
0:	JUMP(rg_dlsym_target)
1:	mov (%esp), %eax
	mov 4(%esp), %edx
	push %eax; .cfi_adjust_cfa_offset 4
	push %ecx; .cfi_adjust_cfa_offset 4
	push %edx; .cfi_adjust_cfa_offset 4
	call rg_dlsym_answer
	add $12, %esp; .cfi_adjust_cfa_offset -12
	cmp $RG_DLSYM_PASS, %eax
	je 0b
	ret
END(dlsym)

BEGIN(dlopen)
	endbr32
	testl $RG_DLSYM_DEEPBIND, 8(%esp)
	jne 1f
	JUMP(rg_dlopen_target)
1:	CALL(rg_dlopen_deepbind)
	jmp *%eax
END(dlopen)

BEGIN(rg_dlsym_first)
	endbr32
	CALL(rg_dlsym_check)
	jmp *%eax
END(rg_dlsym_first)

BEGIN(rg_dlopen_first)
	endbr32
	CALL(rg_dlopen_check)
	jmp *%eax
END(rg_dlopen_first)

#elif defined __aarch64__

/* The arguments are in x0 and x1, the return address is in x30. `hint #34` is bti c. */
#define CALL(function)                                                                             \
	stp x29, x30, [sp, #-32]!;                                                                 \
	.cfi_adjust_cfa_offset 32;                                                                 \
	.cfi_rel_offset x29, 0;                                                                    \
	.cfi_rel_offset x30, 8;                                                                    \
	mov x29, sp;                                                                               \
	stp x0, x1, [sp, #16];                                                                     \
	bl function;                                                                               \
	mov x16, x0;                                                                               \
	ldp x0, x1, [sp, #16];                                                                     \
	ldp x29, x30, [sp], #32;                                                                   \
	.cfi_adjust_cfa_offset -32;                                                                \
	.cfi_restore x29;                                                                          \
	.cfi_restore x30
#define JUMP(pointer)                                                                              \
	adrp x16, pointer;                                                                         \
	ldr x16, [x16, #:lo12:pointer];                                                            \
	br x16

BEGIN(dlsym)
	hint #34
	ldrb w16, [x1]
	cmp w16, #'S'
	b.eq 1f
0:	JUMP(rg_dlsym_target)
1:	mov x2, x30
	CALL(rg_dlsym_answer)
	cmn x16, #-RG_DLSYM_PASS
	b.eq 0b
	mov x0, x16
	ret
END(dlsym)

BEGIN(dlopen)
	hint #34
	tst w1, #RG_DLSYM_DEEPBIND
	b.ne 1f
	JUMP(rg_dlopen_target)
1:	CALL(rg_dlopen_deepbind)
	br x16
END(dlopen)

BEGIN(rg_dlsym_first)
	hint #34
	CALL(rg_dlsym_check)
	br x16
END(rg_dlsym_first)

BEGIN(rg_dlopen_first)
	hint #34
	CALL(rg_dlopen_check)
	br x16
END(rg_dlopen_first)

#endif
#endif

	.section .note.GNU-stack, "", %progbits

/*
 * What the compiler notes in every other object: the code above can run with a shadow stack, and an
 * indirect branch to it finds its landing pad. The linker keeps of such notes what all objects say.
 */
#if defined __CET__
#include <cet.h>
#elif defined __ARM_FEATURE_BTI_DEFAULT
	.section .note.gnu.property, "a"
	.p2align 3
	.word 4, 16, 5 /* bytes of the name, bytes of the property, NT_GNU_PROPERTY_TYPE_0 */
	.asciz "GNU"
	.word 0xc0000000, 4, 1, 0 /* GNU_PROPERTY_AARCH64_FEATURE_1_AND: 4 bytes, BTI, padding */
#endif
