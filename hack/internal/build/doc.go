// Package build makes programs from Go modules once and keeps them in a cache folder.
//
// In: an artifact, which is a name, everything that decides its content, and a function that makes it. Out: a folder holding it.
// The folder's name is a hash of the inputs, so a changed version, flag, toolchain or source file gives another folder.
package build
