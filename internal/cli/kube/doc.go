// Package kube connects the commands to a cluster, by kubectl's flags and rules.
//
// Flags flow in; clients, ways into pods, and errors that say what to do flow out.
package kube
