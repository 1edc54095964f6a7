/*
 * Getting ready to guard: what happens when this library is loaded, when a libssl is first used,
 * and when the program forks in between. Any thread may call anything here. errno stays as it was.
 * Failures are logged, not returned.
 */
#ifndef RG_PREPARE_H
#define RG_PREPARE_H

/*
 * Open the log, map the ledger, and report what is bad in the policy. Called once a libssl is
 * loaded, while the program may still open files. Later calls only reopen the log if needed.
 * Afterwards there is a ledger, unless the policy is off or another thread has been making it for
 * about a second (os/lock.h).
 */
void rg_prepare(void);

/* The program is about to call chroot(2), and may use a libssl afterwards. Open the log's socket
 * and the state file now: they cannot be opened inside. */
void rg_prepare_before_chroot(void);

#endif
