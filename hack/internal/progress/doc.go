// Package progress tells a person what is going on, one line a step, with the seconds since the start.
//
// In: the steps of a program. Out: lines on a writer; the same lines whether it is a terminal or a file.
package progress
