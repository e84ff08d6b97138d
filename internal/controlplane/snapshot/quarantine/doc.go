// Package quarantine traces a NACK back to the policy that caused it.
//
// A Bisector, one for each stream and resource type, finds the rejected resource: NACKs flow in, smaller responses to send and
// finally a RejectedResource flow out. The Quarantine, one for all streams, finds the newest policy behind that resource.
// RejectedResources and policy changes flow in; the policies that each scope must be built without flow out, and the list of
// Rejections goes to status and metrics.
//
// When the proxies accept the resource without several policies, these return one at a time: only those that are rejected again stay quarantined.
//
// An Envoy that rejects a resource keeps its earlier version and misses every later change of it. The quarantine therefore
// removes one policy from the scope, which can only remove permissions, and rebuilds the resource. It affects only the scope of
// the proxy that sent the NACK: a workload cannot disable policies of other workloads by rejecting its configuration.
package quarantine
