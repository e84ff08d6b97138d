// Package operand renders what the operator deploys for a mesh: the manifests of one control-plane version with the
// parameters of one mesh.
//
// In flow a version, and parameters such as the mesh name, its namespace and the number of replicas; out flow Kubernetes
// objects that hold exactly the fields the operator wants to own, in the order in which they are to be applied. The package
// is pure: it reads only the manifests that are embedded in it, and talks to no cluster.
//
// Each version is a folder of plain YAML files below manifests: "current" is the version that this source builds, the others
// are frozen copies of earlier releases with image digests. All are rendered by the same code, which fills in values where a
// manifest has a place for them: a flag that a version does not list is not given to it.
//
// A control plane can be rendered beside the mesh's own, from the same manifests: every name, label, selector and reference then has
// the suffix of its revision, so that neither touches the other.
package operand
