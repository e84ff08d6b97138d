// Package takeover decides how a Mesh takes over from an Open Service Mesh that this operator did not install.
//
// It reads Deployments, Services, webhook configurations and CRDs from the API server before a mesh is installed. It returns conflicting
// installations with a remedy, and dead webhook configurations, and repairs CRDs whose conversion webhook is gone. For a takeover of a running one it
// returns what the steps of a Mesh permit, and the order in which workloads restart. Objects of users are never changed.
package takeover
