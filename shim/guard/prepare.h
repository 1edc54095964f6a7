/*
 * Getting ready: what happens when the library is loaded, and when a libssl is first used. Any
 * thread may call it. Leaves errno alone.
 */
#ifndef RG_PREPARE_H
#define RG_PREPARE_H

/*
 * Get ready to guard: open the log, map the ledger, tell what was bad in the policy. Called when a
 * libssl is there, while the program may still do such things. Later calls only see to the log's
 * descriptors. Afterwards there is a ledger, unless another thread has been at it for seconds.
 */
void rg_prepare(void);

/* The program is about to call chroot(2), and may use a libssl after it: open what cannot be opened
 * there, the log's socket and the state file. */
void rg_prepare_before_chroot(void);

#endif
