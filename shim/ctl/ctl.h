/*
 * The commands of reneguardctl. Each takes the arguments behind its name and returns an exit
 * status: 0, RG_CTL_NO, RG_CTL_BAD_USAGE, or one of check's own (answer.h, check.h). The program
 * has one thread; commands print their own errors.
 */
#ifndef RG_CTL_H
#define RG_CTL_H

#define RG_CTL_NO	 1 /* the answer is no, or there is none */
#define RG_CTL_BAD_USAGE 2

int rg_ctl_policy(int argc, char **argv);
int rg_ctl_check(int argc, char **argv);
int rg_ctl_status(int argc, char **argv);
int rg_ctl_top(int argc, char **argv);

#endif
