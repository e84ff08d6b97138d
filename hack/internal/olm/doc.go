// Package olm installs the Operator Lifecycle Manager in the local cluster.
//
// Its definitions flow in; its two controllers in namespace olm flow out.
package olm
