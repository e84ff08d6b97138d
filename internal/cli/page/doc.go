// Package page serves the page of a mesh to the browser of one user.
//
// A function that reads the state of a mesh flows in. An HTTP handler with the page, its embedded assets and the state as JSON flows out.
// The page only reads. It loads nothing from other servers.
package page
