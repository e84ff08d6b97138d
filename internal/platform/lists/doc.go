// Package lists makes lists and texts from lists, where package slices of the standard library has no function for it.
package lists
