// Package httplimit limits what the clients of an HTTP server can use before they are known: connections, memory for
// request bodies, and concurrent requests. The limits apply to each source address and in total.
//
// Its input is a server and its listener. Its output is the listener to serve.
package httplimit
