// Package version holds the version of the program that it is linked into.
//
// The image builder sets it through the linker. Logs, metrics and the labels of the control plane contain it.
package version
