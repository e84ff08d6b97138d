// Package revision deploys one version of a control plane: it reconciles MeshRevisions.
//
// In flow a MeshRevision and the live objects that belong to it; out flow those objects as rendered, repaired whenever somebody
// changes them, and the status of the revision, which says in plain words why pods are not ready.
//
// All versions use the same object names. So only the revision of the version that its Mesh wants acts; when another version is
// wanted, its revision takes the objects over by applying them with itself as the owner.
package revision
