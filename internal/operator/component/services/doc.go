// Package services is the component that renders the Services of a mesh: for sidecars, for webhooks and for reports.
//
// The running control planes and the suffixes of earlier canaries flow in; Services flow out. A Service of an earlier canary selects the active
// control plane, because sidecars keep the host that they started with.
package services
