// Package rules has the recording rules and alerts of a mesh.
//
// The name of a mesh flows in; groups of rules in the format of Prometheus flow out. Each alert has a page in docs/runbooks.
package rules
