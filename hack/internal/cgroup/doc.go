// Package cgroup keeps everything of the local cluster below one control group, so that it can be found and ended even when every
// record of it is lost: a process cannot leave its group by forking, by starting a session or by outliving its parent.
//
// In: a group's name. Out: the same folder in every cgroup hierarchy of the machine (version 1, version 2 or both).
package cgroup
