// Package reservation reserves the local cluster of the machine for one run at a time.
//
// Input: a lock file, a description of the run, and the identifier of an inherited reservation. Output: the identifier of the reservation,
// which child processes inherit in the environment. The kernel releases the lock when the process ends.
package reservation
