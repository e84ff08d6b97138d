// Package analyze finds problems of a mesh: policies without effect, unused objects, and configuration that will not work.
//
// The objects of a cluster or of files flow in. Findings flow out, each with a code, a severity, the object and a message with the
// remedy. Packages validate and ingest contain the rules for single objects. This package contains all others.
package analyze
