package verdict

import "pgregory.net/rapid"

// rapid prefers small numbers, which finds edge cases of arithmetic. Here every choice is an edge case, and a mesh in which the
// first of everything is drawn most is always the same mesh. What follows prefers nothing, and still shrinks towards the first.

// below draws a number from 0 to n-1.
func below(t *rapid.T, n int, what string) int {
	number, bits := 0, 0
	// Eight bits more than needed keep what is left over from the division small.
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

// oneIn is true once in n times.
func oneIn(t *rapid.T, n int, what string) bool { return below(t, n, what) == n-1 }

// oneOf draws one of the list.
func oneOf[T any](list []T) *rapid.Generator[T] {
	return rapid.Custom(func(t *rapid.T) T { return list[below(t, len(list), "one of")] })
}
