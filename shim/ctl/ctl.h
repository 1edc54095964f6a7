/*
 * The inspector's commands. Each takes the words behind its name and returns an exit status: 0, 1
 * (the answer is no), 2 (usage).
 */
#ifndef RG_CTL_H
#define RG_CTL_H

int rg_ctl_policy(int argc, char **argv);
int rg_ctl_check(int argc, char **argv);
int rg_ctl_status(int argc, char **argv);
int rg_ctl_top(int argc, char **argv);

#endif
