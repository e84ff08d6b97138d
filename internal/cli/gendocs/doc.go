// Command gendocs generates the reference of the osm command line: go run ./internal/cli/gendocs DIRECTORY ANALYSIS REASONS
//
// The commands flow in. One Markdown page per command flows out, named osm*.md. Pages of removed commands are deleted. ANALYSIS is the
// path of the page with the codes of osm analyze, REASONS that of the page with the reasons of conditions.
package main
