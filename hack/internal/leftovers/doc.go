// Package leftovers finds and removes what a running or stopped cluster created on the machine: processes, mounts,
// network interfaces, nftables tables, control groups, kernel settings and files.
//
// Input: the machine. Output: a list, or a cleaned machine. No record of the cluster is needed: everything is
// identified by the cluster's control group, state folder, bridge and names. It therefore works after a power cut or
// the loss of the state folder.
package leftovers
