// Package away lets a real API server go away from under the control plane, and come back.
//
// Objects of a small mesh flow through the control plane's own feed, store and xDS server to imitated sidecars, with tokens of the
// API server; what sidecars are sent meanwhile flows out.
package away
