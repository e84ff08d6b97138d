// Package provenance describes how files and images were built, as SLSA provenance in an in-toto statement.
//
// Input: the digests of what was built, the commit, and the downloaded packages. Output: a statement of type
// https://in-toto.io/Statement/v1 as JSON. Equal input gives equal bytes.
package provenance
