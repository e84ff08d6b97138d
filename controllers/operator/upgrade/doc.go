// Package upgrade moves a mesh from one version of its control plane to the next.
//
// In flow an accepted Mesh, its MeshRevisions, its sidecars, and what gates observe; out flow the roles of MeshRevisions, the webhooks
// of the mesh, restarts of workloads, and the conditions ControlPlaneReady, Upgrading and DataPlaneUpToDate. The decision is
// internal/operator/rollout's. While the Mesh is paused, planned or not accepted, only the status is written.
package upgrade
