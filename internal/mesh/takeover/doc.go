// Package takeover reduces the configuration of a sidecar of this mesh to what a sidecar of Open Service Mesh v1.2 understands.
//
// A scope flows in, and one without what that sidecar cannot do flows out; an Envoy message flows in, and loses the fields that its Envoy does not know. Such a
// sidecar runs Envoy 1.22, with a bootstrap that has no tags of statistics and no logs of ours. Where a policy needs a feature that it lacks, requests are
// denied. The module hack/envoy122 compares the result with the protocol buffers of that time. All functions are pure.
package takeover
