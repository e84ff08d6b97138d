// Package handshake limits concurrent TLS handshakes of a server.
//
// A handshake takes half a millisecond of CPU time, as much as a push to twenty proxies. A thousand concurrent handshakes would delay pushes to connected
// proxies.
//
// Accepted connections flow in. The same connections flow out, and wait while too many others use the CPU.
package handshake
