// Package folder writes generated folders.
//
// The content of files by their names flows in; a folder with exactly these files flows out.
package folder
