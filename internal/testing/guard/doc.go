// Package guard cleans up after programs that are killed.
//
// Input: a command of the shell. It runs when the process that has started the guard ends in any way.
package guard
