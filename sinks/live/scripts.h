#ifndef TL_SINKS_LIVE_SCRIPTS_H
#define TL_SINKS_LIVE_SCRIPTS_H

enum tl_live_script { TL_LIVE_WRITE, TL_LIVE_LOAD };

/** Lua, in the order of the enum, NULL at the end. */
extern const char *const tl_live_scripts[];

#endif
