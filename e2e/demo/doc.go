// Command demo runs the bookstore in a mesh on a bare machine: a cluster, the operator, one Mesh, the bookstore, and a
// table of the traffic with the policies that decide it.
//
// Input: the command up, report or down. Output: progress, the table and suggested next commands.
package main
