// Package eventually polls conditions in tests.
//
// Its input is a condition, the expectation that it checks, and a timeout. It fails the test if the condition does not hold
// within the timeout.
package eventually
