// Package revision reconciles MeshRevisions: each deploys one version of a control plane.
//
// It renders the objects of the version, applies them, prunes those that are no longer rendered, and writes the revision's status, which
// describes why pods are not ready. The objects have no owner, so that they survive the deletion of a revision in every manner.
//
// The active Deployments of all versions have the same names, so only the revision with the role Active applies them. When another
// revision becomes active, it takes the objects over by applying them. A canary has Deployments of its own.
package revision
