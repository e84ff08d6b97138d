package verdict

import "pgregory.net/rapid"

// rapid prefers small numbers, which finds edge cases of arithmetic. Here every choice is an edge case, and a preference for the
// first choice would always draw similar meshes. These generators are uniform, and still shrink towards the first choice.

// below draws a number from 0 to n-1.
func below(t *rapid.T, n int, what string) int {
	number, bits := 0, 0
	// Eight additional bits keep the bias of the modulo operation small.
	for limit := n; limit > 0 || bits < 8; limit >>= 1 {
		number <<= 1
		if rapid.Bool().Draw(t, what) {
			number++
		}
		if limit == 0 {
			bits++
		}
	}
	return number % n
}

// oneIn returns true with a probability of 1/n.
func oneIn(t *rapid.T, n int, what string) bool { return below(t, n, what) == n-1 }

// oneOf draws one of the list.
func oneOf[T any](list []T) *rapid.Generator[T] {
	return rapid.Custom(func(t *rapid.T) T { return list[below(t, len(list), "one of")] })
}
