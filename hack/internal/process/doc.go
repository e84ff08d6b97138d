// Package process starts programs that outlive the caller and finds them again later.
//
// In: what to run. Out: a process in its own session, its output in a log file, and a pid file that names the process beyond
// doubt: pid, start time and boot. A pid that the kernel has given to another program since is never taken for ours.
package process
