// Package networks tests the mesh on networks that differ from the local cluster's: one that replaces the addresses of Services when applications connect.
//
// Input: the local cluster, and programs in its kernel. Output: what pods report, and whether requests succeed.
package networks
