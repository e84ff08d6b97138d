// Package files writes and copies files of the tools.
//
// Input: names and content. Output: files on the disk.
package files
