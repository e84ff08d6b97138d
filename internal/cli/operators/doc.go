// Package operators finds the operators in a cluster, which may run in any namespace.
//
// A cluster flows in; the Deployments of operators flow out.
package operators
