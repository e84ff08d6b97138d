// Package leftovers finds and removes what a cluster, running or dead, has put on the machine: processes, mounts, network
// interfaces, packet filter tables, control groups, kernel settings and files.
//
// In: the machine as it is. Out: a list, or a machine without them. It needs no record of the cluster: everything is found by
// the cluster's own control group, state folder, bridge and names, so it works after a power cut or a lost state folder too.
package leftovers
