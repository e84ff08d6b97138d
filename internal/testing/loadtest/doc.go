// Package loadtest has the objects of a small mesh, for tests of what loads one.
//
// Nothing flows in; objects flow out, and what must be true of a catalog of them.
package loadtest
