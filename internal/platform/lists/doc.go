// Package lists makes lists from lists, where package slices of the standard library has no function for it.
package lists
