/* udp_echo: what udp_echo and udp_echo_server have in common. */
#ifndef UDP_ECHO_H
#define UDP_ECHO_H

/* The longest datagram, in bytes. One of up to about 1,400 passes an Ethernet in one piece; of a
 * longer one, a single lost piece loses all. */
enum { UDP_LONGEST = 1024 };

#endif
