// Package faults measures what faults of the control plane, of sidecars, of the network and of the API server do to requests.
//
// Input: the local cluster, whose pods are processes of this machine. Output: for each fault the lost requests, the requests that were allowed
// against the policies, and the time until the mesh is well again.
package faults
