// Package diagnosis has the findings of all commands that diagnose a mesh: check, verify, analyze, status and explain.
//
// What a command observed flows in. Findings flow out, and the formats in which the commands print them as text.
package diagnosis
