// Package journeys contains the end-to-end tests of user journeys, with real pods, sidecars and traffic, on one cluster
// and one shared mesh.
//
// Input: a checkout and a machine. Output: test results. Tests that change shared state, such as the MeshConfig or the
// control plane, run first and one at a time. The others run in parallel, in their own namespaces.
package journeys
