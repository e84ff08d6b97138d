// Package listeners lists every port on which a part of the mesh listens, with the limits of its clients.
//
// The limits of servers, the listeners of Envoy and the manifests flow in. The table of docs/security/listeners.md flows out.
package listeners
