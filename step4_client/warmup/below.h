/* below: files below one directory, and never out of it. */
#ifndef BELOW_H
#define BELOW_H

/* Opens a plain file for reading; `path` is relative to `directory`, a descriptor. Returns the
 * file, or -1 with errno: EACCES for a path that begins with a slash or has a part `..`, ELOOP or
 * ENOTDIR for a part that is a symbolic link, EINVAL for what is no plain file. */
int below_open(int directory, const char *path);

#endif
