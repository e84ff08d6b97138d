// Package flood opens connections to an xDS server like pods that have no credentials.
//
// The address of a server, a kind of behaviour and bounds flow in. Connections flow to the server until the flood is stopped, each from one of
// many loopback addresses; the numbers of connections that were opened and that the server closed flow out.
package flood
