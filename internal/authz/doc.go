// Package authz is the one policy engine: may A call B like this, by which policy, and what is missing.
//
// A catalog view and identities flow in; the rules that a sidecar enforces for its workload, and verdicts about single
// requests, flow out. Both come from the same code, so that what is explained is what is enforced.
package authz
