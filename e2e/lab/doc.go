// Package lab drives a real cluster as a user would: it starts the local one, puts images on it, applies manifests with
// kubectl, waits for what should come true, and reaches pods.
//
// Commands and conditions flow in; what the cluster said flows out. The demo and the end-to-end tests are written with it.
package lab
