// Package meshtest makes catalog entries and random edits of a small mesh for tests.
//
// A few words or a rapid generator flow in; catalog entries and changes flow out.
package meshtest
