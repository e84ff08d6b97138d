// Package inventory knows who is there: the instances of workloads with their identities and addresses, the Services that lead to them, and where that was
// learnt, which today are pods and EndpointSlices.
//
// In: versions of instances, Services and EndpointSlices, through Inventory.Replace. Out: answers to "who is behind this Service", and the dependencies on
// everything that a change makes different. Membership of the mesh and policies are not known here.
package inventory
