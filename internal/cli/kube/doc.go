// Package kube connects commands to a cluster, with kubectl's flags and rules.
//
// Flags flow in. Clients, connections to pods, and errors with remedies flow out.
package kube
