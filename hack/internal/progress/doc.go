// Package progress prints the progress of a program, one line per step with the seconds since the start.
//
// Input: the steps of a program. Output: lines on a writer, the same for a terminal and a file.
package progress
