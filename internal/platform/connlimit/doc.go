// Package connlimit limits the connections of a server in number and time, in total and for each address of clients.
//
// Its input is accepted connections. Its output is the same connections, some of which it closes. Clients that open many
// connections lose their own, so they cannot keep others out.
package connlimit
