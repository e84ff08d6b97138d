// Package services is the component that renders the Services of a mesh: for sidecars, for webhooks and for reports.
//
// The running control planes and the suffixes of former canaries flow in; Services flow out. A Service of a former canary selects the active
// control plane, because sidecars keep the host that they started with.
package services
