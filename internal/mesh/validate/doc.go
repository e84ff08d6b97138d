// Package validate has the rules for objects that users write. Admission, status and analysis share them.
//
// Objects flow in; problems, or responses to admission reviews, flow out. The rules for a single object are pure. They are
// those of package ingest, plus some for fields that ingest does not read.
package validate
