// Package acceptance checks a running local cluster by using it as its users do: pods that call each other by name over IPv4 and
// IPv6, exec, logs, port-forward, tokens, admission policies, sidecars, images by digest.
//
// In: kubectl and a cluster. Out: one result a behaviour; the namespace it used is removed.
package acceptance
