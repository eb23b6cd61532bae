#ifndef TL_TEL_OPTIONS_H
#define TL_TEL_OPTIONS_H

#include "tel.h"

/** Reads the command line into tel->options, tel->number and tel->faults. False: nothing is to be
 *  run, return *ret_exit (--help, or a wrong option, both printed). */
bool tl_tel_options_read(struct tl_tel *tel, int argc, char **argv, int *ret_exit);

/** "127.0.0.1:8080" → address and port; "0" or ":0": any port of the loopback. TL_INVALID. */
TL_MUST_CHECK enum tl_status tl_tel_options_split(const char *listen, char *ret_address,
                                                  size_t size, int *ret_port, struct tl_error *err);

#endif
