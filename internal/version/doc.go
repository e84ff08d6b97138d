// Package version holds the version of the program it is linked into.
//
// Flows in: the value that the image builder passes to the linker. Flows out: the same value, for logs, metrics and
// the labels of what the operator deploys.
package version
