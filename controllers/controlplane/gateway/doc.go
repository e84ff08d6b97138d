// Package gateway reads the certificates of Gateways, and writes the status of GatewayClasses, Gateways and their routes.
//
// Objects of the Gateway API and Secrets flow in. Certificates flow out to the control plane, in every replica, and conditions flow out to the
// objects, from the replica that holds the Lease.
package gateway
