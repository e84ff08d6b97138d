// Package output prints the results of commands as tables or as data for scripts.
//
// A result flows in. Text in the format of -o flows out.
package output
