// Package egressgateway reads the Secrets with which the egress gateway encrypts requests.
//
// Egresses and Secrets flow in. The contents of Secrets flow out to the control plane, in every replica.
package egressgateway
