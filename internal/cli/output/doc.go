// Package output prints what commands found: as a table for people, as data for programs.
//
// A result flows in; text in the form that -o names flows out.
package output
