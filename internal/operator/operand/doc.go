// Package operand renders what the operator deploys for a mesh: the manifests of one control-plane version with the
// parameters of one mesh.
//
// A version and parameters flow in, such as the mesh name, its namespace and the number of replicas. Kubernetes objects flow out, in the
// order of their application, with exactly the fields that the operator owns. The package has no side effects: it reads embedded manifests
// and never connects to a cluster.
//
// Each version is a folder of YAML files in manifests. "current" is the version that this source builds. The others are frozen copies of
// earlier releases with image digests. The same code renders all of them. It sets only flags that the manifest of a version lists.
//
// A canary control plane is rendered from the same manifests. All its names, labels, selectors and references have the suffix of its
// revision, so it shares no object with the mesh's own control plane.
package operand
