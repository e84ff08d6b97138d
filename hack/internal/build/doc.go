// Package build builds programs from Go modules once and keeps them in a cache folder.
//
// Input: an artifact with a name, everything that determines its content, and a function that builds it. Output: a
// folder with the artifact. The folder's name is a hash of the inputs, so a changed version, flag, toolchain or source
// file gives another folder.
package build
