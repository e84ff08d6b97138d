// Package takeover takes meshes over from an Open Service Mesh that runs, in steps that can each be taken back.
//
// In flow Meshes with spec.adoption, and the Deployments, the MeshConfig, the authority, the webhook configurations and the Service of the Open Service
// Mesh. Out flow copies of authority and settings in the namespace of the mesh, changes of those webhook configurations and of that Service, which
// are recorded in them, and the condition Adopting. The rollout registers the webhooks of the mesh and restarts workloads.
package takeover
