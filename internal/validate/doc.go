// Package validate is the one list of rules about what users write: admission refuses by it, status reports by it and analysis
// explains by it.
//
// Objects flow in; problems in sentences, or answers to admission reviews, flow out. The rules about one object are pure; they
// are those of ingest, which acts on the same objects, and some about fields that ingest does not read.
package validate
