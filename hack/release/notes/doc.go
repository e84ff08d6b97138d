// Package notes writes release notes from the subjects of commits.
//
// Input: subjects in the form "area: change". Output: Markdown with one section per area.
package notes
