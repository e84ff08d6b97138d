// Package meshtest creates catalog entries and random edits of a small mesh for tests.
//
// Its input is names or a rapid generator. Its output is catalog entries and changes.
package meshtest
