// Package threats checks docs/threats.md.
//
// Its input is the page and the source of all tests. It fails for each test on the page that does not exist.
package threats
