// Package cgroup keeps all processes of the local cluster below one control group. They can be found and killed even
// without any record of them, because a process cannot leave its group by forking, starting a session or outliving its
// parent.
//
// Input: the name of a group. Output: the same folder in every cgroup hierarchy of the machine (version 1, version 2 or
// both).
package cgroup
