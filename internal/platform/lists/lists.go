package lists

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Map returns what a function makes of each element. It is nil for an empty list.
func Map[S ~[]E, E, R any](list S, of func(E) R) []R {
	if len(list) == 0 {
		return nil
	}
	out := make([]R, len(list))
	for i, element := range list {
		out[i] = of(element)
	}
	return out
}

// FlatMap returns what a function makes of all elements, in one list.
func FlatMap[S ~[]E, E, R any](list S, of func(E) []R) []R {
	var out []R
	for _, element := range list {
		out = append(out, of(element)...)
	}
	return out
}

// Filter returns the elements for which a predicate is true, in a list of its own. It is nil if there are none.
func Filter[S ~[]E, E any](list S, is func(E) bool) S {
	var out S
	for _, element := range list {
		if is(element) {
			out = append(out, element)
		}
	}
	return out
}

// Unique sorts a list and removes repeated elements.
func Unique[S ~[]E, E cmp.Ordered](list S) S {
	slices.Sort(list)
	return slices.Compact(list)
}

// UniqueFunc sorts a list by a comparison and removes repeated elements.
func UniqueFunc[S ~[]E, E comparable](list S, compare func(a, b E) int) S {
	slices.SortFunc(list, compare)
	return slices.Compact(list)
}

// Join joins the first texts of a list, and counts the others.
func Join(list []string, most int) string {
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
