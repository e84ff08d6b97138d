package main

import "strings"

// quote makes one word of a POSIX shell out of any string.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
