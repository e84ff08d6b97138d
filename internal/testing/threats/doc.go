// Package threats generates docs/threats.md, and checks it and the pages in docs/security.
//
// Its input is a list of attacks, the pages and the source of all tests; its output is the page. Its tests fail for an attack without a test, and
// for a test on a page that does not exist.
package threats
