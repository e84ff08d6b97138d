// Package reference decides requests by the texts of SMI, of Open Service Mesh and of the Gateway API, without code of the control plane.
//
// Kubernetes and SMI objects, and requests, flow in. The possible outcomes of a request flow out. Tests compare them with the
// policy engine. To stay an independent check, the package does not import catalog, ingest, authz or scope.
package reference
