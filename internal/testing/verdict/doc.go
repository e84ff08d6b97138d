// Package verdict proves that sidecars do what the policy engine says, before, while and after the mesh changes.
//
// Random meshes, edits and requests flow in (rapid draws them); a real control plane serves real Envoys in network namespaces
// behind the project's own redirection, and while about 200 requests a second go through them, each answer is compared
// with what authz.Decide says about the mesh before and after the edit. What flows out is a failure with the smallest mesh, as
// YAML, and the request. It needs root, the ip program, ENVOY_BIN and EARLIER_ENVOY_BIN.
package verdict
