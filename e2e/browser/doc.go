// Package browser opens the page of a mesh in a real browser.
//
// A recorded state of a mesh and Chromium flow in. What a user sees, reaches by keyboard and gets read aloud flows out, and screenshots for
// the documentation. The tests run in `make test-full`.
package browser
