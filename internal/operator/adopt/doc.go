// Package adopt finds an Open Service Mesh that this operator did not install, and what one left behind.
//
// It reads Deployments, Services, webhook configurations and CRDs from the API server before a mesh is installed. It returns conflicting
// installations with a remedy, and dead webhook configurations, and repairs CRDs whose conversion webhook is gone. For a takeover of a running one it
// returns what the steps of a Mesh permit, and the order in which workloads restart. Objects of users are never changed.
package adopt
