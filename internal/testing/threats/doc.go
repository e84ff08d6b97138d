// Package threats keeps docs/threats.md true.
//
// The page and the source of all tests flow in; a failure for each test that the page names and nobody has written flows out.
package threats
