// Package pages reads pages of documentation as scripts, so that what they show can be tried as it is written.
//
// Markdown flows in; files to write and commands to run flow out, each command with the output that the page shows for it. A
// fenced block with an info string such as `yaml title="retry.yaml"` is a file; a `console` block holds commands, each on a
// line that begins with "$ ", and what they print. Other blocks are only for reading.
package pages
