// Package golden compares results of tests with files.
//
// A result and the path of a file flow in. A difference is an error of the test; with the flag -update, the result is written instead.
package golden
