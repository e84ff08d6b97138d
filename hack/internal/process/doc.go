// Package process starts programs that outlive the caller, and finds them again later.
//
// Input: a program with its arguments. Output: a process in its own session, a log file, and a pid file with pid, start
// time and boot id. A pid that the kernel has reused since is therefore never mistaken for the process.
package process
