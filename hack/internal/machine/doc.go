// Package machine simulates machines: each has its own network, processes, mounts, host name and control groups, and shares the kernel and the programs of
// the host. A local cluster can run on each of them, at the same time as the cluster of the host.
//
// Input: names of machines. Output: namespaces, control groups, links and folders, which Stop removes. They are found by their names, so that leftovers are
// removed also after all processes were killed.
package machine
