// Package cost checks how the processor time of code grows with its input. Input: the same operation on a small and a large input. Output: a failed test
// if the time grows faster than the input.
package cost
