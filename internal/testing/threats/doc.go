// Package threats checks docs/threats.md and the pages in docs/security.
//
// Its input is the pages and the source of all tests. It fails for each test on a page that does not exist.
package threats
