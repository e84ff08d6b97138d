// Package authz is the policy engine: it decides whether one workload may call another, by which policy, and what is missing.
//
// A catalog view and identities flow in. The rules that a sidecar enforces for its workload, and verdicts about single
// requests, flow out. Both come from the same code, so an explanation always agrees with enforcement.
package authz
