// Command pause is the first process of every pod of the local cluster. It holds the pod's namespaces and reaps
// orphaned processes.
//
// Input: signals. Output: none; it exits on SIGINT and SIGTERM.
package main
