// Package nodes tests the mesh on two nodes: what happens to requests when the second one is drained, restarted or cut off.
//
// Input: the local cluster, which a simulated machine joins. Output: lost requests, and where pods run.
package nodes
