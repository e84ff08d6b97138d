// Command releasecli builds the release archives of the osm command line: go run ./releasecli [-dirty] [-platforms
// LIST]
//
// Input: a checkout without changes, its file VERSION and its last commit. Output: below bin/release one archive per
// platform, tar.gz or for Windows zip, with the program and the license, and a file with their SHA-256 sums. Builds are
// reproducible: the same commit and Go version give the same bytes. Archives contain no path or time of the machine;
// files have the time of the commit.
package main
