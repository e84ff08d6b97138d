// Package analyze finds everything about a mesh that is suspicious: what does not act as it is written, what nobody uses, and
// what will not work.
//
// The objects of a cluster or of files flow in; findings flow out, each with a code, a severity, the object that it is about and
// a sentence with the remedy. The rules about single objects are those of validate and ingest; the others are here.
package analyze
