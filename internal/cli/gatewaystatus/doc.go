// Package gatewaystatus lists which objects of the Gateway API concern a mesh, and what keeps them from being in force.
//
// Its input is a cluster. Its output is a row for each Gateway of the class of the mesh, route and BackendTLSPolicy, with its problems: the
// conditions that the control plane wrote, and what no condition says, such as a parent that does not exist.
package gatewaystatus
