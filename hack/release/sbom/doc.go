// Package sbom writes the bill of materials of a program or image.
//
// Input: the Go modules that are recorded in a program, and the downloaded packages of an image. Output: the same list
// as an SPDX 2.3 and as a CycloneDX document. Equal input gives equal bytes: times are those of the release.
package sbom
