// Package journeys holds the end-to-end tests: what users do, with real pods, real sidecars and real traffic, on one
// cluster and one mesh that all tests share.
//
// A checkout and a machine flow in; verdicts flow out. Tests that touch what all share, such as the MeshConfig or the
// control plane, run first and one after the other; the others run beside each other in namespaces of their own.
package journeys
