// Package cost measures how the processor time of code grows with its input. Input: the same operation on a small and a large input. Output: a
// metric of a benchmark, and a failure if the time grows faster than the input.
package cost
