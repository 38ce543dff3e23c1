/* token: the word by which a secondary knows the client that the principal sent to it. */
#ifndef TOKEN_H
#define TOKEN_H

enum { TOKEN_BYTES = 8, TOKEN_ROOM = 2 * TOKEN_BYTES + 1 };

/* Opens the system's source of chance. Returns 0, or -1 with errno. */
int token_open(void);

/* Stores a new token, which nobody can guess: 16 hexadecimal digits and a '\0'.
 * Returns 0, or -1 with errno. */
int token_make(char token[TOKEN_ROOM]);

void token_close(void);

#endif
